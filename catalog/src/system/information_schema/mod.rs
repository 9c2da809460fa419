//! `information_schema`: the SQL standard's views, one file each; those without rows share one.
//!
//! They show what the role may use, not all that there is.

pub(in crate::system) mod administrable_role_authorizations;
pub(in crate::system) mod applicable_roles;
pub(in crate::system) mod character_sets;
pub(in crate::system) mod check_constraints;
pub(in crate::system) mod collations;
pub(in crate::system) mod column_privileges;
pub(in crate::system) mod columns;
pub(in crate::system) mod constraint_column_usage;
pub(in crate::system) mod constraint_table_usage;
pub(in crate::system) mod domains;
mod empty;
pub(in crate::system) mod enabled_roles;
pub(in crate::system) mod grants;
pub(in crate::system) mod information_schema_catalog_name;
pub(in crate::system) mod key_column_usage;
pub(in crate::system) mod parameters;
pub(in crate::system) mod referential_constraints;
pub(in crate::system) mod role_column_grants;
pub(in crate::system) mod role_table_grants;
pub(in crate::system) mod routines;
pub(in crate::system) mod schemata;
pub(in crate::system) mod sequences;
pub(in crate::system) mod table_constraints;
pub(in crate::system) mod table_privileges;
pub(in crate::system) mod tables;
pub(in crate::system) mod view_column_usage;
pub(in crate::system) mod view_table_usage;
pub(in crate::system) mod views;

use super::table::SystemTable;

/// Those with rows.
static FILLED: [&SystemTable; 29] = [
    &administrable_role_authorizations::TABLE,
    &applicable_roles::TABLE,
    &character_sets::TABLE,
    &check_constraints::TABLE,
    &collations::TABLE,
    &column_privileges::TABLE,
    &columns::TABLE,
    &constraint_column_usage::TABLE,
    &constraint_table_usage::TABLE,
    &domains::COLUMN_DOMAIN_USAGE,
    &domains::DOMAIN_CONSTRAINTS,
    &domains::DOMAIN_UDT_USAGE,
    &domains::TABLE,
    &enabled_roles::TABLE,
    &information_schema_catalog_name::TABLE,
    &key_column_usage::TABLE,
    &parameters::TABLE,
    &referential_constraints::TABLE,
    &role_column_grants::TABLE,
    &role_table_grants::TABLE,
    &routines::TABLE,
    &schemata::TABLE,
    &sequences::TABLE,
    &table_constraints::TABLE,
    &table_privileges::TABLE,
    &tables::TABLE,
    &view_column_usage::TABLE,
    &view_table_usage::TABLE,
    &views::TABLE,
];

/// All of them.
pub(super) fn tables() -> impl Iterator<Item = &'static SystemTable> {
    FILLED.into_iter().chain(empty_tables())
}

/// Those without rows.
pub(super) fn empty_tables() -> impl Iterator<Item = &'static SystemTable> {
    empty::TABLES.iter()
}

/// The standard's truth value.
fn yes_or_no(value: bool) -> &'static str {
    if value { "YES" } else { "NO" }
}
