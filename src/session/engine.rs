//! What all sessions share: the catalog, the runtimes, memory, and each tenant's environment.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use parking_lot::Mutex;
use tessera_catalog::Catalog;
use tessera_catalog::encryption::SpillFiles;
use tessera_catalog::id::{DatabaseId, Space};
use tessera_catalog::model::{Allowance, Quotas};
use tessera_catalog::provider::DecodedColumns;
use tessera_catalog::storage::ALL_SPACES_URL;

use super::audit::Throttle;
use super::channels::Channels;
use super::registry::Registry;
use super::share::Share;
use crate::auth::Logins;
use crate::error::{Error, Result};
use crate::execute::{Counters, Fair, ServerDisk, TenantDisk, TenantPool};
use crate::format::Display;

/// Sizes of what sessions share.
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// Memory of all running statements.
    pub memory_bytes: usize,
    /// What a tenant may use unless its own quotas or its plan's say otherwise.
    pub quotas: Quotas,
    /// Columns of tables that are kept decoded, of all tenants.
    pub decoded_columns_bytes: usize,
    /// Disk that statements of all tenants may spill to together.
    pub spill_bytes: u64,
    /// Where they spill.
    pub spill_folder: PathBuf,
    /// Parts that one query is split into.
    pub partitions: usize,
    /// Settings that tenants' sessions start with, unless the tenant or the role has its own.
    pub tenant_settings: Vec<(String, String)>,
}

/// The server behind the sessions.
#[derive(Debug)]
pub struct Engine {
    pub catalog: Catalog,
    pub fair: Arc<Fair>,
    pub limits: EngineLimits,
    pub registry: Registry,
    pub(super) refusals: Throttle,
    pub channels: Channels,
    pub started_at: i64,
    /// Who may log in and how, and what is asked of new passwords.
    pub logins: Arc<Logins>,
    memory: Arc<dyn MemoryPool>,
    disk: Arc<ServerDisk>,
    decoded: Arc<DecodedColumns>,
    pub(super) environments: Mutex<HashMap<DatabaseId, Environment>>,
    /// Held while what was used goes from memory to the catalog.
    pub(super) usage_moves: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
pub(super) struct Environment {
    runtime: Arc<RuntimeEnv>,
    /// What its sessions share, and the limits that bind them together.
    pub(super) share: Arc<Share>,
    /// Transactions of the database so far, which its clients may count.
    transactions: Arc<AtomicI64>,
    /// The query engine's state for each way of writing values; sessions of the database share it.
    states: Arc<Mutex<HashMap<Display, Arc<SessionState>>>>,
}

/// The number before the first transaction's, as in PostgreSQL.
const FIRST_TRANSACTION: i64 = 2;

/// The most states of one database; a session with yet another way of writing values starts over.
const MAX_STATES: usize = 32;

impl Engine {
    /// An engine over an open catalog; `fair` runs the queries.
    pub fn new(catalog: Catalog, fair: Arc<Fair>, limits: EngineLimits) -> Self {
        let decoded = Arc::new(DecodedColumns::new(limits.decoded_columns_bytes));
        let memory: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(limits.memory_bytes));
        let disk = ServerDisk::new(limits.spill_folder.clone(), limits.spill_bytes);
        Self {
            catalog,
            fair,
            limits,
            registry: Registry::default(),
            refusals: Throttle::default(),
            channels: Channels::default(),
            started_at: chrono::Utc::now().timestamp_micros(),
            logins: Arc::default(),
            memory,
            disk: Arc::new(disk),
            decoded,
            environments: Mutex::default(),
            usage_moves: tokio::sync::Mutex::default(),
        }
    }

    /// The same with these rules on logins and passwords.
    #[must_use]
    pub fn with_logins(mut self, logins: Arc<Logins>) -> Self {
        self.logins = logins;
        self
    }

    /// A database's own runtime environment: its stores, its caches, its share of memory.
    ///
    /// A tenant's environment reaches its own space and, reading only, the shared one; no store of
    /// another tenant is registered in it.
    ///
    /// # Errors
    /// When the spill folder cannot be used.
    pub fn environment(&self, database: DatabaseId) -> Result<Arc<RuntimeEnv>> {
        let mut environments = self.environments.lock();
        if let Some(environment) = environments.get(&database) {
            return Ok(Arc::clone(&environment.runtime));
        }
        let pool = TenantPool::new(Arc::clone(&self.memory), self.limits.memory_bytes);
        let pool = Arc::new(pool);
        let disk = Arc::new(TenantDisk::new(Arc::clone(&self.disk)));
        let storage = self.catalog.storage();
        let spaces = storage.clone();
        let files = SpillFiles::new(disk.files(), move || match database {
            // A query of the operators may read any tenant's rows.
            DatabaseId::System => spaces.seals_any(),
            DatabaseId::Tenant(tenant) => spaces.seals(Space::Tenant(tenant)),
        });
        let manager = DiskManagerBuilder::default().with_temp_file_factory(Arc::new(files));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::clone(&pool) as Arc<dyn MemoryPool>)
            .with_disk_manager_builder(manager)
            .build_arc()
            .map_err(|error| Error::Start(format!("cannot use the spill folder: {error}")))?;
        let register = |space: Space, writable: bool| -> Result<()> {
            let url = url::Url::parse(&space.url()).map_err(|e| Error::internal(e.to_string()))?;
            let store = if writable {
                storage.store(space)
            } else {
                storage.read_only_store(space)
            };
            runtime.register_object_store(&url, store);
            Ok(())
        };
        register(Space::Shared, database == DatabaseId::System)?;
        match database {
            DatabaseId::System => {
                register(Space::System, true)?;
                // The operator's union reads every space, by way of one store.
                let url = url::Url::parse(ALL_SPACES_URL)
                    .map_err(|error| Error::internal(error.to_string()))?;
                runtime.register_object_store(&url, storage.all_spaces_store());
            }
            DatabaseId::Tenant(tenant) => register(Space::Tenant(tenant), true)?,
        }
        let share = Share::new(Arc::new(Counters::default()), pool, disk);
        let allowance = self.allowance(database);
        share.apply(&allowance, self.bounds());
        environments.insert(
            database,
            Environment {
                runtime: Arc::clone(&runtime),
                share: Arc::new(share),
                transactions: Arc::new(AtomicI64::new(FIRST_TRANSACTION)),
                states: Arc::default(),
            },
        );
        Ok(runtime)
    }

    /// The query engine's state for sessions of a database: functions, planners, limits.
    ///
    /// # Errors
    /// As [`Engine::environment`], or a function that cannot be registered, which is a bug.
    pub(super) fn state(
        &self,
        database: DatabaseId,
        display: Display,
    ) -> Result<Arc<SessionState>> {
        let runtime = self.environment(database)?;
        let states = match self.environments.lock().get(&database) {
            Some(environment) => Arc::clone(&environment.states),
            None => Arc::default(),
        };
        let mut states = states.lock();
        if let Some(state) = states.get(&display) {
            return Ok(Arc::clone(state));
        }
        if states.len() >= MAX_STATES {
            states.clear();
        }
        let state = super::state::build(runtime, &self.limits, &self.decoded, display)?;
        states.insert(display, Arc::clone(&state));
        Ok(state)
    }

    /// What a database's sessions may use together.
    fn allowance(&self, database: DatabaseId) -> Allowance {
        let system = self.catalog.system();
        let tenant = database.tenant().and_then(|id| system.tenants.get(&id));
        match tenant {
            Some(tenant) => Allowance::of_tenant(&system, tenant, &self.limits.quotas),
            None => Allowance::unbounded(),
        }
    }

    /// The number of a transaction that begins now, counted for each database by itself.
    pub(super) fn next_transaction(&self, database: DatabaseId) -> i64 {
        let environments = self.environments.lock();
        let counter = environments
            .get(&database)
            .map(|e| Arc::clone(&e.transactions));
        drop(environments);
        counter.map_or(FIRST_TRANSACTION, |counter| {
            counter.fetch_add(1, Ordering::Relaxed) + 1
        })
    }

    /// Forgets a dropped tenant's environment.
    pub fn forget(&self, database: DatabaseId) {
        self.environments.lock().remove(&database);
    }
}
