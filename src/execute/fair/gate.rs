//! Who is next on the threads that give way: the tenant that had the least by its weight, and of its
//! statements the one that had the least.
//!
//! As much work runs as there are processors. A step that does not come back keeps its thread, and
//! after a while gives up its place, so that others run beside it; of each tenant there are only a few
//! such steps at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Statement;
use super::share::CpuShare;

/// Statements that used about as much come in the order in which they ask.
const LEVEL_NANOS: u64 = 1 << 25;
/// How often steps that do not come back are looked for while others wait.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Lets as much work run as there are processors.
#[derive(Debug)]
pub(super) struct Gate {
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    free: usize,
    processors: usize,
    /// The most steps that may run beside those that have a place.
    spare: usize,
    next_number: u64,
    /// Tenants that wait, by what they had when they were put here.
    order: BTreeSet<(u64, u64)>,
    tenants: HashMap<u64, Waiting>,
    running: HashMap<u64, Running>,
    /// Steps of each tenant that gave up their places.
    stuck: HashMap<u64, usize>,
    stuck_in_all: usize,
    /// What the tenant that came last had.
    reached: u64,
    watched: bool,
}

/// A tenant's work that waits.
#[derive(Debug)]
struct Waiting {
    share: Arc<CpuShare>,
    key: u64,
    work: BTreeMap<(u32, u64), Arc<Ticket>>,
}

/// A step that was let in.
#[derive(Debug)]
struct Running {
    share: Arc<CpuShare>,
    /// `None` until its thread has it.
    since: Option<Instant>,
    is_stuck: bool,
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Ticket {
    share: Arc<CpuShare>,
    place: (u32, u64),
    /// The number of the step that it became; 0 until then.
    step: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

/// The right to run, given back when dropped.
#[derive(Debug)]
pub(super) struct Grant<'a> {
    gate: &'a Gate,
    step: u64,
}

/// What one hears at the gate.
pub(super) enum Entered<'a> {
    Go(Grant<'a>),
    /// The waker will be told; the caller is to have the gate watched if it says so.
    Wait {
        watch: bool,
    },
}

impl Gate {
    /// A gate for so many at a time, on so many threads.
    pub(super) fn new(processors: usize, threads: usize) -> Self {
        Self {
            queue: Mutex::new(Queue {
                free: processors,
                processors,
                spare: threads.saturating_sub(2 * processors),
                next_number: 0,
                order: BTreeSet::new(),
                tenants: HashMap::new(),
                running: HashMap::new(),
                stuck: HashMap::new(),
                stuck_in_all: 0,
                reached: 0,
                watched: false,
            }),
        }
    }

    /// Asks to run; `ticket` is the caller's place from an earlier time.
    pub(super) fn enter(
        &self,
        statement: &Statement,
        ticket: &mut Option<Arc<Ticket>>,
        cx: &Context<'_>,
    ) -> Entered<'_> {
        let mut queue = self.queue.lock();
        if let Some(waiting) = ticket.take() {
            let step = waiting.step.load(Ordering::Relaxed);
            if step > 0 {
                if let Some(running) = queue.running.get_mut(&step) {
                    running.since = Some(Instant::now());
                }
                return Entered::Go(Grant { gate: self, step });
            }
            let former = waiting.waker.lock().replace(cx.waker().clone());
            *ticket = Some(waiting);
            drop(queue);
            drop(former);
            return Entered::Wait { watch: false };
        }
        let share = &statement.share;
        if queue.free > 0 && queue.has_room(share.number) {
            let step = queue.start(share, Some(Instant::now()));
            return Entered::Go(Grant { gate: self, step });
        }
        *ticket = Some(queue.add(statement, cx));
        let watch = !std::mem::replace(&mut queue.watched, true);
        Entered::Wait { watch }
    }

    /// Gives up a place.
    pub(super) fn leave(&self, ticket: &Ticket) {
        let mut queue = self.queue.lock();
        let step = ticket.step.load(Ordering::Relaxed);
        if step > 0 {
            drop(queue);
            return self.release(step);
        }
        queue.remove(ticket);
    }

    /// Takes the places of steps that do not come back. Nobody needs to look again once it says so.
    pub(super) fn look(&self) -> bool {
        let wakers = {
            let mut queue = self.queue.lock();
            if queue.tenants.is_empty() {
                queue.watched = false;
                return false;
            }
            queue.pass_over_stuck();
            queue.let_in()
        };
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    fn release(&self, step: u64) {
        let wakers = {
            let mut queue = self.queue.lock();
            queue.end(step);
            queue.let_in()
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        self.gate.release(self.step);
    }
}

impl Queue {
    /// Whether a tenant may have one more step.
    fn has_room(&self, tenant: u64) -> bool {
        let stuck = self.stuck.get(&tenant).copied().unwrap_or_default();
        stuck < self.processors
    }

    fn start(&mut self, share: &Arc<CpuShare>, since: Option<Instant>) -> u64 {
        self.free = self.free.saturating_sub(1);
        self.next_number += 1;
        let running = Running {
            share: Arc::clone(share),
            since,
            is_stuck: false,
        };
        self.running.insert(self.next_number, running);
        self.next_number
    }

    fn end(&mut self, step: u64) {
        let Some(ended) = self.running.remove(&step) else {
            return;
        };
        if !ended.is_stuck {
            self.free += 1;
            return;
        }
        self.stuck_in_all -= 1;
        let tenant = ended.share.number;
        if let Some(count) = self.stuck.get_mut(&tenant) {
            *count -= 1;
            if *count == 0 {
                self.stuck.remove(&tenant);
            }
        }
    }

    fn pass_over_stuck(&mut self) {
        for running in self.running.values_mut() {
            let is_long = running
                .since
                .is_some_and(|since| since.elapsed() >= LOOK_EVERY);
            if !is_long {
                continue;
            }
            // What it used is counted when it ends; until then it must not look idle.
            running.share.seem_busy(LOOK_EVERY);
            if running.is_stuck || self.stuck_in_all >= self.spare {
                continue;
            }
            running.is_stuck = true;
            self.stuck_in_all += 1;
            self.free += 1;
            *self.stuck.entry(running.share.number).or_default() += 1;
        }
    }

    fn let_in(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while self.free > 0 {
            let Some(next) = self.pop() else { break };
            let step = self.start(&next.share, None);
            next.step.store(step, Ordering::Relaxed);
            wakers.extend(next.waker.lock().take());
        }
        wakers
    }

    fn add(&mut self, statement: &Statement, cx: &Context<'_>) -> Arc<Ticket> {
        self.next_number += 1;
        let used = statement.used() / LEVEL_NANOS;
        let level = u64::BITS - used.leading_zeros();
        let share = &statement.share;
        let ticket = Arc::new(Ticket {
            share: Arc::clone(share),
            place: (level, self.next_number),
            step: AtomicU64::new(0),
            waker: Mutex::new(Some(cx.waker().clone())),
        });
        let reached = self.reached;
        let order = &mut self.order;
        let waiting = self.tenants.entry(share.number).or_insert_with(|| {
            let key = share.catch_up(reached);
            order.insert((key, share.number));
            Waiting {
                share: Arc::clone(share),
                key,
                work: BTreeMap::new(),
            }
        });
        waiting.work.insert(ticket.place, Arc::clone(&ticket));
        ticket
    }

    fn remove(&mut self, ticket: &Ticket) {
        let tenant = ticket.share.number;
        let Some(waiting) = self.tenants.get_mut(&tenant) else {
            return;
        };
        waiting.work.remove(&ticket.place);
        if waiting.work.is_empty() {
            self.order.remove(&(waiting.key, tenant));
            self.tenants.remove(&tenant);
        }
    }

    fn pop(&mut self) -> Option<Arc<Ticket>> {
        self.sort_first();
        let order = self.order.iter();
        let (key, tenant) = order.copied().find(|(_, tenant)| self.has_room(*tenant))?;
        let waiting = self.tenants.get_mut(&tenant)?;
        self.reached = self.reached.max(key);
        let (_, ticket) = waiting.work.pop_first()?;
        if waiting.work.is_empty() {
            self.order.remove(&(key, tenant));
            self.tenants.remove(&tenant);
        }
        Some(ticket)
    }

    /// Puts first tenants that had more since in their new places, until the first stays.
    fn sort_first(&mut self) {
        while let Some((key, tenant)) = self.order.first().copied() {
            let Some(waiting) = self.tenants.get_mut(&tenant) else {
                self.order.pop_first();
                continue;
            };
            let had = waiting.share.weighted_nanos();
            if had <= key {
                return;
            }
            self.order.pop_first();
            waiting.key = had;
            self.order.insert((had, tenant));
            if self.order.first() == Some(&(had, tenant)) {
                return;
            }
        }
    }
}
