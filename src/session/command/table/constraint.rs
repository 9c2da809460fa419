//! Constraints of a table that has rows: what they must hold to, and what hangs on keys that go.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{DropBehavior, ForeignKeyConstraint, Ident};
use tessera_catalog::model::{Database, ForeignKey, Key, KeyKind, Scope as Reach, Table};

use super::foreign::{self, Referring};
use super::{column, existing};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::session::Session;
use crate::session::reply::Notice;

/// Adds a foreign key to a table that may have rows.
pub(super) async fn add_foreign_key(
    session: &mut Session,
    table: &mut Table,
    declared: &ForeignKeyConstraint,
    columns: &[Ident],
    (found, scope): (&Found, &Scope),
) -> Result<()> {
    let caller = session.caller().await?;
    let relation = &found.relation;
    let own = Referring {
        oid: relation.oid,
        name: &relation.name,
        schema: (relation.schema, &found.schema_name),
        home: found.home,
    };
    let (name, key) = foreign::declared(declared, columns, &own, table, &caller, scope)?;
    let oid = session.engine.catalog.next_oid(&scope.database);
    let key = foreign::named(name, key, table, &relation.name, oid)?;
    let is_new = |number: &i16| {
        let before = relation.table().into_iter().flat_map(|t| &t.columns);
        !before.into_iter().any(|column| column.number == *number)
    };
    // A new column has the same in all rows, or nothing; the old table cannot be asked for it.
    let new = key.columns.iter().any(is_new);
    let holds_nothing = |number: &i16| {
        let column = table.columns.iter().find(|c| c.number == *number);
        column.is_some_and(|column| column.missing_default.is_none())
    };
    if new
        && !key.columns.iter().all(holds_nothing)
        && column::any_row(session, found, "true").await?
    {
        return Err(Error::Unsupported(
            "ADD COLUMN with a default and REFERENCES to a table that has rows".to_owned(),
        ));
    }
    if !new {
        foreign::check_existing(session, table, &key, found, scope).await?;
    }
    table.keys.push(key);
    Ok(())
}

/// What depends on what goes, in words: of a constraint and its table.
type Naming<'a> = dyn Fn(&str, &str) -> String + Sync + 'a;

/// Lets go, or refuses to let go, of keys and columns that foreign keys refer to.
pub(super) async fn release_keys(
    session: &mut Session,
    table: &Table,
    (found, database): (&Found, &Arc<Database>),
    behavior: Option<DropBehavior>,
    (object, by): (String, &Naming<'_>),
) -> Result<()> {
    let oid = found.relation.oid;
    let broken = |foreign: &ForeignKey| !foreign::finds_key(table, foreign);
    let dependants: Vec<_> = foreign::dependants(database, oid, broken)
        .into_iter()
        .filter(|(child, key)| {
            // Its own are in the table as it is being changed.
            child.oid != oid || table.keys.iter().any(|own| own.name == *key)
        })
        .collect();
    if table.scope == Reach::Common {
        let others = session.engine.catalog.dependants_of(oid).await?;
        let of_tenants = others.iter().filter(|(db, _)| *db != database.id).count();
        if of_tenants > 0 && found.relation.table().is_some_and(|t| t.keys != table.keys) {
            return Err(Error::DependentObjects {
                object,
                detail: format!("{of_tenants} views and tables of tenants depend on it."),
            });
        }
    }
    let Some((child, key)) = dependants.first() else {
        return Ok(());
    };
    if behavior != Some(DropBehavior::Cascade) {
        return Err(Error::DependentObjects {
            object,
            detail: by(&child.name, key),
        });
    }
    if dependants.iter().any(|(child, _)| child.oid == oid) {
        return Err(Error::Unsupported(
            "DROP … CASCADE of a key that its own table refers to".to_owned(),
        ));
    }
    for (child, key) in &dependants {
        session.notice(Notice::plain(format!(
            "drop cascades to constraint {key} on table {}",
            child.name
        )));
    }
    session
        .transaction
        .change(database, foreign::without(&dependants));
    session.version += 1;
    Ok(())
}

/// PostgreSQL's error for a constraint that a table does not have.
pub(super) fn no_constraint(name: &str, relation: &str) -> Error {
    Error::Function {
        sqlstate: "42704",
        message: format!("constraint \"{name}\" of relation \"{relation}\" does not exist"),
        hint: None,
        detail: None,
    }
}

/// Checks that a new key with all its columns in the table fits the rows that are there.
pub(super) async fn check_new_key(
    session: &mut Session,
    table: &Table,
    key: &Key,
    found: &Found,
    scope: &Scope,
) -> Result<()> {
    if key.is_checked() {
        existing::check_unique(session, table, key, found, scope).await?;
    }
    if key.kind == KeyKind::Primary {
        for number in &key.columns {
            let column = table.columns.iter().find(|c| c.number == *number);
            let name = column
                .map(|column| column.name.as_str())
                .unwrap_or_default();
            let quoted = name.replace('"', "\"\"");
            if column::any_row(session, found, &format!("\"{quoted}\" IS NULL")).await? {
                return Err(Error::ContainsNulls {
                    column: name.to_owned(),
                    relation: found.relation.name.clone(),
                });
            }
        }
    }
    Ok(())
}
