//! The relations of `pg_catalog` in which this server never has a row: each is there for the clients that
//! ask for it, with all of its columns.

mod objects;
mod statistics;

use crate::system::table::SystemTable;

/// All of them.
pub(in crate::system) fn tables() -> impl Iterator<Item = &'static SystemTable> {
    objects::TABLES.iter().chain(&statistics::TABLES)
}
