//! Identifiers: which tenant, which object, which table's files.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A tenant, for as long as it exists; a new tenant of the same name has a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(Uuid);

impl TenantId {
    /// A fresh id.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id as the catalog's database and the storage prefix write it.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

/// One database as a client sees it: the system's, or a tenant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DatabaseId {
    /// `tessera`, the operators' database.
    System,
    /// A tenant's database.
    Tenant(TenantId),
}

impl DatabaseId {
    /// The id as the catalog's database keeps it; the system's is nil.
    pub fn as_uuid(&self) -> Uuid {
        match self {
            Self::System => Uuid::nil(),
            Self::Tenant(tenant) => tenant.0,
        }
    }

    /// Reads what [`DatabaseId::as_uuid`] wrote.
    pub fn from_uuid(uuid: Uuid) -> Self {
        if uuid.is_nil() {
            Self::System
        } else {
            Self::Tenant(TenantId(uuid))
        }
    }

    /// The tenant, unless this is the system's database.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::System => None,
            Self::Tenant(tenant) => Some(*tenant),
        }
    }
}

/// The number of a role, schema, relation or tenant within PostgreSQL's catalogs.
///
/// Objects of a tenant are numbered by the tenant's own counter from [`Oid::FIRST_OF_TENANT`], those
/// of the system by the system's from [`Oid::FIRST_OF_SYSTEM`], so no number tells of other tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Oid(pub u32);

impl Oid {
    /// `PUBLIC`, where a role is expected; no object.
    pub const PUBLIC: Oid = Oid(0);
    /// The first operator, and in tenants' catalogs the one role that stands for all operators.
    pub const OPERATOR: Oid = Oid(10);
    /// The role `tenant_admin` of every tenant.
    pub const TENANT_ADMIN: Oid = Oid(8192);
    /// The schema `pg_catalog`.
    pub const PG_CATALOG: Oid = Oid(11);
    /// The schema `public`, in every database.
    pub const PUBLIC_SCHEMA: Oid = Oid(2200);
    /// The schema `information_schema`.
    pub const INFORMATION_SCHEMA: Oid = Oid(13_000);
    /// The schema `tessera`, with the server's own views.
    pub const TESSERA_SCHEMA: Oid = Oid(13_001);
    /// The schema `internal` of the system database, the operators' own.
    pub const INTERNAL_SCHEMA: Oid = Oid(13_002);
    /// The system's first object.
    pub const FIRST_OF_SYSTEM: u32 = 16_384;
    /// A tenant's first object.
    pub const FIRST_OF_TENANT: u32 = 1 << 30;

    /// Whether the number was drawn from a tenant's counter.
    pub fn is_of_tenant(&self) -> bool {
        self.0 >= Self::FIRST_OF_TENANT
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a table's folder in storage, made once by the server and never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableUuid(Uuid);

impl TableUuid {
    /// A fresh name.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The name as the catalog's database keeps it.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }

    /// Reads what [`TableUuid::as_uuid`] wrote.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

/// Who owns a folder of table parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Space {
    /// The operators' own tables.
    System,
    /// Shared tables: one set of rows for all.
    Shared,
    /// One tenant's rows.
    Tenant(TenantId),
}

impl Space {
    /// The storage prefix, without a slash at its ends.
    pub fn prefix(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::Shared => "shared".to_owned(),
            Self::Tenant(tenant) => format!("tenants/{}", tenant.0),
        }
    }

    /// The tenant whose rows they are.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant) => Some(*tenant),
            Self::System | Self::Shared => None,
        }
    }

    /// The scheme and host under which the space's store is registered with the query engine.
    pub fn url(&self) -> String {
        match self {
            Self::System => "system://tables/".to_owned(),
            Self::Shared => "shared://tables/".to_owned(),
            Self::Tenant(tenant) => format!("tenant://{}/", tenant.0),
        }
    }
}

/// One Delta table: a space's rows of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Part {
    pub space: Space,
    pub table: TableUuid,
}
