//! What the server asks of tenants' keys.

use std::sync::Arc;

use super::Catalog;
use crate::encryption::Keys;
use crate::error::Result;
use crate::id::{Space, TenantId};
use crate::model::Tenant;

impl Catalog {
    /// What wraps tenants' keys.
    pub fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// Reads the master keys anew, and opens with them what could not be opened before.
    ///
    /// # Errors
    ///
    /// [`crate::Error::MasterKey`] when they cannot be read; then nothing changes.
    pub async fn reload_master_keys(&self) -> Result<()> {
        let system = self.system();
        let is_open = |tenant: &&Arc<Tenant>| {
            let store = self.shared.storage.sealed(Space::Tenant(tenant.id));
            store.check().is_ok()
        };
        let encrypted = system.tenants.values();
        let encrypted = encrypted.filter(|tenant| !tenant.encryption.keys.is_empty());
        let open: Vec<_> = encrypted.filter(is_open).map(Arc::clone).collect();
        self.shared.keys.reload(&open).await?;
        for tenant in self.system().tenants.values() {
            let ring = self.shared.keys.ring(tenant);
            self.shared.storage.set_ring(Space::Tenant(tenant.id), ring);
        }
        Ok(())
    }

    /// How many files of a tenant are not yet as new ones are; `None` before they were counted.
    pub fn stale_files(&self, tenant: TenantId) -> Option<u64> {
        self.shared.stale_files.lock().get(&tenant).copied()
    }
}
