//! Cursors of DECLARE: a running query, read forward as it is fetched.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use futures::StreamExt;
use parking_lot::Mutex;

use super::reply::{BatchStream, Columns};
use crate::error::{Error, Result};

/// The most open cursors of one session.
const MAX_CURSORS: usize = 256;

/// A session's open cursors.
#[derive(Default)]
pub(super) struct Cursors {
    by_name: HashMap<String, Cursor>,
}

pub(super) struct Cursor {
    pub(super) columns: Columns,
    /// In a lock, so that a session with cursors can be looked at from two threads.
    batches: Mutex<BatchStream>,
    /// Of the newest batch, what was not fetched yet.
    rest: Option<RecordBatch>,
    /// Rows fetched so far.
    pub(super) position: u64,
    pub(super) hold: bool,
    pub(super) done: bool,
}

impl Cursors {
    pub(super) fn open(
        &mut self,
        name: &str,
        columns: Columns,
        batches: BatchStream,
        hold: bool,
    ) -> Result<()> {
        if self.by_name.contains_key(name) {
            return Err(Error::DuplicateCursor(name.to_owned()));
        }
        if self.by_name.len() >= MAX_CURSORS {
            return Err(Error::ConfigurationLimit(format!(
                "too many cursors: at most {MAX_CURSORS}"
            )));
        }
        let cursor = Cursor {
            columns,
            batches: Mutex::new(batches),
            rest: None,
            position: 0,
            hold,
            done: false,
        };
        self.by_name.insert(name.to_owned(), cursor);
        Ok(())
    }

    pub(super) fn get(&mut self, name: &str) -> Result<&mut Cursor> {
        self.by_name
            .get_mut(name)
            .ok_or_else(|| Error::NoSuchCursor(name.to_owned()))
    }

    pub(super) fn columns(&self, name: &str) -> Result<Columns> {
        let found = self
            .by_name
            .get(name)
            .map(|cursor| Arc::clone(&cursor.columns));
        found.ok_or_else(|| Error::NoSuchCursor(name.to_owned()))
    }

    pub(super) fn close(&mut self, name: &str) -> Result<()> {
        let closed = self.by_name.remove(name).map(drop);
        closed.ok_or_else(|| Error::NoSuchCursor(name.to_owned()))
    }

    pub(super) fn clear(&mut self) {
        self.by_name.clear();
    }

    /// At a transaction's end only cursors WITH HOLD stay, and on a rollback none.
    pub(super) fn end_transaction(&mut self, committed: bool) {
        self.by_name.retain(|_, cursor| committed && cursor.hold);
    }
}

impl Cursor {
    /// Reads the next rows, at most `limit`.
    pub(super) async fn forward(&mut self, limit: u64) -> Result<Vec<RecordBatch>> {
        let mut wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut batches = Vec::new();
        while wanted > 0 && !self.done {
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => match self.batches.get_mut().next().await {
                    Some(batch) => batch?,
                    None => {
                        self.done = true;
                        break;
                    }
                },
            };
            let taken = batch.num_rows().min(wanted);
            if taken < batch.num_rows() {
                self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
            }
            wanted -= taken;
            self.position += taken as u64;
            batches.push(batch.slice(0, taken));
        }
        Ok(batches)
    }
}
