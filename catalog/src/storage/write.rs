//! Batches to data files: Parquet with physical names and field ids, and the statistics of each file.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{DataFile, Storage};
use crate::error::{Error, Result};
use crate::id::Part;
use crate::model::Relation;

/// How data files are written.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// A file is closed when it has grown to about this size.
    pub file_bytes: usize,
    /// The most rows of a row group.
    pub group_rows: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            group_rows: 1 << 20,
        }
    }
}

/// Writes one transaction's rows of one part.
#[derive(Debug)]
pub struct PartWriter {}

impl Storage {
    /// A writer of a table's rows into a part.
    ///
    /// # Errors
    ///
    /// [`Error::Unstorable`] when a column has a type that no file holds.
    pub fn writer(&self, part: Part, relation: &Relation) -> Result<PartWriter> {
        self.writer_with(part, relation, WriteOptions::default())
    }

    /// A writer with other sizes than the usual ones.
    ///
    /// # Errors
    ///
    /// As [`Storage::writer`].
    pub fn writer_with(
        &self,
        _part: Part,
        _relation: &Relation,
        _options: WriteOptions,
    ) -> Result<PartWriter> {
        Err(Error::Unusable("not written yet".to_owned()))
    }
}

impl PartWriter {
    /// Adds rows: one column per stored live column of the table, in the engine's types.
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`], [`Error::Store`], or [`Error::Unstorable`] for a value that no file holds.
    pub async fn write(&mut self, _batch: &RecordBatch) -> Result<()> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Closes the files; they are durable when this returns.
    ///
    /// # Errors
    ///
    /// As [`PartWriter::write`]; nothing is left behind then.
    pub async fn finish(self) -> Result<Vec<Arc<DataFile>>> {
        Err(Error::Unusable("not written yet".to_owned()))
    }

    /// Removes what was written.
    pub async fn abort(self) {}
}
