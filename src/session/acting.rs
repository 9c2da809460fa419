//! Who a session acts as: the role whose rights count, and SET ROLE.

use std::sync::Arc;

use tessera_catalog::id::{DatabaseId, Oid};

use super::Session;
use crate::error::Result;
use crate::policy::Caller;

/// A role that the session acts as.
#[derive(Debug, Clone)]
pub(super) struct ActingRole {
    pub(super) role: Oid,
    pub(super) name: String,
    pub(super) superuser: bool,
}

/// What SET ROLE goes back to when its transaction ends.
#[derive(Debug)]
pub(super) struct FormerRole {
    pub(super) before: ActingRole,
    /// What a commit keeps: the last role that was set without LOCAL.
    pub(super) kept: Option<ActingRole>,
}

impl Session {
    /// Ends what SET ROLE did for the transaction alone.
    pub(super) fn end_role(&mut self, is_committed: bool) {
        let Some(former) = self.former_role.take() else {
            return;
        };
        let kept = former.kept.filter(|_| is_committed);
        self.act_as(kept.unwrap_or(former.before));
    }

    pub(super) fn act_as(&mut self, role: ActingRole) {
        let superuser = if role.superuser { "on" } else { "off" };
        self.settings.lock().set_internal("is_superuser", superuser);
        self.role = role.role;
        self.role_name = role.name;
        self.version += 1;
    }

    /// Whether this is a session of the system's database.
    pub(super) fn is_system(&self) -> bool {
        self.login.database == DatabaseId::System
    }

    /// The databases as the transaction sees them, and who asks.
    pub(super) async fn caller(&mut self) -> Result<Caller> {
        let catalog = &self.engine.catalog;
        let system = self
            .transaction
            .database(catalog, DatabaseId::System)
            .await?;
        let database = match self.login.database {
            DatabaseId::System => Arc::clone(&system),
            id => {
                let own = self.transaction.database(catalog, id).await?;
                self.lent_enums.in_database(own, &system)
            }
        };
        let visiting = self.login.operator && !self.is_system();
        let (roles, superuser) = if visiting {
            // An operator inside a tenant is no role of it: superuser there, or nothing but PUBLIC.
            (vec![self.role], self.login.superuser)
        } else {
            let superuser =
                self.is_system() && database.roles.get(&self.role).is_some_and(|r| r.superuser);
            (database.roles_of(self.role), superuser)
        };
        Ok(Caller {
            role: self.role,
            roles,
            superuser,
            operator: self.login.operator,
            system,
            database,
        })
    }
}
