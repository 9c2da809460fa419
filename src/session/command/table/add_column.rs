//! ALTER TABLE … ADD COLUMN: what the new column holds in rows that are there.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{self, ColumnDef, Expr, Ident};
use tessera_catalog::model::{Change, Column, Key, Scope as Reach, TENANT_COLUMN, Table};

use super::super::default;
use super::alter::Filled;
use super::column::{self, Defined};
use super::constraint::add_foreign_key;
use super::create::NewTable;
use super::existing;
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::ast::SequenceOptions;
use crate::planner::source::Found;
use crate::session::Session;
use crate::session::reply::Notice;

/// Adds a column; what rows that are there hold in it is for the caller to write, where it differs.
///
/// # Errors
/// PostgreSQL's for names, types and constraints that do not fit.
pub(super) async fn add_column(
    session: &mut Session,
    table: &mut Table,
    definition: &ColumnDef,
    if_not_exists: bool,
    found: &Found,
    scope: &Scope,
) -> Result<Option<Filled>> {
    let relation = &found.relation.name;
    let number = table.columns.len() + 1;
    let Defined {
        mut column,
        checks,
        keys,
        references,
        draws,
    } = column::read(definition, number, scope)?;
    if table.column(&column.name).is_some() {
        if if_not_exists {
            session.notice(Notice {
                sqlstate: "42701",
                ..Notice::plain(format!(
                    "column \"{}\" of relation \"{relation}\" already exists, skipping",
                    column.name
                ))
            });
            return Ok(None);
        }
        return Err(Error::ColumnExists {
            column: column.name,
            relation: relation.clone(),
        });
    }
    column.physical = column::physical_name(table, &column.name);
    let mut fresh = None;
    if let Some(options) = &draws {
        fresh = Some(own_sequence(session, &mut column, options, found).await?);
    }
    let scope = fresh.as_ref().unwrap_or(scope);
    let mut value = None;
    if column.generated.is_some() {
        value = Some(Expr::value(ast::Value::Null));
    } else if column.domain.is_some() || column.fraction.is_some() {
        // Rows from before are written anew, and made to fit.
        value = Some(each_row(&column, table, scope)?);
    } else if column.default.is_some() {
        let planned = default::of_column(&column, scope)?;
        if planned.is_volatile() {
            value = Some(each_row(&column, table, scope)?);
        } else {
            // Rows from before get the default's value of this moment.
            column.missing_default = column::constant_text(planned, &column.sql_type, scope)?;
        }
    }
    let missing_null = column.missing_default.is_none() && value.is_none();
    if !column.nullable && missing_null && column::any_row(session, found, "true").await? {
        return Err(Error::ContainsNulls {
            column: column.name,
            relation: relation.clone(),
        });
    }
    table.columns.push(column);
    let number = i16::try_from(number).unwrap_or(i16::MAX);
    if let Some(column) = table.columns.last().filter(|c| c.generated.is_some()) {
        default::check_generated(column, table, scope)?;
    }
    for (name, condition) in checks {
        let oid = session.engine.catalog.next_oid(&scope.database);
        let check = column::check(name, &condition, table, relation, scope, oid)?;
        table.checks.push(check);
    }
    let mut later = Vec::new();
    for declared in keys {
        let oid = session.engine.catalog.next_oid(&scope.database);
        let key = column::key(declared, vec![number], table, relation, oid)?;
        if value.is_some() {
            later.push(key);
            continue;
        }
        check_column_key(session, table, &key, found).await?;
        table.keys.push(key);
    }
    for declared in references {
        let columns = [definition.name.clone()];
        add_foreign_key(session, table, &declared, &columns, (found, scope)).await?;
    }
    Ok(value.map(|value| Filled {
        values: HashMap::from([(number, value)]),
        keys: later,
    }))
}

/// Makes the sequence from which a new column draws, and gives the names with it among them.
async fn own_sequence(
    session: &mut Session,
    column: &mut Column,
    options: &SequenceOptions,
    found: &Found,
) -> Result<Scope> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let relation = &found.relation;
    let place = NewTable {
        oid: relation.oid,
        owner: relation.owner,
        name: &relation.name,
        schema: (relation.schema, &found.schema_name),
        caller: &caller,
    };
    let oid = session.engine.catalog.next_oid(&scope.database);
    let made = place.sequence(column, options, oid, &scope, &[])?;
    let changes = vec![Change::PutRelation(made), Change::NextOid(oid.0 + 1)];
    session.transaction.change(&scope.database, changes);
    session.version += 1;
    let caller = session.caller().await?;
    session.scope(&caller).await
}

/// A default as each row gets it anew; those of a common table are drawn for the tenant of the row.
fn each_row(column: &Column, table: &Table, scope: &Scope) -> Result<Expr> {
    let mut value = default::written(column, scope)?;
    if scope.is_system() && table.scope == Reach::Common {
        let tenant = Expr::Identifier(Ident::with_quote('"', TENANT_COLUMN));
        default::draw_for(&mut value, &tenant);
    }
    Ok(value)
}

/// Checks that a key over a new column fits: all rows have the same value in it.
async fn check_column_key(
    session: &mut Session,
    table: &Table,
    key: &Key,
    found: &Found,
) -> Result<()> {
    if !key.is_checked() {
        return Ok(());
    }
    existing::hold_still(session, found).await?;
    let value = table
        .columns
        .last()
        .and_then(|c| c.missing_default.as_deref());
    if value.is_none() && !key.nulls_not_distinct {
        return Ok(());
    }
    let twice = match found.relation.table().map(|table| table.scope) {
        // Each tenant's rows are compared among themselves.
        Some(Reach::Common) => "SELECT 1 FROM {table} GROUP BY tenant_id HAVING count(*) > 1",
        _ => "SELECT 1 FROM {table} HAVING count(*) > 1",
    };
    if existing::first_rows(session, found, twice).await?.is_some() {
        let name = table
            .columns
            .last()
            .map(|c| c.name.as_str())
            .unwrap_or_default();
        let value = value.unwrap_or("null");
        return Err(Error::UniqueOfExisting {
            constraint: key.name.clone(),
            detail: Some(format!("Key ({name})=({value}) is duplicated.")),
        });
    }
    Ok(())
}
