//! What a tenant has of the processors, and how much of it is used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tessera_catalog::model::USUAL_CPU_SHARE;

use super::Fair;
use crate::execute::Counters;

/// How far ahead of its share a tenant may be, and how far behind it can fall, in nanoseconds of
/// CPU time.
const BURST_NANOS: i64 = 200_000_000;
/// A step that took so long may take for ever.
const STUCK: Duration = Duration::from_millis(20);
/// A tenant that was behind is taken to keep to its share again with this much in hand.
const SETTLED_NANOS: i64 = 50_000_000;

/// One tenant's share of the processors.
#[derive(Debug)]
pub struct CpuShare {
    /// Tells it from others.
    pub(super) number: u64,
    weight: AtomicU64,
    counters: Arc<Counters>,
    /// CPU time by weight: who has less comes first on the threads that give way.
    weighted_nanos: AtomicU64,
    balance: Mutex<Balance>,
    /// It used more than its share lately, while others were there.
    overdrawn: AtomicBool,
    /// When its steps that are being done on front threads began.
    in_front: Mutex<Vec<Instant>>,
    /// Among those whose weights are added up.
    pub(super) counted: AtomicBool,
    /// When it last used a processor, in milliseconds since the start.
    pub(super) used_at: AtomicU64,
}

#[derive(Debug)]
struct Balance {
    nanos: i64,
    at: Instant,
}

impl CpuShare {
    /// A share of the usual weight.
    pub fn new(counters: Arc<Counters>) -> Self {
        static SHARES: AtomicU64 = AtomicU64::new(0);
        Self {
            number: SHARES.fetch_add(1, Ordering::Relaxed),
            weight: AtomicU64::new(USUAL_CPU_SHARE),
            counters,
            weighted_nanos: AtomicU64::new(0),
            balance: Mutex::new(Balance {
                nanos: BURST_NANOS,
                at: Instant::now(),
            }),
            overdrawn: AtomicBool::new(false),
            in_front: Mutex::default(),
            counted: AtomicBool::new(false),
            used_at: AtomicU64::new(0),
        }
    }

    /// Changes the weight beside others.
    pub fn set_weight(&self, weight: u64) {
        self.weight.store(weight.max(1), Ordering::Relaxed);
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    pub(super) fn weighted_nanos(&self) -> u64 {
        self.weighted_nanos.load(Ordering::Relaxed)
    }

    /// A tenant that comes back does not have what it left unused long ago.
    pub(super) fn catch_up(&self, weighted_nanos: u64) -> u64 {
        self.weighted_nanos
            .fetch_max(weighted_nanos, Ordering::Relaxed)
            .max(weighted_nanos)
    }

    /// Whether it has as many front threads as one tenant may have: some that do not come back, or
    /// very many.
    pub(super) fn crowds_the_front(&self, processors: usize) -> bool {
        let steps = self.in_front.lock();
        if steps.len() < processors {
            return false;
        }
        let stuck = steps.iter().filter(|began| began.elapsed() > STUCK);
        steps.len() >= Fair::front_threads(processors) / 2 || stuck.count() >= processors
    }

    /// Counts a step on a front thread until what is given is dropped.
    pub(super) fn step_in_front(self: &Arc<Self>) -> Step {
        let began = Instant::now();
        self.in_front.lock().push(began);
        Step {
            share: Arc::clone(self),
            began,
        }
    }

    /// A step of the tenant's goes on and is not counted yet.
    pub(super) fn seem_busy(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let weighted = nanos.saturating_mul(USUAL_CPU_SHARE) / self.weight();
        self.weighted_nanos.fetch_add(weighted, Ordering::Relaxed);
    }

    pub(super) fn is_overdrawn(&self) -> bool {
        self.overdrawn.load(Ordering::Relaxed)
    }

    /// Takes what was used, and gives what came in since the last time.
    pub(super) fn charge(self: &Arc<Self>, fair: &Fair, nanos: u64) {
        self.counters.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
        let weighted = nanos.saturating_mul(USUAL_CPU_SHARE) / self.weight();
        self.weighted_nanos.fetch_add(weighted, Ordering::Relaxed);
        fair.note(self);
        self.settle(fair, nanos);
    }

    /// Brings the balance up to now.
    pub(super) fn settle(&self, fair: &Fair, nanos: u64) {
        let mut balance = self.balance.lock();
        let now = Instant::now();
        let came = (now - balance.at).as_nanos() as f64 * fair.processors_of(self.weight());
        balance.at = now;
        let after = balance.nanos.saturating_add(came as i64);
        let after = after.saturating_sub(i64::try_from(nanos).unwrap_or(i64::MAX));
        balance.nanos = after.clamp(-BURST_NANOS, BURST_NANOS);
        let overdrawn = match self.is_overdrawn() {
            true => balance.nanos < SETTLED_NANOS,
            false => balance.nanos < 0,
        };
        self.overdrawn.store(overdrawn, Ordering::Relaxed);
    }
}

/// A step on a front thread.
pub(super) struct Step {
    share: Arc<CpuShare>,
    began: Instant,
}

impl Drop for Step {
    fn drop(&mut self) {
        let mut steps = self.share.in_front.lock();
        if let Some(place) = steps.iter().position(|began| *began == self.began) {
            steps.swap_remove(place);
        }
    }
}
