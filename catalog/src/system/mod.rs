//! `pg_catalog` and `information_schema`: PostgreSQL's view of the catalog, for the clients that ask.
//!
//! A [`Scene`] is one session's view of its database. [`table`] finds a system table, [`provider`]
//! makes its rows from a scene when it is scanned, [`functions`] are the functions that read the
//! catalogs. Nothing here guards anything: what the scene does not hold is not shown, and what it
//! holds is the session's to know.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableProvider;

mod access;
mod definition;
mod error;
mod functions;
mod information_schema;
mod lookup;
mod names;
pub mod oid;
mod pg_catalog;
mod provider;
mod rows;
mod scene;
mod sequences;
mod spelled;
mod table;
mod tessera;
#[cfg(test)]
mod tests;
mod types;

pub use error::LookupError;
pub use functions::{function, function_names, functions};
pub use names::{quote_ident, split_name};
pub use provider::HIDDEN;
pub use scene::{
    ActivityRow, Attribute, Class, Constraint, CursorRow, FunctionRow, Functions, HostRuleRow,
    IdentityMappingRow, InUse, Listed, LockRow, LoginFiles, Namespace, OPERATOR_NAME, PreparedRow,
    Scene, SequenceValues, SettingRow, Sizes, TENANT_ADMIN_NAME, Uses, attributes, index_keys,
    listed,
};
pub use table::{Column, SystemTable};
pub use types::DOMAIN_VALUE;

/// The schemas that are made of system tables.
pub const SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "tessera"];

/// Whether a provider's rows are those of a relation in which this server never has one.
pub fn never_has_rows(provider: &dyn TableProvider) -> bool {
    let provider = provider.downcast_ref::<provider::Provider>();
    provider.is_some_and(|provider| REGISTRY.empty.contains(&provider.oid()))
}

struct Registry {
    by_name: HashMap<&'static str, HashMap<&'static str, &'static SystemTable>>,
    by_oid: HashMap<u32, &'static SystemTable>,
    names: HashMap<&'static str, Vec<&'static str>>,
    /// Numbers of those without rows.
    empty: HashSet<u32>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry {
        by_name: HashMap::new(),
        by_oid: HashMap::new(),
        names: HashMap::new(),
        empty: pg_catalog::empty_tables()
            .chain(information_schema::empty_tables())
            .map(|table| table.oid)
            .collect(),
    };
    for table in all_tables() {
        registry
            .by_name
            .entry(table.schema)
            .or_default()
            .insert(table.name, table);
        registry.by_oid.insert(table.oid, table);
        registry
            .names
            .entry(table.schema)
            .or_default()
            .push(table.name);
    }
    registry
});

/// All system tables.
pub fn all_tables() -> impl Iterator<Item = &'static SystemTable> {
    pg_catalog::tables()
        .chain(information_schema::tables())
        .chain(tessera::tables())
}

/// The names of a system schema's tables; none for any other schema.
pub fn table_names(schema: &str) -> &'static [&'static str] {
    REGISTRY.names.get(schema).map_or(&[], Vec::as_slice)
}

/// The system table of this name.
pub fn table(schema: &str, name: &str) -> Option<&'static SystemTable> {
    REGISTRY.by_name.get(schema)?.get(name).copied()
}

/// The system table with this number in `pg_class`.
pub fn table_by_oid(oid: u32) -> Option<&'static SystemTable> {
    REGISTRY.by_oid.get(&oid).copied()
}

/// The rows of a function that returns a set and takes no arguments, such as `pg_get_keywords`.
pub fn table_function(name: &str) -> Option<&'static SystemTable> {
    match name {
        "pg_get_keywords" => Some(&pg_catalog::pg_get_keywords::TABLE),
        "pg_show_all_settings" => Some(&pg_catalog::pg_settings::TABLE),
        "pg_timezone_names" => Some(&pg_catalog::pg_timezone_names::TABLE),
        "pg_timezone_abbrevs" => Some(&pg_catalog::pg_timezone_abbrevs::TABLE),
        "pg_prepared_statement" => Some(&pg_catalog::pg_prepared_statements::TABLE),
        "pg_cursor" => Some(&pg_catalog::pg_cursors::TABLE),
        "pg_lock_status" => Some(&pg_catalog::pg_locks::TABLE),
        "pg_listening_channels" => Some(&pg_catalog::pg_listening_channels::TABLE),
        "pg_prepared_xact" => table("pg_catalog", "pg_prepared_xacts"),
        "pg_available_extensions" => table("pg_catalog", "pg_available_extensions"),
        _ => None,
    }
}

/// The name of the function that walks the audit's chain.
pub const AUDIT_VERIFY: &str = "audit_verify";

/// Whether a table of the schema `tessera` is a report: for operators, and of a tenant for its admins.
pub fn is_report(name: &str) -> bool {
    tessera::reports::VIEWS.iter().any(|view| view.name == name)
}

/// A report's shape, or that of [`AUDIT_VERIFY`]'s answer; the rows are the session's to make.
pub fn report(name: &str) -> Option<&'static SystemTable> {
    if name == AUDIT_VERIFY {
        return Some(&tessera::reports::AUDIT_VERIFY);
    }
    let mut views = tessera::reports::VIEWS.into_iter();
    views.find(|view| view.name == name)
}

/// A system table as `scene` shows it; its rows are made when it is scanned.
pub fn provider(table: &'static SystemTable, scene: Arc<Scene>) -> Arc<dyn TableProvider> {
    Arc::new(provider::Provider::new(table, scene, false))
}

/// The same with [`HIDDEN`] as its last columns, for a query that names one of them.
pub fn provider_with_hidden(
    table: &'static SystemTable,
    scene: Arc<Scene>,
) -> Arc<dyn TableProvider> {
    Arc::new(provider::Provider::new(table, scene, true))
}
