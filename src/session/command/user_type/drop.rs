//! DROP TYPE and DROP DOMAIN.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::ObjectName;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Change, Database, Relation, RelationBody, UserType};

use super::super::names::drop_relations;
use super::super::table;
use super::{missing, not_a_domain, owned, usage};
use crate::error::{Error, Result};
use crate::planner::ast::Body;
use crate::session::Session;
use crate::session::reply::Notice;

pub(super) async fn run(
    session: &mut Session,
    names: &[ObjectName],
    is_domain: bool,
    (if_exists, cascade): (bool, bool),
) -> Result<()> {
    for name in names {
        let caller = session.caller().await?;
        let scope = session.scope(&caller).await?;
        let Some(found) = scope.user_types().named(name).map(Arc::clone) else {
            let error = missing(&scope, name);
            if !if_exists {
                return Err(error);
            }
            let text = match &error {
                Error::NoSuchType(name) => format!("type \"{name}\" does not exist, skipping"),
                other => format!("{other}, skipping"),
            };
            session.notice(Notice::plain(text));
            continue;
        };
        if is_domain && found.domain().is_none() {
            return Err(not_a_domain(&found.name));
        }
        let doomed = owned(&scope, &caller, name, is_domain)?;
        drop_type(session, &doomed, cascade).await?;
    }
    Ok(())
}

/// Drops the types of a schema that goes.
pub(in crate::session::command) async fn drop_all(
    session: &mut Session,
    types: &[Oid],
) -> Result<()> {
    for oid in types {
        let caller = session.caller().await?;
        // One that stood on another has gone with it.
        if let Some(doomed) = caller.database.types.get(oid).map(Arc::clone) {
            drop_type(session, &doomed, true).await?;
        }
    }
    Ok(())
}

/// Drops a type, and with CASCADE what cannot be without it.
async fn drop_type(session: &mut Session, doomed: &UserType, cascade: bool) -> Result<()> {
    let of_tenants = usage::of_tenants(session, doomed.oid).await?;
    let object = format!("type {}", doomed.name);
    if of_tenants > 0 {
        if cascade {
            return Err(Error::Unsupported(format!(
                "DROP … CASCADE of a type that {of_tenants} objects of tenants need"
            )));
        }
        return Err(Error::DependentObjects {
            object,
            detail: format!("{of_tenants} objects of tenants depend on it."),
        });
    }
    let database = session.caller().await?.database;
    for above in types_above(&database, doomed.oid) {
        if !cascade {
            return Err(Error::DependentObjects {
                detail: format!("type {} depends on {object}", above.name),
                object,
            });
        }
        Box::pin(drop_type(session, &above, true)).await?;
    }
    loop {
        let database = session.caller().await?.database;
        let Some(user) = user_of(&database, doomed.oid) else {
            break;
        };
        let (what, relation) = described(&user, doomed.oid);
        if !cascade {
            return Err(Error::DependentObjects {
                detail: format!("{what} depends on {object}"),
                object,
            });
        }
        session.notice(Notice::plain(format!("drop cascades to {what}")));
        release(session, &database, relation, doomed).await?;
    }
    let database = session.caller().await?.database;
    session
        .transaction
        .change(&database, vec![Change::DropType(doomed.oid)]);
    session.version += 1;
    Ok(())
}

/// The types of the same database that stand on one.
fn types_above(database: &Database, oid: Oid) -> Vec<Arc<UserType>> {
    let types = database.types.values();
    let above = types.filter(|t| t.oid != oid && t.needs().any(|needed| needed == oid));
    above.map(Arc::clone).collect()
}

/// A relation of the same database that uses a type.
fn user_of(database: &Database, oid: Oid) -> Option<Arc<Relation>> {
    let mut using: Vec<&Arc<Relation>> = database
        .relations
        .values()
        .filter(|relation| relation.user_types().contains(&oid))
        .collect();
    using.sort_by_key(|relation| relation.oid);
    using.first().map(|found| Arc::clone(found))
}

/// The column, or the relation, that uses a type.
fn described(relation: &Arc<Relation>, oid: Oid) -> (String, &Arc<Relation>) {
    let what = match (&relation.body, column_of(relation, oid)) {
        (_, Some(column)) => format!("column {column} of table {}", relation.name),
        (RelationBody::View(_), None) => format!("view {}", relation.name),
        (_, None) => format!("table {}", relation.name),
    };
    (what, relation)
}

fn column_of(relation: &Relation, oid: Oid) -> Option<String> {
    let table = relation.table().filter(|table| table.query.is_none())?;
    let mut columns = table.live_columns();
    let of = columns.find(|c| c.domain == Some(oid) || c.sql_type.enum_oid() == Some(oid))?;
    Some(of.name.clone())
}

/// Takes from a relation what uses a type: a column, or all of a view.
async fn release(
    session: &mut Session,
    database: &Arc<Database>,
    relation: &Arc<Relation>,
    doomed: &UserType,
) -> Result<()> {
    let caller = session.caller().await?;
    let is_query = relation.view().is_some() || relation.materialized().is_some();
    if is_query {
        return drop_relations(session, &caller, &[relation.oid], true).await;
    }
    let Some(column) = column_of(relation, doomed.oid) else {
        return Err(Error::Unsupported(format!(
            "DROP … CASCADE of a type that an expression of table \"{}\" names",
            relation.name
        )));
    };
    let schema = database.schemas.get(&relation.schema);
    let schema = schema.map_or_else(|| "pg_temp".to_owned(), |schema| schema.name.clone());
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let text = format!(
        "ALTER TABLE {}.{} DROP COLUMN {} CASCADE",
        quoted(&schema),
        quoted(&relation.name),
        quoted(&column)
    );
    let statement = crate::planner::parse(&text)?.into_iter().next();
    match statement.map(|statement| statement.body) {
        Some(Body::Define(statement)) => match *statement {
            datafusion::sql::sqlparser::ast::Statement::AlterTable(alter) => {
                table::alter(session, &alter).await.map(|_| ())
            }
            _ => Err(Error::internal("an ALTER TABLE was expected")),
        },
        _ => Err(Error::internal("an ALTER TABLE was expected")),
    }
}
