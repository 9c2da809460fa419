//! GRANT and REVOKE, in both layers: the operator's on what it lends, the tenant's on the same.

mod defaults;
mod member;
mod relation;

use datafusion::sql::sqlparser::ast::ObjectName;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Acl, Change, Privilege, Privileges};

pub(super) use defaults::{default_acl, default_privileges};

use super::role::resolve;
use super::{names, schema, tenant, user_type};
use crate::error::{Error, Result};
use crate::planner::ast::{Grant, Granted, Name, Objects, RoleName};
use crate::planner::source::Found;
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};
use member::membership;
use relation::on_relation;

/// The owner of what the caller makes: in a tenant, what an operator makes is its admin's.
pub(super) fn creator(caller: &Caller) -> Oid {
    if caller.operator && !caller.is_system() {
        Oid::TENANT_ADMIN
    } else {
        caller.role
    }
}

pub(super) async fn run(session: &mut Session, grant: &Grant) -> Result<Reply> {
    let tag = if grant.revoke { "REVOKE" } else { "GRANT" };
    match &grant.what {
        Granted::Roles(groups) => {
            membership(session, grant, groups).await?;
            let tag = format!("{tag} ROLE");
            session.version += 1;
            return Ok(Reply::Done { tag });
        }
        Granted::Privileges {
            privileges,
            all_columns,
            on,
        } => {
            for grantee in &grant.grantees {
                on_objects(
                    session,
                    grant,
                    privileges.as_deref(),
                    all_columns,
                    on,
                    grantee,
                )
                .await?;
            }
        }
    }
    session.version += 1;
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

/// Privileges by word, for objects of a kind whose full set is `all`.
fn privileges(words: Option<&[(String, Vec<String>)]>, all: Privileges) -> Result<Privileges> {
    let Some(words) = words else { return Ok(all) };
    let mut set = Privileges::NONE;
    for (word, _) in words {
        let word = if word == "TEMP" { "TEMPORARY" } else { word };
        let privilege = Privilege::ALL
            .into_iter()
            .find(|privilege| privilege.keyword() == word)
            .ok_or_else(|| Error::Syntax {
                message: format!("unrecognized privilege type \"{}\"", word.to_lowercase()),
                position: None,
            })?;
        if !all.contains(privilege) {
            return Err(Error::InvalidGrant(format!(
                "invalid privilege type {word} for this kind of object"
            )));
        }
        set = set.union(privilege.into());
    }
    Ok(set)
}

async fn on_objects(
    session: &mut Session,
    grant: &Grant,
    words: Option<&[(String, Vec<String>)]>,
    all_columns: &[String],
    on: &Objects,
    grantee: &Name,
) -> Result<()> {
    match on {
        Objects::Tables(tables) => {
            for table in tables {
                let caller = session.caller().await?;
                let scope = session.scope(&caller).await?;
                let found = names::relation(&scope, table)?;
                on_relation(session, &caller, grant, words, all_columns, &found, grantee).await?;
            }
        }
        Objects::Sequences(sequences) => {
            for sequence in sequences {
                let caller = session.caller().await?;
                let scope = session.scope(&caller).await?;
                let found = names::relation(&scope, sequence)?;
                if found.relation.sequence().is_none() {
                    return Err(Error::WrongKind {
                        name: found.relation.name.clone(),
                        wanted: "sequence",
                    });
                }
                on_relation(session, &caller, grant, words, all_columns, &found, grantee).await?;
            }
        }
        Objects::AllTablesInSchemas(schemas) | Objects::AllSequencesInSchemas(schemas) => {
            let sequences = matches!(on, Objects::AllSequencesInSchemas(_));
            for name in schemas {
                let caller = session.caller().await?;
                let scope = session.scope(&caller).await?;
                if !scope.has_schema(name) {
                    return Err(Error::NoSuchSchema(name.clone()));
                }
                let own = schema::named(&caller, name).ok().map(|schema| schema.oid);
                let tables: Vec<Found> = caller
                    .database
                    .relations
                    .values()
                    .filter(|relation| Some(relation.schema) == own)
                    .filter(|relation| relation.sequence().is_some() == sequences)
                    .filter_map(|relation| scope.relation_by_oid(relation.oid))
                    .collect();
                for found in tables {
                    on_relation(session, &caller, grant, words, all_columns, &found, grantee)
                        .await?;
                }
            }
        }
        Objects::Types(types) => {
            for name in types {
                on_type(session, grant, words, name, grantee).await?;
            }
        }
        Objects::Schemas(schemas) => {
            for name in schemas {
                let caller = session.caller().await?;
                let mut object = schema::named(&caller, name)?.as_ref().clone();
                let wanted = privileges(words, Privileges::of_schema())?;
                let role = resolve(&caller, &caller.database, grantee)?;
                let held = object
                    .acl
                    .as_ref()
                    .map_or(Privileges::NONE, |a| a.grantable_by(&caller.roles));
                let owner = caller.has_role(object.owner);
                let may = if owner { Privileges::of_schema() } else { held };
                let wanted = allowed(session, wanted, may, grant, "schema", name)?;
                let grantor = if owner { object.owner } else { caller.role };
                let mut acl = object
                    .acl
                    .take()
                    .unwrap_or_else(|| Acl::of_owner(object.owner, Privileges::of_schema()));
                change(&mut acl, grant, role, grantor, wanted);
                object.acl = Some(acl);
                session
                    .transaction
                    .change(&caller.database, vec![Change::PutSchema(object)]);
            }
        }
        Objects::Databases(databases) => {
            for name in databases {
                let caller = session.caller().await?;
                let admin = caller.superuser || caller.roles.contains(&Oid::TENANT_ADMIN);
                if !admin {
                    return Err(Error::PermissionDenied {
                        kind: "database",
                        name: name.clone(),
                    });
                }
                if name == "tessera" && caller.is_system() {
                    return Err(Error::Unsupported(
                        "GRANT on the system database".to_owned(),
                    ));
                }
                let wanted = privileges(words, Privileges::of_database())?;
                let role = resolve(&caller, &caller.database, grantee)?;
                tenant::granted(session, &caller, name, |acl| {
                    change(acl, grant, role, Oid::TENANT_ADMIN, wanted);
                })?;
            }
        }
        Objects::Functions(functions) => {
            for function in functions {
                on_function(session, grant, words, function, grantee).await?;
            }
        }
        Objects::AllFunctionsInSchemas(_) => {
            return Err(Error::Unsupported(
                "GRANT on all functions of a schema".to_owned(),
            ));
        }
        Objects::Other(kind) => return Err(Error::Unsupported(format!("GRANT on {kind}"))),
        Objects::Kind(kind) => {
            return Err(Error::Syntax {
                message: format!("syntax error at or near \"{kind}\""),
                position: None,
            });
        }
    }
    Ok(())
}

async fn on_type(
    session: &mut Session,
    grant: &Grant,
    words: Option<&[(String, Vec<String>)]>,
    name: &ObjectName,
    grantee: &Name,
) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let mut object = user_type::found(&scope, &caller, name)?.as_ref().clone();
    let all: Privileges = Privilege::Usage.into();
    let wanted = privileges(words, all)?;
    let role = grantee_of(&caller, grantee)?;
    let owner = caller.has_role(object.owner);
    let held = object
        .acl
        .as_ref()
        .map_or(Privileges::NONE, |acl| acl.grantable_by(&caller.roles));
    let may = if owner { all } else { held };
    let wanted = allowed(session, wanted, may, grant, "type", &object.name)?;
    let grantor = if owner { object.owner } else { caller.role };
    let mut acl = object.acl.take().unwrap_or_else(|| {
        let mut acl = Acl::of_owner(object.owner, all);
        acl.grant(Oid::PUBLIC, object.owner, all, false);
        acl
    });
    change(&mut acl, grant, role, grantor, wanted);
    object.acl = Some(acl);
    session
        .transaction
        .change(&caller.database, vec![Change::PutType(object)]);
    Ok(())
}

async fn on_function(
    session: &mut Session,
    grant: &Grant,
    words: Option<&[(String, Vec<String>)]>,
    function: &str,
    grantee: &Name,
) -> Result<()> {
    let caller = session.caller().await?;
    let wanted = privileges(words, Privileges::of_function())?;
    let owner = if caller.is_system() {
        Oid::OPERATOR
    } else {
        Oid::TENANT_ADMIN
    };
    if !(caller.superuser || caller.roles.contains(&owner)) {
        return Err(Error::PermissionDenied {
            kind: "function",
            name: function.to_owned(),
        });
    }
    let role = grantee_of(&caller, grantee)?;
    let mut acl = caller
        .database
        .function_acls
        .get(function)
        .cloned()
        .unwrap_or_else(|| {
            let mut acl = Acl::of_owner(owner, Privileges::of_function());
            acl.grant(Oid::PUBLIC, owner, Privileges::of_function(), false);
            acl
        });
    change(&mut acl, grant, role, owner, wanted);
    let function = function.to_owned();
    session.transaction.change(
        &caller.database,
        vec![Change::PutFunctionAcl { function, acl }],
    );
    Ok(())
}

fn change(acl: &mut Acl, grant: &Grant, grantee: Oid, grantor: Oid, wanted: Privileges) {
    if grant.revoke {
        acl.revoke(grantee, grantor, wanted, grant.option);
    } else {
        acl.grant(grantee, grantor, wanted, grant.option);
    }
}

/// What of the wanted the caller may grant; less than all is a warning, none an error.
fn allowed(
    session: &mut Session,
    wanted: Privileges,
    may: Privileges,
    grant: &Grant,
    kind: &'static str,
    name: &str,
) -> Result<Privileges> {
    let granted = wanted.intersection(may);
    if granted == wanted {
        return Ok(wanted);
    }
    if granted.is_empty() {
        return Err(Error::PermissionDenied {
            kind,
            name: name.to_owned(),
        });
    }
    let doing = if grant.revoke { "revoked" } else { "granted" };
    session.notice(Notice::warning(
        if grant.revoke { "01006" } else { "01007" },
        format!("not all privileges were {doing} for \"{name}\""),
    ));
    Ok(granted)
}

/// In the system database the role of a grant is PUBLIC, `tenant_admin` or an operator's role.
fn grantee_of(caller: &Caller, grantee: &Name) -> Result<Oid> {
    if caller.is_system()
        && grantee.tenant.is_none()
        && grantee.name == RoleName::Named("tenant_admin".to_owned())
    {
        return Ok(Oid::TENANT_ADMIN);
    }
    resolve(caller, &caller.database, grantee)
}
