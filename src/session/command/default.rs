//! Defaults and conditions of a table: expressions kept as text.

use std::sync::Arc;

use datafusion::common::{DFSchema, ScalarValue, ToDFSchema};
use datafusion::logical_expr::{Expr, lit};
use datafusion::sql::sqlparser::ast;
use tessera_catalog::model::{Column, Table};

use crate::error::{Error, Result};
use crate::planner::{self, Scope};
use crate::session::write::{CompiledCheck, table_schema};

/// Reads an expression that the catalog keeps as text.
pub(super) fn parse(text: &str) -> Result<ast::Expr> {
    let statements = planner::parse(&format!("SELECT {text}"))?;
    let body = statements
        .into_iter()
        .next()
        .map(|statement| statement.body);
    if let Some(planner::ast::Body::Query(query)) = body
        && let ast::SetExpr::Select(select) = *query.body
        && let Some(ast::SelectItem::UnnamedExpr(expr)) = select.projection.into_iter().next()
    {
        return Ok(expr);
    }
    Err(Error::internal(
        "an expression of the catalog cannot be read",
    ))
}

/// What a column holds when nothing is said: its default, the session's tenant, or NULL; in the
/// column's type.
pub(super) fn of_column(column: &Column, scope: &Scope) -> Result<Expr> {
    if column.is_tenant() {
        let name = (!scope.is_system()).then(|| scope.database.name.clone());
        return Ok(lit(ScalarValue::Utf8View(name)));
    }
    let Some(text) = &column.default else {
        let null = ScalarValue::try_new_null(&column.sql_type.arrow(&scope.zone))?;
        return Ok(lit(null));
    };
    let expr = planner::expression(parse(text)?, &DFSchema::empty(), scope, &[])?;
    planner::assign(
        expr,
        &DFSchema::empty(),
        &column.sql_type,
        &scope.zone,
        &column.name,
    )
}

/// The expression that DEFAULT stands for, as it is written.
pub(super) fn written(column: &Column, scope: &Scope) -> Result<ast::Expr> {
    match &column.default {
        _ if column.is_tenant() && !scope.is_system() => Ok(ast::Expr::value(
            ast::Value::SingleQuotedString(scope.database.name.clone()),
        )),
        Some(text) => parse(text),
        None => Ok(ast::Expr::value(ast::Value::Null)),
    }
}

/// Checks a default's expression and gives its text for the catalog.
pub(super) fn check(expr: &ast::Expr, column: &Column, scope: &Scope) -> Result<String> {
    let text = expr.to_string();
    let planned =
        planner::expression(expr.clone(), &DFSchema::empty(), scope, &[]).map_err(|error| {
            match error {
                Error::NoSuchColumn(_) => Error::InvalidDefinition(
                    "cannot use column reference in DEFAULT expression".into(),
                ),
                other => other,
            }
        })?;
    planner::assign(
        planned,
        &DFSchema::empty(),
        &column.sql_type,
        &scope.zone,
        &column.name,
    )?;
    Ok(text)
}

/// The CHECK constraints of a table, ready to be evaluated over its live columns.
pub(super) fn compile_checks(table: &Table, scope: &Scope) -> Result<Arc<[CompiledCheck]>> {
    let schema = table_schema(table, &scope.zone).to_dfschema()?;
    table
        .checks
        .iter()
        .map(|check| {
            let condition = condition(&parse(&check.expression)?, &schema, scope)?;
            let condition = scope.state.create_physical_expr(condition, &schema)?;
            Ok(CompiledCheck {
                name: check.name.clone(),
                condition,
            })
        })
        .collect()
}

/// A condition over a table's columns.
pub(super) fn condition(expr: &ast::Expr, schema: &DFSchema, scope: &Scope) -> Result<Expr> {
    use datafusion::arrow::datatypes::DataType;
    use datafusion::logical_expr::ExprSchemable;
    let condition = planner::expression(expr.clone(), schema, scope, &[])?;
    match condition.get_type(schema)? {
        DataType::Boolean | DataType::Null => Ok(condition),
        other => Err(Error::DatatypeMismatch(format!(
            "argument of CHECK must be type boolean, not type {}",
            tessera_catalog::sql_type::SqlType::from_arrow(&other)
        ))),
    }
}
