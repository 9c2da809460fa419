//! Who is next on the threads that give way: the tenant that had the least by its weight, and of its
//! statements the one that had the least.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::Statement;
use super::share::CpuShare;

/// Statements that used about as much come in the order in which they ask.
const LEVEL_NANOS: u64 = 1 << 25;

/// Lets as much work run as there are processors.
#[derive(Debug)]
pub(super) struct Gate {
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    free: usize,
    next_number: u64,
    /// Tenants that wait, by what they had when they were put here.
    order: BTreeSet<(u64, u64)>,
    tenants: HashMap<u64, Waiting>,
    /// What the tenant that came last had.
    reached: u64,
}

/// A tenant's work that waits.
#[derive(Debug)]
struct Waiting {
    share: Arc<CpuShare>,
    key: u64,
    work: BTreeMap<(u32, u64), Arc<Ticket>>,
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Ticket {
    tenant: u64,
    place: (u32, u64),
    granted: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The right to run, given back when dropped.
#[derive(Debug)]
pub(super) struct Grant<'a> {
    gate: &'a Gate,
}

impl Gate {
    /// A gate for so many at a time.
    pub(super) fn new(processors: usize) -> Self {
        Self {
            queue: Mutex::new(Queue {
                free: processors,
                next_number: 0,
                order: BTreeSet::new(),
                tenants: HashMap::new(),
                reached: 0,
            }),
        }
    }

    /// Asks to run; `ticket` is the caller's place from an earlier time.
    pub(super) fn enter(
        &self,
        statement: &Statement,
        ticket: &mut Option<Arc<Ticket>>,
        cx: &Context<'_>,
    ) -> Poll<Grant<'_>> {
        let mut queue = self.queue.lock();
        if let Some(waiting) = ticket {
            if waiting.granted.load(Ordering::Relaxed) {
                *ticket = None;
                return Poll::Ready(Grant { gate: self });
            }
            *waiting.waker.lock() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if queue.free > 0 {
            queue.free -= 1;
            return Poll::Ready(Grant { gate: self });
        }
        *ticket = Some(queue.add(statement, cx));
        Poll::Pending
    }

    /// Gives up a place.
    pub(super) fn leave(&self, ticket: &Ticket) {
        let mut queue = self.queue.lock();
        if ticket.granted.load(Ordering::Relaxed) {
            drop(queue);
            return self.release();
        }
        queue.remove(ticket);
    }

    fn release(&self) {
        let waker = {
            let mut queue = self.queue.lock();
            match queue.pop() {
                Some(next) => {
                    next.granted.store(true, Ordering::Relaxed);
                    next.waker.lock().take()
                }
                None => {
                    queue.free += 1;
                    None
                }
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        self.gate.release();
    }
}

impl Queue {
    fn add(&mut self, statement: &Statement, cx: &Context<'_>) -> Arc<Ticket> {
        self.next_number += 1;
        let used = statement.used() / LEVEL_NANOS;
        let level = u64::BITS - used.leading_zeros();
        let share = &statement.share;
        let ticket = Arc::new(Ticket {
            tenant: share.number,
            place: (level, self.next_number),
            granted: AtomicBool::new(false),
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
        let Some(waiting) = self.tenants.get_mut(&ticket.tenant) else {
            return;
        };
        waiting.work.remove(&ticket.place);
        if waiting.work.is_empty() {
            self.order.remove(&(waiting.key, ticket.tenant));
            self.tenants.remove(&ticket.tenant);
        }
    }

    fn pop(&mut self) -> Option<Arc<Ticket>> {
        loop {
            let (key, tenant) = *self.order.first()?;
            let Some(waiting) = self.tenants.get_mut(&tenant) else {
                self.order.pop_first();
                continue;
            };
            let had = waiting.share.weighted_nanos();
            if had > key && self.order.len() > 1 {
                // It had more since it was put here.
                self.order.pop_first();
                waiting.key = had;
                self.order.insert((had, tenant));
                if self.order.first() != Some(&(had, tenant)) {
                    continue;
                }
            }
            let waiting = self.tenants.get_mut(&tenant)?;
            self.reached = self.reached.max(waiting.key);
            let next = waiting.work.pop_first();
            if waiting.work.is_empty() {
                let key = waiting.key;
                self.order.remove(&(key, tenant));
                self.tenants.remove(&tenant);
            }
            if let Some((_, ticket)) = next {
                return Some(ticket);
            }
        }
    }
}
