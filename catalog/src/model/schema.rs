//! Schemas, and the privileges that objects made in future start with.

use serde::{Deserialize, Serialize};

use super::acl::Acl;
use crate::id::Oid;

/// A schema of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    pub acl: Option<Acl>,
    pub comment: Option<String>,
}

/// The kind of object that `ALTER DEFAULT PRIVILEGES` speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DefaultAclKind {
    Table,
    Function,
    Schema,
}

/// The list that a role's new objects start with, everywhere or in one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultAcl {
    pub role: Oid,
    pub schema: Option<Oid>,
    pub kind: DefaultAclKind,
    pub acl: Acl,
}
