//! Row security: which rows of a table a role sees and writes.

use serde::{Deserialize, Serialize};

use super::database::Database;
use super::mask::MaskedColumn;
use super::relation::{Reference, Relation};
use crate::id::{Oid, TenantId};

/// The row security of one table, as one database has it.
///
/// A table that the system lends has the operator's in the system's database and, if it is a common
/// one, each tenant's own in the tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSecurity {
    pub relation: Oid,
    pub enabled: bool,
    /// Whether the owner is bound too.
    pub forced: bool,
    /// In order of their names.
    pub policies: Vec<Policy>,
    /// Columns that do not show what they hold.
    #[serde(default)]
    pub masks: Vec<MaskedColumn>,
}

/// A row policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub oid: Oid,
    pub name: String,
    /// Permissive ones add rows, restrictive ones take away.
    pub permissive: bool,
    pub command: PolicyCommand,
    pub roles: Vec<PolicyRole>,
    /// Which stored rows.
    pub using: Option<Condition>,
    /// Which new rows; [`Policy::using`] where there is none.
    pub check: Option<Condition>,
    pub comment: Option<String>,
}

/// The commands that a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PolicyCommand {
    All,
    Select,
    Insert,
    Update,
    Delete,
}

/// A role that a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyRole {
    /// The tenant whose role it is, where an operator names it in the system's database.
    pub tenant: Option<TenantId>,
    /// The role, or [`Oid::PUBLIC`].
    pub role: Oid,
}

/// A condition over a table's rows, bound to the numbers of what it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// As its author wrote it.
    pub definition: String,
    /// With each other relation replaced by a name that only [`Condition::references`] explains.
    pub bound: String,
    /// The table's own name at that time.
    pub table: String,
    /// The table's columns at that time, by number.
    pub columns: Vec<(i16, String)>,
    /// Numbers of the columns that the condition names.
    pub names: Vec<i16>,
    /// Whether there is a sub-query in it.
    pub subqueries: bool,
    /// What the names in [`Condition::bound`] stand for.
    pub references: Vec<Reference>,
}

/// One who reads tables: the current role in its database.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub system: &'a Database,
    pub database: &'a Database,
    /// The current role, and all whose rights it inherits.
    pub role: Oid,
    pub roles: &'a [Oid],
    /// Whether it may do everything here.
    pub superuser: bool,
}

impl<'a> Reader<'a> {
    /// The layers of row security that bind the reader on a table; a row must pass each. `lent` tells
    /// that the table is the system's, seen from a tenant.
    pub fn bound_by(&self, relation: &Relation, lent: bool) -> Vec<&'a RowSecurity> {
        let mut layers = Vec::new();
        if self.superuser {
            return layers;
        }
        let enabled = |database: &'a Database| {
            let security = database.row_security.get(&relation.oid);
            security.map(AsRef::as_ref).filter(|s| s.enabled)
        };
        let owner = if lent {
            // Nothing that a tenant gives its roles lifts what the operator says.
            layers.extend(enabled(self.system));
            Oid::TENANT_ADMIN
        } else {
            relation.owner
        };
        let bypasses = self.database.roles.get(&self.role);
        let bypasses = bypasses.is_some_and(|role| role.bypass_rls);
        let owns = self.roles.contains(&owner);
        layers.extend(enabled(self.database).filter(|s| !bypasses && (!owns || s.forced)));
        layers
    }
}

impl RowSecurity {
    /// A table without any.
    pub fn none(relation: Oid) -> Self {
        Self {
            relation,
            enabled: false,
            forced: false,
            policies: Vec::new(),
            masks: Vec::new(),
        }
    }

    /// Whether there is nothing to keep.
    pub fn is_none(&self) -> bool {
        !self.enabled && !self.forced && self.policies.is_empty() && self.masks.is_empty()
    }

    /// The policy of this name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// All conditions, with the names of their policies.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &Condition)> {
        self.policies.iter().flat_map(|policy| {
            let conditions = policy.using.iter().chain(&policy.check);
            conditions.map(|condition| (policy.name.as_str(), condition))
        })
    }
}

impl PolicyCommand {
    /// The letter of `pg_policy.polcmd`.
    pub fn letter(self) -> char {
        match self {
            Self::All => '*',
            Self::Select => 'r',
            Self::Insert => 'a',
            Self::Update => 'w',
            Self::Delete => 'd',
        }
    }

    /// The word in CREATE POLICY.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}
