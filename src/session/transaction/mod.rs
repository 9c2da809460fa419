//! BEGIN … COMMIT: what a transaction has changed and nobody else sees yet.
//!
//! Objects are changed in copies of the databases' models, rows are kept as new files, rows not yet
//! written, and files that are replaced. The commit hands all of it to the catalog at once.

mod commit;
mod locks;
mod parts;
mod pending;
mod promises;
mod reads;
mod savepoint;
mod temporary;
mod together;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tessera_catalog::Catalog;
use tessera_catalog::audit::Event;
use tessera_catalog::commit::TableVersions;
use tessera_catalog::id::{DatabaseId, Part, TableUuid};
use tessera_catalog::model::{Change, Database};
use tessera_catalog::storage::Snapshot;

pub(super) use pending::{Fresh, PendingPart, Referring};
pub(super) use temporary::{AtCommit, TEMPORARY_SCHEMA, TEMPORARY_SCHEMA_NAME, temporary_schema};

use super::channels::Outgoing;
use super::deferred::{Deferred, Modes};
use crate::error::Result;
use locks::Locked;
use savepoint::Savepoint;
use temporary::{Temporary, without_temporary};
use together::Before;

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
pub(in crate::session) enum Isolation {
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

/// A database's objects as the transaction has changed them.
#[derive(Debug, Clone)]
struct Overlay {
    base: Arc<Database>,
    current: Arc<Database>,
    changes: Vec<Change>,
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

/// One session's transaction.
#[derive(Debug)]
pub(in crate::session) struct Transaction {
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
    pub(in crate::session) fn begin(
        &mut self,
        status: Status,
        isolation: Isolation,
        read_only: bool,
    ) {
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
    pub(in crate::session) async fn database(
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
    pub(in crate::session) fn seen(&self, database: &Arc<Database>) -> Arc<Database> {
        let overlay = self.changes.overlays.get(&database.id);
        overlay.map_or_else(
            || Arc::clone(database),
            |overlay| self.with_temporary(&overlay.current),
        )
    }

    /// Changes an object in the transaction's copy of a database.
    pub(in crate::session) fn change(&mut self, database: &Arc<Database>, changes: Vec<Change>) {
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

    /// What is said and listened to once the transaction is committed.
    pub(in crate::session) fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.changes.outgoing
    }

    /// Whether anything would be committed.
    pub(in crate::session) fn is_dirty(&self) -> bool {
        let changes = &self.changes;
        !changes.overlays.is_empty() || !changes.parts.is_empty() || changes.temporary.is_some()
    }

    /// Has the audit told of something once the transaction is committed.
    pub(in crate::session) fn record(&mut self, event: Event) {
        self.changes.audit.push(event);
    }

    /// Ends the transaction and forgets its changes.
    pub(in crate::session) fn roll_back(&mut self) {
        *self = Self {
            temporary: std::mem::take(&mut self.temporary),
            ..Self::default()
        };
    }
}
