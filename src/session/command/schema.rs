//! CREATE, ALTER and DROP SCHEMA.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    self, AlterSchema, AlterSchemaOperation, ObjectName, SchemaName,
};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Change, Privilege, Privileges, Schema};

use super::names::{check_new_name, drop_relations, folded, parts};
use super::{grant, role};
use crate::error::{Error, Result};
use crate::planner::scope::SYSTEM_SCHEMAS;
use crate::policy::{Caller, Object, check};
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(super) async fn create(session: &mut Session, statement: &ast::Statement) -> Result<Reply> {
    let ast::Statement::CreateSchema {
        schema_name,
        if_not_exists,
        with,
        options,
        ..
    } = statement
    else {
        return Err(Error::internal("not a CREATE SCHEMA"));
    };
    if with.is_some() || options.is_some() {
        return Err(Error::Unsupported("options of CREATE SCHEMA".to_owned()));
    }
    let caller = session.caller().await?;
    let (name, owner) = match schema_name {
        SchemaName::Simple(name) => (parts(name).pop().unwrap_or_default(), None),
        SchemaName::UnnamedAuthorization(owner) => (folded(owner), Some(folded(owner))),
        SchemaName::NamedAuthorization(name, owner) => {
            (parts(name).pop().unwrap_or_default(), Some(folded(owner)))
        }
    };
    check(&caller, Privilege::Create, Object::Database)?;
    check_schema_name(&name)?;
    let scope = session.scope(&caller).await?;
    if scope.has_schema(&name) {
        if *if_not_exists {
            session.notice(Notice {
                sqlstate: "42P06",
                ..Notice::plain(format!("schema \"{name}\" already exists, skipping"))
            });
            return Ok(Reply::Done {
                tag: "CREATE SCHEMA".to_owned(),
            });
        }
        return Err(Error::AlreadyExists {
            kind: "schema",
            name,
        });
    }
    let owner = match owner {
        Some(owner) => role::new_owner(&caller, &owner)?,
        None => grant::creator(&caller),
    };
    let oid = session.engine.catalog.next_oid(&scope.database);
    let acl = grant::default_acl(&caller, owner, Oid(0), Privileges::of_schema());
    let schema = Schema {
        oid,
        name,
        owner,
        acl,
        comment: None,
    };
    let changes = vec![Change::PutSchema(schema), Change::NextOid(oid.0 + 1)];
    session.transaction.change(&scope.database, changes);
    session.version += 1;
    Ok(Reply::Done {
        tag: "CREATE SCHEMA".to_owned(),
    })
}

fn check_schema_name(name: &str) -> Result<()> {
    check_new_name(name)?;
    if name.starts_with("pg_") || SYSTEM_SCHEMAS.contains(&name) {
        return Err(Error::ReservedName(format!(
            "unacceptable schema name \"{name}\""
        )));
    }
    Ok(())
}

pub(super) async fn alter(session: &mut Session, alter: &AlterSchema) -> Result<Reply> {
    let caller = session.caller().await?;
    let name = parts(&alter.name).pop().unwrap_or_default();
    let mut schema = owned(&caller, &name)?;
    for operation in &alter.operations {
        match operation {
            AlterSchemaOperation::Rename { name } => {
                let name = parts(name).pop().unwrap_or_default();
                check_schema_name(&name)?;
                let scope = session.scope(&caller).await?;
                if scope.has_schema(&name) {
                    return Err(Error::AlreadyExists {
                        kind: "schema",
                        name,
                    });
                }
                schema.name = name;
            }
            AlterSchemaOperation::OwnerTo { owner } => {
                schema.owner = role::new_owner(&caller, &owner.to_string())?;
            }
            other => return Err(Error::Unsupported(format!("ALTER SCHEMA {other}"))),
        }
    }
    session
        .transaction
        .change(&caller.database, vec![Change::PutSchema(schema)]);
    session.version += 1;
    Ok(Reply::Done {
        tag: "ALTER SCHEMA".to_owned(),
    })
}

/// A schema that the caller owns.
pub(super) fn owned(caller: &Caller, name: &str) -> Result<Schema> {
    if SYSTEM_SCHEMAS.contains(&name) {
        return Err(Error::MustOwn {
            kind: "schema",
            name: name.to_owned(),
        });
    }
    let schema = caller
        .database
        .schema_named(name)
        .ok_or_else(|| Error::NoSuchSchema(name.to_owned()))?;
    if !caller.has_role(schema.owner) {
        return Err(Error::MustOwn {
            kind: "schema",
            name: name.to_owned(),
        });
    }
    Ok(schema.as_ref().clone())
}

pub(super) async fn drop(
    session: &mut Session,
    names: &[ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<Reply> {
    for name in names {
        let caller = session.caller().await?;
        let name = parts(name).pop().unwrap_or_default();
        let schema = match owned(&caller, &name) {
            Err(Error::NoSuchSchema(name)) if if_exists => {
                session.notice(Notice::plain(format!(
                    "schema \"{name}\" does not exist, skipping"
                )));
                continue;
            }
            other => other?,
        };
        let inside: Vec<Oid> = caller
            .database
            .relations
            .values()
            .filter(|relation| relation.schema == schema.oid)
            .map(|relation| relation.oid)
            .collect();
        if !inside.is_empty() {
            if !cascade {
                let names = inside
                    .iter()
                    .filter_map(|oid| caller.database.relations.get(oid));
                let names: Vec<&str> = names.map(|relation| relation.name.as_str()).collect();
                return Err(Error::DependentObjects {
                    object: format!("schema {name}"),
                    detail: format!("{} depend on schema {name}", names.join(", ")),
                });
            }
            drop_relations(session, &caller, &inside, true).await?;
        }
        let types = caller.database.types.values();
        let types = types.filter(|user_type| user_type.schema == schema.oid);
        let types: Vec<Oid> = types.map(|user_type| user_type.oid).collect();
        if let Some(first) = types.first().filter(|_| !cascade) {
            let first = caller.database.types.get(first);
            let first = first.map_or("", |user_type| user_type.name.as_str());
            return Err(Error::DependentObjects {
                object: format!("schema {name}"),
                detail: format!("type {name}.{first} depends on schema {name}"),
            });
        }
        super::user_type::drop::drop_all(session, &types).await?;
        let database = session.caller().await?.database;
        session
            .transaction
            .change(&database, vec![Change::DropSchema(schema.oid)]);
        session.version += 1;
    }
    Ok(Reply::Done {
        tag: "DROP SCHEMA".to_owned(),
    })
}

/// The schema of this name in the caller's own database.
pub(super) fn named(caller: &Caller, name: &str) -> Result<Arc<Schema>> {
    caller
        .database
        .schema_named(name)
        .map(Arc::clone)
        .ok_or_else(|| Error::NoSuchSchema(name.to_owned()))
}
