//! What the front and the background tasks share: memory in front of the database and the storage.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, mpsc};
use url::Url;

use super::group::FaultPoint;
use super::maintenance::Needs;
use super::sequences::Sequences;
use super::state::{Head, PartState, PendingEntry, State};
use super::usage::StoredBytes;
use super::{AsOf, CATALOG_FILE, CatalogLimits, CatalogOptions};
use crate::encryption::Keys;
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid, Part, Space, TenantId};
use crate::locks::Locks;
use crate::model::Database;
use crate::reserve::Reserve;
use crate::storage::{Snapshot, Storage};
use crate::store::{Batch, CounterRow, DatabaseBatch, Store};

/// The system database's name.
const SYSTEM_NAME: &str = "tessera";
/// Parts that are read or written side by side.
pub(super) const PARALLEL_PARTS: usize = 8;
/// Redo records that are read at once.
const REDO_PAGE: i64 = 1_000;

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

/// What a test wants to go wrong.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    At(FaultPoint),
    /// Nothing is written any more.
    Halted,
}

impl Shared {
    pub(super) async fn open(
        options: CatalogOptions,
        limits: CatalogLimits,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Part>)> {
        let data = options.data.clone();
        let lock = tokio::task::spawn_blocking(move || lock_folder(&data))
            .await
            .map_err(|error| {
                Error::Unusable(format!("could not lock the data folder: {error}"))
            })??;
        let store = Store::open(&options.data.join(CATALOG_FILE)).await?;
        sync_folder(&options.data)?;
        let url = match &options.storage_url {
            Some(url) => url.clone(),
            None => folder_url(&options.data.join("tables"))?,
        };
        let storage = Storage::open(&url, &options.storage_options).await?;
        let system = match store.load(DatabaseId::System, SYSTEM_NAME).await? {
            Some(system) => system,
            None => {
                let verifier = options.admin_password_verifier.ok_or(Error::NoOperator)?;
                first_system(&store, verifier).await?
            }
        };
        let keys = Arc::new(Keys::open(options.master_key).await);
        for tenant in system.tenants.values() {
            storage.set_ring(Space::Tenant(tenant.id), keys.ring(tenant));
        }
        let (log, queue) = mpsc::unbounded_channel();
        let shared = Self {
            store,
            storage,
            limits,
            state: RwLock::new(State::new(Arc::new(system))),
            oids: Mutex::default(),
            loads: tokio::sync::Mutex::default(),
            log: Mutex::new(Some(log)),
            pending_entries: AtomicUsize::new(0),
            entry_written: Notify::new(),
            redone: Mutex::default(),
            next_redo: AtomicI64::new(1),
            needs: Needs::default(),
            keys,
            stale_files: Mutex::default(),
            sequences: Sequences::default(),
            locks: Locks::default(),
            for_deleting: Arc::new(Reserve::for_deleting(&options.data)),
            for_audit: Arc::new(Reserve::for_audit(&options.data)),
            stored_bytes: StoredBytes::default(),
            lock: Mutex::new(Some(lock)),
            #[cfg(test)]
            fault: Mutex::default(),
        };
        Ok((shared, queue))
    }

    /// Writes what the last run committed and did not bring to storage. What the storage does not
    /// take now is tried again by whoever reads the part, and in the background.
    pub(super) async fn redo(&self) -> Result<()> {
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

    /// Brings a part's state into memory and keeps it there as long as the pin lives.
    pub(super) async fn pin(&self, part: Part) -> Result<Pin<'_>> {
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
    pub(super) fn visible(&self, part: Part, table: &str) -> Result<Head> {
        let state = self.state.read();
        let Some(state) = state.part(part) else {
            return Ok(Head::default());
        };
        check_foreign(state, table)?;
        Ok(state.head)
    }

    /// The visible files of a part.
    pub(super) async fn snapshot(&self, part: Part, table: &str) -> Result<Arc<Snapshot>> {
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
    pub(super) async fn snapshots(&self, parts: &[(Part, &str)]) -> Result<Vec<Arc<Snapshot>>> {
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
    pub(super) async fn snapshot_of(
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

    /// Hands a part to the log writer.
    pub(super) fn queue_log(&self, part: Part) {
        if let Some(log) = &*self.log.lock() {
            // Without a writer the entries stay in the database and are redone at the next start.
            let _ = log.send(part);
        }
    }

    /// Writes a part's waiting log entries, in order.
    pub(super) async fn write_pending(&self, part: Part) -> Result<()> {
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

    async fn write_pending_locked(&self, part: Part) -> Result<()> {
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
    pub(super) fn take_redone(&self) -> Vec<(i64, i64)> {
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
    pub(super) fn return_redone(&self, runs: &[(i64, i64)]) {
        let numbers = runs.iter().flat_map(|(first, last)| *first..=*last);
        self.redone.lock().extend(numbers);
    }

    /// Deletes the redo records that may go.
    pub(super) async fn forget_redone(&self) -> Result<()> {
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

    /// Whether a test stopped the server, as a crash would.
    #[cfg(test)]
    pub(super) fn is_halted(&self) -> bool {
        matches!(*self.fault.lock(), Some(Fault::Halted))
    }

    #[cfg(not(test))]
    pub(super) fn is_halted(&self) -> bool {
        false
    }

    /// Stops here when a test asked for it.
    #[cfg(test)]
    pub(super) fn fault_point(&self, point: FaultPoint) -> Result<()> {
        let mut fault = self.fault.lock();
        if *fault == Some(Fault::At(point)) {
            *fault = Some(Fault::Halted);
            return Err(Error::Unusable("halted by a test".to_owned()));
        }
        Ok(())
    }

    #[cfg(not(test))]
    pub(super) fn fault_point(&self, _point: FaultPoint) -> Result<()> {
        Ok(())
    }
}

/// Keeps a part's state in memory.
#[derive(Debug)]
pub(super) struct Pin<'a> {
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

/// Takes the folder for this process; the system frees it when the process ends, however it ends.
fn lock_folder(data: &Path) -> Result<File> {
    let unusable = |what: &str, error: std::io::Error| {
        Error::Unusable(format!("could not {what} \"{}\": {error}", data.display()))
    };
    std::fs::create_dir_all(data).map_err(|error| unusable("make the folder", error))?;
    let path = data.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| unusable("open the lock of", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Unusable(format!(
            "the folder \"{}\" is in use by another server",
            data.display()
        ))),
        Err(TryLockError::Error(error)) => Err(unusable("lock", error)),
    }
}

/// Makes the names of new files in the folder durable.
fn sync_folder(data: &Path) -> Result<()> {
    File::open(data)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::Unusable(format!("could not sync \"{}\": {error}", data.display())))
}

fn folder_url(folder: &Path) -> Result<String> {
    let unusable = || Error::Unusable(format!("unusable folder \"{}\"", folder.display()));
    let absolute = std::path::absolute(folder).map_err(|_| unusable())?;
    Url::from_directory_path(absolute)
        .map(String::from)
        .map_err(|()| unusable())
}

async fn first_system(store: &Store, admin_password: String) -> Result<Database> {
    let mut system = Database::empty(DatabaseId::System, SYSTEM_NAME);
    let changes = Database::birth_of_system(Some(admin_password));
    for change in &changes {
        system.apply(change);
    }
    system.version = 1;
    let counter = CounterRow {
        next_oid: system.next_oid,
        version: system.version,
    };
    let batch = DatabaseBatch {
        id: DatabaseId::System,
        changes,
        counter,
    };
    store
        .persist(&Batch {
            databases: vec![batch],
            ..Batch::default()
        })
        .await?;
    Ok(system)
}
