//! Who can log in: the catalog's roles and tenants as `auth` asks for them.

use std::sync::Arc;

use async_trait::async_trait;
use tessera_catalog::Catalog;
use tessera_catalog::id::DatabaseId;
use tessera_catalog::model::{Database, Privilege, Quota, Quotas, Role, in_force};

use crate::auth::{Candidate, Directory};
use crate::error::Result;
use crate::policy::Caller;

/// The name of the system's database.
pub const SYSTEM_DATABASE: &str = "tessera";

/// Looks logins up in a catalog.
pub struct CatalogDirectory {
    catalog: Catalog,
    /// What a tenant may use that has no quotas of its own or of a plan.
    quotas: Quotas,
}

impl CatalogDirectory {
    /// A directory over a catalog; tenants have these quotas unless theirs say otherwise.
    pub fn new(catalog: Catalog, quotas: Quotas) -> Self {
        Self { catalog, quotas }
    }

    async fn database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        if name == SYSTEM_DATABASE {
            return Ok(Some(self.catalog.system()));
        }
        match self.catalog.tenant(name) {
            Some(tenant) => Ok(Some(
                self.catalog.database(DatabaseId::Tenant(tenant.id)).await?,
            )),
            None => Ok(None),
        }
    }

    fn candidate(
        &self,
        role: &Role,
        operator: bool,
        database: Option<&Arc<Database>>,
    ) -> Candidate {
        let system = self.catalog.system();
        let tenant = database
            .and_then(|d| d.id.tenant())
            .and_then(|id| system.tenants.get(&id).cloned());
        let suspended = tenant.as_ref().is_some_and(|tenant| tenant.suspended);
        let limit = tenant.as_ref().and_then(|tenant| {
            let (limit, _) = in_force(&system, tenant, &self.quotas, Quota::Connections);
            limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX))
        });
        let may_connect = database.is_some_and(|database| {
            let caller = Caller {
                role: role.oid,
                roles: if operator {
                    vec![]
                } else {
                    database.roles_of(role.oid)
                },
                superuser: operator && role.superuser,
                operator,
                system: Arc::clone(&system),
                database: Arc::clone(database),
            };
            // Operators without SUPERUSER enter a tenant only where they were let in by name, and
            // the system's database is open to all its roles.
            let home = operator && database.id == DatabaseId::System;
            let visiting = operator && !home && !role.superuser;
            home || (!visiting && caller.on_database().contains(Privilege::Connect))
        });
        Candidate {
            user: role.name.clone(),
            role: role.oid,
            operator,
            superuser: operator && role.superuser,
            can_login: role.login,
            suspended: suspended && !operator,
            password: role.password.clone(),
            valid_until: role.valid_until,
            role_connection_limit: role.connection_limit,
            database: database.map(|database| (database.id, name_of(database, &system))),
            may_connect,
            database_connection_limit: if operator { None } else { limit },
        }
    }
}

/// The name under which clients know a database.
fn name_of(database: &Database, system: &Database) -> String {
    match database.id.tenant().and_then(|id| system.tenants.get(&id)) {
        Some(tenant) => tenant.name.clone(),
        None => SYSTEM_DATABASE.to_owned(),
    }
}

#[async_trait]
impl Directory for CatalogDirectory {
    async fn find(&self, user: &str, database: &str) -> Result<Option<Candidate>> {
        let found = self.database(database).await?;
        let system = self.catalog.system();
        if let Some(role) = system.role_named(user) {
            return Ok(Some(self.candidate(role, true, found.as_ref())));
        }
        // A tenant's role lives in its tenant alone.
        let Some(database) = found.filter(|database| database.id != DatabaseId::System) else {
            return Ok(None);
        };
        let role = database.role_named(user);
        Ok(role.map(|role| self.candidate(role, false, Some(&database))))
    }

    async fn argon2id_share(&self) -> f64 {
        let system = self.catalog.system();
        let logins: Vec<_> = system.roles.values().filter(|role| role.login).collect();
        let kept = logins.iter().filter(|role| {
            role.password
                .as_deref()
                .is_some_and(|stored| stored.starts_with("$argon2id$"))
        });
        kept.count() as f64 / logins.len().max(1) as f64
    }
}
