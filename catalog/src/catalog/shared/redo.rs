//! Log entries that a commit left to be written: in order, and again after a crash.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt, stream};

use super::{PARALLEL_PARTS, Shared};
use crate::catalog::group::FaultPoint;
use crate::catalog::state::PendingEntry;
use crate::error::{Error, Result};
use crate::id::Part;
use crate::store::Batch;

/// Redo records that are read at once.
const REDO_PAGE: i64 = 1_000;

impl Shared {
    /// Writes what the last run committed and did not bring to storage. What the storage does not
    /// take now is tried again by whoever reads the part, and in the background.
    pub(in crate::catalog) async fn redo(&self) -> Result<()> {
        let mut last = 0;
        loop {
            let rows = self.store.redo_after(last, REDO_PAGE).await?;
            let Some(newest) = rows.last() else { break };
            last = newest.number;
            let mut parts = BTreeSet::new();
            for row in rows {
                let part = row.part;
                parts.insert(part);
                let _pin = self.pin(part).await?;
                let entry = Arc::new(PendingEntry {
                    number: row.number,
                    commit_id: row.commit_id,
                    version: row.version,
                    table_name: row.table_name,
                    entry: row.entry,
                });
                if let Some(state) = self.state.write().part_mut(part) {
                    state.pending.push_back(entry);
                    self.pending_entries.fetch_add(1, Ordering::Relaxed);
                }
            }
            let written = stream::iter(parts).map(|part| async move {
                if let Err(error) = self.write_pending(part).await {
                    tracing::error!(%error, ?part, "a log entry could not be redone");
                    self.queue_log(part);
                }
            });
            written
                .buffer_unordered(PARALLEL_PARTS)
                .collect::<()>()
                .await;
        }
        self.next_redo.store(last + 1, Ordering::Relaxed);
        self.forget_redone().await
    }

    /// Hands a part to the log writer.
    pub(in crate::catalog) fn queue_log(&self, part: Part) {
        if let Some(log) = &*self.log.lock() {
            // Without a writer the entries stay in the database and are redone at the next start.
            let _ = log.send(part);
        }
    }

    /// Writes a part's waiting log entries, in order.
    pub(in crate::catalog) async fn write_pending(&self, part: Part) -> Result<()> {
        let Some(log) = self
            .state
            .read()
            .part(part)
            .map(|state| Arc::clone(&state.log))
        else {
            return Ok(());
        };
        let _log = log.lock().await;
        self.write_pending_locked(part).await
    }

    pub(super) async fn write_pending_locked(&self, part: Part) -> Result<()> {
        loop {
            let next = {
                let state = self.state.read();
                let found = state.part(part).filter(|state| !state.is_foreign);
                found.and_then(|state| state.pending.front().map(Arc::clone))
            };
            let Some(next) = next else { return Ok(()) };
            if self.is_halted() {
                return Err(Error::Unusable("the catalog is closed".to_owned()));
            }
            let PendingEntry {
                version,
                commit_id,
                entry,
                table_name,
                ..
            } = &*next;
            let written = self
                .storage
                .write_log_entry(part, *version, entry, *commit_id, table_name)
                .await;
            if let Err(error) = written {
                if matches!(error, Error::ForeignCommit { .. })
                    && let Some(state) = self.state.write().part_mut(part)
                {
                    state.is_foreign = true;
                }
                return Err(error);
            }
            self.fault_point(FaultPoint::EntryWritten)?;
            // A part that was dropped meanwhile has no redo records either.
            if let Some(state) = self.state.write().part_mut(part)
                && state.pending.pop_front().is_some()
            {
                self.pending_entries.fetch_sub(1, Ordering::Relaxed);
            }
            self.redone.lock().insert(next.number);
            self.entry_written.notify_waiters();
        }
    }

    /// Redo records that may go, as runs of numbers.
    pub(in crate::catalog) fn take_redone(&self) -> Vec<(i64, i64)> {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for number in std::mem::take(&mut *self.redone.lock()) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => runs.push((number, number)),
            }
        }
        runs
    }

    /// Gives back what [`Shared::take_redone`] took and nobody deleted.
    pub(in crate::catalog) fn return_redone(&self, runs: &[(i64, i64)]) {
        let numbers = runs.iter().flat_map(|(first, last)| *first..=*last);
        self.redone.lock().extend(numbers);
    }

    /// Deletes the redo records that may go.
    pub(in crate::catalog) async fn forget_redone(&self) -> Result<()> {
        let batch = Batch {
            redone: self.take_redone(),
            ..Batch::default()
        };
        if batch.redone.is_empty() {
            return Ok(());
        }
        let done = self.store.persist(&batch).await;
        if done.is_err() {
            self.return_redone(&batch.redone);
        }
        done
    }
}
