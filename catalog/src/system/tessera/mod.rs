//! `tessera`: what PostgreSQL's catalogs have no place for, one file each.

pub(in crate::system) mod masks;
pub(in crate::system) mod reports;

use super::table::SystemTable;

static FILLED: [&SystemTable; 2] = [&masks::MASKING_POLICIES, &masks::COLUMN_MASKS];

/// All of them.
pub(super) fn tables() -> impl Iterator<Item = &'static SystemTable> {
    FILLED.into_iter().chain(reports::VIEWS)
}
