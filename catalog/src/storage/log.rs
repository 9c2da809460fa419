//! The Delta log of a part: reading it at the visible version, and writing the next entry.

use std::sync::Arc;

use uuid::Uuid;

use super::{DataFile, Snapshot, Storage};
use crate::error::{Error, Result};
use crate::id::Part;
use crate::model::Relation;

/// What one version of a part says.
#[derive(Debug, Clone, Copy)]
pub struct LogEntry<'a> {
    /// The mark by which this server knows its own entries.
    pub commit_id: Uuid,
    /// Milliseconds since 1970; must not go back from version to version.
    pub timestamp_ms: i64,
    /// What `commitInfo` calls it, such as `WRITE`.
    pub operation: &'a str,
    pub relation: &'a Relation,
    /// The version before; decides whether protocol and columns are told again.
    pub base: &'a Snapshot,
    pub added: &'a [Arc<DataFile>],
    pub removed: &'a [Arc<DataFile>],
}

impl Storage {
    /// The text of a version's log entry.
    ///
    /// # Errors
    ///
    /// [`Error::Unstorable`] when a column has a type that no file holds.
    pub fn log_entry(&self, _entry: LogEntry<'_>) -> Result<String> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Writes a version's entry; writing it again is fine.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignCommit`] when another's entry has this version.
    pub async fn write_log_entry(
        &self,
        _part: Part,
        _version: i64,
        _entry: &str,
        _commit_id: Uuid,
        _table: &str,
    ) -> Result<()> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Reads a part at exactly this version.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignCommit`] when the log has an entry at or above the version that this server did
    /// not write, [`Error::Damaged`] when the log cannot be read.
    pub async fn load(&self, _part: Part, _version: i64, _table: &str) -> Result<Snapshot> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Reads an older version, for `FOR VERSION`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchVersion`] when it is above the visible one or its log is gone.
    pub async fn load_version(
        &self,
        _part: Part,
        _version: i64,
        _visible: i64,
        _table: &str,
    ) -> Result<Snapshot> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Reads the part as it was at a moment, for `FOR TIMESTAMP`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchVersion`] when the moment is before the oldest version that is kept.
    pub async fn load_at(
        &self,
        _part: Part,
        _timestamp_ms: i64,
        _visible: i64,
        _table: &str,
    ) -> Result<Snapshot> {
        Err(Error::Unusable("not written yet".to_owned()))
    }
}
