//! BEGIN … COMMIT: what a transaction has changed and nobody else sees yet.
//!
//! Objects are changed in copies of the databases' models, rows are kept as new files, rows not yet
//! written, and files that are replaced. The commit hands all of it to the catalog at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use tessera_catalog::audit::Event;
use tessera_catalog::commit::{
    Claim, Commit, DatabaseChange, KeyReference, PartChange, TableVersions,
};
use tessera_catalog::id::{DatabaseId, Oid, Part, Space, TableUuid};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::locks::{Lock, Mode, Owner, Target};
use tessera_catalog::model::{
    Acl, AclItem, Change, Database, Privilege, Privileges, Relation, Schema,
};
use tessera_catalog::storage::{DataFile, Snapshot};
use tessera_catalog::{Catalog, PartVersion};

use super::channels::Outgoing;
use super::deferred::{Deferred, Modes};
use super::keys::ForeignName;
use crate::error::{Error, Result};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Between transactions.
    Idle,
    /// In a transaction that the server opened for the statements of one message.
    Implicit,
    /// After BEGIN.
    Open,
    /// After an error inside BEGIN.
    Failed,
}

/// Isolation, as far as it changes what is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Each statement sees what was committed when it began.
    ReadCommitted,
    /// All statements see what was committed when the first began.
    RepeatableRead,
    /// The same, and what was read must not have changed when the transaction commits changes.
    Serializable,
}

impl Isolation {
    /// Whether all statements see the same.
    fn keeps_moment(self) -> bool {
        self != Self::ReadCommitted
    }
}

/// A part's rows as the transaction has changed them.
#[derive(Debug, Clone)]
pub(super) struct PendingPart {
    pub part: Part,
    pub database: DatabaseId,
    pub relation: Arc<Relation>,
    pub added: Vec<Arc<DataFile>>,
    pub rows: Vec<RecordBatch>,
    pub removed: Vec<Arc<DataFile>>,
    pub operation: &'static str,
    /// Keys that were added, with what they were looked for in.
    pub claims: Vec<Claim>,
    /// Whether a statement did something else for a key that it found.
    pub arbitrated: bool,
    /// What foreign keys of these rows, or to them, rely on.
    pub references: Vec<Referring>,
    /// The foreign keys to the table that were looked at when rows went.
    pub referred_by: Vec<Oid>,
    /// What foreign keys are to be checked for when the transaction ends.
    pub deferred: Vec<Deferred>,
    /// The keys of `rows`, as far as they were asked for.
    pub known: Vec<KnownKeys>,
    /// What the statement that runs now has added, while other parts of it are yet to run.
    pub fresh: Fresh,
}

/// Rows that one part of a statement has added and that its other parts do not see.
#[derive(Debug, Clone, Default)]
pub(super) struct Fresh {
    pub files: Vec<Arc<DataFile>>,
    pub rows: Vec<RecordBatch>,
}

/// What a foreign key relies on, and its names for errors.
#[derive(Debug, Clone)]
pub(super) struct Referring {
    pub reference: KeyReference,
    pub name: ForeignName,
}

/// The keys of a part's rows in memory.
#[derive(Debug, Clone)]
pub(super) struct KnownKeys {
    key: KeyColumns,
    /// Of how many batches, from the first.
    batches: usize,
    hashes: Arc<KeySet>,
}

impl PendingPart {
    /// The keys of the rows in memory; `places` are the key's columns among the stored ones.
    ///
    /// # Errors
    /// Rows that do not have the key's columns, which is a bug.
    pub(super) fn memory_keys(
        &mut self,
        key: &KeyColumns,
        places: &[usize],
    ) -> Result<Arc<KeySet>> {
        let known = match self.known.iter().position(|known| known.key == *key) {
            Some(index) => &mut self.known[index],
            None => {
                self.known.push(KnownKeys {
                    key: key.clone(),
                    batches: 0,
                    hashes: Arc::default(),
                });
                let last = self.known.len() - 1;
                &mut self.known[last]
            }
        };
        if known.batches < self.rows.len() {
            let hashes = Arc::make_mut(&mut known.hashes);
            for batch in &self.rows[known.batches..] {
                let columns = places.iter().map(|place| Arc::clone(batch.column(*place)));
                let columns: Vec<ArrayRef> = columns.collect();
                let more = key.hashes(&columns, batch.num_rows())?;
                hashes.extend(more.into_iter().flatten());
            }
            known.batches = self.rows.len();
        }
        Ok(Arc::clone(&known.hashes))
    }

    /// The keys of the rows in memory that other parts of the statement have added.
    ///
    /// # Errors
    /// As [`PendingPart::memory_keys`].
    pub(super) fn fresh_keys(&self, key: &KeyColumns, places: &[usize]) -> Result<KeySet> {
        let mut hashes = KeySet::default();
        for batch in &self.fresh.rows {
            let columns = places.iter().map(|place| Arc::clone(batch.column(*place)));
            let columns: Vec<ArrayRef> = columns.collect();
            let more = key.hashes(&columns, batch.num_rows())?;
            hashes.extend(more.into_iter().flatten());
        }
        Ok(hashes)
    }

    /// Makes what was added by parts of one statement rows like any other.
    fn settle(&mut self) {
        let Fresh { files, rows } = std::mem::take(&mut self.fresh);
        self.added.extend(files);
        self.rows.extend(rows);
    }

    fn add_reference(&mut self, new: Referring) {
        let place = |of: &Referring| {
            let KeyReference {
                expects,
                constraint,
                part,
                ..
            } = of.reference;
            (expects, constraint, part)
        };
        let own = self
            .references
            .iter_mut()
            .find(|own| place(own) == place(&new));
        match own {
            // The base stays the older one, as of claims.
            Some(own) => Arc::make_mut(&mut own.reference.hashes)
                .extend(new.reference.hashes.iter().copied()),
            None => self.references.push(new),
        }
    }

    fn add_claim(&mut self, claim: Claim) {
        let same = |own: &&mut Claim| own.key == claim.key;
        match self.claims.iter_mut().find(same) {
            // The base stays the older one: what came since is looked through at the commit.
            Some(own) => Arc::make_mut(&mut own.hashes).extend(claim.hashes.iter()),
            None => self.claims.push(claim),
        }
    }
}

/// A database's objects as the transaction has changed them.
#[derive(Debug, Clone)]
struct Overlay {
    base: Arc<Database>,
    current: Arc<Database>,
    changes: Vec<Change>,
}

/// The schema of a session's temporary tables, which no catalog holds.
pub(super) const TEMPORARY_SCHEMA: Oid = Oid(12);
/// Its name.
pub(super) const TEMPORARY_SCHEMA_NAME: &str = "pg_temp";
/// The most memory of one session's temporary tables, in bytes.
const MAX_TEMPORARY_BYTES: usize = 256 << 20;

/// A session's temporary tables and their rows, all in memory.
#[derive(Debug, Clone, Default)]
struct Temporary {
    home: Option<DatabaseId>,
    relations: HashMap<Oid, Arc<Relation>>,
    parts: HashMap<Part, PendingPart>,
    /// What becomes of tables when a transaction is committed, if it is anything.
    at_commit: HashMap<Oid, AtCommit>,
}

/// ON COMMIT of a temporary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtCommit {
    Drop,
    Empty,
}

impl Temporary {
    /// Does what tables asked for at the end of a transaction.
    fn end_transaction(&mut self) {
        let Self {
            relations,
            parts,
            at_commit,
            ..
        } = self;
        at_commit.retain(|oid, what| {
            let table = relations.get(oid).and_then(|relation| relation.table());
            if let Some(table) = table.map(|table| table.uuid) {
                parts.retain(|part, _| part.table != table);
            }
            if *what == AtCommit::Drop {
                relations.remove(oid);
            }
            relations.contains_key(oid)
        });
    }
}

/// The schema of temporary tables, which every role of the session may use.
pub(super) fn temporary_schema() -> Schema {
    let usage = AclItem {
        grantee: Oid::PUBLIC,
        grantor: Oid::OPERATOR,
        privileges: Privilege::Usage.into(),
        grantable: Privileges::NONE,
    };
    Schema {
        oid: TEMPORARY_SCHEMA,
        name: TEMPORARY_SCHEMA_NAME.to_owned(),
        owner: Oid::OPERATOR,
        acl: Some(Acl(vec![usage])),
        comment: None,
    }
}

/// Changes up to one moment; what a savepoint goes back to.
#[derive(Debug, Clone, Default)]
struct Changes {
    overlays: HashMap<DatabaseId, Overlay>,
    parts: HashMap<Part, PendingPart>,
    /// The temporary tables, once the transaction has changed them.
    temporary: Option<Temporary>,
    /// What is said and listened to once the transaction is committed.
    outgoing: Outgoing,
    /// Tables that the transaction needs to stay as it saw them.
    unmoved: Vec<TableVersions>,
    /// What foreign keys are to be checked for when the transaction ends.
    deferred: Vec<Deferred>,
    /// What those that were checked rely on.
    relied: Vec<Referring>,
    /// What the audit is told of the transaction.
    audit: Vec<Event>,
}

/// What the parts of one statement see, when several of them change rows: all that was there before it.
#[derive(Debug, Default)]
struct Before {
    parts: HashMap<Part, PendingPart>,
}

/// The locks of one transaction.
#[derive(Debug, Default)]
pub(super) struct Locked {
    held: Vec<Lock>,
}

/// What ROLLBACK TO goes back to.
#[derive(Debug)]
struct Savepoint {
    name: String,
    changes: Changes,
    /// How many locks the transaction had.
    locks: usize,
    /// How many of them were advisory ones, which the session counts.
    advisory: usize,
}

/// One session's transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub status: Status,
    pub isolation: Isolation,
    pub read_only: bool,
    changes: Changes,
    savepoints: Vec<Savepoint>,
    /// The temporary tables as the last commit left them, and as they were before it.
    temporary: Temporary,
    former_temporary: Temporary,
    /// The versions of all that a repeatable-read transaction may read, when it first read a table.
    moment: Option<HashMap<Part, i64>>,
    /// What it has read so far.
    snapshots: HashMap<Part, Arc<Snapshot>>,
    databases: HashMap<DatabaseId, Arc<Database>>,
    /// What SET CONSTRAINTS said.
    pub constraints: Modes,
    /// Versions of all parts of the common tables that an operator's transaction has seen.
    unions: HashMap<TableUuid, HashMap<Part, i64>>,
    /// Those of which it has read rows.
    read_unions: HashSet<TableUuid>,
    /// The parts whose rows nobody else changes until the transaction ends.
    locks: Locked,
    /// There while several parts of one statement change rows.
    before: Option<Before>,
    /// Counted for the session's database by itself.
    pub number: i64,
    /// Microseconds since 1970.
    pub started_at: i64,
}

impl Default for Transaction {
    fn default() -> Self {
        Self {
            status: Status::Idle,
            isolation: Isolation::ReadCommitted,
            read_only: false,
            changes: Changes::default(),
            savepoints: Vec::new(),
            temporary: Temporary::default(),
            former_temporary: Temporary::default(),
            moment: None,
            snapshots: HashMap::new(),
            databases: HashMap::new(),
            constraints: Modes::default(),
            unions: HashMap::new(),
            read_unions: HashSet::new(),
            locks: Locked::default(),
            before: None,
            number: 0,
            started_at: 0,
        }
    }
}

impl Transaction {
    /// Begins, with BEGIN or for the statements of one message.
    pub(super) fn begin(&mut self, status: Status, isolation: Isolation, read_only: bool) {
        *self = Self {
            status,
            isolation,
            read_only,
            started_at: chrono::Utc::now().timestamp_micros(),
            temporary: std::mem::take(&mut self.temporary),
            ..Self::default()
        };
    }

    /// A database as the transaction sees it.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(super) async fn database(
        &mut self,
        catalog: &Catalog,
        id: DatabaseId,
    ) -> Result<Arc<Database>> {
        if let Some(overlay) = self.changes.overlays.get(&id) {
            return Ok(self.with_temporary(&overlay.current));
        }
        if let Some(seen) = self.databases.get(&id) {
            return Ok(self.with_temporary(seen));
        }
        let newest = catalog.database(id).await?;
        if self.isolation.keeps_moment() {
            self.databases.insert(id, Arc::clone(&newest));
        }
        Ok(self.with_temporary(&newest))
    }

    /// A database with what the transaction has changed in it so far.
    pub(super) fn seen(&self, database: &Arc<Database>) -> Arc<Database> {
        let overlay = self.changes.overlays.get(&database.id);
        overlay.map_or_else(
            || Arc::clone(database),
            |overlay| self.with_temporary(&overlay.current),
        )
    }

    fn temporary(&self) -> &Temporary {
        self.changes.temporary.as_ref().unwrap_or(&self.temporary)
    }

    fn temporary_mut(&mut self) -> &mut Temporary {
        let committed = &self.temporary;
        self.changes
            .temporary
            .get_or_insert_with(|| committed.clone())
    }

    /// Says what becomes of a temporary table when a transaction is committed.
    pub(super) fn at_commit(&mut self, table: Oid, what: AtCommit) {
        self.temporary_mut().at_commit.insert(table, what);
    }

    /// Whether the session has temporary tables.
    pub(super) fn has_temporary(&self) -> bool {
        !self.temporary().relations.is_empty()
    }

    /// Checks that rows may still be added to a relation, if it is a temporary one.
    ///
    /// # Errors
    /// 53200 beyond the limit of one session.
    pub(super) fn check_room(&self, relation: &Relation) -> Result<()> {
        if relation.schema != TEMPORARY_SCHEMA {
            return Ok(());
        }
        let rows = self.temporary().parts.values().flat_map(|part| &part.rows);
        let bytes: usize = rows.map(RecordBatch::get_array_memory_size).sum();
        if bytes < MAX_TEMPORARY_BYTES {
            return Ok(());
        }
        Err(Error::OutOfMemory {
            detail: format!("Temporary tables hold {bytes} bytes."),
        })
    }

    /// Drops all temporary tables.
    pub(super) fn discard_temporary(&mut self) {
        if self.has_temporary() {
            self.changes.temporary = Some(Temporary::default());
        }
    }

    /// The temporary tables as before a commit that failed.
    pub(super) fn restore_temporary(&mut self) {
        self.temporary = std::mem::take(&mut self.former_temporary);
    }

    /// A database with the session's temporary tables in a schema of their own.
    fn with_temporary(&self, database: &Arc<Database>) -> Arc<Database> {
        let temporary = self.temporary();
        if temporary.relations.is_empty() || temporary.home != Some(database.id) {
            return Arc::clone(database);
        }
        let mut merged = database.as_ref().clone();
        merged.apply(&Change::PutSchema(temporary_schema()));
        for relation in temporary.relations.values() {
            merged.apply(&Change::PutRelation(relation.as_ref().clone()));
        }
        Arc::new(merged)
    }

    /// Keeps what is temporary out of what goes to the catalog.
    fn divert_temporary(&mut self, database: DatabaseId, changes: Vec<Change>) -> Vec<Change> {
        let mut stored = Vec::with_capacity(changes.len());
        let mut diverted = false;
        for change in changes {
            match change {
                Change::PutRelation(relation) if relation.schema == TEMPORARY_SCHEMA => {
                    let temporary = self.temporary_mut();
                    temporary.home = Some(database);
                    temporary.relations.insert(relation.oid, Arc::new(relation));
                    diverted = true;
                }
                Change::DropRelation(oid) if self.temporary().relations.contains_key(&oid) => {
                    let temporary = self.temporary_mut();
                    let dropped = temporary.relations.remove(&oid);
                    let uuid = dropped.and_then(|relation| relation.table().map(|t| t.uuid));
                    temporary.parts.retain(|part, _| Some(part.table) != uuid);
                    diverted = true;
                }
                Change::PutSchema(schema) if schema.oid == TEMPORARY_SCHEMA => {}
                Change::DropSchema(oid) if oid == TEMPORARY_SCHEMA => {}
                other => stored.push(other),
            }
        }
        // A number that was drawn for a temporary table need not outlive the server.
        if diverted && stored.iter().all(|c| matches!(c, Change::NextOid(_))) {
            stored.clear();
        }
        stored
    }

    /// Changes an object in the transaction's copy of a database.
    pub(super) fn change(&mut self, database: &Arc<Database>, changes: Vec<Change>) {
        let changes = self.divert_temporary(database.id, changes);
        if changes.is_empty() {
            return;
        }
        let database = &without_temporary(database);
        let overlay = self
            .changes
            .overlays
            .entry(database.id)
            .or_insert_with(|| Overlay {
                base: Arc::clone(database),
                current: Arc::clone(database),
                changes: Vec::new(),
            });
        let mut copy = overlay.current.as_ref().clone();
        for change in &changes {
            copy.apply(change);
        }
        overlay.current = Arc::new(copy);
        overlay.changes.extend(changes);
    }

    /// What the transaction has done to a part.
    pub(super) fn pending(&self, part: &Part) -> Option<&PendingPart> {
        let temporary = || self.temporary().parts.get(part);
        self.changes.parts.get(part).or_else(temporary)
    }

    /// What a query reads of that: nothing of what the statement that it belongs to has done.
    pub(super) fn seen_pending(&self, part: &Part) -> Option<&PendingPart> {
        match &self.before {
            Some(before) => before.parts.get(part),
            None => self.pending(part),
        }
    }

    /// Begins a statement of which several parts change rows: all of them see what is there now.
    pub(super) fn begin_together(&mut self) {
        let parts = self.changes.parts.iter().chain(&self.temporary().parts);
        let parts = parts.map(|(part, pending)| (*part, pending.clone()));
        self.before = Some(Before {
            parts: parts.collect(),
        });
        if self.isolation == Isolation::ReadCommitted {
            self.unions.clear();
            self.snapshots.clear();
        }
    }

    /// Ends it: what it did is there for the next statement.
    pub(super) fn end_together(&mut self) {
        self.before = None;
        if self.isolation == Isolation::ReadCommitted {
            self.unions.clear();
            self.snapshots.clear();
        }
        for pending in self.changes.parts.values_mut() {
            pending.settle();
        }
        if let Some(temporary) = &mut self.changes.temporary {
            for pending in temporary.parts.values_mut() {
                pending.settle();
            }
        }
    }

    /// Whether a statement of which several parts change rows runs.
    pub(super) fn is_together(&self) -> bool {
        self.before.is_some()
    }

    /// Whether all that is read now is of one moment.
    fn keeps_moment(&self) -> bool {
        self.isolation.keeps_moment() || self.is_together()
    }

    /// The parts of one table that the transaction has changed.
    pub(super) fn pending_parts(&self) -> impl Iterator<Item = &PendingPart> {
        self.changes.parts.values()
    }

    /// Adds rows and files to what the transaction has done to a part, and takes files away.
    pub(super) fn write(&mut self, written: PendingPart) {
        self.changes
            .deferred
            .extend(written.deferred.iter().cloned());
        let parts = if written.relation.schema == TEMPORARY_SCHEMA {
            &mut self.temporary_mut().parts
        } else {
            &mut self.changes.parts
        };
        let pending = parts.entry(written.part).or_insert_with(|| PendingPart {
            added: Vec::new(),
            rows: Vec::new(),
            removed: Vec::new(),
            claims: Vec::new(),
            known: Vec::new(),
            fresh: Fresh::default(),
            references: Vec::new(),
            referred_by: Vec::new(),
            deferred: Vec::new(),
            ..written.clone()
        });
        pending.arbitrated |= written.arbitrated;
        for reference in written.references {
            pending.add_reference(reference);
        }
        for foreign_key in written.referred_by {
            if !pending.referred_by.contains(&foreign_key) {
                pending.referred_by.push(foreign_key);
            }
        }
        for claim in written.claims {
            pending.add_claim(claim);
        }
        pending.relation = written.relation;
        pending.added.extend(written.added);
        pending.rows.extend(written.rows);
        pending.fresh.files.extend(written.fresh.files);
        pending.fresh.rows.extend(written.fresh.rows);
        if pending.operation != written.operation {
            pending.operation = "WRITE";
        }
        for file in written.removed {
            // A file that this transaction itself added just goes.
            match pending
                .added
                .iter()
                .position(|added| added.path == file.path)
            {
                Some(own) => {
                    pending.added.swap_remove(own);
                }
                None => pending.removed.push(file),
            }
        }
    }

    /// Keeps what a foreign key relies on until the commit.
    pub(super) fn rely_on(&mut self, reference: Referring) {
        self.changes.relied.push(reference);
    }

    /// Puts off a check to the end of the transaction.
    pub(super) fn defer(&mut self, deferred: Deferred) {
        self.changes.deferred.push(deferred);
    }

    /// Takes the checks that were put off, or only those of some foreign keys.
    pub(super) fn take_deferred(&mut self, only: Option<&[Oid]>) -> Vec<Deferred> {
        let all = std::mem::take(&mut self.changes.deferred);
        let Some(only) = only else { return all };
        let (taken, left) = all
            .into_iter()
            .partition(|deferred| only.contains(&deferred.constraint));
        self.changes.deferred = left;
        taken
    }

    /// Lets the rows that the transaction has written to a table be rows of it as it is now.
    pub(super) fn reshape(&mut self, relation: &Relation) {
        for pending in self.own_parts(relation) {
            pending.relation = Arc::new(relation.clone());
        }
    }

    /// Takes note of a new foreign key to a table, whose rows were all looked at.
    pub(super) fn know_reference(&mut self, table: TableUuid, foreign_key: Oid) {
        let parts = self.changes.parts.values_mut();
        for pending in parts.filter(|pending| pending.part.table == table) {
            pending.referred_by.push(foreign_key);
        }
    }

    /// The names of the foreign keys that the transaction relies on.
    pub(super) fn foreign_names(&self) -> Vec<ForeignName> {
        let parts = self.changes.parts.values();
        let references = parts.flat_map(|pending| &pending.references);
        let references = references.chain(&self.changes.relied);
        references.map(|referring| referring.name.clone()).collect()
    }

    /// The rows in memory of one table's parts.
    pub(super) fn rows_of(&self, table: TableUuid) -> Vec<(Part, Vec<RecordBatch>)> {
        let parts = self.changes.parts.iter().chain(&self.temporary().parts);
        parts
            .filter(|(part, pending)| part.table == table && !pending.rows.is_empty())
            .map(|(part, pending)| (*part, pending.rows.clone()))
            .collect()
    }

    /// Replaces the rows that a part holds in memory, as a rewrite of them does.
    pub(super) fn replace_rows(&mut self, part: &Part, rows: Vec<RecordBatch>) {
        if let Some(pending) = self.changes.parts.get_mut(part) {
            pending.rows = rows;
            pending.known.clear();
        } else if self.temporary().parts.contains_key(part)
            && let Some(pending) = self.temporary_mut().parts.get_mut(part)
        {
            pending.rows = rows;
            pending.known.clear();
        }
    }

    /// The parts of a table that the transaction, or the session for a temporary one, has rows of.
    pub(super) fn own_parts(&mut self, relation: &Relation) -> Vec<&mut PendingPart> {
        let Some(table) = relation.table().map(|table| table.uuid) else {
            return Vec::new();
        };
        let parts = if relation.schema == TEMPORARY_SCHEMA {
            &mut self.temporary_mut().parts
        } else {
            &mut self.changes.parts
        };
        let own = parts.values_mut();
        own.filter(|pending| pending.part.table == table).collect()
    }

    /// Makes the commit fail when another transaction changes these tables' rows first.
    pub(super) fn keep_unmoved(&mut self, versions: TableVersions) {
        let unmoved = &mut self.changes.unmoved;
        if !unmoved.iter().any(|known| known.table == versions.table) {
            unmoved.push(versions);
        }
    }

    /// Forgets what was written to a part, as DROP TABLE does.
    pub(super) fn forget(&mut self, part: &Part) {
        self.changes.parts.remove(part);
        if self.temporary().parts.contains_key(part) {
            self.temporary_mut().parts.remove(part);
        }
    }

    /// The states of parts that a statement reads, all of one moment.
    ///
    /// # Errors
    /// Damaged tables.
    pub(super) async fn snapshots(
        &mut self,
        catalog: &Catalog,
        parts: &[(Part, &str)],
    ) -> Result<Vec<Arc<Snapshot>>> {
        if !self.keeps_moment() {
            return Ok(catalog.snapshots(parts).await?);
        }
        let missing: Vec<(Part, &str)> = parts
            .iter()
            .filter(|(part, _)| !self.snapshots.contains_key(part))
            .copied()
            .collect();
        let loaded = catalog.snapshots(&missing).await?;
        for ((part, name), snapshot) in missing.into_iter().zip(loaded) {
            let snapshot = self.of_moment(catalog, (part, name), snapshot).await?;
            self.snapshots.insert(part, snapshot);
        }
        Ok(parts
            .iter()
            .filter_map(|(part, _)| self.snapshots.get(part).map(Arc::clone))
            .collect())
    }

    /// Whether what the transaction reads is settled already, or for each statement anew.
    pub(super) fn has_moment(&self) -> bool {
        !self.isolation.keeps_moment() || self.moment.is_some()
    }

    /// Keeps a repeatable-read transaction to what there is now in some spaces and tables, unless it has
    /// read before.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(super) async fn fix_moment(
        &mut self,
        catalog: &Catalog,
        spaces: &[Space],
        common: &[TableUuid],
    ) -> Result<()> {
        self.unions
            .extend(common.iter().map(|table| (*table, HashMap::new())));
        let mut moment = HashMap::new();
        for told in catalog.versions_at_once(spaces, common).await? {
            match self.unions.get_mut(&told.part.table) {
                Some(union) => union.insert(told.part, told.version),
                None => moment.insert(told.part, told.version),
            };
        }
        self.moment = Some(moment);
        Ok(())
    }

    /// A part as it was at the moment that the transaction keeps to.
    async fn of_moment(
        &self,
        catalog: &Catalog,
        (part, name): (Part, &str),
        newest: Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>> {
        let Some(moment) = &self.moment else {
            return Ok(newest);
        };
        // The parts of unions are told by their tables.
        let union = self.unions.get(&part.table);
        match union.unwrap_or(moment).get(&part) {
            Some(version) if newest.version == Some(*version) => Ok(newest),
            Some(version) => {
                let told = PartVersion {
                    part,
                    version: *version,
                };
                Ok(catalog.snapshot_at(told, name).await?)
            }
            None if newest.version.is_none() => Ok(newest),
            None => Ok(Arc::new(Snapshot::empty())),
        }
    }

    /// Whether a statement did something else for a key that it found.
    pub(super) fn is_arbitrated(&self) -> bool {
        self.changes
            .parts
            .values()
            .any(|pending| pending.arbitrated)
    }

    /// The versions of all parts of common tables that a statement reads, all of one moment; of the
    /// first statement's in a repeatable-read transaction.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(super) async fn versions(
        &mut self,
        catalog: &Catalog,
        tables: &[TableUuid],
    ) -> Result<HashMap<Part, i64>> {
        let is_kept = self.keeps_moment();
        self.read_unions.extend(tables);
        let new: Vec<TableUuid> = tables
            .iter()
            .filter(|table| !is_kept || !self.unions.contains_key(table))
            .copied()
            .collect();
        if !new.is_empty() {
            self.unions
                .extend(new.iter().map(|table| (*table, HashMap::new())));
            for told in catalog.versions_of(&new).await? {
                let table = self.unions.entry(told.part.table).or_default();
                table.insert(told.part, told.version);
            }
        }
        let seen = tables.iter().filter_map(|table| self.unions.get(table));
        Ok(seen
            .flatten()
            .map(|(part, version)| (*part, *version))
            .collect())
    }

    /// Keeps others from what conflicts with a lock until the transaction ends; waits for who does so
    /// now.
    ///
    /// # Errors
    /// 40P01 when that one waits for this session.
    pub(super) async fn lock(
        &mut self,
        catalog: &Catalog,
        owner: Owner,
        (target, mode): (Target, Mode),
    ) -> Result<()> {
        if !self.holds(target, mode) {
            let lock = catalog.locks().lock(target, mode, owner).await?;
            self.locks.held.push(lock);
        }
        Ok(())
    }

    /// The same without waiting: whether the lock could be taken.
    pub(super) fn try_lock(
        &mut self,
        catalog: &Catalog,
        owner: Owner,
        (target, mode): (Target, Mode),
    ) -> bool {
        if self.holds(target, mode) {
            return true;
        }
        let lock = catalog.locks().try_lock(target, mode, owner);
        let is_free = lock.is_some();
        self.locks.held.extend(lock);
        is_free
    }

    /// Whether others may wait for what the transaction has locked.
    pub(super) fn holds_locks(&self) -> bool {
        !self.locks.held.is_empty()
    }

    fn holds(&self, target: Target, mode: Mode) -> bool {
        let mut held = self.locks.held.iter();
        held.any(|lock| lock.target() == target && lock.mode() == mode)
    }

    /// What is said and listened to once the transaction is committed.
    pub(super) fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.changes.outgoing
    }

    /// Takes the locks, which a commit holds until it is done.
    pub(super) fn take_locks(&mut self) -> Locked {
        std::mem::take(&mut self.locks)
    }

    /// Whether anything would be committed.
    pub(super) fn is_dirty(&self) -> bool {
        let changes = &self.changes;
        !changes.overlays.is_empty() || !changes.parts.is_empty() || changes.temporary.is_some()
    }

    /// Takes everything to be committed and ends the transaction.
    pub(super) fn take_commit(&mut self) -> Commit {
        let Self {
            changes:
                Changes {
                    overlays,
                    mut parts,
                    temporary,
                    outgoing: _,
                    unmoved,
                    relied,
                    audit,
                    ..
                },
            temporary: former,
            isolation,
            snapshots,
            mut unions,
            read_unions,
            ..
        } = std::mem::take(self);
        self.temporary = temporary.unwrap_or_else(|| former.clone());
        self.temporary.end_transaction();
        self.former_temporary = former;
        let databases = overlays
            .into_values()
            .map(|overlay| DatabaseChange {
                base: overlay.base,
                changes: overlay.changes,
            })
            .collect();
        let references = parts
            .values_mut()
            .flat_map(|pending| std::mem::take(&mut pending.references))
            .chain(relied)
            .map(|referring| referring.reference)
            .collect();
        let parts: Vec<PartChange> = parts
            .into_values()
            .filter(|p| !(p.added.is_empty() && p.rows.is_empty() && p.removed.is_empty()))
            .map(|pending| PartChange {
                part: pending.part,
                database: pending.database,
                relation: pending.relation,
                added: pending.added,
                rows: pending.rows,
                removed: pending.removed,
                claims: pending.claims,
                referred_by: pending.referred_by,
                operation: pending.operation,
            })
            .collect();
        let (read, read_tables) = match isolation {
            Isolation::Serializable => {
                unions.retain(|table, _| read_unions.contains(table));
                read(&snapshots, unions)
            }
            Isolation::ReadCommitted | Isolation::RepeatableRead => Default::default(),
        };
        Commit {
            databases,
            parts,
            unmoved,
            references,
            audit,
            read,
            read_tables,
        }
    }

    /// Has the audit told of something once the transaction is committed.
    pub(super) fn record(&mut self, event: Event) {
        self.changes.audit.push(event);
    }

    /// Ends the transaction and forgets its changes.
    pub(super) fn roll_back(&mut self) {
        *self = Self {
            temporary: std::mem::take(&mut self.temporary),
            ..Self::default()
        };
    }

    /// SAVEPOINT.
    pub(super) fn savepoint(&mut self, name: String, advisory: usize) {
        self.savepoints.push(Savepoint {
            name,
            changes: self.changes.clone(),
            locks: self.locks.held.len(),
            advisory,
        });
    }

    /// RELEASE SAVEPOINT.
    ///
    /// # Errors
    /// 3B001 for an unknown name.
    pub(super) fn release(&mut self, name: &str) -> Result<()> {
        let index = self.savepoint_index(name)?;
        self.savepoints.truncate(index);
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT: how many advisory locks the transaction had then.
    ///
    /// # Errors
    /// 3B001 for an unknown name.
    pub(super) fn roll_back_to(&mut self, name: &str) -> Result<usize> {
        let index = self.savepoint_index(name)?;
        self.savepoints.truncate(index + 1);
        let savepoint = &self.savepoints[index];
        self.changes = savepoint.changes.clone();
        self.locks.held.truncate(savepoint.locks);
        self.before = None;
        if self.status == Status::Failed {
            self.status = Status::Open;
        }
        Ok(savepoint.advisory)
    }

    fn savepoint_index(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|savepoint| savepoint.name == name)
            .ok_or_else(|| Error::NoSuchSavepoint(name.to_owned()))
    }
}

/// The versions of all that a transaction has read, of parts and of whole unions.
fn read(
    snapshots: &HashMap<Part, Arc<Snapshot>>,
    unions: HashMap<TableUuid, HashMap<Part, i64>>,
) -> (Vec<(Part, Option<i64>)>, Vec<TableVersions>) {
    let parts = snapshots.iter().map(|(part, seen)| (*part, seen.version));
    let tables = unions.into_iter().map(|(table, parts)| TableVersions {
        table,
        parts: parts.into_iter().collect(),
    });
    (parts.collect(), tables.collect())
}

/// A database without the session's temporary tables, as the catalog knows it.
fn without_temporary(database: &Arc<Database>) -> Arc<Database> {
    if !database.schemas.contains_key(&TEMPORARY_SCHEMA) {
        return Arc::clone(database);
    }
    let mut stored = database.as_ref().clone();
    let temporary: Vec<Oid> = stored
        .relations
        .values()
        .filter(|relation| relation.schema == TEMPORARY_SCHEMA)
        .map(|relation| relation.oid)
        .collect();
    for oid in temporary {
        stored.apply(&Change::DropRelation(oid));
    }
    stored.apply(&Change::DropSchema(TEMPORARY_SCHEMA));
    Arc::new(stored)
}
