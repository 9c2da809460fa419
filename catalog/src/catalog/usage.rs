//! What tenants used and what their files take: amounts for quotas and for the operator's bill.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Catalog;
use super::shared::Shared;
use crate::error::Result;
use crate::id::{Space, TenantId};
use crate::model::{Usage, Used};

/// The bytes of each space's visible files, kept as commits change them.
#[derive(Debug, Default)]
pub(super) struct StoredBytes {
    spaces: Mutex<HashMap<Space, u64>>,
}

impl StoredBytes {
    /// A part went from one size to another.
    pub(super) fn change(&self, space: Space, before: u64, after: u64) {
        let mut spaces = self.spaces.lock();
        let total = spaces.entry(space).or_default();
        *total = (*total + after).saturating_sub(before);
    }

    fn replace(&self, totals: Vec<(Space, u64)>) {
        *self.spaces.lock() = totals.into_iter().collect();
    }

    fn get(&self, space: Space) -> u64 {
        self.spaces.lock().get(&space).copied().unwrap_or_default()
    }
}

impl Shared {
    /// Adds the spaces up anew: at the start, and when parts went with their tables or tenants.
    pub(super) async fn add_up_spaces(&self) -> Result<()> {
        let totals = self.store.bytes_by_space().await?;
        self.stored_bytes.replace(totals);
        Ok(())
    }
}

impl Catalog {
    /// The bytes of a space's visible files.
    pub fn stored_bytes(&self, space: Space) -> u64 {
        self.shared.stored_bytes.get(space)
    }

    /// Adds what tenants used on a day, in days since 1970, to the day and its month.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Database`] when the catalog's database fails; nothing is added then.
    pub async fn add_usage(&self, day: i64, used: &[(TenantId, Used)]) -> Result<()> {
        self.shared.store.add_usage(day, used).await
    }

    /// What one tenant used in each period that is kept, or all tenants.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Database`] when the catalog's database fails.
    pub async fn usage(&self, tenant: Option<TenantId>) -> Result<Vec<Usage>> {
        self.shared.store.usage(tenant).await
    }
}
