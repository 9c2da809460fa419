//! SAVEPOINT, RELEASE and ROLLBACK TO.

use super::{Changes, Status, Transaction};
use crate::error::{Error, Result};

/// What ROLLBACK TO goes back to.
#[derive(Debug)]
pub(super) struct Savepoint {
    name: String,
    changes: Changes,
    /// How many locks the transaction had.
    locks: usize,
    /// How many of them were advisory ones, which the session counts.
    advisory: usize,
}

impl Transaction {
    /// SAVEPOINT.
    pub(in crate::session) fn savepoint(&mut self, name: String, advisory: usize) {
        self.savepoints.push(Savepoint {
            name,
            changes: self.changes.clone(),
            locks: self.locks.held.len(),
            advisory,
        });
    }

    /// RELEASE SAVEPOINT.
    ///
    /// # Errors
    /// 3B001 for an unknown name.
    pub(in crate::session) fn release(&mut self, name: &str) -> Result<()> {
        let index = self.savepoint_index(name)?;
        self.savepoints.truncate(index);
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT: how many advisory locks the transaction had then.
    ///
    /// # Errors
    /// 3B001 for an unknown name.
    pub(in crate::session) fn roll_back_to(&mut self, name: &str) -> Result<usize> {
        let index = self.savepoint_index(name)?;
        self.savepoints.truncate(index + 1);
        let savepoint = &self.savepoints[index];
        self.changes = savepoint.changes.clone();
        self.locks.held.truncate(savepoint.locks);
        self.before = None;
        if self.status == Status::Failed {
            self.status = Status::Open;
        }
        Ok(savepoint.advisory)
    }

    fn savepoint_index(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(|| Error::NoSuchSavepoint(name.to_owned()))
    }
}
