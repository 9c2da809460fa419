//! GRANT and REVOKE, in both layers: the operator's on what it lends, the tenant's on the same.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::ObjectName;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{
    Acl, Change, Database, DefaultAcl, DefaultAclKind, Membership, Privilege, Privileges, Relation,
    RelationBody,
};

use super::role::{check_membership, place, resolve};
use super::{names, schema, tenant, user_type};
use crate::error::{Error, Result};
use crate::planner::ast::{Grant, Granted, Name, Objects, RoleName};
use crate::planner::source::Found;
use crate::policy::{self, Caller};
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

/// The owner of what the caller makes: in a tenant, what an operator makes is its admin's.
pub(super) fn creator(caller: &Caller) -> Oid {
    if caller.operator && !caller.is_system() {
        Oid::TENANT_ADMIN
    } else {
        caller.role
    }
}

/// The list that a new object of an owner starts with, after ALTER DEFAULT PRIVILEGES.
pub(super) fn default_acl(
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

async fn membership(session: &mut Session, grant: &Grant, groups: &[Name]) -> Result<()> {
    for group_name in groups {
        for member_name in &grant.grantees {
            let tenant = group_name
                .tenant
                .as_deref()
                .or(member_name.tenant.as_deref());
            let (caller, database) = place(session, tenant).await?;
            let group = resolve(&caller, &database, group_name)?;
            let member = resolve(&caller, &database, member_name)?;
            if group == Oid::PUBLIC || member == Oid::PUBLIC {
                return Err(Error::ReservedName(
                    "role \"public\" has no members".to_owned(),
                ));
            }
            check_membership(&caller, &database, group)?;
            let change = if grant.revoke {
                if grant.option {
                    let former = database
                        .memberships
                        .iter()
                        .find(|m| m.role == group && m.member == member)
                        .copied();
                    match former {
                        Some(m) => Change::PutMembership(Membership {
                            admin_option: false,
                            ..m
                        }),
                        None => continue,
                    }
                } else {
                    Change::DropMembership {
                        role: group,
                        member,
                    }
                }
            } else {
                if database.is_member(group, member) {
                    let name = |oid: Oid| database.roles.get(&oid).map_or("", |r| r.name.as_str());
                    return Err(Error::InvalidDefinition(format!(
                        "role \"{}\" is a member of role \"{}\"",
                        name(group),
                        name(member)
                    )));
                }
                Change::PutMembership(Membership {
                    role: group,
                    member,
                    grantor: caller.role,
                    admin_option: grant.option,
                })
            };
            session.transaction.change(&database, vec![change]);
        }
    }
    Ok(())
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

/// Where a list of a relation stands, and who writes in it.
struct Target {
    database: Arc<Database>,
    grantee: Oid,
    grantor: Oid,
    /// Beside the operator's own list, in the tenant's database.
    borrowed: bool,
}

async fn on_relation(
    session: &mut Session,
    caller: &Caller,
    grant: &Grant,
    words: Option<&[(String, Vec<String>)]>,
    all_columns: &[String],
    found: &Found,
    grantee: &Name,
) -> Result<()> {
    let name = found.relation.name.clone();
    let may = caller.grantable(found);
    let owner = caller.owns(found) || caller.superuser;
    let target = if let Some(tenant) = &grantee.tenant {
        // The operator's grant to one tenant's role lies in that tenant's database.
        let (_, database) = place(session, Some(tenant)).await?;
        let role = Name {
            name: grantee.name.clone(),
            tenant: None,
        };
        let grantee = resolve(caller, &database, &role)?;
        Target {
            database,
            grantee,
            grantor: Oid::OPERATOR,
            borrowed: true,
        }
    } else {
        let borrowed = found.home != caller.database.id;
        let grantor = if owner && !borrowed {
            found.relation.owner
        } else {
            caller.role
        };
        Target {
            database: Arc::clone(&caller.database),
            grantee: grantee_of(caller, grantee)?,
            grantor,
            borrowed,
        }
    };
    let whole: Vec<(String, Vec<String>)> = words
        .map(|words| {
            words
                .iter()
                .filter(|(_, columns)| columns.is_empty())
                .cloned()
                .collect()
        })
        .unwrap_or_default();
    let all_whole = words.is_none() && all_columns.is_empty();
    if all_whole || !whole.is_empty() {
        let wanted = privileges(
            (!all_whole).then_some(whole.as_slice()),
            policy::whole(&found.relation),
        )?;
        let kind = match found.relation.sequence() {
            Some(_) => "sequence",
            None => "table",
        };
        let wanted = allowed(session, wanted, may, grant, kind, &name)?;
        put(session, &target, found, 0, grant, wanted)?;
    }
    let by_column: Vec<(Privileges, &[String])> = match words {
        None if !all_columns.is_empty() => vec![(Privileges::of_column(), all_columns)],
        None => Vec::new(),
        Some(words) => words
            .iter()
            .filter(|(_, columns)| !columns.is_empty())
            .map(|(word, columns)| {
                let one = [(word.clone(), Vec::new())];
                Ok((
                    privileges(Some(&one), Privileges::of_column())?,
                    columns.as_slice(),
                ))
            })
            .collect::<Result<_>>()?,
    };
    for (wanted, columns) in by_column {
        let wanted = allowed(session, wanted, may, grant, "table", &name)?;
        for column in columns {
            let number = column_number(&found.relation, column)?;
            put(session, &target, found, number, grant, wanted)?;
        }
    }
    Ok(())
}

fn column_number(relation: &Relation, name: &str) -> Result<i16> {
    let number = match &relation.body {
        RelationBody::Table(table) => table.column(name).map(|column| column.number),
        RelationBody::Sequence(_) => None,
        RelationBody::View(view) => (1_i16..)
            .zip(&view.columns)
            .find(|(_, column)| column.name == name)
            .map(|(number, _)| number),
    };
    number.ok_or_else(|| Error::NoSuchColumnOf {
        column: name.to_owned(),
        relation: relation.name.clone(),
    })
}

/// Changes the list of a relation, or of one column where the number is not 0.
fn put(
    session: &mut Session,
    target: &Target,
    found: &Found,
    column: i16,
    grant: &Grant,
    wanted: Privileges,
) -> Result<()> {
    // An earlier change of the same statement may have replaced the relation.
    let oid = found.relation.oid;
    let newest = session.transaction.seen(&target.database);
    if target.borrowed {
        let mut acl = newest
            .borrowed_acls
            .get(&(oid, column))
            .cloned()
            .unwrap_or_default();
        change(&mut acl, grant, target.grantee, target.grantor, wanted);
        let changed = Change::PutBorrowedAcl {
            relation: oid,
            column,
            acl,
        };
        session.transaction.change(&newest, vec![changed]);
        return Ok(());
    }
    let relation = newest.relations.get(&oid).unwrap_or(&found.relation);
    let mut relation = relation.as_ref().clone();
    let owner = relation.owner;
    let all = policy::whole(&relation);
    let slot = match (&mut relation.body, column) {
        (_, 0) => &mut relation.acl,
        (RelationBody::Table(table), number) => {
            let column = table.columns.iter_mut().find(|c| c.number == number);
            &mut column
                .ok_or_else(|| Error::internal("a column has gone"))?
                .acl
        }
        (RelationBody::Sequence(_), _) => {
            return Err(Error::internal("a column of a sequence"));
        }
        (RelationBody::View(view), number) => {
            let index = usize::try_from(number - 1).unwrap_or_default();
            let column = view.columns.get_mut(index);
            &mut column
                .ok_or_else(|| Error::internal("a column has gone"))?
                .acl
        }
    };
    let mut acl = slot.take().unwrap_or_else(|| match column {
        0 => Acl::of_owner(owner, all),
        _ => Acl::default(),
    });
    change(&mut acl, grant, target.grantee, target.grantor, wanted);
    *slot = if column != 0 && acl.0.is_empty() {
        None
    } else {
        Some(acl)
    };
    session
        .transaction
        .change(&newest, vec![Change::PutRelation(relation)]);
    Ok(())
}

/// ALTER DEFAULT PRIVILEGES.
pub(super) async fn default_privileges(
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
