//! Roles and who is a member of whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quota::Quotas;
use crate::id::Oid;

/// A login or group of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub oid: Oid,
    pub name: String,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_db: bool,
    pub login: bool,
    pub bypass_rls: bool,
    /// At most so many sessions; -1 for no limit.
    pub connection_limit: i32,
    /// Microseconds since 1970 after which the password is no longer taken.
    pub valid_until: Option<i64>,
    /// A SCRAM-SHA-256 verifier or an argon2id hash in its own notation.
    pub password: Option<String>,
    /// How former passwords were kept, the newest first, as far as they must not come back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_passwords: Vec<String>,
    /// The secret of the second factor, sealed by the server; no system table shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<String>,
    /// What `ALTER ROLE … SET` keeps for new sessions.
    pub settings: BTreeMap<String, String>,
    /// Limits that are narrower than the tenant's.
    #[serde(default)]
    pub quotas: Quotas,
    pub comment: Option<String>,
}

impl Role {
    /// A role with PostgreSQL's defaults: no login, inheriting, without limits.
    pub fn new(oid: Oid, name: impl Into<String>) -> Self {
        Self {
            oid,
            name: name.into(),
            superuser: false,
            inherit: true,
            create_role: false,
            create_db: false,
            login: false,
            bypass_rls: false,
            connection_limit: -1,
            valid_until: None,
            password: None,
            former_passwords: Vec::new(),
            second_factor: None,
            settings: BTreeMap::new(),
            quotas: Quotas::default(),
            comment: None,
        }
    }
}

/// `member` holds what `role` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub role: Oid,
    pub member: Oid,
    pub grantor: Oid,
    pub admin_option: bool,
}
