//! Who uses a type: columns, views, other types; and who may.

use std::sync::Arc;

use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{Acl, Database, Privilege, Relation, Table, UserType};

use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::policy::Caller;
use crate::session::Session;

/// Checks that the caller may give columns the types that they have.
///
/// # Errors
/// 42501 for a type without USAGE.
pub(in crate::session::command) fn check_columns(
    caller: &Caller,
    scope: &Scope,
    table: &Table,
) -> Result<()> {
    let types = scope.user_types();
    for column in table.live_columns() {
        let number = column.domain.or_else(|| column.sql_type.enum_oid());
        if let Some(found) = number.and_then(|number| types.by_oid(number)) {
            check(caller, found)?;
        }
    }
    Ok(())
}

/// Checks that the caller may use a type.
///
/// # Errors
/// 42501 without USAGE on it.
pub(super) fn check(caller: &Caller, user_type: &UserType) -> Result<()> {
    let own = caller.database.types.contains_key(&user_type.oid);
    let owns = caller.superuser || own && caller.has_role(user_type.owner);
    let held = user_type.acl.as_ref().is_none_or(|acl: &Acl| {
        let lent = [Oid::TENANT_ADMIN];
        let roles: &[Oid] = match own {
            true => &caller.roles,
            // The operator's grants name a tenant's roles as one.
            false if caller.roles.contains(&Oid::TENANT_ADMIN) => &lent,
            false => &[],
        };
        acl.held_by(roles).contains(Privilege::Usage)
    });
    if owns || held {
        return Ok(());
    }
    Err(Error::PermissionDenied {
        kind: "type",
        name: user_type.name.clone(),
    })
}

/// A domain and all domains that stand on it.
pub(super) fn with_descendants(database: &Database, domain: Oid) -> Vec<Oid> {
    let mut found = vec![domain];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        next += 1;
        let types = database.types.values();
        let children = types.filter(|t| t.domain().is_some_and(|d| d.parent == Some(parent)));
        let children: Vec<Oid> = children.map(|child| child.oid).collect();
        found.extend(children);
    }
    found
}

/// Tables of the session's own database with columns of a domain or of one that stands on it.
pub(super) fn columns_of_domain(database: &Database, domain: Oid) -> Vec<(Arc<Relation>, String)> {
    let domains = with_descendants(database, domain);
    let mut found = Vec::new();
    for relation in database.relations.values() {
        let columns = relation.table().into_iter().flat_map(|t| t.live_columns());
        let of = columns.filter(|c| c.domain.is_some_and(|own| domains.contains(&own)));
        found.extend(of.map(|column| (Arc::clone(relation), column.name.clone())));
    }
    found.sort_by_key(|(relation, _)| relation.oid);
    found
}

/// How many objects of tenants use one of the system's types.
pub(super) async fn of_tenants(session: &Session, user_type: Oid) -> Result<usize> {
    if user_type.is_of_tenant() {
        return Ok(0);
    }
    let dependants = session.engine.catalog.dependants_of(user_type).await?;
    let of_tenants = dependants
        .iter()
        .filter(|(db, _)| *db != DatabaseId::System);
    Ok(of_tenants.count())
}
