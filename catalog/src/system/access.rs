//! Privileges as the catalogs tell them: `aclitem` texts, and what a role holds on an object.
//!
//! This answers questions about rights; it does not guard anything.

use std::borrow::Cow;

use super::names::quote_acl_name;
use super::scene::{Attribute, Class, Namespace, Scene, attributes};
use crate::id::Oid;
use crate::model::{Acl, AclItem, Database, Privilege, Privileges, Relation, Tenant};

/// A role with the roles whose rights it has.
#[derive(Debug, Clone)]
pub(super) struct Who<'a> {
    pub(super) role: Oid,
    pub(super) roles: Cow<'a, [Oid]>,
    pub(super) superuser: bool,
}

impl Scene {
    /// The session's current role.
    pub(super) fn me(&self) -> Who<'_> {
        Who {
            role: self.role,
            roles: Cow::Borrowed(&self.roles),
            superuser: self.superuser,
        }
    }

    /// Any role of the database.
    pub(super) fn who(&self, role: Oid) -> Who<'_> {
        if role == self.role {
            return self.me();
        }
        let own = self
            .database
            .roles
            .get(&role)
            .is_some_and(|role| role.superuser);
        let operators = self.in_tenant() && role == Oid::OPERATOR;
        let roles = Cow::Owned(self.database.roles_of(role));
        Who {
            role,
            roles,
            superuser: own || operators,
        }
    }

    /// What `who` holds on a whole relation.
    pub(super) fn held_on(&self, who: &Who<'_>, class: Class<'_>) -> Held {
        let all = Privileges::of_table();
        match class {
            Class::Relation(relation) => {
                let acl = self.acl_of(relation);
                let all = match relation.sequence() {
                    Some(_) => Privileges::of_sequence(),
                    None => all,
                };
                who.held(acl.as_deref(), self.owner_of(relation), all)
            }
            Class::Index(relation, _) => who.held(None, self.owner_of(relation), all),
            Class::System(table) => {
                let public = is_public(table.name);
                let acl = system_acl(self.bootstrap_role(), public);
                who.held(Some(&acl), self.bootstrap_role(), all)
            }
        }
    }

    /// What `who` holds on one column, by the column's own list or the whole relation's.
    pub(super) fn held_on_column(
        &self,
        who: &Who<'_>,
        relation: &Relation,
        column: &Attribute<'_>,
    ) -> Held {
        let whole = self.held_on(who, Class::Relation(relation));
        match self.column_acl(relation, column.number, column.acl) {
            Some(acl) => whole.union(who.held_by_list(&acl)),
            None => whole,
        }
    }

    /// What `who` holds on a relation or any of its columns.
    pub(super) fn held_on_any_column(&self, who: &Who<'_>, class: Class<'_>) -> Held {
        let whole = self.held_on(who, class);
        let Class::Relation(relation) = class else {
            return whole;
        };
        attributes(relation)
            .iter()
            .filter(|column| !column.dropped)
            .fold(whole, |all, column| {
                all.union(self.held_on_column(who, relation, column))
            })
    }

    /// What `who` holds on a schema.
    pub(super) fn held_on_schema(&self, who: &Who<'_>, schema: &Namespace<'_>) -> Held {
        who.held(schema.acl.as_deref(), schema.owner, Privileges::of_schema())
    }

    /// What `who` holds on the functions of a name.
    pub(super) fn held_on_function(&self, who: &Who<'_>, name: &str) -> Held {
        let all = Privileges::of_function();
        let default = function_acl(self.bootstrap_role());
        let on = |database: &Database, who: &Who<'_>| {
            let acl = database.function_acls.get(name).unwrap_or(&default);
            who.held(Some(acl), self.bootstrap_role(), all)
        };
        let held = on(&self.database, who);
        if !self.in_tenant() || who.superuser {
            return held;
        }
        // What the operator takes from tenants no grant of a tenant gives back.
        let mut lent = who.clone();
        lent.roles
            .to_mut()
            .retain(|role| *role == Oid::TENANT_ADMIN);
        let limit = on(&self.system, &lent).privileges;
        Held {
            privileges: held.privileges.intersection(limit),
            grantable: held.grantable.intersection(limit),
        }
    }

    /// What `who` holds on the session's database.
    pub(super) fn held_on_database(&self, who: &Who<'_>) -> Held {
        let all = Privileges::of_database();
        match self.database_acl() {
            Some(acl) => who.held(Some(&acl), self.database_owner(), all),
            None => {
                let acl = database_acl(self.database_owner());
                who.held(Some(&acl), self.database_owner(), all)
            }
        }
    }

    /// What an operator holds on a tenant's database.
    pub(super) fn held_on_tenant(&self, who: &Who<'_>, tenant: &Tenant) -> Held {
        // A tenant without a list lets no operator in but superusers.
        let acl = tenant.acl.clone().unwrap_or_default();
        who.held(Some(&acl), Oid::OPERATOR, Privileges::of_database())
    }

    /// The owner of the session's database.
    pub(super) fn database_owner(&self) -> Oid {
        if self.in_tenant() {
            Oid::TENANT_ADMIN
        } else {
            Oid::OPERATOR
        }
    }

    /// The list of the session's database, without what it says of operators.
    pub(super) fn database_acl(&self) -> Option<Acl> {
        let tenant = self.system.tenants.get(&self.database.id.tenant()?)?;
        let items =
            tenant.acl.as_ref()?.0.iter().filter(|item| {
                item.grantee == Oid::PUBLIC || self.role_name(item.grantee).is_some()
            });
        Some(Acl(items.copied().collect()))
    }

    /// Whether information_schema shows `role` a relation: it owns it or holds any right on it.
    pub(super) fn shows(&self, class: Class<'_>) -> bool {
        let me = self.me();
        me.is(class.owner(self)) || !self.held_on_any_column(&me, class).privileges.is_empty()
    }

    /// `aclitem` texts of a list; `None` stands for no list.
    pub(super) fn acl_texts(&self, acl: Option<&Acl>) -> Option<Vec<String>> {
        acl.map(|acl| acl.0.iter().map(|item| self.acl_text(item)).collect())
    }

    /// One `aclitem`, such as `alice=r*w/bob`.
    pub(super) fn acl_text(&self, item: &AclItem) -> String {
        let name = |role: Oid| match self.shown(role) {
            Oid::PUBLIC => Cow::Borrowed(""),
            role => match self.role_name(role) {
                Some(name) => quote_acl_name(name),
                None => Cow::Owned(role.to_string()),
            },
        };
        let mut letters = String::new();
        for privilege in item.privileges.iter() {
            letters.push(privilege.letter());
            if item.grantable.contains(privilege) {
                letters.push('*');
            }
        }
        format!("{}={letters}/{}", name(item.grantee), name(item.grantor))
    }
}

/// Privileges, and which of them may be granted on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) privileges: Privileges,
    pub(super) grantable: Privileges,
}

impl Held {
    fn union(self, other: Self) -> Self {
        Self {
            privileges: self.privileges.union(other.privileges),
            grantable: self.grantable.union(other.grantable),
        }
    }

    /// Whether a privilege is among them, with the right to grant it if that is asked for.
    pub(super) fn has(self, privilege: Privilege, with_option: bool) -> bool {
        if with_option {
            self.grantable.contains(privilege)
        } else {
            self.privileges.contains(privilege)
        }
    }
}

impl Who<'_> {
    /// Whether this role has the rights of `role`.
    pub(super) fn is(&self, role: Oid) -> bool {
        self.superuser || self.roles.contains(&role)
    }

    pub(super) fn held(&self, acl: Option<&Acl>, owner: Oid, all: Privileges) -> Held {
        if self.superuser {
            return Held {
                privileges: all,
                grantable: all,
            };
        }
        let owns = self.roles.contains(&owner);
        let by_list = acl.map(|acl| self.held_by_list(acl));
        match by_list {
            None if owns => Held {
                privileges: all,
                grantable: all,
            },
            None => Held::default(),
            // An owner may always grant.
            Some(held) if owns => Held {
                grantable: all,
                ..held
            },
            Some(held) => held,
        }
    }

    fn held_by_list(&self, acl: &Acl) -> Held {
        let privileges = acl.held_by(&self.roles);
        Held {
            privileges,
            grantable: acl.grantable_by(&self.roles),
        }
    }
}

/// Whether everybody may read a system relation.
fn is_public(name: &str) -> bool {
    !SECRET.contains(&name) && !super::is_report(name)
}

/// System relations that only superusers may read.
const SECRET: [&str; 3] = ["pg_authid", "pg_shadow", "pg_statistic"];

/// The list of a system relation.
pub(super) fn system_acl(owner: Oid, public: bool) -> Acl {
    let mut acl = Acl::of_owner(owner, Privileges::of_table());
    if public {
        acl.grant(Oid::PUBLIC, owner, Privilege::Select.into(), false);
    }
    acl
}

/// The list of a system relation by its name.
pub(super) fn acl_of_system_table(owner: Oid, name: &str) -> Acl {
    system_acl(owner, is_public(name))
}

/// What `GRANT`-less functions have.
pub(super) fn function_acl(owner: Oid) -> Acl {
    let mut acl = Acl::of_owner(owner, Privileges::of_function());
    acl.grant(Oid::PUBLIC, owner, Privileges::of_function(), false);
    acl
}

/// What a type without a list has.
pub(super) fn type_acl(owner: Oid) -> Acl {
    let mut acl = Acl::of_owner(owner, Privilege::Usage.into());
    acl.grant(Oid::PUBLIC, owner, Privilege::Usage.into(), false);
    acl
}

/// What a `GRANT`-less database has.
pub(super) fn database_acl(owner: Oid) -> Acl {
    let mut acl = Acl::of_owner(owner, Privileges::of_database());
    let public = [Privilege::Temporary, Privilege::Connect]
        .into_iter()
        .collect();
    acl.grant(Oid::PUBLIC, owner, public, false);
    acl
}
