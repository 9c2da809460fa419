//! Opening the folder, for one process at a time, and making a system's first objects.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, mpsc};
use url::Url;

use super::Shared;
use crate::catalog::maintenance::Needs;
use crate::catalog::sequences::Sequences;
use crate::catalog::state::State;
use crate::catalog::usage::StoredBytes;
use crate::catalog::{CATALOG_FILE, CatalogLimits, CatalogOptions};
use crate::encryption::Keys;
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Part, Space};
use crate::locks::Locks;
use crate::model::Database;
use crate::reserve::Reserve;
use crate::storage::Storage;
use crate::store::{Batch, CounterRow, DatabaseBatch, Store};

/// The system database's name.
const SYSTEM_NAME: &str = "tessera";

impl Shared {
    pub(in crate::catalog) async fn open(
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
