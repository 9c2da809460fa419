//! The server's master keys at hand, and what they make of tenants' wrapped keys.

use std::sync::Arc;

use parking_lot::RwLock;
use uuid::Uuid;

use super::error::SealError;
use super::master::MasterKey;
use super::ring::{DataKey, OpenRing, Ring, Secret};
use super::source::MasterKeySource;
use crate::error::{Error, Result};
use crate::id::TenantId;
use crate::model::{Tenant, WrappedKey};

/// Wraps and unwraps tenants' keys.
#[derive(Debug)]
pub struct Keys {
    source: Option<MasterKeySource>,
    /// The one in force first; or why there is none.
    masters: RwLock<Result<Vec<Arc<MasterKey>>, String>>,
}

impl Keys {
    /// Reads the master keys. Should that fail, tenants with encryption cannot be worked with, and all
    /// others can.
    pub(crate) async fn open(source: Option<MasterKeySource>) -> Self {
        let masters = match &source {
            None => Err("no master key is configured".to_owned()),
            Some(source) => read(source.clone()).await,
        };
        if let (Some(_), Err(reason)) = (&source, &masters) {
            tracing::error!(%reason, "there is no master key: tenants' encrypted files cannot be read");
        }
        Self {
            source,
            masters: RwLock::new(masters),
        }
    }

    /// Reads the master keys anew; those in force stay when that fails, and when the new ones do not open
    /// a tenant's keys that are open now.
    ///
    /// # Errors
    ///
    /// [`Error::MasterKey`] when it fails.
    pub(crate) async fn reload(&self, open: &[Arc<Tenant>]) -> Result<()> {
        let Some(source) = &self.source else {
            return Err(Error::MasterKey("no master key is configured".to_owned()));
        };
        let masters = read(source.clone()).await.map_err(Error::MasterKey)?;
        for tenant in open {
            for key in &tenant.encryption.keys {
                unwrap(&masters, tenant.id, key).map_err(|reason| {
                    Error::MasterKey(format!("tenant \"{}\": {reason}", tenant.name))
                })?;
            }
        }
        *self.masters.write() = Ok(masters);
        Ok(())
    }

    /// Fails when a tenant's keys are not at hand.
    ///
    /// # Errors
    ///
    /// [`Error::Sealed`].
    pub fn check(&self, tenant: &Tenant) -> Result<()> {
        match self.ring(tenant) {
            Ring::Plain | Ring::Open(_) => Ok(()),
            Ring::Locked(reason) => Err(Error::Sealed(SealError::Locked(reason))),
        }
    }

    /// The id of the master key in force.
    ///
    /// # Errors
    ///
    /// [`Error::MasterKey`] when there is none.
    pub fn master_id(&self) -> Result<String> {
        Ok(self.current()?.id().to_owned())
    }

    /// A new data key for a tenant.
    ///
    /// # Errors
    ///
    /// [`Error::MasterKey`] when there is no master key to wrap it with.
    pub fn generate(&self, tenant: TenantId) -> Result<WrappedKey> {
        let master = self.current()?;
        let mut secret = Secret::default();
        let filled = aws_lc_rs::rand::fill(secret.as_mut_slice());
        let now = chrono::Utc::now().timestamp_micros();
        filled
            .ok()
            .and_then(|()| master.wrap(tenant, Uuid::new_v4(), &secret, now))
            .ok_or_else(|| Error::MasterKey("no key could be made".to_owned()))
    }

    /// A tenant's key wrapped by the master key in force.
    ///
    /// # Errors
    ///
    /// [`Error::MasterKey`] when the one that it is wrapped with is not at hand.
    pub fn rewrap(&self, tenant: TenantId, key: &WrappedKey) -> Result<WrappedKey> {
        let master = self.current()?;
        if key.master == master.id() {
            return Ok(key.clone());
        }
        let secret = self.unwrap(tenant, key).map_err(Error::MasterKey)?;
        master
            .wrap(tenant, key.id, &secret, key.created_at)
            .ok_or_else(|| Error::MasterKey("a key could not be wrapped".to_owned()))
    }

    /// How a tenant's files are read and written.
    pub(crate) fn ring(&self, tenant: &Tenant) -> Ring {
        let encryption = &tenant.encryption;
        if encryption.keys.is_empty() {
            return Ring::Plain;
        }
        let mut keys = Vec::with_capacity(encryption.keys.len());
        for key in &encryption.keys {
            match self.unwrap(tenant.id, key) {
                Ok(secret) => keys.push(Arc::new(DataKey::new(key.id, secret))),
                Err(reason) => return Ring::Locked(Arc::from(reason)),
            }
        }
        Ring::Open(Arc::new(OpenRing {
            active: keys.last().filter(|_| encryption.on).map(Arc::clone),
            keys,
            plain_is_fine: encryption.mixed,
        }))
    }

    fn current(&self) -> Result<Arc<MasterKey>> {
        match &*self.masters.read() {
            Ok(masters) => masters
                .first()
                .map(Arc::clone)
                .ok_or_else(|| Error::MasterKey("there is none".to_owned())),
            Err(reason) => Err(Error::MasterKey(reason.clone())),
        }
    }

    fn unwrap(&self, tenant: TenantId, key: &WrappedKey) -> Result<Secret, String> {
        let masters = self.masters.read();
        unwrap(masters.as_ref().map_err(String::clone)?, tenant, key)
    }
}

fn unwrap(
    masters: &[Arc<MasterKey>],
    tenant: TenantId,
    key: &WrappedKey,
) -> Result<Secret, String> {
    let master = masters.iter().find(|master| master.id() == key.master);
    let master = master.ok_or_else(|| {
        format!(
            "its key is wrapped by master key {}, which is not configured",
            key.master
        )
    })?;
    master
        .unwrap(tenant, key)
        .ok_or_else(|| format!("its key {} was changed in the catalog", key.id))
}

async fn read(source: MasterKeySource) -> Result<Vec<Arc<MasterKey>>, String> {
    let read = tokio::task::spawn_blocking(move || source.read()).await;
    let masters = read.map_err(|error| error.to_string())??;
    Ok(masters.into_iter().map(Arc::new).collect())
}
