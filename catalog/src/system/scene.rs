//! What system tables and catalog functions may look at: one session's view of its database.
//!
//! Everything that is not the session's own goes through here, so this file decides what of the
//! system's database a tenant is shown: common and shared tables and their schemas, with all
//! operators as one role.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::oid;
use super::table::SystemTable;
use crate::id::{DatabaseId, Oid, TenantId};
use crate::model::{
    Acl, AclItem, Database, Identity, Key, KeyKind, Privilege, Privileges, Quotas, Reader,
    Relation, RelationBody, Role, RowSecurity, Scope, Sequence, Table, Usage, drawn_sequences,
};
use crate::sql_type::SqlType;

/// The name that stands for all operators in a tenant's catalogs.
pub const OPERATOR_NAME: &str = "tessera";

/// The name of every tenant's first role.
pub const TENANT_ADMIN_NAME: &str = "tenant_admin";

/// Rows and bytes of a table's part that the session's database reads.
pub type Sizes = Arc<dyn Fn(Oid) -> (i64, i64) + Send + Sync>;

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
    pub settings: Vec<SettingRow>,
    /// The sessions that this one may know of: those of its own database, all for an operator.
    pub activity: Vec<ActivityRow>,
    pub prepared: Vec<PreparedRow>,
    pub locks: Vec<LockRow>,
    /// The channels that the session listens to.
    pub listening: Vec<String>,
    pub cursors: Vec<CursorRow>,
    /// The functions that SQL can call.
    pub functions: Arc<Vec<FunctionRow>>,
    pub sizes: Sizes,
    /// How far sequences have gone.
    pub sequence_values: Option<SequenceValues>,
    /// Reads the server's rules on who may log in; `None` for who may not see them.
    pub login_files: Option<Arc<dyn Fn() -> LoginFiles + Send + Sync>>,
    /// What a tenant may use that has no quotas of its own or of a plan.
    pub default_quotas: Quotas,
    /// What tenants use now, and what they used.
    pub uses: Option<Arc<dyn Uses>>,
    index: OnceLock<Index>,
    path: OnceLock<Vec<Oid>>,
    lent_schemas: OnceLock<Vec<Oid>>,
}

/// The last value that a sequence gave in the session's database.
pub type SequenceValues = Arc<dyn Fn(&Sequence) -> Option<i64> + Send + Sync>;

/// What a tenant uses at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InUse {
    pub connections: u64,
    pub statements: u64,
    pub queued_statements: u64,
    pub memory_bytes: u64,
    pub spill_bytes: u64,
    pub storage_bytes: u64,
    /// `None` where the tenant's objects are not at hand.
    pub tables: Option<u64>,
    /// Files that are not yet encrypted as new ones are; `None` before they were counted.
    pub stale_files: Option<u64>,
}

/// Tells what tenants use: of the session's own tenant, of all in the system's database.
pub trait Uses: Send + Sync {
    /// What a tenant uses at the moment.
    fn now(&self, tenant: TenantId) -> InUse;

    /// What was used in each period.
    fn periods(&self) -> Vec<Usage>;
}

/// A row of `pg_settings`.
#[derive(Debug, Clone, Default)]
pub struct SettingRow {
    pub name: String,
    pub setting: String,
    pub unit: Option<String>,
    pub category: String,
    pub short_desc: String,
    pub context: String,
    pub vartype: String,
    pub source: String,
    pub min_val: Option<String>,
    pub max_val: Option<String>,
    pub enumvals: Option<Vec<String>>,
    pub boot_val: Option<String>,
    pub reset_val: Option<String>,
}

/// A row of `pg_stat_activity`; times are microseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct ActivityRow {
    pub pid: i32,
    pub database: Option<(Oid, String)>,
    pub user: Option<(Oid, String)>,
    pub application_name: String,
    pub client_addr: Option<String>,
    pub client_port: Option<i32>,
    pub backend_start: Option<i64>,
    pub xact_start: Option<i64>,
    pub query_start: Option<i64>,
    pub state_change: Option<i64>,
    pub state: Option<String>,
    /// The statement's text; shown to its own role's members and superusers alone.
    pub query: String,
    pub backend_type: String,
    /// Whether the connection is encrypted, and by which version and cipher.
    pub tls: Option<(String, String)>,
    /// The subject, the serial number and the issuer of the client's certificate.
    pub certificate: Option<(String, String, String)>,
}

/// The server's rules on who may log in, as its files say.
#[derive(Debug, Clone, Default)]
pub struct LoginFiles {
    pub rules: Vec<HostRuleRow>,
    pub mappings: Vec<IdentityMappingRow>,
}

/// A row of `pg_hba_file_rules`.
#[derive(Debug, Clone, Default)]
pub struct HostRuleRow {
    pub line_number: i32,
    pub kind: Option<String>,
    pub database: Option<Vec<String>>,
    pub user_name: Option<Vec<String>>,
    pub address: Option<String>,
    pub netmask: Option<String>,
    pub auth_method: Option<String>,
    pub options: Option<Vec<String>>,
    pub error: Option<String>,
}

/// A row of `pg_ident_file_mappings`.
#[derive(Debug, Clone, Default)]
pub struct IdentityMappingRow {
    pub line_number: i32,
    pub map_name: Option<String>,
    pub sys_name: Option<String>,
    pub pg_username: Option<String>,
    pub error: Option<String>,
}

/// A row of `pg_prepared_statements`.
#[derive(Debug, Clone)]
pub struct PreparedRow {
    pub name: String,
    pub statement: String,
    pub prepare_time: i64,
    pub parameter_types: Vec<SqlType>,
    pub from_sql: bool,
}

/// A row of `pg_cursors`.
#[derive(Debug, Clone)]
pub struct CursorRow {
    pub name: String,
    pub statement: String,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub is_scrollable: bool,
    pub creation_time: i64,
}

/// A row of `pg_locks`.
#[derive(Debug, Clone)]
pub struct LockRow {
    /// `relation`, `tuple` or `advisory`.
    pub kind: &'static str,
    pub database: u32,
    pub relation: Option<u32>,
    /// An advisory lock's number in three parts.
    pub advisory: Option<(u32, u32, i16)>,
    pub pid: i32,
    pub mode: &'static str,
    pub granted: bool,
}

/// A function that SQL can call.
#[derive(Debug, Clone)]
pub struct FunctionRow {
    pub oid: u32,
    pub name: String,
    /// `f` for a function, `a` for an aggregate, `w` for a window function.
    pub kind: char,
    pub args: Vec<SqlType>,
    /// Names of the arguments; empty if they have none.
    pub arg_names: Vec<String>,
    /// Defaults of the arguments as SQL, each at its place; empty if they have none.
    pub arg_defaults: Vec<Option<String>>,
    pub result: SqlType,
    pub returns_set: bool,
    /// `i`, `s` or `v`.
    pub volatility: char,
    pub strict: bool,
    pub comment: Option<String>,
}

/// A schema as the session sees it.
#[derive(Debug, Clone)]
pub struct Namespace<'a> {
    pub oid: Oid,
    pub name: &'a str,
    pub owner: Oid,
    pub acl: Option<Cow<'a, Acl>>,
    pub comment: Option<&'a str>,
}

/// Anything that has a row in `pg_class`.
#[derive(Debug, Clone, Copy)]
pub enum Class<'a> {
    Relation(&'a Relation),
    /// The index that stands for a primary or unique key.
    Index(&'a Relation, &'a Key),
    System(&'static SystemTable),
}

/// What is looked up by number or name often enough to be sorted once.
#[derive(Default)]
struct Index {
    /// Relations of keys and checks, by the constraint's number.
    constraints: HashMap<Oid, Oid>,
    /// Schemas and numbers of indexes, by name.
    index_names: HashMap<String, Vec<(Oid, Oid)>>,
    functions: HashMap<u32, usize>,
    function_names: HashMap<String, Vec<usize>>,
}

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
            settings: Vec::new(),
            activity: Vec::new(),
            prepared: Vec::new(),
            locks: Vec::new(),
            listening: Vec::new(),
            cursors: Vec::new(),
            functions: Arc::default(),
            sizes: Arc::new(|_| (0, 0)),
            sequence_values: None,
            login_files: None,
            default_quotas: Quotas::default(),
            uses: None,
            index: OnceLock::new(),
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

    // Schemas.

    /// All schemas that have a row in `pg_namespace`.
    pub fn namespaces(&self) -> Vec<Namespace<'_>> {
        let mut found: Vec<Namespace<'_>> = BUILT_IN
            .iter()
            .map(|(oid, name, comment)| Namespace {
                oid: *oid,
                name,
                owner: self.bootstrap_role(),
                acl: Some(Cow::Owned(usable_by_all(self.bootstrap_role()))),
                comment: Some(comment),
            })
            .collect();
        found.extend(self.database.schemas.values().map(|schema| Namespace {
            oid: schema.oid,
            name: &schema.name,
            owner: self.shown(schema.owner),
            acl: schema.acl.as_ref().map(Cow::Borrowed),
            comment: schema.comment.as_deref(),
        }));
        if self.in_tenant() {
            let schemas = self
                .lent_schemas()
                .iter()
                .filter_map(|oid| self.system.schemas.get(oid));
            found.extend(
                schemas
                    .filter(|schema| self.database.schema_named(&schema.name).is_none())
                    .map(|schema| Namespace {
                        oid: schema.oid,
                        name: &schema.name,
                        owner: Oid::OPERATOR,
                        acl: Some(Cow::Owned(lent_schema_acl(schema.acl.as_ref()))),
                        comment: schema.comment.as_deref(),
                    }),
            );
        }
        found
    }

    /// The schema with this number.
    pub fn namespace(&self, oid: Oid) -> Option<Namespace<'_>> {
        self.namespaces()
            .into_iter()
            .find(|schema| schema.oid == oid)
    }

    /// The number of the schema of this name.
    pub fn schema_named(&self, name: &str) -> Option<Oid> {
        if let Some(found) = BUILT_IN.iter().find(|row| row.1 == name) {
            return Some(found.0);
        }
        if let Some(schema) = self.database.schema_named(name) {
            return Some(schema.oid);
        }
        let schema = self.system.schema_named(name)?;
        self.lent_schemas()
            .contains(&schema.oid)
            .then_some(schema.oid)
    }

    /// A schema's name.
    pub fn schema_name(&self, oid: Oid) -> Option<&str> {
        if let Some(found) = BUILT_IN.iter().find(|row| row.0 == oid) {
            return Some(found.1);
        }
        if let Some(schema) = self.database.schemas.get(&oid) {
            return Some(&schema.name);
        }
        // The system's other schemas are nobody's business in a tenant.
        let lent = self.lent_schemas().contains(&oid);
        self.system
            .schemas
            .get(&oid)
            .filter(|_| lent)
            .map(|schema| schema.name.as_str())
    }

    /// The system's schemas that hold something the tenant sees.
    fn lent_schemas(&self) -> &[Oid] {
        self.lent_schemas.get_or_init(|| {
            let mut lent: Vec<Oid> = self
                .lent_relations()
                .map(|relation| relation.schema)
                .collect();
            let types = self.in_tenant().then_some(&self.system.types);
            let types = types.into_iter().flat_map(|types| types.values());
            let schemas = types.map(|user_type| user_type.schema);
            lent.extend(schemas.filter(|schema| *schema != Oid::INTERNAL_SCHEMA));
            lent.sort_unstable();
            lent.dedup();
            lent
        })
    }

    /// The schemas in which a bare name is looked up, in order; `pg_catalog` is always among them.
    pub fn path(&self) -> &[Oid] {
        self.path.get_or_init(|| {
            let names = self.search_path.iter().map(|name| match name.as_str() {
                "$user" => self.current_role(),
                name => name,
            });
            let mut path: Vec<Oid> = names.filter_map(|name| self.schema_named(name)).collect();
            if !path.contains(&Oid::PG_CATALOG) {
                path.insert(0, Oid::PG_CATALOG);
            }
            path
        })
    }

    // Relations.

    /// Tables and views that the session's database has: its own and those the system lends it.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.database
            .relations
            .values()
            .map(Arc::as_ref)
            .chain(self.lent_relations())
    }

    /// The table or view with this number.
    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        if let Some(own) = self.database.relations.get(&oid) {
            return Some(own);
        }
        self.system
            .relations
            .get(&oid)
            .map(Arc::as_ref)
            .filter(|relation| is_lendable(relation))
    }

    fn lent_relations(&self) -> impl Iterator<Item = &Relation> {
        let system = self.in_tenant().then_some(&self.system);
        let all = system
            .into_iter()
            .flat_map(|system| system.relations.values());
        all.map(Arc::as_ref)
            .filter(|relation| is_lendable(relation))
    }

    /// Whether the relation is the system's and the session a tenant's.
    pub fn is_lent(&self, relation: &Relation) -> bool {
        self.in_tenant() && !self.database.relations.contains_key(&relation.oid)
    }

    /// The schema in which the session sees a relation.
    pub fn schema_of(&self, relation: &Relation) -> Oid {
        if !self.is_lent(relation) || self.database.schemas.contains_key(&relation.schema) {
            return relation.schema;
        }
        // A schema of the same name that the tenant had before.
        let name = self
            .system
            .schemas
            .get(&relation.schema)
            .map(|schema| schema.name.as_str());
        let own = name.and_then(|name| self.database.schema_named(name));
        own.map_or(relation.schema, |schema| schema.oid)
    }

    /// The owner that the session sees.
    pub fn owner_of(&self, relation: &Relation) -> Oid {
        self.shown(relation.owner)
    }

    /// The relation or index of this name in a schema.
    pub fn class_named(&self, schema: Oid, name: &str) -> Option<Class<'_>> {
        if let Some(schema) = built_in_name(schema) {
            return super::table(schema, name).map(Class::System);
        }
        if let Some(own) = self.database.relation_named(schema, name) {
            return Some(Class::Relation(own));
        }
        if self.in_tenant() {
            let schema_name = self.schema_name(schema)?;
            let lent = self
                .system
                .schema_named(schema_name)
                .and_then(|schema| self.system.relation_named(schema.oid, name))
                .filter(|relation| is_lendable(relation));
            if let Some(relation) = lent {
                return Some(Class::Relation(relation));
            }
        }
        let keys = self.index().index_names.get(name)?;
        let key = keys.iter().find(|(of, _)| *of == schema)?;
        self.class(key.1)
    }

    /// What has this number in `pg_class`.
    pub fn class(&self, oid: Oid) -> Option<Class<'_>> {
        if let Some(relation) = self.relation(oid) {
            return Some(Class::Relation(relation));
        }
        if let Some(table) = super::table_by_oid(oid.0) {
            return Some(Class::System(table));
        }
        let (relation, constraint) = self.constraint(oid)?;
        match constraint {
            Constraint::Key(key) if key.has_index() => Some(Class::Index(relation, key)),
            Constraint::Key(_) | Constraint::Check(_) => None,
        }
    }

    /// All that has a row in `pg_class`.
    pub fn classes(&self) -> impl Iterator<Item = Class<'_>> {
        let own = self.relations().flat_map(|relation| {
            let indexes = index_keys(relation).map(move |key| Class::Index(relation, key));
            std::iter::once(Class::Relation(relation)).chain(indexes)
        });
        own.chain(super::all_tables().map(Class::System))
    }

    /// A relation's key or check, by its number.
    pub fn constraint(&self, oid: Oid) -> Option<(&Relation, Constraint<'_>)> {
        let relation = self.relation(*self.index().constraints.get(&oid)?)?;
        let table = relation.table()?;
        let key = table
            .keys
            .iter()
            .find(|key| key.oid == oid)
            .map(Constraint::Key);
        let check = || {
            table
                .checks
                .iter()
                .find(|check| check.oid == oid)
                .map(Constraint::Check)
        };
        Some((relation, key.or_else(check)?))
    }

    /// The key of a table that a foreign key over these columns refers to.
    pub fn referenced_key(&self, relation: Oid, columns: &[i16]) -> Option<Oid> {
        let same = |numbers: &[i16]| {
            numbers.len() == columns.len() && numbers.iter().all(|n| columns.contains(n))
        };
        let keys = index_keys(self.relation(relation)?);
        let mut keys = keys.filter(|key| key.is_unique());
        keys.find(|key| same(&key.columns)).map(|key| key.oid)
    }

    /// Whether a foreign key of a table that the session sees refers to a table.
    pub fn is_referred_to(&self, relation: Oid) -> bool {
        let own = self.database.references_to(relation).next().is_some();
        own || self.in_tenant() && self.system.references_to(relation).next().is_some()
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

    // Functions.

    /// The function with this number.
    pub fn function(&self, oid: u32) -> Option<&FunctionRow> {
        self.functions.get(*self.index().functions.get(&oid)?)
    }

    /// All functions of this name.
    pub fn functions_named(&self, name: &str) -> Vec<&FunctionRow> {
        let places = self.index().function_names.get(name);
        places
            .into_iter()
            .flatten()
            .filter_map(|place| self.functions.get(*place))
            .collect()
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut index = Index::default();
            for relation in self.relations() {
                let Some(table) = relation.table() else {
                    continue;
                };
                let keys = table.keys.iter().map(|key| key.oid);
                let checks = table.checks.iter().map(|check| check.oid);
                index
                    .constraints
                    .extend(keys.chain(checks).map(|oid| (oid, relation.oid)));
                for key in index_keys(relation) {
                    let names = index.index_names.entry(key.name.clone()).or_default();
                    names.push((self.schema_of(relation), key.oid));
                }
            }
            for (place, function) in self.functions.iter().enumerate() {
                index.functions.insert(function.oid, place);
                index
                    .function_names
                    .entry(function.name.clone())
                    .or_default()
                    .push(place);
            }
            index
        })
    }

    // Privileges as they stand, without asking whose they are.

    /// A relation's list as the session sees it; `None` stands for the owner's default.
    pub fn acl_of<'a>(&'a self, relation: &'a Relation) -> Option<Cow<'a, Acl>> {
        if !self.is_lent(relation) {
            return relation.acl.as_ref().map(Cow::Borrowed);
        }
        let start = match &relation.acl {
            Some(acl) => lent_acl(acl, relation.owner),
            None => Acl::of_owner(Oid::OPERATOR, Privileges::of_table()),
        };
        Some(Cow::Owned(self.with_borrowed(start, relation.oid, 0)))
    }

    /// A column's list as the session sees it.
    pub fn column_acl<'a>(
        &'a self,
        relation: &'a Relation,
        number: i16,
        acl: Option<&'a Acl>,
    ) -> Option<Cow<'a, Acl>> {
        if !self.is_lent(relation) {
            return acl.map(Cow::Borrowed);
        }
        let start = acl
            .map(|acl| lent_acl(acl, relation.owner))
            .unwrap_or_default();
        let all = self.with_borrowed(start, relation.oid, number);
        (!all.0.is_empty()).then_some(Cow::Owned(all))
    }

    /// Adds what was granted in the tenant, as far as its grantors may still grant it: what the
    /// operator gave `tenant_admin` or one of the tenant's roles to pass on.
    fn with_borrowed(&self, mut acl: Acl, relation: Oid, column: i16) -> Acl {
        let admin = |acl: &Acl| acl.grantable_by(&[Oid::TENANT_ADMIN]);
        let of_operator =
            |item: &AclItem| !item.grantor.is_of_tenant() && item.grantor != Oid::TENANT_ADMIN;
        let borrowed = |column: i16| self.database.borrowed_acls.get(&(relation, column));
        let whole = self.relation(relation).and_then(|found| found.acl.as_ref());
        let passed_on = [borrowed(0), borrowed(column)]
            .into_iter()
            .flatten()
            .flat_map(|acl| &acl.0);
        let limit = passed_on.filter(|item| of_operator(item)).fold(
            admin(&acl).union(whole.map(admin).unwrap_or_default()),
            |all, item| all.union(item.grantable),
        );
        for item in borrowed(column).into_iter().flat_map(|acl| &acl.0) {
            let by_operator = of_operator(item);
            let limit = if by_operator { item.privileges } else { limit };
            let privileges = item.privileges.intersection(limit);
            if !privileges.is_empty() {
                let grantor = if by_operator {
                    Oid::OPERATOR
                } else {
                    item.grantor
                };
                let grantable = item.grantable.intersection(limit);
                acl.0.push(AclItem {
                    grantee: item.grantee,
                    grantor,
                    privileges,
                    grantable,
                });
            }
        }
        acl
    }
}

/// A named condition on a table's rows.
#[derive(Debug, Clone, Copy)]
pub enum Constraint<'a> {
    Key(&'a Key),
    Check(&'a crate::model::Check),
}

impl Constraint<'_> {
    /// Its number.
    pub fn oid(&self) -> Oid {
        match self {
            Self::Key(key) => key.oid,
            Self::Check(check) => check.oid,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Key(key) => &key.name,
            Self::Check(check) => &check.name,
        }
    }

    /// The letter in `pg_constraint.contype`.
    pub fn letter(&self) -> char {
        match self {
            Self::Check(_) => 'c',
            Self::Key(key) => match key.kind {
                KeyKind::Primary => 'p',
                KeyKind::Unique => 'u',
                KeyKind::Foreign(_) => 'f',
                KeyKind::Index(_) => ' ',
            },
        }
    }
}

impl Class<'_> {
    /// Its number.
    pub fn oid(&self) -> Oid {
        match self {
            Self::Relation(relation) => relation.oid,
            Self::Index(_, key) => key.oid,
            Self::System(table) => Oid(table.oid),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Relation(relation) => &relation.name,
            Self::Index(_, key) => &key.name,
            Self::System(table) => table.name,
        }
    }

    /// Its schema.
    pub fn schema(&self, scene: &Scene) -> Oid {
        match self {
            Self::Relation(relation) | Self::Index(relation, _) => scene.schema_of(relation),
            Self::System(table) => built_in_oid(table.schema),
        }
    }

    /// Its owner.
    pub fn owner(&self, scene: &Scene) -> Oid {
        match self {
            Self::Relation(relation) | Self::Index(relation, _) => scene.owner_of(relation),
            Self::System(_) => scene.bootstrap_role(),
        }
    }

    /// The letter in `relkind`.
    pub fn kind(&self) -> char {
        match self {
            Self::Relation(relation) => relation.kind_letter(),
            Self::Index(_, _) => 'i',
            Self::System(table) => table.kind,
        }
    }
}

/// A column of a table or view, as `pg_attribute` shows it.
#[derive(Debug, Clone)]
pub struct Attribute<'a> {
    pub number: i16,
    pub name: Cow<'a, str>,
    pub sql_type: &'a SqlType,
    pub domain: Option<Oid>,
    pub fraction: Option<u8>,
    pub not_null: bool,
    /// The default's text, or a generated column's expression.
    pub default: Option<&'a str>,
    pub identity: Option<Identity>,
    /// An identity column's sequence.
    pub draws: Option<Oid>,
    pub generated: bool,
    pub missing_default: Option<&'a str>,
    pub acl: Option<&'a Acl>,
    pub comment: Option<&'a str>,
    pub dropped: bool,
}

/// The columns of a table, dropped ones included, or of a view.
pub fn attributes(relation: &Relation) -> Vec<Attribute<'_>> {
    match &relation.body {
        RelationBody::Table(table) => table
            .columns
            .iter()
            .map(|column| Attribute {
                number: column.number,
                name: match column.dropped {
                    true => Cow::Owned(format!("........pg.dropped.{}........", column.number)),
                    false => Cow::Borrowed(&column.name),
                },
                sql_type: &column.sql_type,
                domain: column.domain,
                fraction: column.fraction,
                not_null: !column.nullable || in_primary_key(table, column.number),
                default: match (&column.generated, column.identity) {
                    (Some(expression), _) => Some(expression.as_str()),
                    // It is told by the identity alone.
                    (None, Some(_)) => None,
                    (None, None) => column.default.as_deref(),
                },
                identity: column.identity,
                draws: column.identity.and_then(|_| {
                    let text = column.default.as_deref().unwrap_or_default();
                    drawn_sequences(text).next()
                }),
                generated: column.generated.is_some(),
                missing_default: column.missing_default.as_deref(),
                acl: column.acl.as_ref(),
                comment: column.comment.as_deref(),
                dropped: column.dropped,
            })
            .collect(),
        RelationBody::Sequence(_) => Vec::new(),
        RelationBody::View(view) => (1..)
            .zip(&view.columns)
            .map(|(number, column)| Attribute {
                number,
                name: Cow::Borrowed(&column.name),
                sql_type: &column.sql_type,
                domain: None,
                fraction: None,
                not_null: false,
                default: None,
                identity: None,
                draws: None,
                generated: false,
                missing_default: None,
                acl: column.acl.as_ref(),
                comment: column.comment.as_deref(),
                dropped: false,
            })
            .collect(),
    }
}

fn in_primary_key(table: &Table, number: i16) -> bool {
    let mut primary = table.keys.iter().filter(|key| key.kind == KeyKind::Primary);
    primary.any(|key| key.columns.contains(&number))
}

/// The keys that PostgreSQL would hold by an index, and indexes.
pub fn index_keys(relation: &Relation) -> impl Iterator<Item = &Key> {
    relation
        .table()
        .into_iter()
        .flat_map(|table| table.keys.iter().filter(|key| key.has_index()))
}

fn is_lendable(relation: &Relation) -> bool {
    relation.table().is_some_and(|table| match table.scope {
        Scope::Common | Scope::Shared => true,
        Scope::Own => false,
    })
}

const BUILT_IN: [(Oid, &str, &str); 3] = [
    (Oid::PG_CATALOG, "pg_catalog", "system catalog schema"),
    (
        Oid::INFORMATION_SCHEMA,
        "information_schema",
        "the SQL standard's views of the catalog",
    ),
    (Oid::TESSERA_SCHEMA, "tessera", "the server's own views"),
];

/// The number of a schema that every database has from birth.
fn built_in_oid(name: &str) -> Oid {
    BUILT_IN
        .iter()
        .find(|row| row.1 == name)
        .map_or(Oid::PUBLIC, |row| row.0)
}

fn built_in_name(oid: Oid) -> Option<&'static str> {
    BUILT_IN.iter().find(|row| row.0 == oid).map(|row| row.1)
}

fn usable_by_all(owner: Oid) -> Acl {
    let mut acl = Acl::of_owner(owner, Privileges::of_schema());
    acl.grant(Oid::PUBLIC, owner, Privilege::Usage.into(), false);
    acl
}

/// What the system granted to tenants on a lent schema; everyone may use one without a list.
fn lent_schema_acl(acl: Option<&Acl>) -> Acl {
    match acl {
        None => usable_by_all(Oid::OPERATOR),
        Some(acl) => {
            let mut lent = Acl::of_owner(Oid::OPERATOR, Privileges::of_schema());
            let items = acl.0.iter().filter(|item| reaches_tenants(item.grantee));
            lent.0.extend(items.map(|item| AclItem {
                grantor: Oid::OPERATOR,
                ..*item
            }));
            lent
        }
    }
}

/// A list of the system's as tenants see it: operators are one role, their own grants to each other
/// and grants to roles of single tenants are left out.
fn lent_acl(acl: &Acl, owner: Oid) -> Acl {
    let mut lent = Acl::default();
    for item in &acl.0 {
        let grantee = if item.grantee == owner {
            Oid::OPERATOR
        } else {
            item.grantee
        };
        if grantee == Oid::OPERATOR || reaches_tenants(grantee) {
            let grantor = if item.grantor == Oid::TENANT_ADMIN {
                item.grantor
            } else {
                Oid::OPERATOR
            };
            lent.grant(
                grantee,
                grantor,
                item.privileges.difference(item.grantable),
                false,
            );
            lent.grant(grantee, grantor, item.grantable, true);
        }
    }
    lent.0.retain(|item| !item.privileges.is_empty());
    lent
}

fn reaches_tenants(grantee: Oid) -> bool {
    grantee == Oid::PUBLIC || grantee == Oid::TENANT_ADMIN
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scene({})", self.database.name)
    }
}
