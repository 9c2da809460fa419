//! Ids as the catalog's database writes them.

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid, Space, TableUuid};

/// The system database's id.
pub(super) const SYSTEM: &str = "00000000-0000-0000-0000-000000000000";

const TENANT_PREFIX: &str = "tenants/";

pub(super) fn database(id: DatabaseId) -> String {
    id.as_uuid().to_string()
}

pub(super) fn table(table: TableUuid) -> String {
    table.as_uuid().to_string()
}

pub(super) fn oid(oid: Oid) -> i64 {
    i64::from(oid.0)
}

/// Counts are kept signed, as SQL has no other; none comes near the limit.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn read_count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

pub(super) fn read_oid(value: i64) -> Result<Oid> {
    let oid = u32::try_from(value).map_err(|_| unreadable("object number", &value.to_string()))?;
    Ok(Oid(oid))
}

pub(super) fn read_uuid(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| unreadable("id", text))
}

pub(super) fn read_space(text: &str) -> Result<Space> {
    match text {
        "system" => Ok(Space::System),
        "shared" => Ok(Space::Shared),
        _ => {
            let id = text
                .strip_prefix(TENANT_PREFIX)
                .ok_or_else(|| unreadable("space", text))?;
            let tenant = DatabaseId::from_uuid(read_uuid(id)?).tenant();
            tenant
                .map(Space::Tenant)
                .ok_or_else(|| unreadable("space", text))
        }
    }
}

fn unreadable(kind: &str, text: &str) -> Error {
    Error::Unusable(format!(
        "the catalog holds an unreadable {kind}: \"{text}\""
    ))
}
