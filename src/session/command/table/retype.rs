//! ALTER COLUMN … TYPE: what forbids it, and how each row's value becomes one of the new type.

use std::collections::HashMap;

use datafusion::common::ToDFSchema;
use datafusion::logical_expr::ExprSchemable;
use datafusion::sql::sqlparser::ast::Expr;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Column, Key, Table};
use tessera_catalog::sql_type::SqlType;

use super::super::modify::on_conflict::quoted;
use super::super::{default, policy};
use super::alter::{Filled, names_column, reader_of};
use super::column;
use crate::error::{Error, Result};
use crate::planner::source::Found;
use crate::planner::{self, Scope};
use crate::session::foreign::comparable;
use crate::session::write::table_schema;

/// The type that a column gets.
pub(super) struct Retyping<'a> {
    pub(super) wanted: SqlType,
    pub(super) domain: Option<Oid>,
    pub(super) fraction: Option<u8>,
    pub(super) using: Option<&'a Expr>,
}

/// Gives a column another type; what the rows that are there need is for the caller to do.
///
/// # Errors
/// 42804 for values that no cast makes, 0A000 for a column that something depends on.
pub(super) fn change(
    table: &mut Table,
    name: &str,
    to: Retyping<'_>,
    (found, scope): (&Found, &Scope),
) -> Result<Option<Filled>> {
    let relation = &found.relation.name;
    let column = table.column(name).ok_or_else(|| Error::NoSuchColumnOf {
        column: name.to_owned(),
        relation: relation.clone(),
    })?;
    if column.is_tenant() {
        return Err(Error::InvalidDefinition(format!(
            "column \"{name}\" of a common table cannot be altered"
        )));
    }
    let former = column.clone();
    let same = former.sql_type == to.wanted
        && (former.domain, former.fraction) == (to.domain, to.fraction);
    if same && to.using.is_none() {
        return Ok(None);
    }
    check_dependants(&former, table, found, scope)?;
    column::check_storable(&to.wanted, name)?;
    let mut changed = Column {
        sql_type: to.wanted.clone(),
        domain: to.domain,
        fraction: to.fraction,
        ..former.clone()
    };
    check_sources(&former, &changed, scope)?;
    // Rows are held to a domain's rules when they are written anew.
    let held = to.domain.is_some() && former.domain != to.domain
        || to.fraction.is_some() && former.fraction != to.fraction;
    let plain = widens(&former.sql_type, &to.wanted) && to.using.is_none() && !held;
    check_foreign(table, &changed, (found, scope), to.using.is_some())?;
    let keys = keys_of(table, changed.number);
    if !plain {
        changed.physical = column::physical_name(table, name);
        changed.missing_default = None;
    }
    let value = match (plain, &former.generated) {
        (true, _) => None,
        // It is made of the others.
        (false, Some(_)) => Some(Expr::value(datafusion::sql::sqlparser::ast::Value::Null)),
        (false, None) => Some(value(&former, &to, table, scope)?),
    };
    let number = changed.number;
    if let Some(own) = table.columns.iter_mut().find(|c| c.number == number) {
        *own = changed;
    }
    if !keys.is_empty() {
        column::check_equality(table, &[number])?;
    }
    Ok(value.map(|value| Filled {
        values: HashMap::from([(number, value)]),
        keys,
    }))
}

/// The keys that hold a column, which are checked anew.
fn keys_of(table: &Table, number: i16) -> Vec<Key> {
    let keys = table.keys.iter();
    let own = keys.filter(|key| key.is_unique() && key.columns.contains(&number));
    own.cloned().collect()
}

fn value(former: &Column, to: &Retyping<'_>, table: &Table, scope: &Scope) -> Result<Expr> {
    let schema = table_schema(table, &scope.zone).to_dfschema()?;
    let (written, is_given) = match to.using {
        Some(using) => {
            default::no_subquery(using, "transform expression")?;
            (using.clone(), true)
        }
        None => (Expr::Identifier(quoted(&former.name)), false),
    };
    let planned = planner::expression(written.clone(), &schema, scope, &[])?;
    // A text is read as the type only where it is written as a literal.
    let given = SqlType::of(planned.to_field(&schema)?.1.as_ref());
    let is_read = is_text(&given)
        && !is_text(&to.wanted)
        && !matches!(planned, datafusion::logical_expr::Expr::Literal(..));
    let assigned = match is_read {
        true => Err(Error::DatatypeMismatch(String::new())),
        false => planner::assign(planned, &schema, &to.wanted, &scope.zone, &former.name),
    };
    match assigned {
        Ok(_) => Ok(written),
        Err(Error::DatatypeMismatch(_)) if is_given => Err(Error::DatatypeMismatch(format!(
            "result of USING clause for column \"{}\" cannot be cast automatically to type {}",
            former.name, to.wanted
        ))),
        Err(Error::DatatypeMismatch(_)) => Err(Error::Function {
            sqlstate: "42804",
            message: format!(
                "column \"{}\" cannot be cast automatically to type {}",
                former.name, to.wanted
            ),
            hint: Some(format!(
                "You might need to specify \"USING {}::{}\".",
                former.name, to.wanted
            )),
            detail: None,
        }),
        Err(other) => Err(other),
    }
}

fn is_text(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_)
    )
}

/// Refuses what PostgreSQL refuses: columns that views, policies and generated columns read.
fn check_dependants(column: &Column, table: &Table, found: &Found, scope: &Scope) -> Result<()> {
    let name = &column.name;
    let refused = |what: &str, detail: String| Error::Function {
        sqlstate: "0A000",
        message: format!("cannot alter type of a column used {what}"),
        hint: None,
        detail: Some(detail),
    };
    if let Some(view) = reader_of(&scope.database, found, column.number) {
        return Err(refused(
            "by a view or rule",
            format!("rule _RETURN on view {view} depends on column \"{name}\""),
        ));
    }
    let oid = found.relation.oid;
    if let Some((policy, of)) = policy::reader_of(&scope.database, oid, Some(column.number)) {
        return Err(refused(
            "in a policy definition",
            format!("policy {policy} on table {of} depends on column \"{name}\""),
        ));
    }
    let mut generated = table.live_columns().filter(|c| c.number != column.number);
    let reads = |text: &String| names_column(text, name);
    if let Some(other) = generated.find(|c| c.generated.as_ref().is_some_and(reads)) {
        return Err(refused(
            "by a generated column",
            format!(
                "Column \"{name}\" is used by generated column \"{}\".",
                other.name
            ),
        ));
    }
    let security = scope.database.row_security.get(&oid);
    let masked = |security: &std::sync::Arc<tessera_catalog::model::RowSecurity>| {
        security
            .masks
            .iter()
            .any(|mask| mask.column == column.number)
    };
    if security.is_some_and(masked) {
        return Err(Error::Unsupported(
            "ALTER COLUMN TYPE of a column with a masking policy".to_owned(),
        ));
    }
    Ok(())
}

/// Checks that the column's default and identity fit its new type.
fn check_sources(former: &Column, changed: &Column, scope: &Scope) -> Result<()> {
    if former.identity.is_some()
        && !matches!(
            changed.sql_type,
            SqlType::Int2 | SqlType::Int4 | SqlType::Int8
        )
    {
        return Err(Error::InvalidParameterValue(
            "identity column type must be smallint, integer, or bigint".to_owned(),
        ));
    }
    if former.generated.is_some() || former.default.is_none() {
        return Ok(());
    }
    default::of_column(changed, scope)
        .map(drop)
        .map_err(|error| match error {
            Error::DatatypeMismatch(_) => Error::DatatypeMismatch(format!(
                "default for column \"{}\" cannot be cast automatically to type {}",
                former.name, changed.sql_type
            )),
            other => other,
        })
}

/// Foreign keys go on comparing what they compared; other changes would need all rows looked at anew.
fn check_foreign(
    table: &Table,
    changed: &Column,
    (found, scope): (&Found, &Scope),
    is_given: bool,
) -> Result<()> {
    let former = table.columns.iter().find(|c| c.number == changed.number);
    let same = former.is_some_and(|former| comparable(&former.sql_type, &changed.sql_type));
    let own = table
        .foreign_keys()
        .any(|(key, _)| key.columns.contains(&changed.number));
    let mut referred = scope.database.references_to(found.relation.oid);
    let referred = referred.any(|(_, _, foreign)| foreign.columns.contains(&changed.number));
    if (own || referred) && (is_given || !same) {
        return Err(Error::Unsupported(
            "this ALTER COLUMN TYPE of a column with a foreign key".to_owned(),
        ));
    }
    Ok(())
}

/// Whether every value of a type is one of the other, stored the same way.
fn widens(from: &SqlType, to: &SqlType) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        (SqlType::Varchar(_), SqlType::Text | SqlType::Varchar(None)) => true,
        (SqlType::Text, SqlType::Varchar(None)) => true,
        (SqlType::Varchar(Some(from)), SqlType::Varchar(Some(to))) => to >= from,
        _ => false,
    }
}
