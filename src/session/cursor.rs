//! Cursors of DECLARE: a running query, whose rows are read as they are fetched.
//!
//! One that scrolls keeps what it has read, and one that is held past its transaction what it has
//! not, both in a [`Spool`].

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::error::DataFusionError;
use futures::StreamExt;
use parking_lot::Mutex;
use tessera_catalog::system::CursorRow;

use super::reply::{BatchStream, Columns};
use super::spool::Spool;
use crate::error::{Error, Result};

/// The most open cursors of one session.
const MAX_CURSORS: usize = 256;

/// A session's open cursors; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Cursors {
    by_name: Arc<Mutex<HashMap<String, Cursor>>>,
}

/// How a cursor was declared.
#[derive(Clone)]
pub(super) struct Declared {
    pub(super) columns: Columns,
    /// The whole statement.
    pub(super) text: Arc<str>,
    pub(super) hold: bool,
    pub(super) scroll: bool,
    /// Microseconds since 1970.
    pub(super) at: i64,
}

/// An open cursor; cheap to clone.
#[derive(Clone)]
pub(super) struct Cursor {
    pub(super) declared: Declared,
    pub(super) scan: Arc<tokio::sync::Mutex<Scan>>,
    /// Whether the transaction that declared it has been committed.
    is_held: bool,
}

impl Cursors {
    pub(super) fn check_new(&self, name: &str) -> Result<()> {
        let by_name = self.by_name.lock();
        if by_name.contains_key(name) {
            return Err(Error::DuplicateCursor(name.to_owned()));
        }
        if by_name.len() >= MAX_CURSORS {
            return Err(Error::ConfigurationLimit(format!(
                "too many cursors: at most {MAX_CURSORS}"
            )));
        }
        Ok(())
    }

    pub(super) fn open(
        &self,
        name: &str,
        declared: Declared,
        batches: BatchStream,
        spool: Spool,
    ) -> Result<()> {
        self.check_new(name)?;
        let scan = Scan {
            source: Some(batches),
            spool,
            keeps: declared.scroll,
            position: 0,
        };
        let cursor = Cursor {
            declared,
            scan: Arc::new(tokio::sync::Mutex::new(scan)),
            is_held: false,
        };
        self.by_name.lock().insert(name.to_owned(), cursor);
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Result<Cursor> {
        let found = self.by_name.lock().get(name).cloned();
        found.ok_or_else(|| Error::NoSuchCursor(name.to_owned()))
    }

    pub(super) fn columns(&self, name: &str) -> Result<Columns> {
        self.get(name).map(|cursor| cursor.declared.columns)
    }

    pub(super) fn close(&self, name: &str) -> Result<()> {
        let closed = self.by_name.lock().remove(name).map(drop);
        closed.ok_or_else(|| Error::NoSuchCursor(name.to_owned()))
    }

    pub(super) fn clear(&self) {
        self.by_name.lock().clear();
    }

    /// Before a commit: reads what cursors WITH HOLD have not read yet.
    ///
    /// # Errors
    /// What their queries meet; nothing is to be committed then.
    pub(super) async fn hold(&self) -> Result<()> {
        let held: Vec<Cursor> = {
            let by_name = self.by_name.lock();
            let all = by_name.values();
            all.filter(|c| c.declared.hold && !c.is_held)
                .cloned()
                .collect()
        };
        for cursor in held {
            cursor.scan.lock().await.read_all().await?;
        }
        Ok(())
    }

    /// At a transaction's end only cursors WITH HOLD stay, on a rollback those of earlier ones.
    pub(super) fn end_transaction(&self, committed: bool) {
        let mut by_name = self.by_name.lock();
        by_name.retain(|_, cursor| cursor.is_held || committed && cursor.declared.hold);
        for cursor in by_name.values_mut() {
            cursor.is_held = true;
        }
    }

    /// The rows of `pg_cursors`.
    pub(super) fn rows(&self) -> Vec<CursorRow> {
        let by_name = self.by_name.lock();
        let row = |(name, cursor): (&String, &Cursor)| CursorRow {
            name: name.clone(),
            statement: cursor.declared.text.to_string(),
            is_holdable: cursor.declared.hold,
            is_binary: false,
            is_scrollable: cursor.declared.scroll,
            creation_time: cursor.declared.at,
        };
        by_name.iter().map(row).collect()
    }
}

/// Where a cursor stands in its rows.
pub(super) struct Scan {
    /// The rows that were not read yet.
    source: Option<BatchStream>,
    /// Rows that were read: all, or those yet to be fetched.
    spool: Spool,
    /// Whether fetched rows are kept.
    keeps: bool,
    /// The number of the row on which the cursor stands, from 1; 0 before the first, and one more than
    /// there are after the last.
    position: u64,
}

impl Scan {
    /// Where the cursor stands.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether the cursor stands on a row.
    pub(super) fn is_on_row(&self) -> bool {
        self.position > 0 && self.position <= self.spool.end()
    }

    /// Reads from the query until so many rows were read; fewer if it has no more.
    async fn read_to(&mut self, rows: u64) -> Result<()> {
        while self.spool.end() < rows {
            let Some(source) = &mut self.source else {
                return Ok(());
            };
            match source.next().await {
                Some(batch) => self.spool.push(batch?).await?,
                None => self.source = None,
            }
        }
        Ok(())
    }

    async fn read_all(&mut self) -> Result<()> {
        self.read_to(u64::MAX).await
    }

    /// Goes to a row, or as far as there are rows towards it; gives how many rows were passed.
    pub(super) async fn seek(&mut self, position: u64) -> Result<u64> {
        let before = self.position;
        if position < before {
            self.position = position;
            return Ok(before - position);
        }
        let mut at = before;
        while at < position {
            // What is only passed need not be kept.
            let next = position.min(at.saturating_add(1).max(self.spool.end().saturating_add(1)));
            self.read_to(next).await?;
            if self.spool.end() < next {
                let end = self.spool.end();
                self.position = end + 1;
                return Ok(end.saturating_sub(before));
            }
            at = next;
            self.position = at;
            self.forget_fetched();
        }
        Ok(position - before)
    }

    /// The next rows, at most so many at once; none at the end, after which the cursor then stands.
    pub(super) async fn forward(&mut self, most: u64) -> Result<Vec<RecordBatch>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        self.read_to(self.position + 1).await?;
        let batches = self.spool.rows_at(self.position, most).await?;
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if rows == 0 {
            self.position = self.spool.end() + 1;
            return Ok(Vec::new());
        }
        self.position += rows;
        self.forget_fetched();
        Ok(batches)
    }

    /// The rows before, the last first, at most so many at once; none at the start.
    pub(super) async fn backward(&mut self, most: u64) -> Result<Vec<RecordBatch>> {
        if most == 0 || self.position <= 1 {
            if most > 0 {
                self.position = 0;
            }
            return Ok(Vec::new());
        }
        // Row numbers from 0: the cursor's own row is `position - 1`, the one before it is wanted.
        let (first, batches) = self.spool.rows_before(self.position - 1, most).await?;
        self.position = first + 1;
        batches.iter().rev().map(reversed).collect()
    }

    fn forget_fetched(&mut self) {
        if !self.keeps {
            self.spool.forget_before(self.position);
        }
    }
}

fn reversed(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    let order = UInt32Array::from_iter_values((0..rows).rev());
    Ok(take_record_batch(batch, &order).map_err(DataFusionError::from)?)
}
