//! CREATE, ALTER and DROP INDEX, and REINDEX.
//!
//! Rows are found by what files tell of themselves, so an index has no rows of its own: a unique one is
//! held as UNIQUE is, any other is kept for those who look for it in the catalogs.

use std::sync::Arc;

use datafusion::common::ToDFSchema;
use datafusion::sql::sqlparser::ast::{CreateIndex, DropBehavior, Expr, IndexColumn, ObjectName};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{
    Change, Index, IndexPart, Key, KeyKind, Relation, RelationBody, Table,
};

use super::super::names::{check_new_name, check_owner, folded, qualified, relation};
use super::super::{default, schema};
use super::column;
use super::constraint::release_keys;
use super::existing;
use crate::error::{Error, Result};
use crate::planner::ast::{self, Reindex};
use crate::planner::source::Found;
use crate::planner::{self, Scope};
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};
use crate::session::write::table_schema;

/// The access methods that PostgreSQL has.
const METHODS: [&str; 6] = ["btree", "hash", "gist", "spgist", "gin", "brin"];

fn done(tag: &str) -> Result<Reply> {
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

pub(in crate::session::command) async fn create(
    session: &mut Session,
    create: &CreateIndex,
) -> Result<Reply> {
    const TAG: &str = "CREATE INDEX";
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let found = relation(&scope, &create.table_name)?;
    let mut changed = found.relation.as_ref().clone();
    let RelationBody::Table(table) = &mut changed.body else {
        return Err(Error::Function {
            sqlstate: "42809",
            message: format!(
                "cannot create index on relation \"{}\"",
                found.relation.name
            ),
            hint: None,
            detail: None,
        });
    };
    check_owner(&caller, &found)?;
    let index = declared(create, table, &scope)?;
    let name = match &create.name {
        Some(name) => {
            let name = qualified(name, &scope.database.name)?.1;
            check_new_name(&name)?;
            if is_taken(&scope, found.relation.schema, &name) {
                if create.if_not_exists {
                    session.notice(Notice {
                        sqlstate: "42P07",
                        ..Notice::plain(format!("relation \"{name}\" already exists, skipping"))
                    });
                    return done(TAG);
                }
                return Err(Error::AlreadyExists {
                    kind: "relation",
                    name,
                });
            }
            name
        }
        None => free_name(&index, table, &found, &scope),
    };
    let oid = session.engine.catalog.next_oid(&scope.database);
    let key = Key {
        oid,
        name,
        columns: columns(&index),
        enforced: true,
        nulls_not_distinct: create.nulls_distinct == Some(false),
        kind: KeyKind::Index(index),
    };
    if key.is_unique() {
        column::check_equality(table, &key.columns)?;
        existing::check_unique(session, table, &key, &found, &scope).await?;
    } else {
        session.notice(Notice::plain(format!(
            "index \"{}\" is listed, and queries do without it",
            key.name
        )));
    }
    table.keys.push(key);
    put(session, &caller, changed, Some(oid));
    done(TAG)
}

fn put(session: &mut Session, caller: &Caller, changed: Relation, oid: Option<Oid>) {
    session.transaction.reshape(&changed);
    let drawn = oid.map(|oid| Change::NextOid(oid.0 + 1));
    let changes = std::iter::once(Change::PutRelation(changed)).chain(drawn);
    session
        .transaction
        .change(&caller.database, changes.collect());
    session.version += 1;
}

/// What a statement says of an index.
fn declared(create: &CreateIndex, table: &Table, scope: &Scope) -> Result<Index> {
    let method = create.using.as_ref().map(|using| using.to_string());
    let method = method.map_or_else(|| "btree".to_owned(), |method| method.to_lowercase());
    if !METHODS.contains(&method.as_str()) {
        return Err(Error::Function {
            sqlstate: "42704",
            message: format!("access method \"{method}\" does not exist"),
            hint: None,
            detail: None,
        });
    }
    if !create.with.is_empty() {
        return Err(Error::Unsupported("WITH (…) of an index".to_owned()));
    }
    let parts = create.columns.iter();
    let parts = parts
        .map(|written| part(written, table, scope))
        .collect::<Result<Vec<_>>>()?;
    let include = create
        .include
        .iter()
        .map(|name| number(&folded(name), table));
    let include = include.collect::<Result<Vec<_>>>()?;
    let predicate = match &create.predicate {
        None => None,
        Some(condition) => {
            default::no_subquery(condition, "index predicate")?;
            check_expression(condition, table, scope)?;
            Some(match condition {
                Expr::Nested(inner) => inner.to_string(),
                other => other.to_string(),
            })
        }
    };
    let plain = predicate.is_none() && parts.iter().all(|part| part.expression.is_none());
    if create.unique && method != "btree" {
        return Err(Error::Function {
            sqlstate: "0A000",
            message: format!("access method \"{method}\" does not support unique indexes"),
            hint: None,
            detail: None,
        });
    }
    if create.unique && !plain {
        return Err(Error::Unsupported(
            "a unique index with an expression or a condition".to_owned(),
        ));
    }
    Ok(Index {
        unique: create.unique,
        method,
        parts,
        include,
        predicate,
    })
}

fn part(written: &IndexColumn, table: &Table, scope: &Scope) -> Result<IndexPart> {
    let order = &written.column.options;
    let descending = order.asc == Some(false);
    let nulls_first = order.nulls_first.unwrap_or(descending);
    let (mut expr, mut column, mut expression) = (&written.column.expr, 0, None);
    if let Expr::Collate { expr: inner, .. } = expr {
        expr = inner;
    }
    match expr {
        Expr::Identifier(ident) => column = number(&folded(ident), table)?,
        other => {
            default::no_subquery(other, "index expression")?;
            check_expression(other, table, scope)?;
            expression = Some(other.to_string());
        }
    }
    Ok(IndexPart {
        column,
        expression,
        descending,
        nulls_first,
    })
}

fn check_expression(expr: &Expr, table: &Table, scope: &Scope) -> Result<()> {
    let schema = table_schema(table, &scope.zone).to_dfschema()?;
    planner::expression(expr.clone(), &schema, scope, &[]).map(drop)
}

fn number(name: &str, table: &Table) -> Result<i16> {
    let column = table.column(name);
    column
        .map(|column| column.number)
        .ok_or_else(|| Error::NoSuchColumn(name.to_owned()))
}

/// The columns without expressions.
fn columns(index: &Index) -> Vec<i16> {
    let parts = index.parts.iter().filter(|part| part.expression.is_none());
    parts.map(|part| part.column).collect()
}

/// PostgreSQL's name for an index that has none.
fn free_name(index: &Index, table: &Table, found: &Found, scope: &Scope) -> String {
    let parts = index.parts.iter().map(|part| match &part.expression {
        None => {
            let column = table.columns.iter().find(|c| c.number == part.column);
            column.map(|column| column.name.clone()).unwrap_or_default()
        }
        Some(text) => match text.split_once('(') {
            Some((function, _)) if function.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                function.to_lowercase()
            }
            _ => "expr".to_owned(),
        },
    });
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    let base = format!("{}_{}_idx", found.relation.name, parts.join("_"));
    let schema = found.relation.schema;
    let numbered = (1..).map(|number| format!("{base}{number}"));
    std::iter::once(base.clone())
        .chain(numbered)
        .find(|name| !is_taken(scope, schema, name))
        .unwrap_or(base)
}

/// Whether a relation or an index of a schema has a name.
fn is_taken(scope: &Scope, schema: Oid, name: &str) -> bool {
    scope.database.relation_named(schema, name).is_some()
        || scope
            .schema_name(schema)
            .is_some_and(|schema| scope.find(Some(schema), name).is_some())
        || indexed(scope, schema, name).is_some()
}

/// The table in a schema of the own database that has an index of this name.
fn indexed(scope: &Scope, schema: Oid, name: &str) -> Option<Arc<Relation>> {
    let relations = scope.database.relations.values();
    let mut inside = relations.filter(|relation| relation.schema == schema);
    let has = |relation: &&Arc<Relation>| {
        let keys = relation.table().into_iter().flat_map(|table| &table.keys);
        keys.into_iter()
            .any(|key| key.has_index() && key.name == name)
    };
    inside.find(has).map(Arc::clone)
}

/// The table whose index a statement names.
fn find(scope: &Scope, name: &ObjectName) -> Result<(String, Option<Found>)> {
    let (schema, name) = qualified(name, &scope.database.name)?;
    let schemas: Vec<Oid> = match &schema {
        Some(schema) => scope.schema_oid(schema).into_iter().collect(),
        None => {
            let path = scope.search_path.iter();
            path.filter_map(|name| scope.schema_oid(name)).collect()
        }
    };
    let found = schemas.iter().find_map(|schema| {
        let table = indexed(scope, *schema, &name)?;
        scope.relation_by_oid(table.oid)
    });
    Ok((name, found))
}

pub(in crate::session::command) async fn run(
    session: &mut Session,
    statement: &ast::Index,
) -> Result<Reply> {
    match statement {
        ast::Index::Drop {
            names,
            if_exists,
            cascade,
        } => {
            for name in names {
                drop_index(session, name, *if_exists, *cascade).await?;
            }
            done("DROP INDEX")
        }
        ast::Index::Rename {
            name,
            if_exists,
            to,
        } => {
            rename(session, name, *if_exists, to).await?;
            done("ALTER INDEX")
        }
        ast::Index::Reindex { kind, name } => {
            reindex(session, *kind, name.as_ref()).await?;
            done("REINDEX")
        }
    }
}

async fn drop_index(
    session: &mut Session,
    name: &ObjectName,
    if_exists: bool,
    cascade: bool,
) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (name, found) = find(&scope, name)?;
    let Some(found) = found else {
        if if_exists {
            let text = format!("index \"{name}\" does not exist, skipping");
            session.notice(Notice::plain(text));
            return Ok(());
        }
        return Err(Error::NoSuchObject {
            kind: "index",
            name,
        });
    };
    check_owner(&caller, &found)?;
    let mut changed = found.relation.as_ref().clone();
    let RelationBody::Table(table) = &mut changed.body else {
        return Err(Error::internal("an index of something else than a table"));
    };
    let of = |key: &Key| key.name == name && key.has_index();
    if table.keys.iter().any(|key| of(key) && key.is_constraint()) {
        let relation = &found.relation.name;
        return Err(Error::Function {
            sqlstate: "2BP01",
            message: format!(
                "cannot drop index {name} because constraint {name} on table {relation} requires it"
            ),
            hint: Some(format!(
                "You can drop constraint {name} on table {relation} instead."
            )),
            detail: None,
        });
    }
    table.keys.retain(|key| !of(key));
    let behavior = cascade.then_some(DropBehavior::Cascade);
    let by = |child: &str, key: &str| {
        format!("constraint {key} on table {child} depends on index {name}")
    };
    let object = format!("index {name}");
    let whose = (&found, &scope.database);
    release_keys(session, table, whose, behavior, (object, &by)).await?;
    put(session, &caller, changed, None);
    Ok(())
}

async fn rename(session: &mut Session, name: &ObjectName, if_exists: bool, to: &str) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (name, found) = find(&scope, name)?;
    let Some(found) = found else {
        if if_exists {
            let text = format!("relation \"{name}\" does not exist, skipping");
            session.notice(Notice::plain(text));
            return Ok(());
        }
        return Err(Error::NoSuchRelation(name));
    };
    check_owner(&caller, &found)?;
    check_new_name(to)?;
    if is_taken(&scope, found.relation.schema, to) {
        return Err(Error::AlreadyExists {
            kind: "relation",
            name: to.to_owned(),
        });
    }
    let mut changed = found.relation.as_ref().clone();
    if let RelationBody::Table(table) = &mut changed.body {
        let mut keys = table.keys.iter_mut();
        if let Some(key) = keys.find(|key| key.name == name && key.has_index()) {
            key.name = to.to_owned();
        }
    }
    put(session, &caller, changed, None);
    Ok(())
}

/// There is nothing to make anew; who may not do it is told so all the same.
async fn reindex(session: &mut Session, kind: Reindex, name: Option<&ObjectName>) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let Some(name) = name else {
        return Ok(());
    };
    match kind {
        Reindex::Index => {
            let (name, found) = find(&scope, name)?;
            let found = found.ok_or(Error::NoSuchRelation(name))?;
            check_owner(&caller, &found)
        }
        Reindex::Table => check_owner(&caller, &relation(&scope, name)?),
        Reindex::Schema => {
            let (_, name) = qualified(name, &scope.database.name)?;
            schema::owned(&caller, &name).map(drop)
        }
        Reindex::Database => Ok(()),
    }
}
