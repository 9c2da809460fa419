//! What the front and the background tasks share: memory in front of the database and the storage.

mod fault;
mod open;
mod redo;
mod snapshots;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, mpsc};

#[cfg(test)]
pub(super) use fault::Fault;
pub(super) use snapshots::Pin;

use super::CatalogLimits;
use super::maintenance::Needs;
use super::sequences::Sequences;
use super::state::State;
use super::usage::StoredBytes;
use crate::encryption::Keys;
use crate::error::Result;
use crate::id::{DatabaseId, Oid, Part, TenantId};
use crate::locks::Locks;
use crate::model::Database;
use crate::reserve::Reserve;
use crate::storage::Storage;
use crate::store::Store;

/// Parts that are read or written side by side.
pub(super) const PARALLEL_PARTS: usize = 8;

/// The catalog without its tasks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) storage: Storage,
    pub(super) limits: CatalogLimits,
    pub(super) state: RwLock<State>,
    /// The next object number of each database from which one was drawn.
    oids: Mutex<HashMap<DatabaseId, u32>>,
    /// One load of a database at a time.
    loads: tokio::sync::Mutex<()>,
    /// Parts with log entries to write; `None` once closing.
    pub(super) log: Mutex<Option<mpsc::UnboundedSender<Part>>>,
    pub(super) pending_entries: AtomicUsize,
    /// Told when a pending entry was written.
    pub(super) entry_written: Notify,
    /// Redo records whose entries are durable.
    redone: Mutex<BTreeSet<i64>>,
    pub(super) next_redo: AtomicI64,
    pub(super) needs: Needs,
    pub(super) keys: Arc<Keys>,
    /// How many files of each tenant are not yet as new ones are, as far as they were counted.
    pub(super) stale_files: Mutex<HashMap<TenantId, u64>>,
    pub(super) sequences: Sequences,
    pub(super) locks: Locks,
    /// Disk for statements that free space.
    pub(super) for_deleting: Arc<Reserve>,
    /// Disk for the audit.
    pub(super) for_audit: Arc<Reserve>,
    pub(super) stored_bytes: StoredBytes,
    /// Held as long as anything may write.
    lock: Mutex<Option<File>>,
    #[cfg(test)]
    pub(super) fault: Mutex<Option<Fault>>,
}

impl Shared {
    /// Ends the use of the folder.
    pub(super) async fn close(&self) {
        self.store.close().await;
        self.lock.lock().take();
    }

    pub(super) fn system(&self) -> Arc<Database> {
        Arc::clone(&self.state.read().system)
    }

    /// A database from memory, or read into it.
    pub(super) async fn database(&self, id: DatabaseId) -> Result<Arc<Database>> {
        if let Some(database) = self.state.read().database(id) {
            return Ok(Arc::clone(database));
        }
        let _load = self.loads.lock().await;
        loop {
            let (name, removals) = {
                let state = self.state.read();
                if let Some(database) = state.database(id) {
                    return Ok(Arc::clone(database));
                }
                let tenant = id
                    .tenant()
                    .and_then(|tenant| state.system.tenants.get(&tenant));
                (tenant.map(|tenant| tenant.name.clone()), state.removals)
            };
            // A tenant that is gone has no objects, and is not worth keeping.
            let Some(name) = name else {
                return Ok(Arc::new(Database::empty(id, "")));
            };
            let loaded = self.store.load(id, &name).await?;
            let database = Arc::new(loaded.unwrap_or_else(|| Database::empty(id, name)));
            let mut state = self.state.write();
            if let Some(newer) = state.database(id) {
                return Ok(Arc::clone(newer));
            }
            if state.removals == removals {
                state.put_database(Arc::clone(&database), self.limits.max_databases);
                return Ok(database);
            }
        }
    }

    pub(super) fn next_oid(&self, database: &Database) -> Oid {
        let mut oids = self.oids.lock();
        let next = oids.entry(database.id).or_default();
        let oid = (*next).max(database.next_oid);
        *next = oid + 1;
        Oid(oid)
    }

    /// The counter that a commit of a database keeps.
    pub(super) fn drawn_oids(&self, database: DatabaseId) -> u32 {
        self.oids.lock().get(&database).copied().unwrap_or_default()
    }
}
