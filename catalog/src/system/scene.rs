//! What system tables and catalog functions may look at: one session's view of its database.
//!
//! Everything that is not the session's own goes through here, so this file decides what of the
//! system's database a tenant is shown: common and shared tables and their schemas, with all
//! operators as one role.

mod attribute;
mod functions;
mod lent_acl;
mod relations;
mod schemas;
mod told;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use super::oid;
use crate::id::{DatabaseId, Oid, TenantId};
use crate::model::{Database, Quotas, Reader, Relation, Role, RowSecurity, Sequence, Usage};

pub use self::attribute::{Attribute, attributes, index_keys};
pub use self::functions::Functions;
pub use self::relations::{Class, Constraint};
pub use self::schemas::Namespace;
pub use self::told::{
    ActivityRow, CursorRow, FunctionRow, HostRuleRow, IdentityMappingRow, InUse, LockRow,
    LoginFiles, PreparedRow, SettingRow, Uses,
};

/// The name that stands for all operators in a tenant's catalogs.
pub const OPERATOR_NAME: &str = "tessera";

/// The name of every tenant's first role.
pub const TENANT_ADMIN_NAME: &str = "tenant_admin";

/// Rows and bytes of a table's part that the session's database reads.
pub type Sizes = Arc<dyn Fn(Oid) -> (i64, i64) + Send + Sync>;

/// Rows that are made when a statement reads them: most read none.
pub type Listed<T> = LazyLock<Vec<T>, Box<dyn FnOnce() -> Vec<T> + Send>>;

/// Rows to be made by `make`.
pub fn listed<T>(make: impl FnOnce() -> Vec<T> + Send + 'static) -> Listed<T> {
    Listed::new(Box::new(make))
}

/// One session's view of the catalogs.
pub struct Scene {
    /// The system's database, whose common and shared tables reach tenants.
    pub system: Arc<Database>,
    /// The session's own database; the same as `system` in the system's.
    pub database: Arc<Database>,
    /// The current role; [`Oid::OPERATOR`] for an operator within a tenant.
    pub role: Oid,
    /// The current role and all whose rights it inherits.
    pub roles: Vec<Oid>,
    /// Whether the current role may do everything here.
    pub superuser: bool,
    /// The session's time zone.
    pub zone: Arc<str>,
    /// The schemas of `search_path`; `$user` stands for the current role's name.
    pub search_path: Vec<String>,
    /// When the server started, in microseconds since 1970.
    pub started_at: i64,
    pub settings: Listed<SettingRow>,
    /// The sessions that this one may know of: those of its own database, all for an operator.
    pub activity: Listed<ActivityRow>,
    pub prepared: Listed<PreparedRow>,
    pub locks: Listed<LockRow>,
    /// The channels that the session listens to.
    pub listening: Listed<String>,
    pub cursors: Listed<CursorRow>,
    /// The functions that SQL can call.
    pub functions: Arc<Functions>,
    pub sizes: Sizes,
    /// How far sequences have gone.
    pub sequence_values: Option<SequenceValues>,
    /// Reads the server's rules on who may log in; `None` for who may not see them.
    pub login_files: Option<Arc<dyn Fn() -> LoginFiles + Send + Sync>>,
    /// What a tenant may use that has no quotas of its own or of a plan.
    pub default_quotas: Quotas,
    /// What tenants use now, and what they used.
    pub uses: Option<Arc<dyn Uses>>,
    path: OnceLock<Vec<Oid>>,
    lent_schemas: OnceLock<Vec<Oid>>,
}

/// The last value that a sequence gave in the session's database.
pub type SequenceValues = Arc<dyn Fn(&Sequence) -> Option<i64> + Send + Sync>;

impl Scene {
    /// A view of `database` for `role`, with PostgreSQL's defaults for all else.
    pub fn new(system: Arc<Database>, database: Arc<Database>, role: Oid) -> Self {
        let role = match database.id {
            DatabaseId::Tenant(_) if !role.is_of_tenant() && role != Oid::TENANT_ADMIN => {
                Oid::OPERATOR
            }
            _ => role,
        };
        let in_tenant = database.id != DatabaseId::System;
        let superuser = (in_tenant && role == Oid::OPERATOR)
            || database.roles.get(&role).is_some_and(|role| role.superuser);
        Self {
            roles: database.roles_of(role),
            system,
            database,
            role,
            superuser,
            zone: Arc::from("UTC"),
            search_path: vec!["$user".to_owned(), "public".to_owned()],
            started_at: 0,
            settings: listed(Vec::new),
            activity: listed(Vec::new),
            prepared: listed(Vec::new),
            locks: listed(Vec::new),
            listening: listed(Vec::new),
            cursors: listed(Vec::new),
            functions: Arc::default(),
            sizes: Arc::new(|_| (0, 0)),
            sequence_values: None,
            login_files: None,
            default_quotas: Quotas::default(),
            uses: None,
            path: OnceLock::new(),
            lent_schemas: OnceLock::new(),
        }
    }

    /// Whether the session is in a tenant's database.
    pub fn in_tenant(&self) -> bool {
        self.database.id != DatabaseId::System
    }

    /// The number of the session's database.
    pub fn database_oid(&self) -> Oid {
        oid::database(self.database.id)
    }

    /// The role that owns what PostgreSQL's initdb would make.
    pub fn bootstrap_role(&self) -> Oid {
        Oid::OPERATOR
    }

    /// What a tenant uses at the moment.
    pub fn in_use(&self, tenant: TenantId) -> InUse {
        let uses = self.uses.as_ref();
        uses.map(|uses| uses.now(tenant)).unwrap_or_default()
    }

    /// What tenants used in each period.
    pub fn usage(&self) -> Vec<Usage> {
        let uses = self.uses.as_ref();
        uses.map(|uses| uses.periods()).unwrap_or_default()
    }

    // Roles.

    /// All roles that have a row in `pg_authid`.
    pub fn all_roles(&self) -> Vec<Cow<'_, Role>> {
        let own = self
            .database
            .roles
            .values()
            .map(|role| Cow::Borrowed(role.as_ref()));
        let (oid, name) = match self.in_tenant() {
            true => (Oid::OPERATOR, OPERATOR_NAME),
            false => (Oid::TENANT_ADMIN, TENANT_ADMIN_NAME),
        };
        let stand_in = (!self.database.roles.contains_key(&oid)).then(|| {
            Cow::Owned(Role {
                superuser: self.in_tenant(),
                ..Role::new(oid, name)
            })
        });
        stand_in.into_iter().chain(own).collect()
    }

    /// A role's name.
    pub fn role_name(&self, role: Oid) -> Option<&str> {
        match self.database.roles.get(&role) {
            Some(found) => Some(&found.name),
            None if self.in_tenant() && role == Oid::OPERATOR => Some(OPERATOR_NAME),
            None if !self.in_tenant() && role == Oid::TENANT_ADMIN => Some(TENANT_ADMIN_NAME),
            None => None,
        }
    }

    /// The role that the session may be told of: in a tenant all operators are one.
    pub fn shown(&self, role: Oid) -> Oid {
        let own = role.is_of_tenant() || role == Oid::TENANT_ADMIN || role == Oid::PUBLIC;
        if self.in_tenant() && !own {
            Oid::OPERATOR
        } else {
            role
        }
    }

    /// A role's name, or PostgreSQL's text for one that is gone.
    pub fn role_label(&self, role: Oid) -> Cow<'_, str> {
        match self.role_name(role) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("unknown (OID={role})")),
        }
    }

    /// The role of this name.
    pub fn role_named(&self, name: &str) -> Option<Oid> {
        if let Some(role) = self.database.role_named(name) {
            return Some(role.oid);
        }
        match name {
            OPERATOR_NAME if self.in_tenant() => Some(Oid::OPERATOR),
            TENANT_ADMIN_NAME if !self.in_tenant() => Some(Oid::TENANT_ADMIN),
            _ => None,
        }
    }

    /// The current role's name.
    pub fn current_role(&self) -> &str {
        self.role_name(self.role).unwrap_or_default()
    }

    // Row security.

    /// The row security of a table that the session's own database has. What the operator says of a
    /// table that it lends is the operator's to know.
    pub fn row_security(&self, relation: Oid) -> Option<&RowSecurity> {
        self.database.row_security.get(&relation).map(AsRef::as_ref)
    }

    /// All of them, with their tables.
    pub fn secured(&self) -> impl Iterator<Item = (&Relation, &RowSecurity)> {
        self.database.row_security.values().filter_map(|security| {
            let relation = self.relation(security.relation)?;
            Some((relation, security.as_ref()))
        })
    }

    /// Whether policies narrow what the current role sees of a table.
    pub fn is_narrowed(&self, relation: &Relation) -> bool {
        let reader = Reader {
            system: &self.system,
            database: &self.database,
            role: self.role,
            roles: &self.roles,
            superuser: self.superuser,
        };
        !reader.bound_by(relation, self.is_lent(relation)).is_empty()
    }
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scene({})", self.database.name)
    }
}
