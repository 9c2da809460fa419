//! ALTER DEFAULT PRIVILEGES, and what new objects start with after it.

use tessera_catalog::id::Oid;
use tessera_catalog::model::{Acl, Change, DefaultAcl, DefaultAclKind, Privileges};

use super::{change, creator, grantee_of, privileges};
use crate::error::{Error, Result};
use crate::planner::ast::{Grant, Granted, Name, Objects};
use crate::policy::Caller;
use crate::session::Session;
use crate::session::command::role::resolve;
use crate::session::command::schema;
use crate::session::reply::Reply;

/// The list that a new object of an owner starts with, after ALTER DEFAULT PRIVILEGES.
pub(in crate::session::command) fn default_acl(
    caller: &Caller,
    owner: Oid,
    schema: Oid,
    all: Privileges,
) -> Option<Acl> {
    let kind = if all == Privileges::of_schema() {
        DefaultAclKind::Schema
    } else {
        DefaultAclKind::Table
    };
    let mut found = caller
        .database
        .default_acls
        .iter()
        .filter(|acl| acl.role == owner && acl.kind == kind)
        .filter(|acl| acl.schema.is_none_or(|own| own == schema))
        .peekable();
    found.peek()?;
    let mut acl = Acl::of_owner(owner, all);
    for default in found {
        acl.0.extend(default.acl.0.iter().copied());
    }
    Some(acl)
}

/// ALTER DEFAULT PRIVILEGES.
pub(in crate::session::command) async fn default_privileges(
    session: &mut Session,
    roles: &[Name],
    schemas: &[String],
    grant: &Grant,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let Granted::Privileges {
        privileges: words,
        on: Objects::Kind(kind),
        ..
    } = &grant.what
    else {
        return Err(Error::Syntax {
            message: "ALTER DEFAULT PRIVILEGES names a kind of object".to_owned(),
            position: None,
        });
    };
    let (kind, all) = match kind.as_str() {
        "TABLES" => (DefaultAclKind::Table, Privileges::of_table()),
        "FUNCTIONS" | "ROUTINES" => (DefaultAclKind::Function, Privileges::of_function()),
        "SCHEMAS" => (DefaultAclKind::Schema, Privileges::of_schema()),
        other => {
            return Err(Error::Unsupported(format!(
                "ALTER DEFAULT PRIVILEGES on {}",
                other.to_lowercase()
            )));
        }
    };
    let wanted = privileges(words.as_deref(), all)?;
    let owners = if roles.is_empty() {
        vec![creator(&caller)]
    } else {
        roles
            .iter()
            .map(|role| {
                let oid = resolve(&caller, &caller.database, role)?;
                if caller.superuser || caller.database.is_member(caller.role, oid) {
                    return Ok(oid);
                }
                Err(Error::InsufficientPrivilege(
                    "must be a member of that role".to_owned(),
                ))
            })
            .collect::<Result<_>>()?
    };
    let places: Vec<Option<Oid>> = if schemas.is_empty() {
        vec![None]
    } else {
        schemas
            .iter()
            .map(|name| schema::named(&caller, name).map(|schema| Some(schema.oid)))
            .collect::<Result<_>>()?
    };
    let mut changes = Vec::new();
    for owner in owners {
        for schema in &places {
            let former = caller
                .database
                .default_acls
                .iter()
                .find(|acl| (acl.role, acl.schema, acl.kind) == (owner, *schema, kind));
            let mut acl = former.map(|former| former.acl.clone()).unwrap_or_default();
            for grantee in &grant.grantees {
                let grantee = grantee_of(&caller, grantee)?;
                change(&mut acl, grant, grantee, owner, wanted);
            }
            changes.push(if acl.0.is_empty() {
                Change::DropDefaultAcl {
                    role: owner,
                    schema: *schema,
                    kind,
                }
            } else {
                Change::PutDefaultAcl(DefaultAcl {
                    role: owner,
                    schema: *schema,
                    kind,
                    acl,
                })
            });
        }
    }
    session.transaction.change(&caller.database, changes);
    Ok(Reply::Done {
        tag: "ALTER DEFAULT PRIVILEGES".to_owned(),
    })
}
