//! Names in commands: which object is meant, and DROP, which is the same for all kinds.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{self, ObjectName, ObjectNamePart, ObjectType};
use tessera_catalog::id::{DatabaseId, Oid, Space};
use tessera_catalog::model::{Change, Database, Relation, RelationBody, Schema, Scope as Reach};

use super::sequence;
use super::table::foreign::{dependants, without};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};
use crate::session::transaction::{TEMPORARY_SCHEMA_NAME, temporary_schema};

/// An identifier as PostgreSQL folds it.
pub(super) fn folded(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The parts of a name, folded.
pub(super) fn parts(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .filter_map(ObjectNamePart::as_ident)
        .map(folded)
        .collect()
}

/// Schema and name; a third part in front must be the session's own database.
pub(super) fn qualified(name: &ObjectName, database: &str) -> Result<(Option<String>, String)> {
    let mut parts = parts(name);
    let last = parts
        .pop()
        .ok_or_else(|| Error::InvalidName("empty name".to_owned()))?;
    let schema = parts.pop();
    match parts.pop() {
        Some(other) if other != database => Err(Error::Unsupported(format!(
            "cross-database reference \"{name}\": databases other than your own"
        ))),
        _ => Ok((schema, last)),
    }
}

/// The relation that a command names.
pub(super) fn relation(scope: &Scope, name: &ObjectName) -> Result<Found> {
    let (schema, name) = qualified(name, &scope.database.name)?;
    scope.relation(schema.as_deref(), &name)
}

/// The relation, if the caller owns it.
pub(super) fn owned(scope: &Scope, caller: &Caller, name: &ObjectName) -> Result<Found> {
    let found = relation(scope, name)?;
    check_owner(caller, &found)?;
    Ok(found)
}

/// Checks that the caller owns a relation.
pub(super) fn check_owner(caller: &Caller, found: &Found) -> Result<()> {
    if caller.owns(found) {
        return Ok(());
    }
    Err(Error::MustOwn {
        kind: kind_of(&found.relation),
        name: found.relation.name.clone(),
    })
}

/// A name that a client may give to an object.
pub(super) fn check_new_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::InvalidName(
            "zero-length delimited identifier".to_owned(),
        ));
    }
    if name.len() > 63 {
        return Err(Error::InvalidName(format!(
            "identifier \"{name}\" is too long: at most 63 bytes"
        )));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::InvalidName(format!(
            "identifier \"{}\" holds a control character",
            name.escape_debug()
        )));
    }
    Ok(())
}

/// DROP of tables, views and schemas.
pub(super) async fn drop(session: &mut Session, statement: &ast::Statement) -> Result<Reply> {
    let ast::Statement::Drop {
        object_type,
        if_exists,
        names,
        cascade,
        ..
    } = statement
    else {
        return Err(Error::internal("not a DROP"));
    };
    let kind = match object_type {
        ObjectType::Table => "table",
        ObjectType::View => "view",
        ObjectType::MaterializedView => "materialized view",
        ObjectType::Sequence => "sequence",
        ObjectType::Schema => {
            return super::schema::drop(session, names, *if_exists, *cascade).await;
        }
        other => return Err(Error::Unsupported(format!("DROP {other}"))),
    };
    super::lock::definitions(session, names).await?;
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let mut targets: Vec<Found> = Vec::new();
    for name in names {
        let (schema, table) = qualified(name, &scope.database.name)?;
        match scope.find(schema.as_deref(), &table) {
            Some(found) if kind_of(&found.relation) != kind => {
                return Err(Error::WrongKind {
                    name: table,
                    wanted: kind,
                });
            }
            Some(found) => {
                check_owner(&caller, &found)?;
                if !targets
                    .iter()
                    .any(|target| target.relation.oid == found.relation.oid)
                {
                    targets.push(found);
                }
            }
            None if *if_exists => {
                session.notice(Notice::plain(format!(
                    "{kind} \"{table}\" does not exist, skipping"
                )));
            }
            None => return Err(Error::NoSuchObject { kind, name: table }),
        }
    }
    let oids: Vec<Oid> = targets.iter().map(|found| found.relation.oid).collect();
    drop_relations(session, &caller, &oids, *cascade).await?;
    Ok(Reply::Done {
        tag: format!("DROP {}", kind.to_uppercase()),
    })
}

/// Refuses to change the rows of a materialised view.
pub(super) fn check_changeable(found: &Found) -> Result<()> {
    if found.relation.materialized().is_none() {
        return Ok(());
    }
    Err(Error::Function {
        sqlstate: "42809",
        message: format!(
            "cannot change materialized view \"{}\"",
            found.relation.name
        ),
        hint: None,
        detail: None,
    })
}

fn kind_of(relation: &Relation) -> &'static str {
    match relation.body {
        RelationBody::Table(_) if relation.materialized().is_some() => "materialized view",
        RelationBody::Table(_) => "table",
        RelationBody::View(_) => "view",
        RelationBody::Sequence(_) => "sequence",
    }
}

/// Drops relations of the session's own database, and with CASCADE the views that read them.
pub(super) async fn drop_relations(
    session: &mut Session,
    caller: &Caller,
    oids: &[Oid],
    cascade: bool,
) -> Result<()> {
    let database = Arc::clone(&caller.database);
    let mut doomed = oids.to_vec();
    let mut next = 0;
    while next < doomed.len() {
        let reading = readers(&database, doomed[next]);
        next += 1;
        for reader in reading
            .into_iter()
            .filter(|reader| !doomed.contains(reader))
            .collect::<Vec<_>>()
        {
            if !cascade {
                let name = |oid: &Oid| {
                    let relation = database.relations.get(oid);
                    relation.map_or_else(String::new, |r| format!("{} {}", kind_of(r), r.name))
                };
                let object = name(&doomed[next - 1]);
                return Err(Error::DependentObjects {
                    detail: format!("{} depends on {object}", name(&reader)),
                    object,
                });
            }
            doomed.push(reader);
        }
    }
    let released = release_foreign_keys(session, &database, &doomed, cascade)?;
    // A table's own sequences go with it.
    for oid in doomed.clone() {
        let own = sequence::owned_by(&database, oid, None);
        doomed.extend(own.into_iter().filter(|own| !oids.contains(own)));
    }
    let mut changes = drop_defaults(&database, &doomed, cascade)?;
    changes.extend(released);
    for oid in &doomed {
        let Some(relation) = database.relations.get(oid) else {
            continue;
        };
        let policy = super::policy::reader_of(&database, *oid, None);
        let stays = |table: &str| {
            let of = |oid: &Oid| database.relations.get(oid).is_some_and(|r| r.name == table);
            !doomed.iter().any(of)
        };
        if let Some((policy, table)) = policy.filter(|(_, table)| !cascade && stays(table)) {
            let name = &relation.name;
            return Err(Error::DependentObjects {
                object: format!("{} {name}", kind_of(relation)),
                detail: format!(
                    "policy {policy} on table {table} depends on {} {name}",
                    kind_of(relation)
                ),
            });
        }
        changes.extend(super::policy::without_readers(&database, *oid));
        if let Some(table) = relation.table() {
            if table.scope != Reach::Own {
                check_tenant_dependants(session, relation, cascade).await?;
            }
            forget_rows(session, table, database.id);
        }
        changes.push(Change::DropRelation(*oid));
    }
    if !changes.is_empty() {
        session.transaction.change(&database, changes);
        session.version += 1;
    }
    Ok(())
}

/// Takes away the foreign keys of tables that stay to tables that go.
fn release_foreign_keys(
    session: &mut Session,
    database: &Database,
    doomed: &[Oid],
    cascade: bool,
) -> Result<Vec<Change>> {
    let mut released = Vec::new();
    for oid in doomed {
        let Some(parent) = database.relations.get(oid) else {
            continue;
        };
        for (child, key) in dependants(database, *oid, |_| true) {
            if doomed.contains(&child.oid) {
                continue;
            }
            if !cascade {
                return Err(Error::DependentObjects {
                    object: format!("table {}", parent.name),
                    detail: format!(
                        "constraint {key} on table {} depends on table {}",
                        child.name, parent.name
                    ),
                });
            }
            session.notice(Notice::plain(format!(
                "drop cascades to constraint {key} on table {}",
                child.name
            )));
            released.push((child, key));
        }
    }
    Ok(without(&released))
}

/// Takes away the defaults that draw from sequences that go.
fn drop_defaults(database: &Database, doomed: &[Oid], cascade: bool) -> Result<Vec<Change>> {
    let mut changed: HashMap<Oid, Relation> = HashMap::new();
    for oid in doomed {
        let Some(relation) = database.relations.get(oid) else {
            continue;
        };
        if relation.sequence().is_none() {
            continue;
        }
        for (table, name, column) in sequence::drawing_columns(database, *oid, doomed) {
            if !cascade {
                return Err(Error::DependentObjects {
                    object: format!("sequence {}", relation.name),
                    detail: format!(
                        "default value for column {column} of table {name} depends on sequence {}",
                        relation.name
                    ),
                });
            }
            let Some(former) = database.relations.get(&table) else {
                continue;
            };
            let changed = changed
                .entry(table)
                .or_insert_with(|| former.as_ref().clone());
            if let RelationBody::Table(table) = &mut changed.body {
                for of_table in table.columns.iter_mut().filter(|c| c.name == column) {
                    of_table.default = None;
                    of_table.identity = None;
                }
            }
        }
    }
    Ok(changed.into_values().map(Change::PutRelation).collect())
}

/// A common or shared table that tenants' views read stays, and nothing tells who they are.
async fn check_tenant_dependants(
    session: &Session,
    relation: &Relation,
    cascade: bool,
) -> Result<()> {
    let dependants = session.engine.catalog.dependants_of(relation.oid).await?;
    let of_tenants = dependants
        .iter()
        .filter(|(db, _)| *db != DatabaseId::System)
        .count();
    if of_tenants == 0 {
        return Ok(());
    }
    if cascade {
        return Err(Error::Unsupported(format!(
            "DROP … CASCADE of a table that {of_tenants} views and tables of tenants need"
        )));
    }
    Err(Error::DependentObjects {
        object: format!("table {}", relation.name),
        detail: format!("{of_tenants} views and tables of tenants depend on it."),
    })
}

fn forget_rows(session: &mut Session, table: &tessera_catalog::model::Table, database: DatabaseId) {
    let spaces: Vec<_> = session
        .transaction
        .pending_parts()
        .filter(|pending| pending.part.table == table.uuid)
        .map(|pending| pending.part)
        .collect();
    debug_assert!(
        database == DatabaseId::System || spaces.iter().all(|p| p.space != Space::System)
    );
    for part in spaces {
        session.transaction.forget(&part);
    }
}

/// Views of the same database that read a relation.
fn readers(database: &Database, oid: Oid) -> Vec<Oid> {
    database
        .relations
        .values()
        .filter(|relation| relation.references().iter().any(|r| r.relation == oid))
        .map(|relation| relation.oid)
        .collect()
}

/// The schema of the session's own database in which CREATE puts an object, and the name.
pub(super) fn own_schema(
    scope: &Scope,
    caller: &Caller,
    name: &ObjectName,
) -> Result<(Arc<Schema>, String)> {
    use crate::planner::scope::SYSTEM_SCHEMAS;
    use crate::policy::{Object, check};
    use tessera_catalog::model::Privilege;
    let (schema, name) = qualified(name, &scope.database.name)?;
    check_new_name(&name)?;
    if let Some(schema) = &schema
        && (SYSTEM_SCHEMAS.contains(&schema.as_str()) || schema.starts_with("pg_"))
    {
        return Err(Error::InsufficientPrivilege(format!(
            "permission denied to create \"{schema}.{name}\""
        )));
    }
    let own = match &schema {
        Some(schema) => scope
            .database
            .schema_named(schema)
            .map(Arc::clone)
            .ok_or_else(|| match scope.has_schema(schema) {
                true => Error::PermissionDenied {
                    kind: "schema",
                    name: schema.clone(),
                },
                false => Error::NoSuchSchema(schema.clone()),
            })?,
        None => scope
            .search_path
            .iter()
            .filter(|schema| *schema != TEMPORARY_SCHEMA_NAME)
            .find_map(|schema| scope.database.schema_named(schema))
            .map(Arc::clone)
            .ok_or_else(|| {
                Error::NoSuchSchema("no schema has been selected to create in".to_owned())
            })?,
    };
    check(caller, Privilege::Create, Object::Schema(&own))?;
    Ok((own, name))
}

/// The schema of the session's own database in which CREATE puts a relation, and the name, which
/// neither a relation nor a type has there.
pub(super) fn creation(
    scope: &Scope,
    caller: &Caller,
    name: &ObjectName,
) -> Result<(Arc<Schema>, String)> {
    let (own, name) = own_schema(scope, caller, name)?;
    if scope.find(Some(&own.name), &name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "relation",
            name,
        });
    }
    if scope.database.type_named(own.oid, &name).is_some() {
        return Err(Error::Function {
            sqlstate: "42710",
            message: format!("type \"{name}\" already exists"),
            hint: Some(
                "A relation has an associated type of the same name, so you must use a name that \
                 doesn't conflict with any existing type."
                    .to_owned(),
            ),
            detail: None,
        });
    }
    Ok((own, name))
}

/// The schema and the name of a new temporary table.
pub(super) fn temporary_creation(
    scope: &Scope,
    caller: &Caller,
    name: &ObjectName,
) -> Result<(Arc<Schema>, String)> {
    use crate::policy::{Object, check};
    use tessera_catalog::model::Privilege;
    let (schema, name) = qualified(name, &scope.database.name)?;
    check_new_name(&name)?;
    if schema.is_some_and(|schema| schema != TEMPORARY_SCHEMA_NAME) {
        return Err(Error::InvalidDefinition(
            "cannot create temporary relation in non-temporary schema".to_owned(),
        ));
    }
    check(caller, Privilege::Temporary, Object::Database)?;
    if scope.find(Some(TEMPORARY_SCHEMA_NAME), &name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "relation",
            name,
        });
    }
    Ok((Arc::new(temporary_schema()), name))
}
