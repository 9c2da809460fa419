//! The locks that a transaction holds until it ends.

use tessera_catalog::Catalog;
use tessera_catalog::locks::{Lock, Mode, Owner, Target};

use super::Transaction;
use crate::error::Result;

/// The locks of one transaction.
#[derive(Debug, Default)]
pub(in crate::session) struct Locked {
    pub(super) held: Vec<Lock>,
}

impl Transaction {
    /// Keeps others from what conflicts with a lock until the transaction ends; waits for who does so
    /// now.
    ///
    /// # Errors
    /// 40P01 when that one waits for this session.
    pub(in crate::session) async fn lock(
        &mut self,
        catalog: &Catalog,
        owner: Owner,
        (target, mode): (Target, Mode),
    ) -> Result<()> {
        if !self.holds(target, mode) {
            let lock = catalog.locks().lock(target, mode, owner).await?;
            self.locks.held.push(lock);
        }
        Ok(())
    }

    /// The same without waiting: whether the lock could be taken.
    pub(in crate::session) fn try_lock(
        &mut self,
        catalog: &Catalog,
        owner: Owner,
        (target, mode): (Target, Mode),
    ) -> bool {
        if self.holds(target, mode) {
            return true;
        }
        let lock = catalog.locks().try_lock(target, mode, owner);
        let is_free = lock.is_some();
        self.locks.held.extend(lock);
        is_free
    }

    /// Whether others may wait for what the transaction has locked.
    pub(in crate::session) fn holds_locks(&self) -> bool {
        !self.locks.held.is_empty()
    }

    fn holds(&self, target: Target, mode: Mode) -> bool {
        let mut held = self.locks.held.iter();
        held.any(|lock| lock.target() == target && lock.mode() == mode)
    }

    /// Takes the locks, which a commit holds until it is done.
    pub(in crate::session) fn take_locks(&mut self) -> Locked {
        std::mem::take(&mut self.locks)
    }
}
