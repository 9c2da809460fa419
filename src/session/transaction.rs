//! BEGIN … COMMIT: what a transaction has changed and nobody else sees yet.
//!
//! Objects are changed in copies of the databases' models, rows are kept as new files, rows not yet
//! written, and files that are replaced. The commit hands all of it to the catalog at once.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tessera_catalog::Catalog;
use tessera_catalog::commit::{Commit, DatabaseChange, PartChange};
use tessera_catalog::id::{DatabaseId, Part};
use tessera_catalog::model::{Change, Database, Relation};
use tessera_catalog::storage::{DataFile, Snapshot};

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
pub enum Isolation {
    /// Each statement sees what was committed when it began.
    ReadCommitted,
    /// All statements see what was committed when the first began.
    RepeatableRead,
}

/// A part's rows as the transaction has changed them.
#[derive(Debug, Clone)]
pub struct PendingPart {
    pub part: Part,
    pub database: DatabaseId,
    pub relation: Arc<Relation>,
    pub added: Vec<Arc<DataFile>>,
    pub rows: Vec<RecordBatch>,
    pub removed: Vec<Arc<DataFile>>,
    pub operation: &'static str,
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
}

/// One session's transaction.
#[derive(Debug)]
pub struct Transaction {
    pub status: Status,
    pub isolation: Isolation,
    pub read_only: bool,
    changes: Changes,
    savepoints: Vec<(String, Changes)>,
    /// What a repeatable-read transaction saw first.
    snapshots: HashMap<Part, Arc<Snapshot>>,
    databases: HashMap<DatabaseId, Arc<Database>>,
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
            snapshots: HashMap::new(),
            databases: HashMap::new(),
            started_at: 0,
        }
    }
}

impl Transaction {
    /// Begins, with BEGIN or for the statements of one message.
    pub fn begin(&mut self, status: Status, isolation: Isolation, read_only: bool) {
        *self = Self {
            status,
            isolation,
            read_only,
            started_at: chrono::Utc::now().timestamp_micros(),
            ..Self::default()
        };
    }

    /// A database as the transaction sees it.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub async fn database(&mut self, catalog: &Catalog, id: DatabaseId) -> Result<Arc<Database>> {
        if let Some(overlay) = self.changes.overlays.get(&id) {
            return Ok(Arc::clone(&overlay.current));
        }
        if let Some(seen) = self.databases.get(&id) {
            return Ok(Arc::clone(seen));
        }
        let newest = catalog.database(id).await?;
        if self.isolation == Isolation::RepeatableRead {
            self.databases.insert(id, Arc::clone(&newest));
        }
        Ok(newest)
    }

    /// A database with what the transaction has changed in it so far.
    pub fn seen(&self, database: &Arc<Database>) -> Arc<Database> {
        let overlay = self.changes.overlays.get(&database.id);
        overlay.map_or_else(
            || Arc::clone(database),
            |overlay| Arc::clone(&overlay.current),
        )
    }

    /// Changes an object in the transaction's copy of a database.
    pub fn change(&mut self, database: &Arc<Database>, changes: Vec<Change>) {
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
    pub fn pending(&self, part: &Part) -> Option<&PendingPart> {
        self.changes.parts.get(part)
    }

    /// The parts of one table that the transaction has changed.
    pub fn pending_parts(&self) -> impl Iterator<Item = &PendingPart> {
        self.changes.parts.values()
    }

    /// Adds rows and files to what the transaction has done to a part, and takes files away.
    pub fn write(&mut self, written: PendingPart) {
        let pending = self
            .changes
            .parts
            .entry(written.part)
            .or_insert_with(|| PendingPart {
                added: Vec::new(),
                rows: Vec::new(),
                removed: Vec::new(),
                ..written.clone()
            });
        pending.relation = written.relation;
        pending.added.extend(written.added);
        pending.rows.extend(written.rows);
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

    /// Replaces the rows that a part holds in memory, as a rewrite of them does.
    pub fn replace_rows(&mut self, part: &Part, rows: Vec<RecordBatch>) {
        if let Some(pending) = self.changes.parts.get_mut(part) {
            pending.rows = rows;
        }
    }

    /// Forgets what was written to a part, as DROP TABLE does.
    pub fn forget(&mut self, part: &Part) {
        self.changes.parts.remove(part);
    }

    /// The states of parts that a statement reads, all of one moment.
    ///
    /// # Errors
    /// Damaged tables.
    pub async fn snapshots(
        &mut self,
        catalog: &Catalog,
        parts: &[(Part, &str)],
    ) -> Result<Vec<Arc<Snapshot>>> {
        if self.isolation == Isolation::ReadCommitted {
            return Ok(catalog.snapshots(parts).await?);
        }
        let missing: Vec<(Part, &str)> = parts
            .iter()
            .filter(|(part, _)| !self.snapshots.contains_key(part))
            .copied()
            .collect();
        let loaded = catalog.snapshots(&missing).await?;
        for ((part, _), snapshot) in missing.into_iter().zip(loaded) {
            self.snapshots.insert(part, snapshot);
        }
        Ok(parts
            .iter()
            .filter_map(|(part, _)| self.snapshots.get(part).map(Arc::clone))
            .collect())
    }

    /// Whether anything would be committed.
    pub fn is_dirty(&self) -> bool {
        !self.changes.overlays.is_empty() || !self.changes.parts.is_empty()
    }

    /// Takes everything to be committed and ends the transaction.
    pub fn take_commit(&mut self) -> Commit {
        let Changes { overlays, parts } = std::mem::take(self).changes;
        let databases = overlays
            .into_values()
            .map(|overlay| DatabaseChange {
                base: overlay.base,
                changes: overlay.changes,
            })
            .collect();
        let parts = parts
            .into_values()
            .filter(|p| !(p.added.is_empty() && p.rows.is_empty() && p.removed.is_empty()))
            .map(|pending| PartChange {
                part: pending.part,
                database: pending.database,
                relation: pending.relation,
                added: pending.added,
                rows: pending.rows,
                removed: pending.removed,
                operation: pending.operation,
            })
            .collect();
        Commit { databases, parts }
    }

    /// Ends the transaction and forgets its changes.
    pub fn roll_back(&mut self) {
        *self = Self::default();
    }

    /// SAVEPOINT.
    pub fn savepoint(&mut self, name: String) {
        self.savepoints.push((name, self.changes.clone()));
    }

    /// RELEASE SAVEPOINT.
    ///
    /// # Errors
    /// 3B001 for an unknown name.
    pub fn release(&mut self, name: &str) -> Result<()> {
        let index = self.savepoint_index(name)?;
        self.savepoints.truncate(index);
        Ok(())
    }

    /// ROLLBACK TO SAVEPOINT.
    ///
    /// # Errors
    /// 3B001 for an unknown name.
    pub fn roll_back_to(&mut self, name: &str) -> Result<()> {
        let index = self.savepoint_index(name)?;
        self.savepoints.truncate(index + 1);
        self.changes = self.savepoints[index].1.clone();
        if self.status == Status::Failed {
            self.status = Status::Open;
        }
        Ok(())
    }

    fn savepoint_index(&self, name: &str) -> Result<usize> {
        self.savepoints
            .iter()
            .rposition(|(own, _)| own == name)
            .ok_or_else(|| Error::NoSuchSavepoint(name.to_owned()))
    }
}
