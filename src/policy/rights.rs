//! What a role holds on an object, in both layers: the operator's grants and the tenant's own.

use std::sync::Arc;

use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{
    Acl, AclItem, Database, Privilege, Privileges, Reader, Relation, Schema, Scope as Reach, Tenant,
};

use crate::error::{Error, Result};
use crate::planner::source::Found;

/// Who asks, and the objects as the statement sees them.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The role whose rights count now.
    pub role: Oid,
    /// It and all it inherits from, in its own database.
    pub roles: Vec<Oid>,
    /// An operator with SUPERUSER: every right, in this database alone.
    pub superuser: bool,
    /// A role of the system's database, wherever it is connected.
    pub operator: bool,
    pub system: Arc<Database>,
    pub database: Arc<Database>,
}

/// The feature of COPY TO, beside those of functions.
pub const COPY_OUT: &str = "copy_out";

/// Something that a right is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Object<'a> {
    Relation(&'a Found),
    Schema(&'a Schema),
    /// A schema of the system's database, seen from a tenant.
    LentSchema(&'a Schema),
    /// The session's own database.
    Database,
    Function(&'a str),
}

/// Proof that a right was checked for one relation.
#[derive(Debug, Clone)]
pub struct Granted {
    found: Found,
    privilege: Privilege,
}

impl Granted {
    /// The relation that the right is on.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// The right.
    pub fn privilege(&self) -> Privilege {
        self.privilege
    }
}

/// All that can be granted on a relation of its kind.
pub fn whole(relation: &Relation) -> Privileges {
    match relation.sequence() {
        Some(_) => Privileges::of_sequence(),
        None => Privileges::of_table(),
    }
}

impl Caller {
    /// The caller with the rights of another role of the same database, as a view's owner.
    pub fn acting_as(&self, role: Oid) -> Self {
        let superuser = self.is_system()
            && self
                .database
                .roles
                .get(&role)
                .is_some_and(|role| role.superuser);
        Self {
            role,
            roles: self.database.roles_of(role),
            superuser,
            operator: self.is_system(),
            system: Arc::clone(&self.system),
            database: Arc::clone(&self.database),
        }
    }

    /// The caller as one who reads tables.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            system: &self.system,
            database: &self.database,
            role: self.role,
            roles: &self.roles,
            superuser: self.superuser,
        }
    }

    /// Whether this is a session of the system's database.
    pub fn is_system(&self) -> bool {
        self.database.id == DatabaseId::System
    }

    /// Whether the caller is, or is a member of, the owner of a relation.
    pub fn owns(&self, found: &Found) -> bool {
        found.home == self.database.id && self.has_role(found.relation.owner)
    }

    /// Whether the caller is, or inherits from, a role of this database.
    pub fn has_role(&self, role: Oid) -> bool {
        self.superuser || self.roles.contains(&role)
    }

    /// All that the caller holds on a whole relation.
    pub fn on_relation(&self, found: &Found) -> Privileges {
        let relation = found.relation.as_ref();
        if self.superuser {
            return match self.lends(found) {
                Some(Reach::Shared) => Privilege::Select.into(),
                _ => whole(relation),
            };
        }
        if found.home == self.database.id {
            return on_own(
                relation.acl.as_ref(),
                relation.owner,
                &self.roles,
                whole(relation),
            );
        }
        // A table that the operator lends: the operator's grants and those made here.
        let lent = relation
            .acl
            .as_ref()
            .map_or(Privileges::NONE, |acl| acl.held_by(&self.lent_roles()));
        lent.union(self.borrowed(relation, None, 0).held_by(&self.roles))
    }

    /// All that the caller holds on one column alone.
    pub fn on_column(&self, found: &Found, column: i16) -> Privileges {
        let relation = found.relation.as_ref();
        let acl = match (relation.table(), relation.view()) {
            (Some(table), _) => table
                .columns
                .iter()
                .find(|c| c.number == column)
                .and_then(|c| c.acl.as_ref()),
            (_, Some(view)) => usize::try_from(column - 1)
                .ok()
                .and_then(|index| view.columns.get(index))
                .and_then(|column| column.acl.as_ref()),
            _ => None,
        };
        if found.home == self.database.id {
            return acl.map_or(Privileges::NONE, |acl| acl.held_by(&self.roles));
        }
        let lent = acl.map_or(Privileges::NONE, |acl| acl.held_by(&self.lent_roles()));
        lent.union(self.borrowed(relation, acl, column).held_by(&self.roles))
    }

    /// What was granted in this tenant on a lent relation, or on one of its columns, as far as the
    /// operator still lets the tenant's roles pass it on: a REVOKE takes with it what hung on it.
    fn borrowed(&self, relation: &Relation, column_acl: Option<&Acl>, column: i16) -> Acl {
        let of_operator =
            |item: &AclItem| !item.grantor.is_of_tenant() && item.grantor != Oid::TENANT_ADMIN;
        let admin = |acl: Option<&Acl>| {
            acl.map_or(Privileges::NONE, |acl| {
                acl.grantable_by(&[Oid::TENANT_ADMIN])
            })
        };
        let list = |column: i16| {
            let acl = self.database.borrowed_acls.get(&(relation.oid, column));
            acl.map_or(&[][..], |acl| acl.0.as_slice())
        };
        let of_whole = if column == 0 { &[][..] } else { list(0) };
        let limit = list(column)
            .iter()
            .chain(of_whole)
            .filter(|item| of_operator(item))
            .fold(
                admin(relation.acl.as_ref()).union(admin(column_acl)),
                |limit, item| limit.union(item.grantable),
            );
        let items = list(column).iter().map(|item| {
            if of_operator(item) {
                return *item;
            }
            AclItem {
                privileges: item.privileges.intersection(limit),
                grantable: item.grantable.intersection(limit),
                ..*item
            }
        });
        Acl(items.collect())
    }

    /// What the caller may grant to others on a relation.
    pub fn grantable(&self, found: &Found) -> Privileges {
        let relation = found.relation.as_ref();
        if self.owns(found) {
            return whole(relation);
        }
        if found.home == self.database.id {
            return relation
                .acl
                .as_ref()
                .map_or(Privileges::NONE, |acl| acl.grantable_by(&self.roles));
        }
        let lent = relation
            .acl
            .as_ref()
            .map_or(Privileges::NONE, |acl| acl.grantable_by(&self.lent_roles()));
        lent.union(self.borrowed(relation, None, 0).grantable_by(&self.roles))
    }

    /// Whether a relation is lent by the operator, and how.
    pub fn lends(&self, found: &Found) -> Option<Reach> {
        if found.home == self.database.id {
            return None;
        }
        found.relation.table().map(|table| table.scope)
    }

    /// The roles by which the operator's grants name this caller: `tenant_admin` if it is one.
    fn lent_roles(&self) -> Vec<Oid> {
        self.roles
            .iter()
            .copied()
            .filter(|role| *role == Oid::TENANT_ADMIN)
            .collect()
    }

    /// All that the caller holds on a schema of its own database.
    pub fn on_schema(&self, schema: &Schema) -> Privileges {
        if self.superuser {
            return Privileges::of_schema();
        }
        on_own(
            schema.acl.as_ref(),
            schema.owner,
            &self.roles,
            Privileges::of_schema(),
        )
    }

    /// All that the caller holds on its own database.
    pub fn on_database(&self) -> Privileges {
        if self.superuser {
            return Privileges::of_database();
        }
        let tenant = self.tenant();
        let owner = if self.is_system() {
            Oid::OPERATOR
        } else {
            Oid::TENANT_ADMIN
        };
        match tenant.and_then(|tenant| tenant.acl.clone()) {
            Some(acl) => on_own(Some(&acl), owner, &self.roles, Privileges::of_database()),
            None => {
                let public = [Privilege::Temporary, Privilege::Connect]
                    .into_iter()
                    .collect();
                on_own(None, owner, &self.roles, Privileges::of_database()).union(public)
            }
        }
    }

    fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.system.tenants.get(&self.database.id.tenant()?)
    }

    /// Checks that the tenant's plan has a feature; operators need no plan.
    ///
    /// # Errors
    /// 42501 with the plan's name.
    pub fn check_feature(&self, feature: &str, what: &str) -> Result<()> {
        let plan = self.tenant().and_then(|tenant| tenant.plan);
        let plan = plan.and_then(|plan| self.system.plans.get(&plan));
        match plan {
            Some(plan) if plan.without.contains(feature) && !self.operator => {
                Err(Error::NotInPlan {
                    what: what.to_owned(),
                    plan: plan.name.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether the caller may call a function.
    pub fn may_call(&self, function: &str) -> bool {
        if self.superuser {
            return true;
        }
        let held = |database: &Database, roles: &[Oid]| {
            database
                .function_acls
                .get(function)
                .is_none_or(|acl| acl.held_by(roles).contains(Privilege::Execute))
        };
        // The operator's revocation binds every tenant; the tenant's own comes on top.
        let by_operator = self.is_system() || held(&self.system, &self.lent_roles());
        by_operator && held(&self.database, &self.roles)
    }
}

/// What a list gives, or PostgreSQL's default without one: everything for the owner.
fn on_own(acl: Option<&Acl>, owner: Oid, roles: &[Oid], all: Privileges) -> Privileges {
    match acl {
        Some(acl) => acl.held_by(roles),
        None if roles.contains(&owner) => all,
        None => Privileges::NONE,
    }
}

/// Checks one right.
///
/// # Errors
/// 42501 in PostgreSQL's words.
pub fn check(caller: &Caller, privilege: Privilege, object: Object<'_>) -> Result<()> {
    if let Object::Function(name) = object
        && let Some(feature) = tessera_udfs::feature_of(name)
    {
        caller.check_feature(feature, &format!("function {name}"))?;
    }
    let held = match object {
        Object::Relation(found) => {
            check_usage(caller, found)?;
            caller.on_relation(found)
        }
        Object::Schema(schema) => caller.on_schema(schema),
        Object::LentSchema(_) => Privilege::Usage.into(),
        Object::Database => caller.on_database(),
        Object::Function(name) if caller.may_call(name) => Privilege::Execute.into(),
        Object::Function(_) => Privileges::NONE,
    };
    if held.contains(privilege) {
        return Ok(());
    }
    let (kind, name) = match object {
        Object::Relation(found) => (kind_of(&found.relation), found.relation.name.clone()),
        Object::Schema(schema) | Object::LentSchema(schema) => ("schema", schema.name.clone()),
        Object::Database => ("database", caller.database.name.clone()),
        Object::Function(name) => ("function", name.to_owned()),
    };
    Err(Error::PermissionDenied { kind, name })
}

/// Checks a right on a relation, or else on each of the named columns.
///
/// # Errors
/// 42501 in PostgreSQL's words.
pub fn check_columns(
    caller: &Caller,
    privilege: Privilege,
    found: &Found,
    columns: &[i16],
) -> Result<Granted> {
    check_usage(caller, found)?;
    let granted = || Granted {
        found: found.clone(),
        privilege,
    };
    if caller.on_relation(found).contains(privilege) {
        return Ok(granted());
    }
    let mut held = columns
        .iter()
        .map(|column| caller.on_column(found, *column).contains(privilege));
    // Without a column, as in `count(*)`, any one column's right is enough.
    let enough = if columns.is_empty() && privilege == Privilege::Select {
        all_columns(&found.relation).any(|c| caller.on_column(found, c).contains(privilege))
    } else {
        !columns.is_empty() && held.all(|held| held)
    };
    if enough {
        return Ok(granted());
    }
    Err(Error::PermissionDenied {
        kind: kind_of(&found.relation),
        name: found.relation.name.clone(),
    })
}

/// USAGE on the relation's schema; what the operator lends lies in schemas that all may use.
fn check_usage(caller: &Caller, found: &Found) -> Result<()> {
    if caller.superuser || found.home != caller.database.id {
        return Ok(());
    }
    match caller.database.schemas.get(&found.relation.schema) {
        Some(schema) => check(caller, Privilege::Usage, Object::Schema(schema)),
        None => Ok(()),
    }
}

fn all_columns(relation: &Relation) -> impl Iterator<Item = i16> {
    let of_table = relation
        .table()
        .into_iter()
        .flat_map(|t| t.live_columns().map(|c| c.number));
    let of_view = relation
        .view()
        .into_iter()
        .flat_map(|view| (1_i16..).take(view.columns.len()));
    of_table.chain(of_view)
}

fn kind_of(relation: &Relation) -> &'static str {
    if relation.view().is_some() {
        "view"
    } else {
        "table"
    }
}
