//! Transactions that become durable together.
//!
//! Each is checked against the newest state and the earlier ones of its group. Then rows go to files,
//! one transaction of the catalog's database makes the group durable, and memory moves on.

mod checks;
mod publish;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use uuid::Uuid;

use super::claims::Claimed;
use super::references::Referred;
use super::shared::{Pin, Shared};
use super::state::{Advance, Head, PendingEntry};
use crate::audit::Event;
use crate::commit::{Commit, DatabaseChange, PartChange};
use crate::error::Result;
use crate::id::{DatabaseId, Part, Space, TableUuid, TenantId};
use crate::model::{Change, Database, Relation};
use crate::storage::{DataFile, Snapshot};

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

fn schema_version(relation: &Relation) -> u64 {
    relation.table().map_or(0, |table| table.schema_version)
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
