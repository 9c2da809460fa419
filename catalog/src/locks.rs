//! Who may change what now: sessions take locks on rows of a part, on a part as a table, and on
//! numbers of their own (advisory locks); what conflicts waits in line.
//!
//! Files are rewritten whole, so two transactions that change rows of one table at once would undo
//! each other's work; the second waits for the first to end and then sees what it did. A wait that
//! would never end is found when it begins.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::id::{DatabaseId, Part};

/// A session that takes locks; no two have the same number, and none waits for its own locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    number: u64,
    /// The session's number, as its clients know it.
    pub pid: i32,
    /// The session's database.
    pub database: DatabaseId,
}

/// What is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// The rows of a part, for whoever rewrites them.
    Rows(Part),
    /// A part, as LOCK TABLE and all that reads or writes it lock it.
    Table(Part),
    /// A number that means something to clients of one database.
    Advisory(DatabaseId, AdvisoryKey),
}

/// The number of an advisory lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdvisoryKey {
    /// One `bigint`.
    One(i64),
    /// Two `integer`s; never the same as any one number.
    Two(i32, i32),
}

/// PostgreSQL's modes of a table's lock, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// All modes, the weakest first.
pub const MODES: [Mode; 8] = [
    Mode::AccessShare,
    Mode::RowShare,
    Mode::RowExclusive,
    Mode::ShareUpdateExclusive,
    Mode::Share,
    Mode::ShareRowExclusive,
    Mode::Exclusive,
    Mode::AccessExclusive,
];

impl Mode {
    /// As `LOCK TABLE … IN … MODE` says it.
    pub fn words(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// As `pg_locks` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// Whether two sessions cannot hold the two modes at once: PostgreSQL's table of conflicts.
    pub fn conflicts(self, other: Self) -> bool {
        use Mode as M;
        let (weak, strong) = if self <= other {
            (self, other)
        } else {
            (other, self)
        };
        match weak {
            M::AccessShare => strong == M::AccessExclusive,
            M::RowShare => strong >= M::Exclusive,
            M::RowExclusive => strong >= M::Share,
            M::ShareUpdateExclusive => strong >= M::ShareUpdateExclusive,
            // A share lock is the only one of these that several may hold.
            M::Share => strong != M::Share,
            M::ShareRowExclusive | M::Exclusive | M::AccessExclusive => true,
        }
    }
}

/// All locks; cheap to clone.
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
    entries: HashMap<Target, Entry>,
    /// The places in lines of each waiting owner; a query of several parts may wait in more than one.
    waits: HashMap<Owner, Vec<(Ticket, Target)>>,
    next_ticket: Ticket,
}

/// A place in a line.
type Ticket = u64;

#[derive(Debug, Default)]
struct Entry {
    /// Who holds it, each mode as often as it was taken.
    held: Vec<(Owner, Mode, usize)>,
    queue: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    owner: Owner,
    mode: Mode,
    grant: oneshot::Sender<()>,
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    locks: Locks,
    target: Target,
    mode: Mode,
    owner: Owner,
}

impl Lock {
    /// What is locked.
    pub fn target(&self) -> Target {
        self.target
    }

    /// How it is locked.
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut table = self.locks.shared.table.lock();
        table.release(self.target, self.owner, self.mode);
    }
}

/// A lock that is held or waited for, for `pg_locks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub target: Target,
    pub mode: Mode,
    pub owner: Owner,
    pub granted: bool,
}

impl Locks {
    /// A number for a session that begins to take locks.
    pub fn owner(&self, database: DatabaseId, pid: i32) -> Owner {
        Owner {
            number: self.shared.next_owner.fetch_add(1, Ordering::Relaxed),
            pid,
            database,
        }
    }

    /// Takes a lock that nothing stands in the way of.
    pub fn try_lock(&self, target: Target, mode: Mode, owner: Owner) -> Option<Lock> {
        let mut table = self.shared.table.lock();
        if !table.is_free(target, mode, owner) {
            return None;
        }
        table.hold(target, mode, owner);
        drop(table);
        Some(self.guard(target, mode, owner))
    }

    /// Waits for a lock, in the order of asking; whoever stops waiting leaves the line.
    ///
    /// # Errors
    ///
    /// [`Error::Deadlock`] when what stands in the way waits, by way of others, for this owner.
    pub async fn lock(&self, target: Target, mode: Mode, owner: Owner) -> Result<Lock> {
        let (ticket, granted) = {
            let mut table = self.shared.table.lock();
            if table.is_free(target, mode, owner) {
                table.hold(target, mode, owner);
                drop(table);
                return Ok(self.guard(target, mode, owner));
            }
            if table.would_wait_for_itself(target, mode, owner) {
                return Err(Error::Deadlock);
            }
            table.join_line(target, mode, owner)
        };
        let mut waiter = Waiter {
            locks: self,
            target,
            mode,
            owner,
            ticket,
            granted,
            is_done: false,
        };
        // The sender is dropped only when it has granted.
        let _ = (&mut waiter.granted).await;
        waiter.is_done = true;
        Ok(self.guard(target, mode, owner))
    }

    /// What sessions of a database hold and wait for; of all, where none is named.
    pub fn list(&self, database: Option<DatabaseId>) -> Vec<Listed> {
        let table = self.shared.table.lock();
        let mut listed = Vec::new();
        for (target, entry) in &table.entries {
            let held = entry
                .held
                .iter()
                .map(|(owner, mode, _)| (owner, mode, true));
            let waiting = entry.queue.iter().map(|w| (&w.owner, &w.mode, false));
            let shown = held.chain(waiting).map(|(owner, mode, granted)| Listed {
                target: *target,
                mode: *mode,
                owner: *owner,
                granted,
            });
            listed.extend(shown.filter(|l| database.is_none_or(|d| l.owner.database == d)));
        }
        listed
    }

    fn guard(&self, target: Target, mode: Mode, owner: Owner) -> Lock {
        Lock {
            locks: self.clone(),
            target,
            mode,
            owner,
        }
    }
}

impl Entry {
    /// Who holds what conflicts with a mode, other than one owner.
    fn in_the_way(&self, mode: Mode, owner: Owner) -> impl Iterator<Item = Owner> {
        let held = self.held.iter();
        let others = held.filter(move |(other, held, _)| *other != owner && mode.conflicts(*held));
        others.map(|(other, _, _)| *other)
    }

    fn is_held_by(&self, owner: Owner) -> bool {
        self.held.iter().any(|(other, _, _)| *other == owner)
    }

    fn add(&mut self, mode: Mode, owner: Owner) {
        let same = |(other, held, _): &&mut (Owner, Mode, usize)| *other == owner && *held == mode;
        match self.held.iter_mut().find(same) {
            Some((_, _, count)) => *count += 1,
            None => self.held.push((owner, mode, 1)),
        }
    }
}

impl Table {
    /// Whether nothing stands in the way: no holder, and nobody who waits already, unless the owner
    /// holds something of it, when the line could wait for the owner.
    fn is_free(&self, target: Target, mode: Mode, owner: Owner) -> bool {
        let Some(entry) = self.entries.get(&target) else {
            return true;
        };
        if entry.in_the_way(mode, owner).next().is_some() {
            return false;
        }
        let before = |w: &Waiting| w.owner != owner && w.mode.conflicts(mode);
        entry.is_held_by(owner) || !entry.queue.iter().any(before)
    }

    fn hold(&mut self, target: Target, mode: Mode, owner: Owner) {
        self.entries.entry(target).or_default().add(mode, owner);
    }

    fn join_line(
        &mut self,
        target: Target,
        mode: Mode,
        owner: Owner,
    ) -> (Ticket, oneshot::Receiver<()>) {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let (grant, granted) = oneshot::channel();
        let entry = self.entries.entry(target).or_default();
        entry.queue.push_back(Waiting {
            ticket,
            owner,
            mode,
            grant,
        });
        self.waits.entry(owner).or_default().push((ticket, target));
        (ticket, granted)
    }

    /// Takes back a place in a line; false if it was granted already.
    fn leave_line(&mut self, owner: Owner, ticket: Ticket) -> bool {
        let Some(places) = self.waits.get_mut(&owner) else {
            return false;
        };
        let Some(place) = places.iter().position(|(own, _)| *own == ticket) else {
            return false;
        };
        places.swap_remove(place);
        if places.is_empty() {
            self.waits.remove(&owner);
        }
        true
    }

    /// Whether what stands in the way of an owner waits for it, itself or by way of others.
    fn would_wait_for_itself(&self, target: Target, mode: Mode, owner: Owner) -> bool {
        let mut open = self.blockers(target, mode, owner, usize::MAX);
        let mut seen = HashSet::new();
        while let Some(other) = open.pop() {
            if other == owner {
                return true;
            }
            if !seen.insert(other) {
                continue;
            }
            for (ticket, target) in self.waits.get(&other).into_iter().flatten() {
                let Some(entry) = self.entries.get(target) else {
                    continue;
                };
                let mut line = entry.queue.iter().enumerate();
                if let Some((place, waiting)) = line.find(|(_, w)| w.ticket == *ticket) {
                    open.extend(self.blockers(*target, waiting.mode, other, place));
                }
            }
        }
        false
    }

    /// Who stands in the way: holders, and those who wait before a place in the line.
    fn blockers(&self, target: Target, mode: Mode, owner: Owner, place: usize) -> Vec<Owner> {
        let Some(entry) = self.entries.get(&target) else {
            return Vec::new();
        };
        let before = entry.queue.iter().take(place);
        let before = before.filter(|w| w.owner != owner && w.mode.conflicts(mode));
        let before = before.map(|w| w.owner);
        entry.in_the_way(mode, owner).chain(before).collect()
    }

    /// Gives a lock back once, and grants it to those in line whom nothing hinders now.
    fn release(&mut self, target: Target, owner: Owner, mode: Mode) {
        let Some(entry) = self.entries.get_mut(&target) else {
            return;
        };
        let same = |(other, held, _): &(Owner, Mode, usize)| *other == owner && *held == mode;
        if let Some(place) = entry.held.iter().position(same) {
            entry.held[place].2 -= 1;
            if entry.held[place].2 == 0 {
                entry.held.swap_remove(place);
            }
        }
        self.grant(target);
    }

    /// Grants what can be granted, the longest waiting first.
    fn grant(&mut self, target: Target) {
        let Some(entry) = self.entries.get_mut(&target) else {
            return;
        };
        let mut granted = Vec::new();
        let mut left: VecDeque<Waiting> = VecDeque::with_capacity(entry.queue.len());
        for next in std::mem::take(&mut entry.queue) {
            let before = |w: &Waiting| w.owner != next.owner && w.mode.conflicts(next.mode);
            if left.iter().any(before) || entry.in_the_way(next.mode, next.owner).next().is_some() {
                left.push_back(next);
                continue;
            }
            granted.push((next.owner, next.ticket));
            // Who has stopped waiting is about to leave the line.
            if next.grant.send(()).is_ok() {
                entry.add(next.mode, next.owner);
            }
        }
        entry.queue = left;
        let is_idle = entry.held.is_empty() && entry.queue.is_empty();
        for (owner, ticket) in granted {
            self.leave_line(owner, ticket);
        }
        if is_idle {
            self.entries.remove(&target);
        }
    }
}

/// A place in the line, which is left when its owner stops waiting.
struct Waiter<'a> {
    locks: &'a Locks,
    target: Target,
    mode: Mode,
    owner: Owner,
    ticket: Ticket,
    granted: oneshot::Receiver<()>,
    is_done: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut table = self.locks.shared.table.lock();
        if !table.leave_line(self.owner, self.ticket) {
            // The grant came at the same moment.
            table.release(self.target, self.owner, self.mode);
            return;
        }
        if let Some(entry) = table.entries.get_mut(&self.target) {
            entry.queue.retain(|w| w.ticket != self.ticket);
        }
        table.grant(self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Space, TableUuid};

    fn target() -> Target {
        Target::Rows(Part {
            space: Space::Shared,
            table: TableUuid::generate(),
        })
    }

    fn owners<const N: usize>(locks: &Locks) -> [Owner; N] {
        [(); N].map(|()| locks.owner(DatabaseId::System, 1))
    }

    #[tokio::test]
    async fn the_line_is_kept_and_left() {
        let locks = Locks::default();
        let target = target();
        let [first, second, third] = owners(&locks);
        let held = locks.lock(target, Mode::Exclusive, first).await.unwrap();
        assert!(locks.try_lock(target, Mode::Exclusive, second).is_none());
        let impatient = tokio::time::timeout(
            std::time::Duration::from_millis(10),
            locks.lock(target, Mode::Exclusive, second),
        );
        assert!(impatient.await.is_err());
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move {
                let lock = locks.lock(target, Mode::Exclusive, third).await;
                lock.map(|lock| lock.target())
            }
        });
        tokio::task::yield_now().await;
        drop(held);
        assert_eq!(waiting.await.unwrap().unwrap(), target);
        assert!(locks.try_lock(target, Mode::Exclusive, second).is_some());
        assert!(locks.list(None).is_empty());
    }

    #[tokio::test]
    async fn a_circle_of_waits_is_refused() {
        let locks = Locks::default();
        let (left, right) = (target(), target());
        let [first, second] = owners(&locks);
        let _left = locks.lock(left, Mode::Exclusive, first).await.unwrap();
        let own = locks.lock(right, Mode::Exclusive, second).await.unwrap();
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move { locks.lock(right, Mode::Exclusive, first).await.map(drop) }
        });
        tokio::task::yield_now().await;
        let refused = locks.lock(left, Mode::Exclusive, second).await;
        assert!(matches!(refused, Err(Error::Deadlock)), "{refused:?}");
        drop(own);
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn shared_locks_are_shared_and_counted() {
        let locks = Locks::default();
        let target = Target::Advisory(DatabaseId::System, AdvisoryKey::One(7));
        let [first, second, third] = owners(&locks);
        let one = locks.try_lock(target, Mode::Share, first).unwrap();
        let again = locks.try_lock(target, Mode::Share, first).unwrap();
        let _other = locks.try_lock(target, Mode::Share, second).unwrap();
        assert!(locks.try_lock(target, Mode::Exclusive, third).is_none());
        assert!(locks.try_lock(target, Mode::Exclusive, first).is_none());
        drop(one);
        assert_eq!(locks.list(None).len(), 2);
        drop(again);
        assert_eq!(locks.list(None).len(), 1);
        let alone = locks.try_lock(target, Mode::Exclusive, second);
        assert!(alone.is_some(), "nobody waits for a lock of its own");
    }

    #[tokio::test]
    async fn two_that_share_and_both_want_more_are_a_circle() {
        let locks = Locks::default();
        let target = target();
        let [first, second] = owners(&locks);
        let _one = locks.try_lock(target, Mode::Share, first).unwrap();
        let other = locks.try_lock(target, Mode::Share, second).unwrap();
        let waiting = tokio::spawn({
            let locks = locks.clone();
            async move { locks.lock(target, Mode::Exclusive, first).await.map(drop) }
        });
        tokio::task::yield_now().await;
        let refused = locks.lock(target, Mode::Exclusive, second).await;
        assert!(matches!(refused, Err(Error::Deadlock)), "{refused:?}");
        drop(other);
        waiting.await.unwrap().unwrap();
    }

    #[test]
    fn modes_conflict_as_in_postgresql() {
        // https://www.postgresql.org/docs/15/explicit-locking.html, table 13.2: a row for each mode.
        let table = [
            "       x", "      xx", "    xxxx", "   xxxxx", "  xx xxx", "  xxxxxx", " xxxxxxx",
            "xxxxxxxx",
        ];
        for (mode, row) in MODES.iter().zip(table) {
            for (other, mark) in MODES.iter().zip(row.chars()) {
                assert_eq!(mode.conflicts(*other), mark == 'x', "{mode:?} {other:?}");
            }
        }
    }
}
