//! Who may rewrite the rows of a part: one transaction at a time, the others wait in line.
//!
//! Files are rewritten whole, so two transactions that change rows of one table at once would undo
//! each other's work; the second waits for the first to end and then sees what it did. Adding rows
//! takes no lock. A wait that would never end is found when it begins.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::id::Part;

/// A transaction that takes locks; no two have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner(u64);

/// The locks of all parts; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    next_owner: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Part, Held>,
    /// What each waiting owner waits for.
    waits: HashMap<Owner, Part>,
}

#[derive(Debug)]
struct Held {
    owner: Owner,
    queue: VecDeque<(Owner, oneshot::Sender<()>)>,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct PartLock {
    locks: Locks,
    part: Part,
    owner: Owner,
}

impl PartLock {
    /// The part that is locked.
    pub fn part(&self) -> Part {
        self.part
    }
}

impl Drop for PartLock {
    fn drop(&mut self) {
        self.locks
            .shared
            .table
            .lock()
            .release(self.part, self.owner);
    }
}

impl Locks {
    /// A number for a transaction that begins to take locks.
    pub fn owner(&self) -> Owner {
        Owner(self.shared.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes a lock that is free.
    pub fn try_lock(&self, part: Part, owner: Owner) -> Option<PartLock> {
        let mut table = self.shared.table.lock();
        if table.held.contains_key(&part) {
            return None;
        }
        table.hold(part, owner);
        drop(table);
        Some(self.guard(part, owner))
    }

    /// Waits for a lock, in the order of asking; whoever stops waiting leaves the line.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] when the holder waits, by way of others, for this owner.
    pub async fn lock(&self, part: Part, owner: Owner) -> Result<PartLock> {
        let granted = {
            let mut table = self.shared.table.lock();
            let Some(held) = table.held.get(&part) else {
                table.hold(part, owner);
                drop(table);
                return Ok(self.guard(part, owner));
            };
            if table.waits_for(held.owner, owner) {
                return Err(Error::Deadlock);
            }
            let (grant, granted) = oneshot::channel();
            if let Some(held) = table.held.get_mut(&part) {
                held.queue.push_back((owner, grant));
            }
            table.waits.insert(owner, part);
            granted
        };
        let mut waiter = Waiter {
            locks: self,
            part,
            owner,
            granted,
            is_done: false,
        };
        // The sender is dropped only when it has granted.
        let _ = (&mut waiter.granted).await;
        waiter.is_done = true;
        Ok(self.guard(part, owner))
    }

    fn guard(&self, part: Part, owner: Owner) -> PartLock {
        PartLock {
            locks: self.clone(),
            part,
            owner,
        }
    }
}

impl Table {
    fn hold(&mut self, part: Part, owner: Owner) {
        let queue = VecDeque::new();
        self.held.insert(part, Held { owner, queue });
    }

    /// Whether `from` waits for `target`, itself or by way of others; an owner waits for one at most.
    fn waits_for(&self, mut from: Owner, target: Owner) -> bool {
        loop {
            if from == target {
                return true;
            }
            let held = self.waits.get(&from).and_then(|part| self.held.get(part));
            match held {
                Some(held) => from = held.owner,
                None => return false,
            }
        }
    }

    /// Hands the lock to the next in line.
    fn release(&mut self, part: Part, owner: Owner) {
        let Some(held) = self.held.get_mut(&part).filter(|held| held.owner == owner) else {
            return;
        };
        while let Some((next, grant)) = held.queue.pop_front() {
            self.waits.remove(&next);
            held.owner = next;
            if grant.send(()).is_ok() {
                return;
            }
        }
        self.held.remove(&part);
    }
}

/// A place in the line, which is left when its owner stops waiting.
struct Waiter<'a> {
    locks: &'a Locks,
    part: Part,
    owner: Owner,
    granted: oneshot::Receiver<()>,
    is_done: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut table = self.locks.shared.table.lock();
        table.waits.remove(&self.owner);
        if let Some(held) = table.held.get_mut(&self.part) {
            held.queue.retain(|(owner, _)| *owner != self.owner);
        }
        // The grant may have come at the same moment.
        table.release(self.part, self.owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Space, TableUuid};

    fn part() -> Part {
        Part {
            space: Space::Shared,
            table: TableUuid::generate(),
        }
    }

    #[tokio::test]
    async fn the_line_is_kept_and_left() {
        let locks = Locks::default();
        let part = part();
        let [first, second, third] = [(); 3].map(|()| locks.owner());
        let held = locks.lock(part, first).await.unwrap();
        assert!(locks.try_lock(part, second).is_none());
        let impatient = tokio::time::timeout(
            std::time::Duration::from_millis(10),
            locks.lock(part, second),
        );
        assert!(impatient.await.is_err());
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move { locks.lock(part, third).await.map(|lock| lock.part()) }
        });
        tokio::task::yield_now().await;
        drop(held);
        assert_eq!(waiting.await.unwrap().unwrap(), part);
        assert!(locks.try_lock(part, second).is_some());
    }

    #[tokio::test]
    async fn a_circle_of_waits_is_refused() {
        let locks = Locks::default();
        let (left, right) = (part(), part());
        let (first, second) = (locks.owner(), locks.owner());
        let _left = locks.lock(left, first).await.unwrap();
        let own = locks.lock(right, second).await.unwrap();
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move { locks.lock(right, first).await.map(|_| ()) }
        });
        tokio::task::yield_now().await;
        let refused = locks.lock(left, second).await;
        assert!(matches!(refused, Err(Error::Deadlock)), "{refused:?}");
        drop(own);
        waiting.await.unwrap().unwrap();
    }
}
