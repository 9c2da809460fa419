//! Access control lists as PostgreSQL keeps them: who was granted what by whom.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::Oid;

/// One right on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Privilege {
    Insert,
    Select,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Execute,
    Usage,
    Create,
    Temporary,
    Connect,
}

impl Privilege {
    /// Every privilege, in the order in which PostgreSQL prints them.
    pub const ALL: [Privilege; 12] = [
        Self::Insert,
        Self::Select,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::References,
        Self::Trigger,
        Self::Execute,
        Self::Usage,
        Self::Create,
        Self::Temporary,
        Self::Connect,
    ];

    /// The letter of `aclitem`.
    pub fn letter(self) -> char {
        match self {
            Self::Insert => 'a',
            Self::Select => 'r',
            Self::Update => 'w',
            Self::Delete => 'd',
            Self::Truncate => 'D',
            Self::References => 'x',
            Self::Trigger => 't',
            Self::Execute => 'X',
            Self::Usage => 'U',
            Self::Create => 'C',
            Self::Temporary => 'T',
            Self::Connect => 'c',
        }
    }

    /// The word in GRANT.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Select => "SELECT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
            Self::Execute => "EXECUTE",
            Self::Usage => "USAGE",
            Self::Create => "CREATE",
            Self::Temporary => "TEMPORARY",
            Self::Connect => "CONNECT",
        }
    }

    fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// A set of privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Privileges(u16);

impl Privileges {
    /// No privilege.
    pub const NONE: Privileges = Privileges(0);

    /// All that can be granted on a table or view.
    pub fn of_table() -> Self {
        use Privilege::{Delete, Insert, References, Select, Trigger, Truncate, Update};
        [
            Insert, Select, Update, Delete, Truncate, References, Trigger,
        ]
        .into_iter()
        .collect()
    }

    /// All that can be granted on a sequence.
    pub fn of_sequence() -> Self {
        use Privilege::{Select, Update, Usage};
        [Select, Update, Usage].into_iter().collect()
    }

    /// All that can be granted on a column.
    pub fn of_column() -> Self {
        use Privilege::{Insert, References, Select, Update};
        [Insert, Select, Update, References].into_iter().collect()
    }

    /// All that can be granted on a schema.
    pub fn of_schema() -> Self {
        [Privilege::Usage, Privilege::Create].into_iter().collect()
    }

    /// All that can be granted on a database.
    pub fn of_database() -> Self {
        [Privilege::Create, Privilege::Temporary, Privilege::Connect]
            .into_iter()
            .collect()
    }

    /// All that can be granted on a function.
    pub fn of_function() -> Self {
        [Privilege::Execute].into_iter().collect()
    }

    /// Whether `privilege` is in the set.
    pub fn contains(self, privilege: Privilege) -> bool {
        self.0 & privilege.bit() != 0
    }

    /// Whether all of `other` is in the set.
    pub fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The privileges in the set, in PostgreSQL's order.
    pub fn iter(self) -> impl Iterator<Item = Privilege> {
        Privilege::ALL
            .into_iter()
            .filter(move |privilege| self.contains(*privilege))
    }
}

impl FromIterator<Privilege> for Privileges {
    fn from_iter<I: IntoIterator<Item = Privilege>>(items: I) -> Self {
        items
            .into_iter()
            .fold(Self::NONE, |set, item| Self(set.0 | item.bit()))
    }
}

impl From<Privilege> for Privileges {
    fn from(privilege: Privilege) -> Self {
        Self(privilege.bit())
    }
}

/// What one role was granted by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AclItem {
    /// The role that may, or [`Oid::PUBLIC`].
    pub grantee: Oid,
    /// The role that granted.
    pub grantor: Oid,
    /// What it may do.
    pub privileges: Privileges,
    /// Which of these it may grant to others.
    pub grantable: Privileges,
}

/// An object's list. An object without one has PostgreSQL's defaults: all for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acl(pub Vec<AclItem>);

impl Acl {
    /// The list that an owner starts with.
    pub fn of_owner(owner: Oid, privileges: Privileges) -> Self {
        Self(vec![AclItem {
            grantee: owner,
            grantor: owner,
            privileges,
            grantable: Privileges::NONE,
        }])
    }

    /// What a role that is a member of `roles` holds here, PUBLIC's share included.
    pub fn held_by(&self, roles: &[Oid]) -> Privileges {
        self.for_roles(roles)
            .fold(Privileges::NONE, |all, item| all.union(item.privileges))
    }

    /// What such a role may grant to others; PUBLIC never can.
    pub fn grantable_by(&self, roles: &[Oid]) -> Privileges {
        self.0
            .iter()
            .filter(|item| roles.contains(&item.grantee))
            .fold(Privileges::NONE, |all, item| all.union(item.grantable))
    }

    fn for_roles(&self, roles: &[Oid]) -> impl Iterator<Item = &AclItem> {
        self.0
            .iter()
            .filter(|item| item.grantee == Oid::PUBLIC || roles.contains(&item.grantee))
    }

    /// Adds a grant to what the same grantor gave the same grantee before.
    pub fn grant(&mut self, grantee: Oid, grantor: Oid, privileges: Privileges, grantable: bool) {
        let with_option = if grantable {
            privileges
        } else {
            Privileges::NONE
        };
        let found = self
            .0
            .iter_mut()
            .find(|item| item.grantee == grantee && item.grantor == grantor);
        match found {
            Some(item) => {
                item.privileges = item.privileges.union(privileges);
                item.grantable = item.grantable.union(with_option);
            }
            None => self.0.push(AclItem {
                grantee,
                grantor,
                privileges,
                grantable: with_option,
            }),
        }
    }

    /// Takes privileges, or only the right to grant them, from a grantee of this grantor.
    pub fn revoke(
        &mut self,
        grantee: Oid,
        grantor: Oid,
        privileges: Privileges,
        only_option: bool,
    ) {
        for item in &mut self.0 {
            if item.grantee == grantee && item.grantor == grantor {
                item.grantable = item.grantable.difference(privileges);
                if !only_option {
                    item.privileges = item.privileges.difference(privileges);
                }
            }
        }
        self.0.retain(|item| !item.privileges.is_empty());
    }

    /// Whether any grant names `role`, as grantee or grantor.
    pub fn mentions(&self, role: Oid) -> bool {
        self.0
            .iter()
            .any(|item| item.grantee == role || item.grantor == role)
    }
}

impl fmt::Display for Privileges {
    /// The letters of `aclitem`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|privilege| write!(f, "{}", privilege.letter()))
    }
}
