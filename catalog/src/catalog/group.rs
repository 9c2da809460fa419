//! Transactions that become durable together.
//!
//! Each is checked against the newest state and the earlier ones of its group. Then rows go to files,
//! one transaction of the catalog's database makes the group durable, and memory moves on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::check;
use super::claims::Claimed;
use super::references::Referred;
use super::shared::{PARALLEL_PARTS, Pin, Shared};
use super::state::{Advance, Head, PartState, PendingEntry};
use crate::audit::Event;
use crate::commit::{Commit, DatabaseChange, PartChange};
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Part, Space, TableUuid, TenantId};
use crate::model::{Change, Database, Relation, Scope};
use crate::storage::{DataFile, LogEntry, Snapshot};
use crate::store::{Batch, CounterRow, DatabaseBatch, PartRow, RedoRow, RemovedFileRow};

/// What the log calls a commit that rewrites files and changes no row.
pub(super) const COMPACTION: &str = "OPTIMIZE";

/// Transactions that become durable together.
pub(super) struct Group<'a> {
    pub(super) shared: &'a Shared,
    /// The newest state of the databases that the group looked at.
    databases: HashMap<DatabaseId, Arc<Database>>,
    /// Changes in order, the system's first.
    changes: BTreeMap<DatabaseId, Vec<Change>>,
    dropped_tenants: BTreeSet<TenantId>,
    dropped_tables: HashSet<TableUuid>,
    pub(super) parts: BTreeMap<Part, PartWork<'a>>,
    pub(super) claimed: Claimed,
    pub(super) referred: Referred,
    audit: Vec<Event>,
}

/// What a group does to one part.
pub(super) struct PartWork<'a> {
    head: Head,
    relation: Arc<Relation>,
    operation: &'static str,
    /// Rows by the relation for which they were written.
    rows: Vec<(Arc<Relation>, Vec<RecordBatch>)>,
    added: Vec<Arc<DataFile>>,
    removed: Vec<Arc<DataFile>>,
    removed_paths: HashSet<String>,
    _pin: Pin<'a>,
}

/// A part's next version, ready to be made durable.
struct NextVersion {
    part: Part,
    advance: Advance,
    relation: Arc<Relation>,
    entry: Arc<PendingEntry>,
    /// The snapshot in memory and the one that follows from it.
    ready: Option<(Arc<Snapshot>, Arc<Snapshot>)>,
}

impl<'a> Group<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            databases: HashMap::new(),
            changes: BTreeMap::new(),
            dropped_tenants: BTreeSet::new(),
            dropped_tables: HashSet::new(),
            parts: BTreeMap::new(),
            claimed: Claimed::new(),
            referred: Referred::default(),
            audit: Vec::new(),
        }
    }

    /// Takes a transaction into the group, wholly or not at all.
    pub(super) async fn admit(&mut self, commit: &Commit) -> Result<()> {
        let trial = self.check_databases(commit).await?;
        let heads = self.check_parts(commit, &trial).await?;
        self.check_unmoved(&commit.unmoved).await?;
        self.check_key_references(&commit.references).await?;
        self.check_read(commit).await?;
        for (id, database) in trial {
            self.changes.entry(id).or_default();
            self.databases.insert(id, database);
        }
        for DatabaseChange { base, changes } in &commit.databases {
            for change in changes {
                self.note_drop(base, change);
            }
            self.changes
                .entry(base.id)
                .or_default()
                .extend_from_slice(changes);
        }
        self.note_key_references(&commit.references);
        self.audit.extend_from_slice(&commit.audit);
        for (change, (pin, head)) in commit.parts.iter().zip(heads) {
            self.claim(change);
            self.take_part(change, pin, head);
        }
        let (tables, tenants) = (&self.dropped_tables, &self.dropped_tenants);
        self.parts
            .retain(|part, _| !is_dropped(part, tables, tenants));
        Ok(())
    }

    fn note_drop(&mut self, base: &Database, change: &Change) {
        match change {
            Change::DropTenant(id) => {
                self.dropped_tenants.insert(*id);
            }
            Change::DropRelation(oid) => {
                let relation = base.relations.get(oid);
                if let Some(table) = relation.and_then(|relation| relation.table()) {
                    self.dropped_tables.insert(table.uuid);
                }
            }
            _ => {}
        }
    }

    /// The databases as they are after this transaction.
    async fn check_databases(
        &self,
        commit: &Commit,
    ) -> Result<BTreeMap<DatabaseId, Arc<Database>>> {
        let mut ordered: Vec<&DatabaseChange> = commit.databases.iter().collect();
        // The system's first: a tenant is born there.
        ordered.sort_by_key(|change| change.base.id);
        let mut trial: BTreeMap<DatabaseId, Arc<Database>> = BTreeMap::new();
        for DatabaseChange { base, changes } in ordered {
            let system = match trial.get(&DatabaseId::System) {
                Some(system) => Arc::clone(system),
                None => self.current(DatabaseId::System).await?,
            };
            let current = match base.id.tenant() {
                None => self.current(base.id).await?,
                Some(tenant) => match system.tenants.get(&tenant) {
                    None => return Err(Error::Conflict),
                    Some(tenant) => self.current_of_tenant(base.id, &tenant.name).await?,
                },
            };
            let next = trial
                .remove(&base.id)
                .unwrap_or_else(|| Arc::clone(&current));
            let mut next = Arc::unwrap_or_clone(next);
            check::apply(base, &current, &system, &mut next, changes)?;
            if base.id == DatabaseId::System {
                self.check_border(&current, &next, changes).await?;
                self.rename_tenants(&current, &next, changes, &mut trial)
                    .await?;
            }
            next.version = current.version + 1;
            next.next_oid = next.next_oid.max(self.shared.drawn_oids(base.id));
            trial.insert(base.id, Arc::new(next));
        }
        Ok(trial)
    }

    /// Whether no tenant has a name that the system takes.
    async fn check_border(
        &self,
        current: &Database,
        next: &Database,
        changes: &[Change],
    ) -> Result<()> {
        let taken = check::taken_by_system(current, next, changes);
        for (schema, name) in taken.relations {
            let tenants = self.shared.store.tenants_using_name(&schema, &name).await?;
            if !tenants.is_empty() {
                return Err(Error::NameUsedByTenants { name, tenants });
            }
        }
        for name in taken.roles {
            let tenants = self.shared.store.tenants_with_role(&name).await?;
            if !tenants.is_empty() {
                return Err(Error::NameUsedByTenants { name, tenants });
            }
        }
        Ok(())
    }

    /// A tenant's own database bears its name.
    async fn rename_tenants(
        &self,
        current: &Database,
        next: &Database,
        changes: &[Change],
        trial: &mut BTreeMap<DatabaseId, Arc<Database>>,
    ) -> Result<()> {
        for change in changes {
            let Change::PutTenant(tenant) = change else {
                continue;
            };
            let (former, newest) = (
                current.tenants.get(&tenant.id),
                next.tenants.get(&tenant.id),
            );
            if let (Some(former), Some(newest)) = (former, newest)
                && former.name != newest.name
            {
                let id = DatabaseId::Tenant(tenant.id);
                let mut database = (*self.current(id).await?).clone();
                database.name.clone_from(&newest.name);
                database.version += 1;
                trial.insert(id, Arc::new(database));
            }
        }
        Ok(())
    }

    pub(super) async fn current(&self, id: DatabaseId) -> Result<Arc<Database>> {
        match self.databases.get(&id) {
            Some(database) => Ok(Arc::clone(database)),
            None => self.shared.database(id).await,
        }
    }

    /// Whether an earlier transaction of the group changed a database.
    pub(super) fn has_looked_at(&self, id: DatabaseId) -> bool {
        self.databases.contains_key(&id)
    }

    /// A tenant's database, which may be born with this transaction.
    async fn current_of_tenant(&self, id: DatabaseId, name: &str) -> Result<Arc<Database>> {
        let current = self.current(id).await?;
        if current.name.is_empty() {
            return Ok(Arc::new(Database::empty(id, name)));
        }
        Ok(current)
    }

    /// Checks the rows' changes, and pins their parts.
    async fn check_parts(
        &self,
        commit: &Commit,
        trial: &BTreeMap<DatabaseId, Arc<Database>>,
    ) -> Result<Vec<(Pin<'a>, Head)>> {
        let mut heads = Vec::with_capacity(commit.parts.len());
        let mut removed: HashSet<(Part, &str)> = HashSet::new();
        for change in &commit.parts {
            if let Space::Tenant(tenant) = change.part.space {
                let exists = match trial.get(&DatabaseId::System) {
                    Some(system) => system.tenants.contains_key(&tenant),
                    None => self
                        .current(DatabaseId::System)
                        .await?
                        .tenants
                        .contains_key(&tenant),
                };
                if !exists {
                    return Err(Error::Conflict);
                }
            }
            check_place(change)?;
            let keys = self.shared.storage.sealed(change.part.space).check();
            keys.map_err(Error::Sealed)?;
            self.check_relation(change, trial).await?;
            let pin = self.shared.pin(change.part).await?;
            let head = self.shared.visible(change.part, &change.relation.name)?;
            self.check_removed(change, &mut removed).await?;
            self.check_claims(change).await?;
            heads.push((pin, head));
        }
        Ok(heads)
    }

    async fn check_relation(
        &self,
        change: &PartChange,
        trial: &BTreeMap<DatabaseId, Arc<Database>>,
    ) -> Result<()> {
        let oid = change.relation.oid;
        let current;
        let database = match trial.get(&change.database) {
            Some(database) => database,
            None => {
                current = self.current(change.database).await?;
                &*current
            }
        };
        let is_same = database.relations.get(&oid).is_some_and(|newest| {
            Arc::ptr_eq(newest, &change.relation) || check::is_same_table(newest, &change.relation)
        });
        if !is_same {
            return Err(Error::Conflict);
        }
        self.check_referred(change, database).await
    }

    /// Whether the files that go are all still there.
    async fn check_removed<'c>(
        &self,
        change: &'c PartChange,
        seen: &mut HashSet<(Part, &'c str)>,
    ) -> Result<()> {
        if change.removed.is_empty() {
            return Ok(());
        }
        let snapshot = self
            .shared
            .snapshot(change.part, &change.relation.name)
            .await?;
        let visible: HashSet<&str> = snapshot
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        let work = self.parts.get(&change.part);
        for file in &change.removed {
            let is_gone = work.is_some_and(|work| work.removed_paths.contains(&file.path));
            if is_gone
                || !visible.contains(file.path.as_str())
                || !seen.insert((change.part, &file.path))
            {
                return Err(Error::Conflict);
            }
        }
        Ok(())
    }

    fn take_part(&mut self, change: &PartChange, pin: Pin<'a>, head: Head) {
        let has_rows = change.rows.iter().any(|batch| batch.num_rows() > 0);
        if !has_rows && change.added.is_empty() && change.removed.is_empty() {
            return;
        }
        let relation = &change.relation;
        let work = self.parts.entry(change.part).or_insert_with(|| PartWork {
            head,
            relation: Arc::clone(relation),
            operation: change.operation,
            rows: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            removed_paths: HashSet::new(),
            _pin: pin,
        });
        // The last of a group has the newest columns.
        work.relation = Arc::clone(relation);
        if has_rows {
            let version = schema_version(relation);
            let rows = change
                .rows
                .iter()
                .filter(|batch| batch.num_rows() > 0)
                .cloned();
            match work
                .rows
                .iter_mut()
                .find(|(known, _)| schema_version(known) == version)
            {
                Some((_, batches)) => batches.extend(rows),
                None => work.rows.push((Arc::clone(relation), rows.collect())),
            }
        }
        work.added.extend(change.added.iter().map(Arc::clone));
        work.removed_paths
            .extend(change.removed.iter().map(|file| file.path.clone()));
        work.removed.extend(change.removed.iter().map(Arc::clone));
    }

    /// Makes the group durable and visible.
    pub(super) async fn finish(mut self) -> Result<()> {
        if self.changes.is_empty() && self.parts.is_empty() && self.audit.is_empty() {
            return Ok(());
        }
        self.write_rows().await?;
        self.shared.fault_point(FaultPoint::FilesWritten)?;
        let commit_id = Uuid::new_v4();
        let versions = self.next_versions(commit_id)?;
        let batch = self.batch(&versions);
        if let Err(error) = self.shared.store.persist(&batch).await {
            self.shared.return_redone(&batch.redone);
            return Err(error);
        }
        self.shared.fault_point(FaultPoint::Durable)?;
        let parts_went = !self.dropped_tenants.is_empty() || !self.dropped_tables.is_empty();
        self.publish(versions);
        if parts_went && let Err(error) = self.shared.add_up_spaces().await {
            // What is durable is done; the totals are added up again at the next start.
            tracing::warn!(%error, "the sizes of files could not be added up");
        }
        Ok(())
    }

    async fn write_rows(&mut self) -> Result<()> {
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

    fn next_versions(&mut self, commit_id: Uuid) -> Result<Vec<NextVersion>> {
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

    fn batch(&self, versions: &[NextVersion]) -> Batch {
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
    fn publish(&mut self, versions: Vec<NextVersion>) {
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

/// Whether the rows go where their table's rows belong: the last door before another tenant's files.
fn check_place(change: &PartChange) -> Result<()> {
    let is_right = change.relation.table().is_some_and(|table| {
        let space = match (table.scope, change.database) {
            (Scope::Own, DatabaseId::System) => change.part.space == Space::System,
            (Scope::Own, DatabaseId::Tenant(tenant)) => change.part.space == Space::Tenant(tenant),
            (Scope::Common, DatabaseId::System) => matches!(change.part.space, Space::Tenant(_)),
            (Scope::Shared, DatabaseId::System) => change.part.space == Space::Shared,
            (Scope::Common | Scope::Shared, DatabaseId::Tenant(_)) => false,
        };
        space && change.part.table == table.uuid
    });
    if is_right {
        Ok(())
    } else {
        Err(Error::Unusable(format!(
            "rows of \"{}\" are out of place",
            change.relation.name
        )))
    }
}

/// Where a test can stop the server as a crash would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultPoint {
    /// Data files are durable, the commit is not.
    FilesWritten,
    /// The commit is durable, nobody was told.
    Durable,
    /// A log entry is in storage, its redo record too.
    EntryWritten,
}

fn is_dropped(part: &Part, tables: &HashSet<TableUuid>, tenants: &BTreeSet<TenantId>) -> bool {
    let is_of_dropped_tenant = match part.space {
        Space::Tenant(tenant) => tenants.contains(&tenant),
        Space::System | Space::Shared => false,
    };
    is_of_dropped_tenant || tables.contains(&part.table)
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

fn schema_version(relation: &Relation) -> u64 {
    relation.table().map_or(0, |table| table.schema_version)
}

fn rows(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.rows).sum()
}

fn bytes(files: &[Arc<DataFile>]) -> u64 {
    files.iter().map(|file| file.size).sum()
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
