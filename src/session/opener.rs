//! Opens tables for the guard: which files and which of the transaction's own rows a statement sees.
//!
//! What has to be waited for, the parts' states, is loaded before the guard runs; opening itself
//! does no I/O.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use tessera_catalog::PartVersion;
use tessera_catalog::id::{DatabaseId, Part, Space};
use tessera_catalog::key::{KeyColumns, KeySearch};
use tessera_catalog::model::{Scope as Reach, Table, Tenant};
use tessera_catalog::provider::{
    BranchRows, OpenBranch, PartTable, PartTableOptions, RowsBranch, RowsTable, RowsTableOptions,
    UnionBranch, UnionTable, UnionTableOptions,
};
use tessera_catalog::storage::Snapshot;

use super::engine::Engine;
use super::transaction::{PendingPart, Transaction};
use crate::error::{Error, Result};
use crate::planner::row_ids::row_id_fields;
use crate::planner::source::{AsOf, Found, LockWait, RowLock, TableRef, ViewRef};
use crate::policy::{Caller, Opener};

/// Where a session's rows of a table lie.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In one part.
    One(Part),
    /// The operator's view of a common table: one part for each tenant that has rows.
    Union(Vec<(Part, Arc<Tenant>)>),
}

/// The part that holds a table's rows for one space.
pub(super) fn part(space: Space, table: &Table) -> Part {
    Part {
        space,
        table: table.uuid,
    }
}

/// The space of a table's rows for a session of `database`; `None` for the operator's union.
pub(super) fn space(found: &Found, table: &Table, database: DatabaseId) -> Option<Space> {
    match (table.scope, database) {
        (Reach::Shared, _) => Some(Space::Shared),
        (Reach::Common, DatabaseId::System) => None,
        (Reach::Common | Reach::Own, DatabaseId::Tenant(tenant)) => Some(Space::Tenant(tenant)),
        (Reach::Own, DatabaseId::System) => {
            debug_assert_eq!(found.home, DatabaseId::System);
            Some(Space::System)
        }
    }
}

/// The states of all parts that a plan reads.
pub(super) struct Opened {
    engine: Arc<Engine>,
    database: DatabaseId,
    tenant_name: Option<String>,
    zone: Arc<str>,
    snapshots: HashMap<(Part, AsOf), Arc<Snapshot>>,
    unions: HashMap<tessera_catalog::id::TableUuid, Vec<(Part, Arc<Tenant>)>>,
    /// Versions of the unions' parts, all of one moment.
    versions: HashMap<Part, i64>,
    pending: HashMap<Part, PendingPart>,
    /// The parts of the table that the statement changes.
    target: Vec<RowsBranch>,
    /// What files from before a column hold in it.
    missing: HashMap<(tessera_catalog::id::TableUuid, i16), ScalarValue>,
}

impl Opened {
    /// Loads the states of all parts that tables have, at one moment.
    ///
    /// # Errors
    /// A version that does not exist, or damaged tables.
    pub(super) async fn load(
        engine: &Arc<Engine>,
        transaction: &mut Transaction,
        tables: impl IntoIterator<Item = &TableRef>,
        caller: &Caller,
        zone: &Arc<str>,
    ) -> Result<Self> {
        let database = caller.database.id;
        let mut opened = Self {
            engine: Arc::clone(engine),
            database,
            tenant_name: database.tenant().map(|_| caller.database.name.clone()),
            zone: Arc::clone(zone),
            snapshots: HashMap::new(),
            unions: HashMap::new(),
            versions: HashMap::new(),
            pending: HashMap::new(),
            target: Vec::new(),
            missing: HashMap::new(),
        };
        let tables: Vec<&TableRef> = tables.into_iter().collect();
        if !tables.is_empty() {
            fix_moment(engine, transaction, caller).await?;
        }
        opened.versions = opened.versions_of(&tables, transaction).await?;
        let mut now: Vec<(Part, String)> = Vec::new();
        let mut target: Vec<(Part, Option<Arc<str>>)> = Vec::new();
        for reference in tables {
            let Some(table) = reference.found.relation.table() else {
                continue;
            };
            opened.missing.extend(missing_defaults(table, zone)?);
            let name = &reference.found.relation.name;
            match opened.place(transaction, reference, table, caller) {
                Place::One(part) if reference.row_ids => {
                    now.push((part, name.clone()));
                    target.push((part, opened.tenant_of(table)));
                }
                Place::Union(parts) if reference.row_ids => {
                    for (part, tenant) in parts {
                        now.push((part, name.clone()));
                        target.push((part, Some(Arc::from(tenant.name.as_str()))));
                    }
                }
                Place::One(part) => {
                    if reference.as_of == AsOf::Now {
                        now.push((part, name.clone()));
                    } else {
                        opened.load_past(part, reference.as_of, name).await?;
                    }
                }
                Place::Union(parts) => {
                    if let AsOf::Version(_) = reference.as_of {
                        return Err(Error::Unsupported(
                            "FOR VERSION AS OF of a common table in the system database \
                             (versions are per tenant; use FOR TIMESTAMP AS OF)"
                                .to_owned(),
                        ));
                    }
                    for (part, _) in &parts {
                        if let Some(pending) = transaction.seen_pending(part) {
                            opened.pending.insert(*part, pending.clone());
                        }
                    }
                    opened.unions.insert(table.uuid, parts);
                }
            }
        }
        let parts: Vec<(Part, &str)> = now
            .iter()
            .map(|(part, name)| (*part, name.as_str()))
            .collect();
        let snapshots = transaction.snapshots(&engine.catalog, &parts).await?;
        for ((part, _), snapshot) in parts.iter().zip(snapshots) {
            opened.snapshots.insert((*part, AsOf::Now), snapshot);
            if let Some(pending) = transaction.seen_pending(part) {
                opened.pending.insert(*part, pending.clone());
            }
        }
        for (part, tenant_name) in target {
            let snapshot = opened.snapshots.get(&(part, AsOf::Now));
            let snapshot = snapshot.ok_or_else(|| Error::internal("a part was not loaded"))?;
            // Rows that another part of the statement has changed are no longer there to change.
            let rows = with_pending(snapshot, transaction.pending(&part));
            opened.target.push(RowsBranch {
                tenant_name,
                part,
                rows,
            });
        }
        Ok(opened)
    }

    /// Leaves out the files of the changed table that hold none of the keys.
    pub(super) async fn keep_files_with(
        &mut self,
        found: &Found,
        key: &KeyColumns,
        wanted: &[u128],
    ) -> Result<()> {
        let table = super::write::table(&found.relation)?;
        let defaults = self.defaults(table);
        let storage = self.engine.catalog.storage();
        for branch in &mut self.target {
            let search = KeySearch {
                part: branch.part,
                relation: &found.relation,
                key,
                defaults: &defaults,
                ranges: None,
            };
            let files = std::mem::take(&mut branch.rows.files);
            branch.rows.files = storage.files_with_keys(search, files, wanted).await?;
        }
        Ok(())
    }

    /// The parts of the table that the statement changes, as it sees them.
    pub(super) fn target(&self) -> &[RowsBranch] {
        &self.target
    }

    /// Rows of the table that the statement changes, with their places in `branches`.
    pub(super) fn rows(
        &self,
        found: &Found,
        branches: Vec<RowsBranch>,
    ) -> Result<Arc<dyn TableProvider>> {
        let table = super::write::table(&found.relation)?;
        Ok(Arc::new(RowsTable::new(RowsTableOptions {
            relation: Arc::clone(&found.relation),
            branches,
            all_spaces: space(found, table, self.database).is_none(),
            zone: Arc::clone(&self.zone),
            defaults: self.defaults(table),
            ids: row_id_fields(),
        })?))
    }

    /// The tenant's name in a common table's rows.
    fn tenant_of(&self, table: &Table) -> Option<Arc<str>> {
        match table.scope {
            Reach::Common => self.tenant_name.as_deref().map(Arc::from),
            Reach::Own | Reach::Shared => None,
        }
    }

    async fn load_past(&mut self, part: Part, as_of: AsOf, name: &str) -> Result<()> {
        let moment = match as_of {
            AsOf::Now => return Ok(()),
            AsOf::Version(version) => tessera_catalog::AsOf::Version(version),
            AsOf::Timestamp(micros) => tessera_catalog::AsOf::Timestamp(micros),
        };
        let snapshot = self.engine.catalog.snapshot_of(part, moment, name).await?;
        self.snapshots.insert((part, as_of), snapshot);
        Ok(())
    }

    /// The versions of all parts of the common tables that an operator's statement reads.
    async fn versions_of(
        &self,
        tables: &[&TableRef],
        transaction: &mut Transaction,
    ) -> Result<HashMap<Part, i64>> {
        let unions: BTreeSet<_> = tables
            .iter()
            .filter_map(|reference| {
                let found = &reference.found;
                let table = found.relation.table()?;
                space(found, table, self.database)
                    .is_none()
                    .then_some(table.uuid)
            })
            .collect();
        let unions: Vec<_> = unions.into_iter().collect();
        transaction.versions(&self.engine.catalog, &unions).await
    }

    fn place(
        &self,
        transaction: &Transaction,
        reference: &TableRef,
        table: &Table,
        caller: &Caller,
    ) -> Place {
        if let Some(space) = space(&reference.found, table, self.database) {
            return Place::One(part(space, table));
        }
        let stored = self.versions.keys();
        let mut tenants: BTreeSet<_> = stored
            .filter(|part| part.table == table.uuid)
            .filter_map(|part| tenant_of(part.space))
            .collect();
        let pending = transaction
            .pending_parts()
            .filter(|p| p.part.table == table.uuid);
        tenants.extend(pending.filter_map(|pending| tenant_of(pending.part.space)));
        let parts = tenants
            .into_iter()
            .filter_map(|tenant| caller.system.tenants.get(&tenant))
            .map(|tenant| (part(Space::Tenant(tenant.id), table), Arc::clone(tenant)))
            .collect();
        Place::Union(parts)
    }

    /// What files from before a column hold in it, by the column's number.
    fn defaults(&self, table: &Table) -> HashMap<i16, ScalarValue> {
        table
            .live_columns()
            .filter_map(|column| {
                let value = self.missing.get(&(table.uuid, column.number))?;
                Some((column.number, value.clone()))
            })
            .collect()
    }

    fn one(
        &self,
        reference: &TableRef,
        table: &Table,
        part: Part,
        statistics: bool,
    ) -> Result<Arc<dyn TableProvider>> {
        let snapshot = self
            .snapshots
            .get(&(part, reference.as_of))
            .ok_or_else(|| Error::internal("a table was not loaded before it was opened"))?;
        let pending = match reference.as_of {
            AsOf::Now => self.pending.get(&part),
            AsOf::Version(_) | AsOf::Timestamp(_) => None,
        };
        let rows = with_pending(snapshot, pending);
        let tenant_name = self.tenant_of(table);
        let opened = PartTable::new(PartTableOptions {
            relation: Arc::clone(&reference.found.relation),
            part,
            files: rows.files,
            memory: rows.memory,
            tenant_name,
            zone: Arc::clone(&self.zone),
            defaults: self.defaults(table),
            statistics,
        })?;
        Ok(Arc::new(opened))
    }

    fn union(
        &self,
        reference: &TableRef,
        table: &Table,
        statistics: bool,
    ) -> Result<Arc<dyn TableProvider>> {
        let parts = self
            .unions
            .get(&table.uuid)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let branches = parts
            .iter()
            .map(|(part, tenant)| UnionBranch {
                tenant_name: Arc::from(tenant.name.as_str()),
                part: *part,
            })
            .collect();
        let catalog = self.engine.catalog.clone();
        let pending = Arc::new(self.pending.clone());
        let name: Arc<str> = Arc::from(reference.found.relation.name.as_str());
        let as_of = reference.as_of;
        let versions = Arc::new(self.versions.clone());
        let open: OpenBranch = Arc::new(move |part| {
            let (catalog, name) = (catalog.clone(), Arc::clone(&name));
            let pending = Arc::clone(&pending);
            let version = versions.get(&part).copied();
            Box::pin(async move {
                let snapshot = match as_of {
                    AsOf::Timestamp(micros) => {
                        let moment = tessera_catalog::AsOf::Timestamp(micros);
                        catalog.snapshot_of(part, moment, &name).await?
                    }
                    AsOf::Now | AsOf::Version(_) => match version {
                        Some(version) => {
                            let told = PartVersion { part, version };
                            catalog.snapshot_at(told, &name).await?
                        }
                        // Only the transaction's own rows are there.
                        None => Arc::new(Snapshot::empty()),
                    },
                };
                Ok(with_pending(&snapshot, pending.get(&part)))
            })
        });
        Ok(Arc::new(UnionTable::new(UnionTableOptions {
            relation: Arc::clone(&reference.found.relation),
            branches,
            open,
            zone: Arc::clone(&self.zone),
            defaults: self.defaults(table),
            statistics,
        })?))
    }
}

/// A part's rows with what the transaction has done to them.
pub(super) fn with_pending(snapshot: &Snapshot, pending: Option<&PendingPart>) -> BranchRows {
    let Some(pending) = pending else {
        return BranchRows {
            files: snapshot.files.clone(),
            memory: Vec::new(),
        };
    };
    let gone: std::collections::HashSet<&str> = pending
        .removed
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    let kept = snapshot
        .files
        .iter()
        .filter(|file| !gone.contains(file.path.as_str()));
    let files = kept.chain(&pending.added).map(Arc::clone).collect();
    BranchRows {
        files,
        memory: pending.rows.clone(),
    }
}

impl Opener for Opened {
    fn open(&self, reference: &TableRef, statistics: bool) -> Result<Arc<dyn TableProvider>> {
        let table = reference
            .found
            .relation
            .table()
            .ok_or_else(|| Error::internal("not a table"))?;
        if reference.row_ids {
            return self.rows(&reference.found, self.target.clone());
        }
        match space(&reference.found, table, self.database) {
            Some(space) => self.one(reference, table, part(space, table), statistics),
            None => self.union(reference, table, statistics),
        }
    }
}

/// Keeps a repeatable-read transaction to what there is now of all that it may read.
async fn fix_moment(engine: &Engine, transaction: &mut Transaction, caller: &Caller) -> Result<()> {
    if transaction.has_moment() {
        return Ok(());
    }
    let (own, common) = match caller.database.id {
        DatabaseId::Tenant(tenant) => (Space::Tenant(tenant), Vec::new()),
        DatabaseId::System => {
            let tables = caller.system.relations.values();
            let tables = tables.filter_map(|relation| relation.table());
            let common = tables.filter(|table| table.scope == Reach::Common);
            (Space::System, common.map(|table| table.uuid).collect())
        }
    };
    let spaces = [own, Space::Shared];
    transaction
        .fix_moment(&engine.catalog, &spaces, &common)
        .await
}

fn tenant_of(space: Space) -> Option<tessera_catalog::id::TenantId> {
    match space {
        Space::Tenant(tenant) => Some(tenant),
        Space::System | Space::Shared => None,
    }
}

/// The tables whose rows a plan locks: each with the relation that the query names, the table itself or a
/// view of it.
///
/// # Errors
/// What walking the plan meets.
pub(super) fn locked(plan: &LogicalPlan) -> Result<Vec<Locked>> {
    let mut wanted = Vec::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            if let Some(table) = scan.source.downcast_ref::<TableRef>() {
                let locked = table.locked.filter(|_| table.as_of == AsOf::Now);
                wanted.extend(locked.map(|how| Locked {
                    how,
                    found: table.found.clone(),
                    named: table.found.clone(),
                }));
            } else if let Some(view) = scan.source.downcast_ref::<ViewRef>()
                && let Some(how) = view.locked
            {
                let mut tables = Vec::new();
                read_by_view(&view.plan, &mut tables)?;
                wanted.extend(tables.into_iter().map(|found| Locked {
                    how,
                    found,
                    named: view.found.clone(),
                }));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(wanted)
}

/// A table whose rows a query locks.
pub(super) struct Locked {
    pub(super) how: RowLock,
    pub(super) found: Found,
    /// What the query names.
    pub(super) named: Found,
}

/// The tables that a view reads, by way of other views too.
fn read_by_view(plan: &LogicalPlan, tables: &mut Vec<Found>) -> EngineResult<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            if let Some(table) = scan.source.downcast_ref::<TableRef>() {
                tables.extend((table.as_of == AsOf::Now).then(|| table.found.clone()));
            } else if let Some(view) = scan.source.downcast_ref::<ViewRef>() {
                read_by_view(&view.plan, tables)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The plan with no rows of the relations that `is_skipped` tells.
///
/// # Errors
/// What rebuilding the plan meets.
pub(super) fn without_rows_of(
    plan: LogicalPlan,
    is_skipped: &dyn Fn(&Found) -> bool,
) -> Result<LogicalPlan> {
    let skips = |how: Option<RowLock>, found: &Found| {
        how.is_some_and(|how| how.wait == LockWait::Skip) && is_skipped(found)
    };
    let emptied = plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else {
            return Ok(Transformed::no(node));
        };
        let table = scan.source.downcast_ref::<TableRef>();
        let view = scan.source.downcast_ref::<ViewRef>();
        let is_empty = table.is_some_and(|table| skips(table.locked, &table.found))
            || view.is_some_and(|view| skips(view.locked, &view.found));
        if !is_empty {
            return Ok(Transformed::no(node));
        }
        let nothing = Expr::Literal(ScalarValue::Boolean(Some(false)), None);
        let kept = LogicalPlanBuilder::from(node).filter(nothing)?.build()?;
        Ok(Transformed::new(kept, true, TreeNodeRecursion::Jump))
    })?;
    Ok(emptied.data)
}

/// The values that older files lack, by column.
pub(super) fn missing_defaults(
    table: &Table,
    zone: &Arc<str>,
) -> Result<Vec<((tessera_catalog::id::TableUuid, i16), ScalarValue)>> {
    table
        .live_columns()
        .filter_map(|column| Some((column, column.missing_default.as_ref()?)))
        .map(|(column, text)| {
            let value = super::constant::from_text(text, &column.sql_type, zone)?;
            Ok(((table.uuid, column.number), value))
        })
        .collect()
}
