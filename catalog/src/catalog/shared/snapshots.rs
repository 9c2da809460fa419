//! The visible states of parts, in memory as long as someone needs them.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::{PARALLEL_PARTS, Shared};
use crate::catalog::AsOf;
use crate::catalog::state::{Head, PartState};
use crate::error::{Error, Result};
use crate::id::Part;
use crate::storage::Snapshot;

impl Shared {
    /// Brings a part's state into memory and keeps it there as long as the pin lives.
    pub(in crate::catalog) async fn pin(&self, part: Part) -> Result<Pin<'_>> {
        loop {
            let removals = {
                let mut state = self.state.write();
                if let Some(found) = state.part_mut(part) {
                    found.pins += 1;
                    return Ok(Pin { shared: self, part });
                }
                state.removals
            };
            let row = self.store.part(part).await?;
            let mut state = self.state.write();
            if let Some(found) = state.part_mut(part) {
                found.pins += 1;
                return Ok(Pin { shared: self, part });
            }
            if state.removals == removals {
                let pinned = PartState {
                    pins: 1,
                    ..PartState::new(row)
                };
                state.put_part(part, pinned, self.limits.max_parts);
                return Ok(Pin { shared: self, part });
            }
        }
    }

    /// The visible version of a pinned part.
    pub(in crate::catalog) fn visible(&self, part: Part, table: &str) -> Result<Head> {
        let state = self.state.read();
        let Some(state) = state.part(part) else {
            return Ok(Head::default());
        };
        check_foreign(state, table)?;
        Ok(state.head)
    }

    /// The visible files of a part.
    pub(in crate::catalog) async fn snapshot(
        &self,
        part: Part,
        table: &str,
    ) -> Result<Arc<Snapshot>> {
        if let Some(state) = self.state.read().part(part) {
            check_foreign(state, table)?;
            if let Some(snapshot) = &state.snapshot {
                return Ok(Arc::clone(snapshot));
            }
        }
        let _pin = self.pin(part).await?;
        self.load_snapshot(part, table).await
    }

    /// The visible files of several parts at one moment.
    pub(in crate::catalog) async fn snapshots(
        &self,
        parts: &[(Part, &str)],
    ) -> Result<Vec<Arc<Snapshot>>> {
        if let Some(found) = self.snapshots_in_memory(parts)? {
            return Ok(found);
        }
        // Boxed one by one: a closure over borrowed names would not be `Send` for callers of callers.
        let loads: Vec<BoxFuture<'_, Result<Pin<'_>>>> = parts
            .iter()
            .map(|(part, table)| self.pinned(*part, table).boxed())
            .collect();
        let pins: Vec<Pin<'_>> = stream::iter(loads)
            .buffer_unordered(PARALLEL_PARTS)
            .try_collect()
            .await?;
        let found = self.snapshots_in_memory(parts)?;
        drop(pins);
        // Only a part that was dropped meanwhile leaves memory while it is pinned.
        found.ok_or(Error::Conflict)
    }

    /// Keeps a part in memory and reads it.
    async fn pinned(&self, part: Part, table: &str) -> Result<Pin<'_>> {
        let pin = self.pin(part).await?;
        self.load_snapshot(part, table).await?;
        Ok(pin)
    }

    fn snapshots_in_memory(&self, parts: &[(Part, &str)]) -> Result<Option<Vec<Arc<Snapshot>>>> {
        let state = self.state.read();
        let mut found = Vec::with_capacity(parts.len());
        for (part, table) in parts {
            let Some(part) = state.part(*part) else {
                return Ok(None);
            };
            check_foreign(part, table)?;
            let Some(snapshot) = &part.snapshot else {
                return Ok(None);
            };
            found.push(Arc::clone(snapshot));
        }
        Ok(Some(found))
    }

    /// Reads a pinned part, unless someone did.
    async fn load_snapshot(&self, part: Part, table: &str) -> Result<Arc<Snapshot>> {
        let Some(log) = self
            .state
            .read()
            .part(part)
            .map(|state| Arc::clone(&state.log))
        else {
            return Ok(Arc::new(Snapshot::empty()));
        };
        let _log = log.lock().await;
        let _loading = Loading { shared: self, part };
        let version = loop {
            self.write_pending_locked(part).await?;
            let mut state = self.state.write();
            let Some(found) = state.part_mut(part) else {
                return Ok(Arc::new(Snapshot::empty()));
            };
            check_foreign(found, table)?;
            if let Some(snapshot) = &found.snapshot {
                return Ok(Arc::clone(snapshot));
            }
            // With the log held, no entry above this version is written while it is read.
            if let (true, Some(version)) = (found.pending.is_empty(), found.head.version) {
                found.advances = Some(Vec::new());
                break version;
            }
        };
        let mut snapshot = self.storage.load(part, version, table).await?;
        let small_bytes = self.limits.small_file_bytes;
        let mut state = self.state.write();
        let Some(found) = state.part_mut(part) else {
            return Ok(Arc::new(Snapshot::empty()));
        };
        for advance in found.advances.take().unwrap_or_default() {
            snapshot = advance.apply(&snapshot);
        }
        let snapshot = Arc::new(snapshot);
        found.small_files = snapshot
            .files
            .iter()
            .filter(|file| file.size < small_bytes)
            .count();
        found.snapshot = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// An older version of a part.
    pub(in crate::catalog) async fn snapshot_of(
        &self,
        part: Part,
        as_of: AsOf,
        table: &str,
    ) -> Result<Arc<Snapshot>> {
        let _pin = self.pin(part).await?;
        let head = self
            .state
            .read()
            .part(part)
            .map(|state| state.head)
            .unwrap_or_default();
        let missing = |version: String| Error::NoSuchVersion {
            table: table.to_owned(),
            version,
        };
        let Some(visible) = head.version else {
            return match as_of {
                AsOf::Version(version) => Err(missing(version.to_string())),
                AsOf::Timestamp(_) => Ok(Arc::new(Snapshot::empty())),
            };
        };
        let moment_ms = match as_of {
            AsOf::Version(version) if version < 0 || version > visible => {
                return Err(missing(version.to_string()));
            }
            AsOf::Version(_) => None,
            AsOf::Timestamp(micros) => Some(micros.div_euclid(1_000)),
        };
        let is_now = match as_of {
            AsOf::Version(version) => version == visible,
            AsOf::Timestamp(_) => moment_ms.is_some_and(|moment| moment >= head.updated_at),
        };
        if is_now {
            return self.snapshot(part, table).await;
        }
        self.write_pending(part).await?;
        let snapshot = match (as_of, moment_ms) {
            (AsOf::Version(version), _) => {
                self.storage
                    .load_version(part, version, visible, table)
                    .await?
            }
            (AsOf::Timestamp(micros), moment) => {
                let moment = moment.unwrap_or(micros.div_euclid(1_000));
                self.storage.load_at(part, moment, visible, table).await?
            }
        };
        Ok(Arc::new(snapshot))
    }
}

/// Keeps a part's state in memory.
#[derive(Debug)]
pub(in crate::catalog) struct Pin<'a> {
    shared: &'a Shared,
    part: Part,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.shared.state.write().part_mut(self.part) {
            state.pins = state.pins.saturating_sub(1);
        }
    }
}

/// Ends the collection of commits when a load ends, however it ends.
struct Loading<'a> {
    shared: &'a Shared,
    part: Part,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.shared.state.write().part_mut(self.part) {
            state.advances = None;
        }
    }
}

fn check_foreign(state: &PartState, table: &str) -> Result<()> {
    if state.is_foreign {
        return Err(Error::ForeignCommit {
            table: table.to_owned(),
        });
    }
    Ok(())
}
