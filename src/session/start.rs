//! A session's start: its settings, its share of the server, and nothing open yet.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tessera_catalog::id::DatabaseId;
use tessera_catalog::model::{Quota, in_force};

use super::advisory::Advisory;
use super::lent_enums::LentEnums;
use super::prepared::PreparedStatements;
use super::settings::Settings;
use super::transaction::Transaction;
use super::{CatalogDirectory, Engine, Interrupt, Peer, Session, audit, cursor, share};
use crate::auth::{Directory, Login};
use crate::error::{Error, Result};
use crate::execute::Meter;

impl Session {
    /// Opens a role's session within the process, which needs no password.
    ///
    /// # Errors
    /// A role or a database that does not exist, and what [`Self::open`] meets.
    pub(crate) async fn within(engine: &Arc<Engine>, user: &str, database: &str) -> Result<Self> {
        let directory = CatalogDirectory::new(engine.catalog.clone(), Default::default());
        let missing = || Error::NoSuchObject {
            kind: "role",
            name: user.to_owned(),
        };
        let found = directory.find(user, database).await?.ok_or_else(missing)?;
        let (id, name) = found.database.ok_or_else(missing)?;
        let login = Login {
            user: found.user,
            role: found.role,
            operator: found.operator,
            superuser: found.superuser,
            database: id,
            database_name: name,
        };
        Self::open(Arc::clone(engine), login, Vec::new()).await
    }

    /// Opens a session for a login, with the settings that the client asked for.
    ///
    /// # Errors
    /// A setting that does not exist or cannot be set, or a catalog that cannot be read.
    pub async fn open(
        engine: Arc<Engine>,
        login: Login,
        startup: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut settings = Settings::new();
        let system = engine.catalog.system();
        let tenant = login
            .database
            .tenant()
            .and_then(|id| system.tenants.get(&id).cloned());
        // Operators' statements run as long as they like, tenants' as long as the server allows.
        settings.set_default("statement_timeout", "0")?;
        settings.set_default("password_encryption", engine.logins.passwords.encryption)?;
        if !login.operator {
            for (name, value) in &engine.limits.tenant_settings {
                settings.set_default(name, value)?;
            }
        }
        for (name, value) in tenant.iter().flat_map(|tenant| &tenant.settings) {
            // What bounds a tenant as a whole is no session's setting.
            let _ = settings.set_default(name, value);
        }
        if let Some(tenant) = &tenant {
            let quotas = &engine.limits.quotas;
            if let (Some(bytes), _) = in_force(&system, tenant, quotas, Quota::Memory) {
                settings.set_internal("memory_limit", format!("{}kB", bytes >> 10));
            }
        }
        let own = engine.catalog.database(login.database).await?;
        let home = if login.operator { &system } else { &own };
        for (name, value) in home
            .roles
            .get(&login.role)
            .iter()
            .flat_map(|role| &role.settings)
        {
            settings.set_default(name, value)?;
        }
        settings.set_internal("session_authorization", login.user.clone());
        settings.set_internal("is_superuser", if login.superuser { "on" } else { "off" });
        for (name, value) in &startup {
            settings.set_at_start(name, value, login.superuser)?;
        }
        let reported = settings.reported();
        let share = engine.share(match login.operator {
            true => DatabaseId::System,
            false => login.database,
        })?;
        if !login.operator {
            share.counters.connections.fetch_add(1, Ordering::Relaxed);
        }
        let cpu = engine.fair.statement(&share.cpu);
        Ok(Self {
            meter: Arc::new(Meter::new(cpu, Arc::clone(&share.counters), None)),
            terms: Arc::new(share::Terms::unbounded()),
            slot: None,
            share,
            role: login.role,
            role_name: login.user.clone(),
            former_role: None,
            settings: Arc::new(Mutex::new(settings)),
            transaction: Transaction::default(),
            inbox: Arc::default(),
            prepared: PreparedStatements::default(),
            cursors: cursor::Cursors::default(),
            sequences: Arc::default(),
            notices: Vec::new(),
            owner: None,
            advisory: Advisory::default(),
            outbox: Arc::default(),
            mailbox: Arc::default(),
            reported,
            interrupt: Interrupt::default(),
            peer: Peer {
                pid: 0,
                address: None,
                tls: None,
            },
            entry: None,
            audit: audit::Trail::default(),
            state: None,
            lent_enums: LentEnums::default(),
            observed: None,
            version: 0,
            engine,
            login,
        })
    }
}
