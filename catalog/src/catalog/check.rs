//! Whether a transaction's object changes still fit the newest state. No I/O.
//!
//! An object that the transaction changes must be as it saw it, what it refers to must still be
//! there, and a new name must be free, also across the border between the system and its tenants.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid};
use crate::model::{
    Change, Database, Key, MaskingPolicy, Plan, Relation, Role, RowSecurity, Schema, Scope, Table,
    UserType,
};

/// Names that the system takes and tenants must not use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TakenBySystem {
    /// Schema and name of common and shared tables.
    pub(super) relations: Vec<(String, String)>,
    pub(super) roles: Vec<String>,
}

/// Applies a transaction's changes of one database to the newest state.
///
/// `base` is what the transaction saw, `current` the newest state; `next` is `current` or what the
/// same transaction already made of it, and `system` the newest state of the system's database.
///
/// # Errors
///
/// [`Error::Conflict`] and [`Error::NameTaken`].
pub(super) fn apply(
    base: &Database,
    current: &Database,
    system: &Database,
    next: &mut Database,
    changes: &[Change],
) -> Result<()> {
    for change in changes {
        if !is_unchanged(base, current, change) {
            return Err(Error::Conflict);
        }
        check_name(next, change)?;
        if next.id != DatabaseId::System {
            check_name_in_system(system, next, change)?;
        }
        next.apply(change);
    }
    for change in changes {
        check_references(base, next, system, change)?;
    }
    Ok(())
}

/// The names that these changes of the system's database take.
pub(super) fn taken_by_system(
    former: &Database,
    next: &Database,
    changes: &[Change],
) -> TakenBySystem {
    let mut taken = TakenBySystem::default();
    for change in changes {
        match change {
            Change::PutRole(role) if former.role_named(&role.name).is_none() => {
                taken.roles.push(role.name.clone());
            }
            Change::PutRelation(relation) => taken.relations.extend(lent_name(next, relation)),
            Change::PutSchema(schema) => {
                let inside = next.relations.values().filter(|r| r.schema == schema.oid);
                taken
                    .relations
                    .extend(inside.filter_map(|relation| lent_name(next, relation)));
            }
            _ => {}
        }
    }
    taken.relations.sort();
    taken.relations.dedup();
    taken
        .relations
        .retain(|(schema, name)| lent_relation(former, schema, name).is_none());
    taken
}

/// Whether the relation still is the table as rows were written for it.
pub(super) fn is_same_table(newest: &Relation, written: &Relation) -> bool {
    let (Some(newest), Some(written)) = (newest.table(), written.table()) else {
        return false;
    };
    let shape = |table: &Table| (table.uuid, table.schema_version, table.scope);
    if shape(newest) != shape(written) {
        return false;
    }
    // Rows were checked against the constraints of their time.
    let not_null = |table: &Table| table.columns.iter().map(|c| c.nullable).collect::<Vec<_>>();
    let held = |table: &Table| {
        let keys = table.keys.iter().filter(|key| !holds_nothing(key));
        keys.cloned().collect::<Vec<_>>()
    };
    newest.checks == written.checks
        && (newest.keys == written.keys || held(newest) == held(written))
        && not_null(newest) == not_null(written)
}

/// Whether the key is an index that says nothing of rows.
fn holds_nothing(key: &Key) -> bool {
    key.index().is_some_and(|index| !index.unique)
}

fn is_unchanged(base: &Database, current: &Database, change: &Change) -> bool {
    match change {
        Change::PutTenant(tenant) => same(
            base.tenants.get(&tenant.id),
            current.tenants.get(&tenant.id),
        ),
        Change::DropTenant(id) => same(base.tenants.get(id), current.tenants.get(id)),
        Change::PutPlan(Plan { oid, .. }) | Change::DropPlan(oid) => {
            same(base.plans.get(oid), current.plans.get(oid))
        }
        Change::PutRole(Role { oid, .. }) | Change::DropRole(oid) => {
            same(base.roles.get(oid), current.roles.get(oid))
        }
        Change::PutMembership(membership) => {
            is_same_membership(base, current, membership.role, membership.member)
        }
        Change::DropMembership { role, member } => {
            is_same_membership(base, current, *role, *member)
        }
        Change::PutSchema(Schema { oid, .. }) | Change::DropSchema(oid) => {
            same(base.schemas.get(oid), current.schemas.get(oid))
        }
        Change::PutRelation(Relation { oid, .. }) | Change::DropRelation(oid) => {
            same(base.relations.get(oid), current.relations.get(oid))
        }
        Change::PutDefaultAcl(acl) => {
            let key = (acl.role, acl.schema, acl.kind);
            is_same_default_acl(base, current, key)
        }
        Change::DropDefaultAcl { role, schema, kind } => {
            is_same_default_acl(base, current, (*role, *schema, *kind))
        }
        Change::PutFunctionAcl { function, .. } => {
            base.function_acls.get(function) == current.function_acls.get(function)
        }
        Change::PutBorrowedAcl {
            relation, column, ..
        } => {
            let key = (*relation, *column);
            base.borrowed_acls.get(&key) == current.borrowed_acls.get(&key)
        }
        Change::PutMaskingPolicy(MaskingPolicy { oid, .. }) | Change::DropMaskingPolicy(oid) => {
            same(
                base.masking_policies.get(oid),
                current.masking_policies.get(oid),
            )
        }
        Change::PutType(UserType { oid, .. }) | Change::DropType(oid) => {
            same(base.types.get(oid), current.types.get(oid))
        }
        Change::PutRowSecurity(security) => same(
            base.row_security.get(&security.relation),
            current.row_security.get(&security.relation),
        ),
        // Only ever grows, whoever comes first.
        Change::NextOid(_) => true,
    }
}

fn same<T: PartialEq>(base: Option<&Arc<T>>, current: Option<&Arc<T>>) -> bool {
    match (base, current) {
        (None, None) => true,
        (Some(base), Some(current)) => Arc::ptr_eq(base, current) || base == current,
        _ => false,
    }
}

fn is_same_membership(base: &Database, current: &Database, role: Oid, member: Oid) -> bool {
    let find = |database: &Database| {
        database
            .memberships
            .iter()
            .find(|m| (m.role, m.member) == (role, member))
            .copied()
    };
    find(base) == find(current)
}

type DefaultAclKey = (Oid, Option<Oid>, crate::model::DefaultAclKind);

fn is_same_default_acl(base: &Database, current: &Database, key: DefaultAclKey) -> bool {
    fn find(database: &Database, key: DefaultAclKey) -> Option<&crate::model::DefaultAcl> {
        database
            .default_acls
            .iter()
            .find(|acl| (acl.role, acl.schema, acl.kind) == key)
    }
    find(base, key) == find(current, key)
}

/// Whether the name that a change gives is free in its own database.
fn check_name(database: &Database, change: &Change) -> Result<()> {
    let (kind, name, is_taken) = match change {
        Change::PutTenant(tenant) => {
            let holder = database.tenant_named(&tenant.name);
            (
                "tenant",
                &tenant.name,
                holder.is_some_and(|holder| holder.id != tenant.id),
            )
        }
        Change::PutPlan(plan) => {
            let holder = database.plan_named(&plan.name);
            (
                "plan",
                &plan.name,
                holder.is_some_and(|holder| holder.oid != plan.oid),
            )
        }
        Change::PutRole(role) => {
            let holder = database.role_named(&role.name);
            (
                "role",
                &role.name,
                holder.is_some_and(|holder| holder.oid != role.oid),
            )
        }
        Change::PutMaskingPolicy(policy) => {
            let holder = database.masking_policy_named(&policy.name);
            (
                "masking policy",
                &policy.name,
                holder.is_some_and(|holder| holder.oid != policy.oid),
            )
        }
        Change::PutType(user_type) => {
            let holder = database.type_named(user_type.schema, &user_type.name);
            (
                "type",
                &user_type.name,
                holder.is_some_and(|holder| holder.oid != user_type.oid),
            )
        }
        Change::PutSchema(schema) => {
            let holder = database.schema_named(&schema.name);
            (
                "schema",
                &schema.name,
                holder.is_some_and(|holder| holder.oid != schema.oid),
            )
        }
        Change::PutRelation(relation) => {
            let holder = database.relation_named(relation.schema, &relation.name);
            (
                "relation",
                &relation.name,
                holder.is_some_and(|holder| holder.oid != relation.oid),
            )
        }
        _ => return Ok(()),
    };
    if is_taken {
        Err(Error::NameTaken {
            kind,
            name: name.clone(),
        })
    } else {
        Ok(())
    }
}

/// Whether the name that a tenant's change gives is free among what the system lends it.
fn check_name_in_system(system: &Database, tenant: &Database, change: &Change) -> Result<()> {
    match change {
        Change::PutRole(role) if system.role_named(&role.name).is_some() => Err(Error::NameTaken {
            kind: "role",
            name: role.name.clone(),
        }),
        Change::PutRelation(relation) => {
            let schema = schema_name(tenant, system, relation.schema);
            match schema.and_then(|schema| lent_relation(system, schema, &relation.name)) {
                Some(_) => Err(Error::NameTaken {
                    kind: "relation",
                    name: relation.name.clone(),
                }),
                None => Ok(()),
            }
        }
        Change::PutSchema(schema) => check_schema_in_system(system, tenant, schema),
        _ => Ok(()),
    }
}

fn check_schema_in_system(system: &Database, tenant: &Database, schema: &Schema) -> Result<()> {
    let former = tenant.schemas.get(&schema.oid);
    if schema.oid == Oid::PUBLIC_SCHEMA || former.is_some_and(|f| f.name == schema.name) {
        return Ok(());
    }
    // A schema that holds lent tables exists in every tenant.
    let Some(lent) = system.schema_named(&schema.name) else {
        return Ok(());
    };
    let holds_lent = system
        .relations
        .values()
        .any(|r| r.schema == lent.oid && is_lent(r));
    let holds_types = system.types.values().any(|t| t.schema == lent.oid);
    if holds_lent || holds_types && lent.oid != Oid::INTERNAL_SCHEMA {
        return Err(Error::NameTaken {
            kind: "schema",
            name: schema.name.clone(),
        });
    }
    Ok(())
}

fn schema_name<'a>(tenant: &'a Database, system: &'a Database, schema: Oid) -> Option<&'a str> {
    let schema = tenant
        .schemas
        .get(&schema)
        .or_else(|| system.schemas.get(&schema))?;
    Some(&schema.name)
}

/// The common or shared table of this name.
fn lent_relation<'a>(system: &'a Database, schema: &str, name: &str) -> Option<&'a Arc<Relation>> {
    let schema = system.schema_named(schema)?;
    system
        .relation_named(schema.oid, name)
        .filter(|relation| is_lent(relation))
}

fn lent_name(system: &Database, relation: &Relation) -> Option<(String, String)> {
    let schema = system
        .schemas
        .get(&relation.schema)
        .filter(|_| is_lent(relation))?;
    Some((schema.name.clone(), relation.name.clone()))
}

fn is_lent(relation: &Relation) -> bool {
    match relation.table().map(|table| table.scope) {
        Some(Scope::Common | Scope::Shared) => true,
        Some(Scope::Own) | None => false,
    }
}

/// Whether what the changed objects refer to is still there, and nothing refers to what is gone.
fn check_references(
    base: &Database,
    next: &Database,
    system: &Database,
    change: &Change,
) -> Result<()> {
    let lost_role = |oid: &Oid| base.roles.contains_key(oid) && !next.roles.contains_key(oid);
    let type_exists = |oid: &Oid| match next.types.get(oid).or_else(|| system.types.get(oid)) {
        Some(_) => true,
        // It was never there for who made the change, as in a copy of another database.
        None => !base.types.contains_key(oid) && oid.is_of_tenant(),
    };
    let fits = match change {
        Change::PutRelation(relation) => {
            // The same transaction may have dropped it again.
            !next.relations.contains_key(&relation.oid)
                || (next.schemas.contains_key(&relation.schema)
                    || system.schemas.contains_key(&relation.schema))
                    && !lost_role(&relation.owner)
                    && reads_what_exists(base, next, system, relation)
                    && next
                        .relations
                        .get(&relation.oid)
                        .is_none_or(|newest| newest.user_types().iter().all(type_exists))
        }
        Change::PutSchema(schema) => {
            !next.schemas.contains_key(&schema.oid) || !lost_role(&schema.owner)
        }
        Change::PutMembership(membership) => {
            !lost_role(&membership.role) && !lost_role(&membership.member)
        }
        Change::DropSchema(oid) => {
            !next.relations.values().any(|r| r.schema == *oid)
                && !next.types.values().any(|t| t.schema == *oid)
        }
        Change::DropRole(oid) => {
            !next
                .relations
                .values()
                .any(|relation| relation.owner == *oid)
                && !next.schemas.values().any(|schema| schema.owner == *oid)
                && !next.row_security.values().any(|s| is_for(s, *oid))
                && !next.masking_policies.values().any(|p| p.owner == *oid)
                && !next.types.values().any(|t| t.owner == *oid)
        }
        Change::DropRelation(oid) => {
            next.relations.contains_key(oid)
                || !next
                    .relations
                    .values()
                    .any(|relation| reads(relation, *oid))
                    && !next.row_security.values().any(|s| narrows_by(s, *oid))
        }
        Change::PutBorrowedAcl { relation, acl, .. } => {
            acl.0.is_empty()
                || system.relations.contains_key(relation)
                || system.schemas.contains_key(relation)
        }
        Change::PutRowSecurity(security) => {
            let exists =
                |oid: &Oid| next.relations.contains_key(oid) || system.relations.contains_key(oid);
            let latest = next.row_security.get(&security.relation);
            latest.is_none_or(|security| {
                exists(&security.relation)
                    && security
                        .masks
                        .iter()
                        .all(|on| next.masking_policies.contains_key(&on.policy))
                    && security
                        .conditions()
                        .flat_map(|(_, condition)| &condition.references)
                        .all(|reference| exists(&reference.relation))
                    && !security
                        .policies
                        .iter()
                        .flat_map(|policy| &policy.roles)
                        .any(|role| role.tenant.is_none() && lost_role(&role.role))
            })
        }
        Change::PutMaskingPolicy(policy) => {
            let named = policy.roles.iter().chain(&policy.except);
            let mut own = named.filter(|of| of.tenant.is_none());
            !next.masking_policies.contains_key(&policy.oid)
                || !lost_role(&policy.owner) && !own.any(|of| lost_role(&of.role))
        }
        Change::DropMaskingPolicy(oid) => {
            let mut secured = next.row_security.values();
            next.masking_policies.contains_key(oid)
                || !secured.any(|s| s.masks.iter().any(|on| on.policy == *oid))
        }
        Change::PutType(user_type) => {
            let newest = next.types.get(&user_type.oid);
            newest.is_none_or(|newest| {
                !lost_role(&newest.owner) && newest.needs().all(|oid| type_exists(&oid))
            })
        }
        Change::DropType(oid) => {
            let mut relations = next.relations.values();
            next.types.contains_key(oid)
                || !relations.any(|relation| relation.user_types().contains(oid))
                    && !next.types.values().any(|t| t.needs().any(|n| n == *oid))
        }
        Change::PutTenant(tenant) => tenant
            .plan
            .is_none_or(|plan| next.plans.contains_key(&plan)),
        Change::DropPlan(oid) => {
            next.plans.contains_key(oid) || !next.tenants.values().any(|t| t.plan == Some(*oid))
        }
        Change::PutPlan(_)
        | Change::DropTenant(_)
        | Change::PutRole(_)
        | Change::DropMembership { .. }
        | Change::PutDefaultAcl(_)
        | Change::DropDefaultAcl { .. }
        | Change::PutFunctionAcl { .. }
        | Change::NextOid(_) => true,
    };
    if fits { Ok(()) } else { Err(Error::Conflict) }
}

/// Whether a relation cannot be without another.
fn reads(relation: &Relation, oid: Oid) -> bool {
    relation.oid != oid && needs(relation).any(|needed| needed == oid)
}

/// The relations that a view reads, or that a table refers to.
fn needs(relation: &Relation) -> impl Iterator<Item = Oid> {
    let read = relation.references().iter().map(|r| r.relation);
    let table = relation.table().into_iter();
    let referred = table.flat_map(|table| table.foreign_keys().map(|(_, f)| f.relation));
    read.chain(referred)
}

/// Whether a policy names a role of the same database.
fn is_for(security: &RowSecurity, role: Oid) -> bool {
    security
        .policies
        .iter()
        .flat_map(|policy| &policy.roles)
        .any(|of| of.tenant.is_none() && of.role == role)
}

/// Whether a policy looks at a relation.
fn narrows_by(security: &RowSecurity, relation: Oid) -> bool {
    security
        .conditions()
        .flat_map(|(_, condition)| &condition.references)
        .any(|reference| reference.relation == relation)
}

fn reads_what_exists(
    base: &Database,
    next: &Database,
    system: &Database,
    relation: &Relation,
) -> bool {
    // The transaction may have taken away again what it put there first.
    let newest = next.relations.get(&relation.oid);
    newest
        .into_iter()
        .flat_map(|newest| needs(newest))
        .all(|oid| {
            let is_of_system = (Oid::FIRST_OF_SYSTEM..Oid::FIRST_OF_TENANT).contains(&oid.0);
            if next.id != DatabaseId::System && is_of_system {
                return system.relations.contains_key(&oid);
            }
            next.relations.contains_key(&oid) || !base.relations.contains_key(&oid)
        })
}
