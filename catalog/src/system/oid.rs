//! Stable numbers of what PostgreSQL's catalogs number and the model does not.
//!
//! Types have theirs in [`crate::sql_type`], system relations in their files, model objects their
//! own. An index has the number of its key, a view's rule that of its view: they lie in different
//! catalogs, so no two rows of one catalog share a number.

use crate::id::{DatabaseId, Oid};
use crate::sql_type::SqlType;

/// `pg_class`, where a catalog's number is asked for.
pub const PG_CLASS: u32 = 1259;
/// `pg_namespace`.
pub const PG_NAMESPACE: u32 = 2615;
/// `pg_type`.
pub const PG_TYPE: u32 = 1247;
/// `pg_proc`.
pub const PG_PROC: u32 = 1255;
/// `pg_constraint`.
pub const PG_CONSTRAINT: u32 = 2606;
/// `pg_attrdef`.
pub const PG_ATTRDEF: u32 = 2604;
/// `pg_rewrite`.
pub const PG_REWRITE: u32 = 2618;
/// `pg_database`.
pub const PG_DATABASE: u32 = 1262;
/// `pg_authid`.
pub const PG_AUTHID: u32 = 1260;

/// The access method `heap`.
pub const HEAP: u32 = 2;
/// The access method `btree`.
pub const BTREE: u32 = 403;
/// The tablespace `pg_default`.
pub const DEFAULT_TABLESPACE: u32 = 1663;
/// The collation `default`.
pub const DEFAULT_COLLATION: u32 = 100;
/// The collation `C`.
pub const C_COLLATION: u32 = 950;
/// The languages `internal`, `c` and `sql`.
pub const INTERNAL_LANGUAGE: u32 = 12;

/// The number that a tenant sees for its own database: the same in all, so that it tells nothing.
pub const OWN_DATABASE: Oid = Oid(16_384);
/// The system's database in an operator's `pg_database`, beyond all that the system numbers.
pub const SYSTEM_DATABASE: Oid = Oid(Oid::FIRST_OF_TENANT - 1);

/// The number of the session's database.
pub fn database(id: DatabaseId) -> Oid {
    match id {
        DatabaseId::System => SYSTEM_DATABASE,
        DatabaseId::Tenant(_) => OWN_DATABASE,
    }
}

/// The number of a column's default in `pg_attrdef`.
pub fn default(relation: Oid, column: i16) -> u32 {
    // A table has at most 1600 columns. Numbers of tenants and of the system start at multiples of
    // 2^14, so the products would meet; one half of the range for each keeps them apart.
    const MOST_COLUMNS: u32 = 1600;
    let half = if relation.is_of_tenant() { 1 << 31 } else { 0 };
    let within = relation
        .0
        .wrapping_mul(MOST_COLUMNS)
        .wrapping_add(u32::from(column.unsigned_abs()));
    half | (within & 0x7fff_ffff)
}

/// The collation of a type's columns; 0 for types that have none.
pub fn collation(sql_type: &SqlType) -> u32 {
    match sql_type {
        SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_) => DEFAULT_COLLATION,
        SqlType::Name => C_COLLATION,
        SqlType::Array(element) => collation(element),
        _ => 0,
    }
}

/// The default btree operator class of a type; 0 if there is none.
pub fn operator_class(sql_type: &SqlType) -> u32 {
    match sql_type {
        SqlType::Bool => 10_003,
        SqlType::Char(_) => 10_004,
        SqlType::Bytea => 10_006,
        SqlType::InternalChar => 10_007,
        SqlType::Date => 3122,
        SqlType::Float4 => 10_012,
        SqlType::Float8 => 3123,
        SqlType::Int2 => 1979,
        SqlType::Int4 => 1978,
        SqlType::Int8 => 3124,
        SqlType::Interval => 10_022,
        SqlType::Name => 10_028,
        SqlType::Numeric(_) => 3125,
        SqlType::Oid | SqlType::Reg(_) => 1981,
        SqlType::Text | SqlType::Varchar(_) => 3126,
        SqlType::Time => 10_038,
        SqlType::Timetz => 10_041,
        SqlType::Timestamptz => 3127,
        SqlType::Timestamp => 3128,
        SqlType::Uuid => 10_065,
        SqlType::Jsonb => 10_088,
        _ => 0,
    }
}
