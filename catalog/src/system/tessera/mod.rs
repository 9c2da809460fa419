//! `tessera`: what PostgreSQL's catalogs have no place for, one file each.

pub(in crate::system) mod encryption;
pub(in crate::system) mod masks;
pub(in crate::system) mod reports;
pub(in crate::system) mod usage;

use super::table::SystemTable;

static FILLED: [&SystemTable; 6] = [
    &encryption::ENCRYPTION,
    &masks::MASKING_POLICIES,
    &masks::COLUMN_MASKS,
    &usage::PLANS,
    &usage::QUOTAS,
    &usage::TENANT_USAGE,
];

/// All of them.
pub(super) fn tables() -> impl Iterator<Item = &'static SystemTable> {
    FILLED.into_iter().chain(reports::VIEWS)
}
