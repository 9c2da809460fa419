//! CREATE, ALTER and DROP of enums and domains.

mod alter;
mod domain;
pub(super) mod drop;
mod enumerated;
mod literals;
pub(super) mod usage;

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::ObjectName;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Change, Database, Schema, UserType};

use super::names::{own_schema, qualified};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::ast::{TypeAction, UserTypeStatement};
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::Reply;

pub(super) use domain::{on_column, rules_of};

pub(super) async fn run(session: &mut Session, statement: &UserTypeStatement) -> Result<Reply> {
    let tag = match statement {
        UserTypeStatement::CreateEnum { name, labels } => {
            enumerated::create(session, name, labels).await?;
            "CREATE TYPE"
        }
        UserTypeStatement::CreateDomain {
            name,
            data_type,
            default,
            constraints,
        } => {
            let rules = (default.as_deref(), constraints.as_slice());
            domain::create(session, name, data_type, rules).await?;
            "CREATE DOMAIN"
        }
        UserTypeStatement::Alter {
            name,
            domain,
            action,
        } => {
            alter::run(session, name, *domain, action).await?;
            match (action, domain) {
                (TypeAction::Comment(_), _) => "COMMENT",
                (_, true) => "ALTER DOMAIN",
                (_, false) => "ALTER TYPE",
            }
        }
        UserTypeStatement::Drop {
            names,
            domain,
            if_exists,
            cascade,
        } => {
            drop::run(session, names, *domain, (*if_exists, *cascade)).await?;
            if *domain { "DROP DOMAIN" } else { "DROP TYPE" }
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

/// The type that a command names, whether it is the database's own or lent.
fn named(scope: &Scope, name: &ObjectName) -> Result<Arc<UserType>> {
    let found = scope.user_types().named(name).map(Arc::clone);
    found.ok_or_else(|| missing(scope, name))
}

fn missing(scope: &Scope, name: &ObjectName) -> Error {
    let parts = super::names::parts(name);
    match parts.as_slice() {
        [.., schema, _] if !scope.has_schema(schema) => Error::NoSuchSchema(schema.clone()),
        parts => Error::NoSuchType(parts.join(".")),
    }
}

/// A type of the session's own database that the caller owns.
fn owned(scope: &Scope, caller: &Caller, name: &ObjectName, domain: bool) -> Result<UserType> {
    let found = named(scope, name)?;
    let own = scope.database.types.contains_key(&found.oid);
    if !own || !caller.has_role(found.owner) {
        return Err(Error::MustOwn {
            kind: "type",
            name: found.name.clone(),
        });
    }
    if domain && found.domain().is_none() {
        return Err(not_a_domain(&found.name));
    }
    Ok(found.as_ref().clone())
}

fn not_a_domain(name: &str) -> Error {
    Error::Function {
        sqlstate: "42809",
        message: format!("\"{name}\" is not a domain"),
        hint: None,
        detail: None,
    }
}

/// Where a new type goes, and its name, which nothing has there.
async fn creation(
    session: &Session,
    scope: &Scope,
    caller: &Caller,
    name: &ObjectName,
) -> Result<(Arc<Schema>, String)> {
    let (schema, name) = own_schema(scope, caller, name)?;
    check_free(session, scope, &schema, &name).await?;
    Ok((schema, name))
}

/// Checks that a type may have a name in a schema.
///
/// # Errors
/// 42710 for a name that a type or a relation has there, or in a tenant.
async fn check_free(session: &Session, scope: &Scope, schema: &Schema, name: &str) -> Result<()> {
    let types = scope.user_types();
    let taken = types.find(Some(&schema.name), name).is_some()
        || scope.find(Some(&schema.name), name).is_some();
    if taken {
        return Err(Error::AlreadyExists {
            kind: "type",
            name: name.to_owned(),
        });
    }
    if !scope.is_system() || schema.oid == Oid::INTERNAL_SCHEMA {
        return Ok(());
    }
    let catalog = &session.engine.catalog;
    let tenants = catalog.tenants_using_type(&schema.name, name).await?;
    if tenants.is_empty() {
        return Ok(());
    }
    Err(Error::NameUsedByTenants {
        kind: "type",
        name: name.to_owned(),
        tenants,
    })
}

/// Keeps a new or changed type.
fn put(session: &mut Session, database: &Arc<Database>, user_type: UserType) {
    let last = user_type.oid.0.max(user_type.array_oid.0);
    let numbers = match &user_type.body {
        tessera_catalog::model::UserTypeBody::Enum(values) => {
            values.iter().map(|value| value.oid.0).max()
        }
        tessera_catalog::model::UserTypeBody::Domain(domain) => {
            domain.checks.iter().map(|check| check.oid.0).max()
        }
    };
    let next = last.max(numbers.unwrap_or_default()) + 1;
    let changes = vec![Change::PutType(user_type), Change::NextOid(next)];
    session.transaction.change(database, changes);
    session.version += 1;
}

/// The words of a name that must be there.
pub(super) fn found(scope: &Scope, caller: &Caller, name: &ObjectName) -> Result<Arc<UserType>> {
    let (_, _) = qualified(name, &scope.database.name)?;
    let found = named(scope, name)?;
    if scope.database.types.contains_key(&found.oid) || caller.is_system() {
        return Ok(found);
    }
    Err(Error::PermissionDenied {
        kind: "type",
        name: found.name.clone(),
    })
}
