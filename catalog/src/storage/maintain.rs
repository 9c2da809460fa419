//! Upkeep of parts: checkpoints, log clean-up, vacuum, compaction and erasure.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::{DataFile, Snapshot, Storage};
use crate::error::{Error, Result};
use crate::id::{Part, Space};
use crate::model::Relation;

/// What to erase.
#[derive(Debug, Clone, Copy)]
pub enum Erase {
    Part(Part),
    Space(Space),
}

/// Files that take the place of others, for a commit with these `added` and `removed`.
#[derive(Debug, Default)]
pub struct Compaction {
    pub added: Vec<Arc<DataFile>>,
    pub removed: Vec<Arc<DataFile>>,
}

impl Storage {
    /// Writes a checkpoint of a visible version.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read or the checkpoint not be written.
    pub async fn checkpoint(&self, _part: Part, _version: i64) -> Result<()> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Removes log files that no version of the retention needs; tells how many.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store fails.
    pub async fn clean_log(
        &self,
        _part: Part,
        _visible: i64,
        _retention: Duration,
    ) -> Result<usize> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Removes data files that are not kept and older than the grace; tells how many.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store fails.
    pub async fn vacuum(
        &self,
        _part: Part,
        _keep: &HashSet<String>,
        _older_than: Duration,
    ) -> Result<usize> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Removes all of a part or a space; tells how many objects.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store fails; erasing again is fine.
    pub async fn erase(&self, _what: Erase) -> Result<usize> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Rewrites small files as few bigger ones; empty when there is nothing to gain.
    ///
    /// # Errors
    ///
    /// As a scan or a write.
    pub async fn compact(
        &self,
        _part: Part,
        _relation: &Relation,
        _snapshot: &Snapshot,
    ) -> Result<Compaction> {
        Err(Error::Unusable("not written yet".to_owned()))
    }
}
