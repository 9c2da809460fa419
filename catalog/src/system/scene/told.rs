//! What the session tells its scene of: settings, sessions, locks, cursors, functions, what is in use.

use crate::id::{Oid, TenantId};
use crate::model::Usage;
use crate::sql_type::SqlType;

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
