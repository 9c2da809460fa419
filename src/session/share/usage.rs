//! What tenants used: counted in memory, kept in the catalog every few seconds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tessera_catalog::id::{DatabaseId, Space, TenantId};
use tessera_catalog::model::{Database, Period, Usage, Used, today};
use tessera_catalog::system::{InUse, Uses};
use tokio::runtime::Handle;

use super::{Share, tables};
use crate::error::Result;
use crate::session::Engine;

/// How often what was used is kept: at most so much is lost when the server is killed.
const KEPT_EVERY: Duration = Duration::from_secs(10);

impl Engine {
    /// Keeps what tenants use until the task is dropped.
    pub async fn keep_usage(self: Arc<Self>) {
        loop {
            tokio::time::sleep(KEPT_EVERY).await;
            self.flush_usage().await;
        }
    }

    /// Keeps what tenants used until now.
    pub async fn flush_usage(&self) {
        let _one = self.usage_moves.lock().await;
        let taken: Vec<(TenantId, Arc<Share>, Used)> = self
            .tenant_shares()
            .into_iter()
            .map(|(tenant, share)| {
                let used = share.counters.take();
                (tenant, share, used)
            })
            .filter(|(_, _, used)| !used.is_none())
            .collect();
        if taken.is_empty() {
            return;
        }
        let rows: Vec<(TenantId, Used)> = taken.iter().map(|(id, _, used)| (*id, *used)).collect();
        if let Err(error) = self.catalog.add_usage(today(), &rows).await {
            tracing::warn!(%error, "what tenants used is not kept yet");
            for (_, share, used) in &taken {
                share.counters.put_back(used);
            }
        }
    }

    /// What one tenant used in each period, or all; the present day and month are always there.
    pub(in crate::session) async fn usage(&self, tenant: Option<TenantId>) -> Result<Vec<Usage>> {
        let _one = self.usage_moves.lock().await;
        let kept = self.catalog.usage(tenant).await?;
        let mut rows: HashMap<(TenantId, Period, i64), Used> = kept
            .into_iter()
            .map(|row| ((row.tenant, row.period, row.first_day), row.used))
            .collect();
        let day = today();
        let system = self.catalog.system();
        let wanted = |id: &TenantId| tenant.is_none_or(|tenant| tenant == *id);
        for id in system.tenants.keys().filter(|id| wanted(id)) {
            for period in Period::ALL {
                rows.entry((*id, period, period.first_day(day)))
                    .or_default();
            }
        }
        for (id, share) in self.tenant_shares() {
            let seen = share.counters.seen();
            for period in Period::ALL {
                if let Some(used) = rows.get_mut(&(id, period, period.first_day(day))) {
                    *used = used.plus(seen);
                }
            }
        }
        let mut rows: Vec<Usage> = rows
            .into_iter()
            .map(|((tenant, period, first_day), used)| Usage {
                tenant,
                period,
                first_day,
                used,
            })
            .collect();
        rows.sort_by_key(|row| (row.tenant, row.period, row.first_day));
        Ok(rows)
    }

    /// Counts a login that a limit on connections refused.
    pub fn note_refused_login(&self, database: &str) {
        let Some(tenant) = self.catalog.tenant(database) else {
            return;
        };
        if let Ok(share) = self.share(DatabaseId::Tenant(tenant.id)) {
            share.counters.rejected.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn tenant_shares(&self) -> Vec<(TenantId, Arc<Share>)> {
        let environments = self.environments.lock();
        let shares = environments.iter();
        shares
            .filter_map(|(id, environment)| Some((id.tenant()?, Arc::clone(&environment.share))))
            .collect()
    }
}

/// What the sessions of a database may see of tenants' use: their own, or all in the system's.
pub(in crate::session) struct Seen {
    engine: Arc<Engine>,
    database: Arc<Database>,
}

impl Seen {
    pub(in crate::session) fn new(engine: Arc<Engine>, database: Arc<Database>) -> Self {
        Self { engine, database }
    }

    fn is_mine(&self, tenant: TenantId) -> bool {
        let mine = self.database.id.tenant();
        mine.is_none_or(|mine| mine == tenant)
    }
}

impl Uses for Seen {
    fn now(&self, tenant: TenantId) -> InUse {
        if !self.is_mine(tenant) {
            return InUse::default();
        }
        let id = DatabaseId::Tenant(tenant);
        let mut used = InUse {
            connections: self.engine.registry.count_of_tenant(id) as u64,
            storage_bytes: self.engine.catalog.stored_bytes(Space::Tenant(tenant)),
            tables: (self.database.id == id).then(|| tables(&self.database)),
            stale_files: self.engine.catalog.stale_files(tenant),
            ..InUse::default()
        };
        let environments = self.engine.environments.lock();
        if let Some(environment) = environments.get(&id) {
            let share = &environment.share;
            (used.statements, used.queued_statements) = share.slots.counts();
            used.memory_bytes = share.pool.used_bytes() as u64;
            used.spill_bytes = share.disk.used_bytes();
        }
        used
    }

    fn periods(&self) -> Vec<Usage> {
        // Rows of the catalogs are made where nothing can wait but the thread.
        let Ok(runtime) = Handle::try_current() else {
            return Vec::new();
        };
        let wanted = self.engine.usage(self.database.id.tenant());
        match tokio::task::block_in_place(|| runtime.block_on(wanted)) {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "what tenants used cannot be read");
                Vec::new()
            }
        }
    }
}
