//! All objects of one database in memory, and the changes that turn one state into the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::acl::Acl;
use super::constraints::Known;
use super::mask::MaskingPolicy;
use super::quota::Plan;
use super::relation::{ForeignKey, Key, Relation};
use super::role::{Membership, Role};
use super::row_security::RowSecurity;
use super::schema::{DefaultAcl, DefaultAclKind, Schema};
use super::tenant::Tenant;
use super::user_type::{UserType, UserTypeBody};
use crate::enum_type::EnumType;
use crate::id::{DatabaseId, Oid, TenantId};

/// One database's objects at one moment.
///
/// A tenant's holds what the tenant made; what the system lends it is in the system's. Cloning
/// shares the objects, so a transaction can change its own copy.
#[derive(Debug, Clone)]
pub struct Database {
    pub id: DatabaseId,
    pub name: String,
    /// Grows with each committed change; what was derived from an older one is stale.
    pub version: u64,
    /// The next number to give to an object.
    pub next_oid: u32,
    pub roles: BTreeMap<Oid, Arc<Role>>,
    pub memberships: Vec<Membership>,
    pub schemas: BTreeMap<Oid, Arc<Schema>>,
    pub relations: HashMap<Oid, Arc<Relation>>,
    relation_names: HashMap<(Oid, String), Oid>,
    /// Tables with foreign keys, by the table that they refer to.
    referring: HashMap<Oid, BTreeSet<Oid>>,
    constraints: Known,
    pub default_acls: Vec<DefaultAcl>,
    /// EXECUTE on functions that no longer have PostgreSQL's default, by name.
    pub function_acls: BTreeMap<String, Acl>,
    /// Grants that a tenant made on common and shared objects: relation's number and column's (0 for
    /// the whole), as they stand beside the operator's own.
    pub borrowed_acls: BTreeMap<(Oid, i16), Acl>,
    /// Row security by table, of the database's own tables and of those that the system lends it.
    pub row_security: BTreeMap<Oid, Arc<RowSecurity>>,
    pub masking_policies: BTreeMap<Oid, Arc<MaskingPolicy>>,
    /// Enums and domains.
    pub types: BTreeMap<Oid, Arc<UserType>>,
    /// Whether a relation has an enum that the system lends.
    borrows_enums: bool,
    /// Plans, in the system's database alone.
    pub plans: BTreeMap<Oid, Arc<Plan>>,
    /// Tenants, in the system's database alone.
    pub tenants: BTreeMap<TenantId, Arc<Tenant>>,
    tenant_names: HashMap<String, TenantId>,
}

/// One object put in place of its former self, or taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Change {
    PutTenant(Tenant),
    PutPlan(Plan),
    DropPlan(Oid),
    DropTenant(TenantId),
    PutRole(Role),
    DropRole(Oid),
    PutMembership(Membership),
    DropMembership {
        role: Oid,
        member: Oid,
    },
    PutSchema(Schema),
    DropSchema(Oid),
    PutRelation(Relation),
    DropRelation(Oid),
    PutDefaultAcl(DefaultAcl),
    DropDefaultAcl {
        role: Oid,
        schema: Option<Oid>,
        kind: DefaultAclKind,
    },
    PutFunctionAcl {
        function: String,
        acl: Acl,
    },
    PutBorrowedAcl {
        relation: Oid,
        column: i16,
        acl: Acl,
    },
    /// One that holds nothing takes the former away.
    PutRowSecurity(RowSecurity),
    PutMaskingPolicy(MaskingPolicy),
    PutType(UserType),
    DropType(Oid),
    DropMaskingPolicy(Oid),
    /// The counter after numbers were drawn; it only ever grows.
    NextOid(u32),
}

impl Database {
    /// A database without any object.
    pub fn empty(id: DatabaseId, name: impl Into<String>) -> Self {
        let next_oid = match id {
            DatabaseId::System => Oid::FIRST_OF_SYSTEM,
            DatabaseId::Tenant(_) => Oid::FIRST_OF_TENANT,
        };
        Self {
            id,
            name: name.into(),
            version: 0,
            next_oid,
            roles: BTreeMap::new(),
            memberships: Vec::new(),
            schemas: BTreeMap::new(),
            relations: HashMap::new(),
            relation_names: HashMap::new(),
            referring: HashMap::new(),
            constraints: Known::default(),
            default_acls: Vec::new(),
            function_acls: BTreeMap::new(),
            borrowed_acls: BTreeMap::new(),
            row_security: BTreeMap::new(),
            masking_policies: BTreeMap::new(),
            types: BTreeMap::new(),
            borrows_enums: false,
            plans: BTreeMap::new(),
            tenants: BTreeMap::new(),
            tenant_names: HashMap::new(),
        }
    }

    /// The changes that give a new tenant its first objects: `tenant_admin` and `public`.
    pub fn birth_of_tenant() -> Vec<Change> {
        let admin = Role {
            create_role: true,
            ..Role::new(Oid::TENANT_ADMIN, "tenant_admin")
        };
        vec![
            Change::PutRole(admin),
            Change::PutSchema(public_schema(Oid::TENANT_ADMIN)),
        ]
    }

    /// The changes that give the system its first objects: `admin`, `public` and `internal`.
    pub fn birth_of_system(admin_password: Option<String>) -> Vec<Change> {
        let admin = Role {
            superuser: true,
            create_role: true,
            create_db: true,
            login: true,
            bypass_rls: true,
            password: admin_password,
            ..Role::new(Oid::OPERATOR, "admin")
        };
        let internal = Schema {
            oid: Oid::INTERNAL_SCHEMA,
            name: "internal".to_owned(),
            owner: Oid::OPERATOR,
            acl: None,
            comment: Some("tables of the operators alone".to_owned()),
        };
        vec![
            Change::PutRole(admin),
            Change::PutSchema(public_schema(Oid::OPERATOR)),
            Change::PutSchema(internal),
        ]
    }

    /// Applies a change to this copy.
    pub fn apply(&mut self, change: &Change) {
        self.constraints = Known::default();
        match change {
            Change::PutTenant(tenant) => {
                if let Some(former) = self.tenants.get(&tenant.id) {
                    self.tenant_names.remove(&former.name);
                }
                self.tenant_names.insert(tenant.name.clone(), tenant.id);
                self.tenants.insert(tenant.id, Arc::new(tenant.clone()));
            }
            Change::DropTenant(id) => {
                if let Some(former) = self.tenants.remove(id) {
                    self.tenant_names.remove(&former.name);
                }
            }
            Change::PutPlan(plan) => {
                self.plans.insert(plan.oid, Arc::new(plan.clone()));
            }
            Change::DropPlan(oid) => {
                self.plans.remove(oid);
            }
            Change::PutRole(role) => {
                self.roles.insert(role.oid, Arc::new(role.clone()));
            }
            Change::DropRole(oid) => {
                self.roles.remove(oid);
                self.memberships
                    .retain(|m| m.role != *oid && m.member != *oid);
            }
            Change::PutMembership(membership) => {
                let Membership { role, member, .. } = *membership;
                self.memberships
                    .retain(|m| (m.role, m.member) != (role, member));
                self.memberships.push(*membership);
            }
            Change::DropMembership { role, member } => {
                self.memberships
                    .retain(|m| (m.role, m.member) != (*role, *member));
            }
            Change::PutSchema(schema) => {
                self.schemas.insert(schema.oid, Arc::new(schema.clone()));
            }
            Change::DropSchema(oid) => {
                self.schemas.remove(oid);
            }
            Change::PutRelation(relation) => self.put_relation(relation),
            Change::DropRelation(oid) => {
                if let Some(former) = self.relations.remove(oid) {
                    self.relation_names
                        .remove(&(former.schema, former.name.clone()));
                    self.forget_references(&former);
                }
                self.borrowed_acls
                    .retain(|(relation, _), _| relation != oid);
                self.row_security.remove(oid);
            }
            Change::PutDefaultAcl(acl) => {
                let key = (acl.role, acl.schema, acl.kind);
                self.default_acls
                    .retain(|a| (a.role, a.schema, a.kind) != key);
                self.default_acls.push(acl.clone());
            }
            Change::DropDefaultAcl { role, schema, kind } => {
                let key = (*role, *schema, *kind);
                self.default_acls
                    .retain(|a| (a.role, a.schema, a.kind) != key);
            }
            Change::PutFunctionAcl { function, acl } => {
                self.function_acls.insert(function.clone(), acl.clone());
            }
            Change::PutBorrowedAcl {
                relation,
                column,
                acl,
            } => {
                if acl.0.is_empty() {
                    self.borrowed_acls.remove(&(*relation, *column));
                } else {
                    self.borrowed_acls.insert((*relation, *column), acl.clone());
                }
            }
            Change::PutMaskingPolicy(policy) => {
                self.masking_policies
                    .insert(policy.oid, Arc::new(policy.clone()));
            }
            Change::DropMaskingPolicy(oid) => {
                self.masking_policies.remove(oid);
            }
            Change::PutType(user_type) => self.put_type(user_type),
            Change::DropType(oid) => {
                self.types.remove(oid);
            }
            Change::PutRowSecurity(security) if security.is_none() => {
                self.row_security.remove(&security.relation);
            }
            Change::PutRowSecurity(security) => {
                self.row_security
                    .insert(security.relation, Arc::new(security.clone()));
            }
            Change::NextOid(next) => self.next_oid = self.next_oid.max(*next),
        }
    }

    fn put_relation(&mut self, relation: &Relation) {
        if let Some(former) = self.relations.get(&relation.oid).map(Arc::clone) {
            self.relation_names
                .remove(&(former.schema, former.name.clone()));
            self.forget_references(&former);
        }
        for (_, foreign) in relation
            .table()
            .iter()
            .flat_map(|table| table.foreign_keys())
        {
            let referring = self.referring.entry(foreign.relation).or_default();
            referring.insert(relation.oid);
        }
        self.relation_names
            .insert((relation.schema, relation.name.clone()), relation.oid);
        let is_tenants = self.id != DatabaseId::System;
        self.borrows_enums |= is_tenants && relation.enums().any(|oid| !oid.is_of_tenant());
        let renewed = relation.with_enums(&|oid| self.enum_of(oid));
        let relation = renewed.unwrap_or_else(|| relation.clone());
        self.relations.insert(relation.oid, Arc::new(relation));
    }

    /// Puts a type in its place, and its newest words into the columns that have it.
    fn put_type(&mut self, user_type: &UserType) {
        let is_tenants = self.id != DatabaseId::System;
        let base = user_type.domain().and_then(|d| d.base.enum_oid());
        self.borrows_enums |= is_tenants && base.is_some_and(|oid| !oid.is_of_tenant());
        self.types
            .insert(user_type.oid, Arc::new(user_type.clone()));
        let Some(newest) = self.enum_of(user_type.oid) else {
            return;
        };
        self.renew_enums(&|oid| (oid == newest.oid()).then(|| Arc::clone(&newest)));
    }

    fn enum_of(&self, oid: Oid) -> Option<Arc<EnumType>> {
        self.types.get(&oid)?.enum_type()
    }

    /// Gives columns and domains their enums as `newest` knows them.
    fn renew_enums(&mut self, newest: &dyn Fn(Oid) -> Option<Arc<EnumType>>) {
        for relation in self.relations.values_mut() {
            if let Some(renewed) = relation.with_enums(newest) {
                *relation = Arc::new(renewed);
            }
        }
        for user_type in self.types.values_mut() {
            let base = user_type.domain().and_then(|d| d.base.enum_oid());
            let Some(enumerated) = base.and_then(newest) else {
                continue;
            };
            let mut renewed = user_type.as_ref().clone();
            if let UserTypeBody::Domain(domain) = &mut renewed.body {
                domain.base = domain.base.with_enum(enumerated);
            }
            *user_type = Arc::new(renewed);
        }
    }

    /// A tenant's database with the newest words of the enums that the system lends; `None` when it
    /// uses none.
    pub fn with_lent_enums(&self, system: &Self) -> Option<Self> {
        if !self.borrows_enums {
            return None;
        }
        let mut renewed = self.clone();
        renewed.renew_enums(&|oid| system.enum_of(oid).filter(|_| !oid.is_of_tenant()));
        Some(renewed)
    }

    /// The type of this name in a schema.
    pub fn type_named(&self, schema: Oid, name: &str) -> Option<&Arc<UserType>> {
        let mut types = self.types.values();
        types.find(|t| t.schema == schema && t.name == name)
    }

    fn forget_references(&mut self, former: &Relation) {
        for (_, foreign) in former.table().iter().flat_map(|table| table.foreign_keys()) {
            if let Some(referring) = self.referring.get_mut(&foreign.relation) {
                referring.remove(&former.oid);
            }
        }
    }

    /// The foreign keys of this database's tables that refer to a table, its own or a lent one.
    pub fn references_to(
        &self,
        relation: Oid,
    ) -> impl Iterator<Item = (&Arc<Relation>, &Key, &ForeignKey)> {
        let referring = self.referring.get(&relation).into_iter().flatten();
        let referring = referring.filter_map(|oid| self.relations.get(oid));
        referring.flat_map(move |child| {
            let keys = child.table().into_iter().flat_map(|t| t.foreign_keys());
            keys.filter(move |(_, foreign)| foreign.relation == relation)
                .map(move |(key, foreign)| (child, key, foreign))
        })
    }

    /// The role of this name.
    pub fn role_named(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name == name)
    }

    /// The schema of this name.
    pub fn schema_named(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas.values().find(|schema| schema.name == name)
    }

    /// The relation of this name in a schema.
    pub fn relation_named(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        let oid = self.relation_names.get(&(schema, name.to_owned()))?;
        self.relations.get(oid)
    }

    /// The relation that has a key, a check or an index, by its number.
    pub fn relation_of_constraint(&self, constraint: Oid) -> Option<&Arc<Relation>> {
        self.constraints.relation(&self.relations, constraint)
    }

    /// The indexes of this name, in whichever schema, with their tables.
    pub fn indexes_named(&self, name: &str) -> impl Iterator<Item = (&Arc<Relation>, &Key)> {
        self.constraints.indexes(&self.relations, name)
    }

    /// The masking policy of this name.
    pub fn masking_policy_named(&self, name: &str) -> Option<&Arc<MaskingPolicy>> {
        self.masking_policies
            .values()
            .find(|policy| policy.name == name)
    }

    /// The plan of this name.
    pub fn plan_named(&self, name: &str) -> Option<&Arc<Plan>> {
        self.plans.values().find(|plan| plan.name == name)
    }

    /// The tenant of this name.
    pub fn tenant_named(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.tenants.get(self.tenant_names.get(name)?)
    }

    /// The role and all it is a member of, directly or not, whose rights it inherits.
    pub fn roles_of(&self, role: Oid) -> Vec<Oid> {
        let mut found = vec![role];
        let mut next = 0;
        while next < found.len() {
            let member = found[next];
            next += 1;
            if !self.roles.get(&member).is_some_and(|role| role.inherit) {
                continue;
            }
            for membership in self.memberships.iter().filter(|m| m.member == member) {
                if !found.contains(&membership.role) {
                    found.push(membership.role);
                }
            }
        }
        found
    }

    /// Whether `role` is `group` or a member of it, directly or not, inheriting or not.
    pub fn is_member(&self, role: Oid, group: Oid) -> bool {
        let mut found = vec![role];
        let mut next = 0;
        while next < found.len() {
            let member = found[next];
            next += 1;
            if member == group {
                return true;
            }
            for membership in self.memberships.iter().filter(|m| m.member == member) {
                if !found.contains(&membership.role) {
                    found.push(membership.role);
                }
            }
        }
        false
    }
}

/// `public` as PostgreSQL 15 makes it: everyone may use it, its owner may create in it.
fn public_schema(owner: Oid) -> Schema {
    use super::acl::{Privilege, Privileges};
    let mut acl = Acl::of_owner(owner, Privileges::of_schema());
    acl.grant(Oid::PUBLIC, owner, Privilege::Usage.into(), false);
    Schema {
        oid: Oid::PUBLIC_SCHEMA,
        name: "public".to_owned(),
        owner,
        acl: Some(acl),
        comment: Some("standard public schema".to_owned()),
    }
}
