//! Column masks: what a role is shown in place of a column's values.

use serde::{Deserialize, Serialize};

use super::database::Database;
use super::relation::Relation;
use super::row_security::{PolicyRole, Reader};
use crate::id::{DatabaseId, Oid};

/// A masking policy of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskingPolicy {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
    pub mask: Mask,
    /// Who is shown the mask.
    pub roles: Vec<PolicyRole>,
    /// Who of them is shown the values all the same.
    pub except: Vec<PolicyRole>,
    pub comment: Option<String>,
}

/// What stands in place of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mask {
    /// A constant of the column's type.
    Full,
    Null,
    /// The SHA-256 of the policy's salt and the text, in hexadecimal: equal values stay equal.
    Hash {
        salt: String,
    },
    /// Some characters at the start and the end of a text.
    Partial {
        first: u32,
        padding: String,
        last: u32,
    },
    /// SQL over the column `value`.
    Expression(String),
}

/// A column that is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedColumn {
    pub column: i16,
    pub policy: Oid,
}

impl Mask {
    /// The word in CREATE MASKING POLICY.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Null => "NULL",
            Self::Hash { .. } => "HASH",
            Self::Partial { .. } => "PARTIAL",
            Self::Expression(_) => "EXPRESSION",
        }
    }
}

impl std::fmt::Display for Mask {
    /// As CREATE MASKING POLICY takes it, without the salt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full | Self::Null | Self::Hash { .. } => f.write_str(self.keyword()),
            Self::Partial {
                first,
                padding,
                last,
            } => write!(
                f,
                "PARTIAL ({first}, '{}', {last})",
                padding.replace('\'', "''")
            ),
            Self::Expression(text) => write!(f, "({text})"),
        }
    }
}

impl<'a> Reader<'a> {
    /// The masks that the reader is shown on a table's columns; where a column has several, the
    /// operator's comes first and the tenant's is made of it.
    pub fn masks_on(&self, relation: &Relation, lent: bool) -> Vec<(i16, &'a MaskingPolicy)> {
        let mut masks = Vec::new();
        if self.superuser {
            return masks;
        }
        let mut add = |database: &'a Database, exempt: bool| {
            let secured = database.row_security.get(&relation.oid);
            for masked in secured.into_iter().flat_map(|secured| &secured.masks) {
                let policy = database.masking_policies.get(&masked.policy);
                if let Some(policy) = policy
                    && !exempt
                    && self.is_any(&policy.roles)
                    && !self.is_any(&policy.except)
                {
                    masks.push((masked.column, policy.as_ref()));
                }
            }
        };
        if lent {
            add(self.system, false);
            add(self.database, self.roles.contains(&Oid::TENANT_ADMIN));
        } else {
            add(self.database, self.roles.contains(&relation.owner));
        }
        masks
    }

    /// Whether the reader is one of the roles, or inherits from one.
    pub fn is_any(&self, roles: &[PolicyRole]) -> bool {
        roles.iter().any(|of| {
            let here = of
                .tenant
                .is_none_or(|tenant| self.database.id == DatabaseId::Tenant(tenant));
            let everyone = of.tenant.is_none() && of.role == Oid::PUBLIC;
            everyone || here && self.roles.contains(&of.role)
        })
    }
}
