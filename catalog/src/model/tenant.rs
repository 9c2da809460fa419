//! A tenant: a customer, to a client a database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::acl::Acl;
use super::encryption::Encryption;
use super::quota::Quotas;
use crate::id::{Oid, TenantId};

/// A tenant as the operator keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    /// Its number in the operator's `pg_database`.
    pub oid: Oid,
    pub name: String,
    /// Its roles cannot log in.
    pub suspended: bool,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// What its sessions start with, from `ALTER TENANT … SET`, by setting.
    pub settings: BTreeMap<String, String>,
    /// Limits of the tenant's own, before its plan's.
    #[serde(default)]
    pub quotas: Quotas,
    #[serde(default)]
    pub plan: Option<Oid>,
    #[serde(default)]
    pub encryption: Encryption,
    pub acl: Option<Acl>,
    pub comment: Option<String>,
}
