//! Rows to files, the group to the catalog's database, and memory moved on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{COMPACTION, Group, NextVersion, is_dropped, milliseconds, schema_version};
use crate::catalog::shared::PARALLEL_PARTS;
use crate::catalog::state::{Advance, Head, PartState, PendingEntry};
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Part, Space};
use crate::model::Change;
use crate::storage::{DataFile, LogEntry, Snapshot};
use crate::store::{Batch, CounterRow, DatabaseBatch, PartRow, RedoRow, RemovedFileRow};

impl Group<'_> {
    pub(super) async fn write_rows(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        for (part, work) in &mut self.parts {
            rows.extend(
                std::mem::take(&mut work.rows)
                    .into_iter()
                    .map(|rows| (*part, rows)),
            );
        }
        let shared = self.shared;
        let written: Vec<(Part, Vec<Arc<DataFile>>)> = stream::iter(rows)
            .map(|(part, (relation, batches))| async move {
                let mut writer = shared.storage.writer(part, &relation)?;
                writer.write(&one_batch(batches)?).await?;
                Ok::<_, Error>((part, writer.finish().await?))
            })
            .buffer_unordered(PARALLEL_PARTS)
            .try_collect()
            .await?;
        for (part, files) in written {
            if let Some(work) = self.parts.get_mut(&part) {
                work.added.extend(files);
            }
        }
        Ok(())
    }

    pub(super) fn next_versions(&mut self, commit_id: Uuid) -> Result<Vec<NextVersion>> {
        let now = chrono::Utc::now().timestamp_millis();
        let mut versions = Vec::with_capacity(self.parts.len());
        for (part, work) in &mut self.parts {
            let before = work.head;
            let (added, removed) = (
                std::mem::take(&mut work.added),
                std::mem::take(&mut work.removed),
            );
            let head = Head {
                version: Some(before.next_version()),
                schema_version: before.schema_version.max(schema_version(&work.relation)),
                rows: (before.rows + rows(&added)).saturating_sub(rows(&removed)),
                bytes: (before.bytes + bytes(&added)).saturating_sub(bytes(&removed)),
                // Time travel needs times that never go back, whatever the clock does.
                updated_at: now.max(before.updated_at),
            };
            let advance = Advance {
                head,
                added: added.into(),
                removed: removed.into(),
            };
            let former = {
                let state = self.shared.state.read();
                state
                    .part(*part)
                    .and_then(|state| state.snapshot.as_ref().map(Arc::clone))
            };
            let outline = Snapshot {
                version: before.version,
                schema_version: before.schema_version,
                files: Vec::new(),
                timestamp_ms: before.updated_at,
            };
            let entry = self.shared.storage.log_entry(LogEntry {
                commit_id,
                timestamp_ms: head.updated_at,
                operation: work.operation,
                relation: &work.relation,
                base: former.as_deref().unwrap_or(&outline),
                added: &advance.added,
                removed: &advance.removed,
                data_change: work.operation != COMPACTION,
            })?;
            let storage = &self.shared.storage;
            let entry = storage.kept_entry(*part, before.next_version(), entry)?;
            let entry = Arc::new(PendingEntry {
                number: self.shared.next_redo.fetch_add(1, Ordering::Relaxed),
                commit_id,
                version: before.next_version(),
                table_name: work.relation.name.clone(),
                entry,
            });
            let ready = former.map(|former| {
                let next = Arc::new(advance.apply(&former));
                (former, next)
            });
            let relation = Arc::clone(&work.relation);
            versions.push(NextVersion {
                part: *part,
                advance,
                relation,
                entry,
                ready,
            });
        }
        Ok(versions)
    }

    pub(super) fn batch(&self, versions: &[NextVersion]) -> Batch {
        let now = chrono::Utc::now().timestamp_millis();
        let mut batch = Batch {
            redone: self.shared.take_redone(),
            audit: self.audit.clone(),
            due_at: now.saturating_add(milliseconds(self.shared.limits.erase_after)),
            ..Batch::default()
        };
        for (id, changes) in &self.changes {
            let Some(database) = self.databases.get(id) else {
                continue;
            };
            let counter = CounterRow {
                next_oid: database.next_oid,
                version: database.version,
            };
            batch.databases.push(DatabaseBatch {
                id: *id,
                changes: changes.clone(),
                counter,
            });
        }
        for NextVersion {
            part,
            advance,
            entry,
            ..
        } in versions
        {
            let head = advance.head;
            batch.parts.push(PartRow {
                part: *part,
                version: entry.version,
                schema_version: head.schema_version,
                rows: head.rows,
                bytes: head.bytes,
                updated_at: head.updated_at,
            });
            batch.redo.push(RedoRow {
                number: entry.number,
                commit_id: entry.commit_id,
                part: *part,
                version: entry.version,
                table_name: entry.table_name.clone(),
                entry: entry.entry.clone(),
            });
            batch
                .removed_files
                .extend(advance.removed.iter().map(|file| RemovedFileRow {
                    part: *part,
                    path: file.path.clone(),
                    removed_at: head.updated_at,
                }));
        }
        batch
    }

    /// Gives stores the keys that tenants have from now on. A dropped tenant's go with its files, for
    /// those who still read them.
    fn turn_keys(&self) {
        let changes = self.changes.get(&DatabaseId::System);
        let system = self.databases.get(&DatabaseId::System);
        let (Some(changes), Some(system)) = (changes, system) else {
            return;
        };
        for change in changes {
            if let Change::PutTenant(tenant) = change
                && let Some(tenant) = system.tenants.get(&tenant.id)
            {
                let ring = self.shared.keys.ring(tenant);
                self.shared.storage.set_ring(Space::Tenant(tenant.id), ring);
                self.shared.needs.look();
            }
        }
    }

    /// Moves memory on, all of it at one moment.
    pub(super) fn publish(&mut self, versions: Vec<NextVersion>) {
        self.turn_keys();
        let limits = &self.shared.limits;
        let mut needs = Vec::new();
        let mut written = Vec::with_capacity(versions.len());
        let mut state = self.shared.state.write();
        for id in self.changes.keys() {
            if let Some(database) = self.databases.remove(id) {
                state.put_database(database, limits.max_databases);
            }
        }
        if !self.dropped_tenants.is_empty() || !self.dropped_tables.is_empty() {
            let is_gone =
                |part: &Part| is_dropped(part, &self.dropped_tables, &self.dropped_tenants);
            let lost = state.remove_parts(is_gone);
            self.shared
                .pending_entries
                .fetch_sub(lost, Ordering::Relaxed);
            for tenant in &self.dropped_tenants {
                state.remove_database(DatabaseId::Tenant(*tenant));
            }
        }
        for NextVersion {
            part,
            advance,
            relation,
            entry,
            ready,
        } in versions
        {
            if state.part(part).is_none() {
                state.put_part(part, PartState::new(None), limits.max_parts);
            }
            let Some(found) = state.part_mut(part) else {
                continue;
            };
            let small = advance
                .added
                .iter()
                .filter(|file| file.size < limits.small_file_bytes);
            found.small_files += small.count();
            let (before, after) = (found.head.bytes, advance.head.bytes);
            self.shared.stored_bytes.change(part.space, before, after);
            let version = entry.version;
            found.pending.push_back(entry);
            found.advance(advance, ready);
            self.shared.pending_entries.fetch_add(1, Ordering::Relaxed);
            let is_checkpoint = (version + 1) % limits.checkpoint_every_versions == 0;
            let is_compaction = found.small_files >= limits.compact_at_files;
            if is_compaction {
                found.small_files = 0;
            }
            if is_checkpoint || is_compaction {
                needs.push((
                    part,
                    relation,
                    is_checkpoint.then_some(version),
                    is_compaction,
                ));
            }
            written.push(part);
        }
        drop(state);
        written
            .into_iter()
            .for_each(|part| self.shared.queue_log(part));
        for (part, relation, checkpoint, compact) in needs {
            self.shared.needs.add(part, relation, checkpoint, compact);
        }
    }
}

fn one_batch(batches: Vec<RecordBatch>) -> Result<RecordBatch> {
    match <[RecordBatch; 1]>::try_from(batches) {
        Ok([batch]) => Ok(batch),
        Err(batches) => {
            let schema = batches
                .first()
                .map(RecordBatch::schema)
                .unwrap_or_else(|| Arc::new(arrow::datatypes::Schema::empty()));
            Ok(concat_batches(&schema, &batches)?)
        }
    }
}

fn rows(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.rows).sum()
}

fn bytes(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.size).sum()
}
