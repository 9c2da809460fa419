//! Who can log in: the catalog's roles and tenants as `auth` asks for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use tessera_catalog::Catalog;
use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{Database, Privilege, Quota, Quotas, Role, in_force};

use crate::auth::second_factor::Owner;
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
    share: Arc<Mutex<Share>>,
}

/// How old the share of roles that are asked for the password itself may be: it is counted over all
/// tenants' roles, which no login waits for.
const MAX_SHARE_AGE: Duration = Duration::from_secs(60);

/// The share as it was counted last.
#[derive(Debug, Default)]
struct Share {
    value: f64,
    counted_at: Option<Instant>,
    counting: bool,
}

impl CatalogDirectory {
    /// A directory over a catalog; tenants have these quotas unless theirs say otherwise.
    pub fn new(catalog: Catalog, quotas: Quotas) -> Self {
        Self {
            catalog,
            quotas,
            share: Arc::default(),
        }
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
        let home = match database {
            Some(database) if !operator => database,
            _ => &system,
        };
        Candidate {
            second_factor: role.second_factor.clone(),
            home: (home.id, name_of(home, &system)),
            groups: groups(home, role.oid),
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

    async fn password_share(&self) -> f64 {
        let first = {
            let mut share = self.share.lock();
            let fresh = |at: Instant| at.elapsed() < MAX_SHARE_AGE;
            if share.counting || share.counted_at.is_some_and(fresh) {
                return share.value;
            }
            share.counting = true;
            share.counted_at.is_none()
        };
        let counting = count(self.catalog.clone(), Arc::clone(&self.share));
        if first {
            counting.await;
        } else {
            tokio::spawn(counting);
        }
        self.share.lock().value
    }

    async fn spend_code(&self, owner: Owner, step: i64) -> Result<bool> {
        let spent = self.catalog.spend_code(owner.home, owner.role, step);
        Ok(spent.await?)
    }
}

/// Counts the share anew; what was counted before stays when that fails.
async fn count(catalog: Catalog, share: Arc<Mutex<Share>>) {
    let counted = catalog.login_counts().await;
    let mut share = share.lock();
    share.counting = false;
    share.counted_at = Some(Instant::now());
    match counted {
        Ok((logins, by_password)) => share.value = by_password as f64 / logins.max(1) as f64,
        Err(error) => tracing::warn!(%error, "the roles could not be counted"),
    }
}

/// The names of a role and of all that it is a member of, directly or not.
fn groups(database: &Database, role: Oid) -> Vec<String> {
    let mut found = vec![role];
    let mut next = 0;
    while let Some(member) = found.get(next).copied() {
        next += 1;
        for membership in database.memberships.iter().filter(|m| m.member == member) {
            if !found.contains(&membership.role) {
                found.push(membership.role);
            }
        }
    }
    let names = found.iter().filter_map(|oid| database.roles.get(oid));
    names.map(|role| role.name.clone()).collect()
}
