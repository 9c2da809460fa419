//! The processors, shared among tenants.
//!
//! A statement begins on front threads. Once it has used some CPU time, or its tenant more than its
//! share while others are there, its tasks go on at their next step on back threads, to which
//! the system prefers the front ones. There the tenant that had the least
//! by its weight comes first, and of its statements the one that had the least. So a short statement
//! waits for nobody's long one, and long ones get what is left, each tenant its part.
//!
//! Operators of the engine start tasks of their own; a hook of the engine's makes them tasks of
//! their statement. Nothing here grows with the number of tenants but a sum of weights that is
//! brought up to date a few times a second over those that are at work.

mod clock;
mod gate;
mod share;
mod work;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub(crate) use clock::{give_way, go_first};
pub use share::CpuShare;

use gate::Gate;
pub use work::Counting;
use work::Work;

/// The CPU time that a statement has before it gives way, in nanoseconds.
const FRONT_NANOS: u64 = 40_000_000;
/// A tenant is at work as long as it used a processor so lately.
const AT_WORK_MS: u64 = 500;
/// How often those that are no longer at work are looked for.
const LOOK_EVERY_MS: u64 = 100;

/// The processors of the server.
#[derive(Debug)]
pub struct Fair {
    front: Handle,
    back: Handle,
    processors: f64,
    gate: Gate,
    at_work: Mutex<Vec<Arc<CpuShare>>>,
    weight_at_work: AtomicU64,
    looked_at: AtomicU64,
    started_at: Instant,
}

/// One statement's use of the processors.
#[derive(Debug)]
pub(super) struct Statement {
    share: Arc<CpuShare>,
    nanos: AtomicU64,
    /// It was seen to be long before it used any time.
    gives_way: AtomicBool,
}

/// Where a statement's work runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cpu {
    fair: Arc<Fair>,
    statement: Arc<Statement>,
}

impl Fair {
    /// The threads that the runtime of short statements needs: more than run, since a few of each
    /// tenant's may be at work that cannot be stopped.
    pub fn front_threads(processors: usize) -> usize {
        processors.max(1) * 8
    }

    /// The threads that the runtime of long statements needs: as many as run, as many that put what
    /// else could run in its place, and more for steps that do not come back.
    pub fn back_threads(processors: usize) -> usize {
        processors.max(1) * 16
    }

    /// Shares two runtimes, `front` of [`Fair::front_threads`] and `back` of [`Fair::back_threads`], which
    /// have been told to [`give_way`].
    pub fn new(front: Handle, back: Handle, processors: usize) -> Self {
        work::trace();
        Self {
            front,
            back,
            processors: processors.max(1) as f64,
            gate: Gate::new(processors.max(1), Self::back_threads(processors)),
            at_work: Mutex::default(),
            weight_at_work: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            started_at: Instant::now(),
        }
    }

    /// A new statement of a tenant.
    pub fn statement(self: &Arc<Self>, share: &Arc<CpuShare>) -> Cpu {
        if share.is_overdrawn() {
            share.settle(self, 0);
        }
        Cpu {
            fair: Arc::clone(self),
            statement: Arc::new(Statement {
                share: Arc::clone(share),
                nanos: AtomicU64::new(0),
                gives_way: AtomicBool::new(false),
            }),
        }
    }

    /// Looks for steps that do not come back as long as others wait.
    fn watch(self: &Arc<Self>) {
        let fair = Arc::clone(self);
        self.back.spawn(async move {
            loop {
                tokio::time::sleep(gate::LOOK_EVERY).await;
                if !fair.gate.look() {
                    return;
                }
            }
        });
    }

    /// The processors that are the part of who has this weight, beside those that are at work.
    fn processors_of(&self, weight: u64) -> f64 {
        let all = self.weight_at_work.load(Ordering::Relaxed).max(weight);
        self.processors * weight as f64 / all as f64
    }

    /// Notes that a tenant is at work.
    fn note(&self, share: &Arc<CpuShare>) {
        let now = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        share.used_at.store(now, Ordering::Relaxed);
        if !share.counted.swap(true, Ordering::Relaxed) {
            self.at_work.lock().push(Arc::clone(share));
            self.weight_at_work
                .fetch_add(share.weight(), Ordering::Relaxed);
        }
        let looked_at = self.looked_at.load(Ordering::Relaxed);
        if now.saturating_sub(looked_at) < LOOK_EVERY_MS {
            return;
        }
        let mine =
            self.looked_at
                .compare_exchange(looked_at, now, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_ok() {
            self.look(now);
        }
    }

    /// Adds up the weights of those that are at work.
    fn look(&self, now: u64) {
        let mut at_work = self.at_work.lock();
        at_work.retain(|share| {
            let is_at_work = now.saturating_sub(share.used_at.load(Ordering::Relaxed)) < AT_WORK_MS;
            if !is_at_work {
                share.counted.store(false, Ordering::Relaxed);
            }
            is_at_work
        });
        let weight = at_work.iter().map(|share| share.weight()).sum();
        self.weight_at_work.store(weight, Ordering::Relaxed);
    }
}

impl Statement {
    fn used(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }
}

impl Cpu {
    /// Starts a task of the statement.
    pub fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let runtime = match self.is_long() {
            true => &self.fair.back,
            false => &self.fair.front,
        };
        runtime.spawn(Work::new(self.clone(), task.boxed()))
    }

    /// Counts what `task` takes of the processors wherever it is polled: planning, checking and whatever
    /// else a session does itself.
    pub fn counting<F: Future>(&self, task: F) -> Counting<F> {
        Counting::new(self.clone(), task)
    }

    /// Waits until it is the tenant's turn, should it have used more than its share while others are at
    /// work. What the session's own thread does next then comes after those who had less.
    pub async fn turn(&self) {
        if self.statement.share.is_overdrawn() {
            // Who ends the wait ends the statement.
            let _ = self.spawn(std::future::ready(())).await;
        }
    }

    /// Has the statement go on on threads that give way.
    pub(super) async fn give_way(&self) {
        self.statement.gives_way.store(true, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }

    /// Whether the statement is to give way.
    fn is_long(&self) -> bool {
        let statement = &self.statement;
        statement.gives_way.load(Ordering::Relaxed)
            || statement.used() > FRONT_NANOS
            || statement.share.is_overdrawn()
            || statement
                .share
                .crowds_the_front(self.fair.processors as usize)
    }

    fn charge(&self, nanos: u64) {
        self.statement.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.statement.share.charge(&self.fair, nanos);
    }
}

#[cfg(test)]
mod tests;
