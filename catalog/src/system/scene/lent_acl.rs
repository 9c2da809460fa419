//! Lists of privileges as they stand, of what the database has and of what the system lends it, without
//! asking whose they are.

use std::borrow::Cow;

use super::Scene;
use crate::id::Oid;
use crate::model::{Acl, AclItem, Privileges, Relation};

impl Scene {
    /// A relation's list as the session sees it; `None` stands for the owner's default.
    pub fn acl_of<'a>(&'a self, relation: &'a Relation) -> Option<Cow<'a, Acl>> {
        if !self.is_lent(relation) {
            return relation.acl.as_ref().map(Cow::Borrowed);
        }
        let start = match &relation.acl {
            Some(acl) => lent_acl(acl, relation.owner),
            None => Acl::of_owner(Oid::OPERATOR, Privileges::of_table()),
        };
        Some(Cow::Owned(self.with_borrowed(start, relation.oid, 0)))
    }

    /// A column's list as the session sees it.
    pub fn column_acl<'a>(
        &'a self,
        relation: &'a Relation,
        number: i16,
        acl: Option<&'a Acl>,
    ) -> Option<Cow<'a, Acl>> {
        if !self.is_lent(relation) {
            return acl.map(Cow::Borrowed);
        }
        let start = acl
            .map(|acl| lent_acl(acl, relation.owner))
            .unwrap_or_default();
        let all = self.with_borrowed(start, relation.oid, number);
        (!all.0.is_empty()).then_some(Cow::Owned(all))
    }

    /// Adds what was granted in the tenant, as far as its grantors may still grant it: what the
    /// operator gave `tenant_admin` or one of the tenant's roles to pass on.
    fn with_borrowed(&self, mut acl: Acl, relation: Oid, column: i16) -> Acl {
        let admin = |acl: &Acl| acl.grantable_by(&[Oid::TENANT_ADMIN]);
        let of_operator =
            |item: &AclItem| !item.grantor.is_of_tenant() && item.grantor != Oid::TENANT_ADMIN;
        let borrowed = |column: i16| self.database.borrowed_acls.get(&(relation, column));
        let whole = self.relation(relation).and_then(|found| found.acl.as_ref());
        let passed_on = [borrowed(0), borrowed(column)]
            .into_iter()
            .flatten()
            .flat_map(|acl| &acl.0);
        let limit = passed_on.filter(|item| of_operator(item)).fold(
            admin(&acl).union(whole.map(admin).unwrap_or_default()),
            |all, item| all.union(item.grantable),
        );
        for item in borrowed(column).into_iter().flat_map(|acl| &acl.0) {
            let by_operator = of_operator(item);
            let limit = if by_operator { item.privileges } else { limit };
            let privileges = item.privileges.intersection(limit);
            if !privileges.is_empty() {
                let grantor = if by_operator {
                    Oid::OPERATOR
                } else {
                    item.grantor
                };
                let grantable = item.grantable.intersection(limit);
                acl.0.push(AclItem {
                    grantee: item.grantee,
                    grantor,
                    privileges,
                    grantable,
                });
            }
        }
        acl
    }
}

/// A list of the system's as tenants see it: operators are one role, their own grants to each other
/// and grants to roles of single tenants are left out.
fn lent_acl(acl: &Acl, owner: Oid) -> Acl {
    let mut lent = Acl::default();
    for item in &acl.0 {
        let grantee = if item.grantee == owner {
            Oid::OPERATOR
        } else {
            item.grantee
        };
        if grantee == Oid::OPERATOR || reaches_tenants(grantee) {
            let grantor = if item.grantor == Oid::TENANT_ADMIN {
                item.grantor
            } else {
                Oid::OPERATOR
            };
            lent.grant(
                grantee,
                grantor,
                item.privileges.difference(item.grantable),
                false,
            );
            lent.grant(grantee, grantor, item.grantable, true);
        }
    }
    lent.0.retain(|item| !item.privileges.is_empty());
    lent
}

pub(super) fn reaches_tenants(grantee: Oid) -> bool {
    grantee == Oid::PUBLIC || grantee == Oid::TENANT_ADMIN
}
