//! Defaults and conditions of a table: expressions kept as text.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, ToDFSchema};
use datafusion::logical_expr::{Expr, lit};
use datafusion::sql::sqlparser::ast;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Column, Scope as Reach, Table};

use super::user_type;
use crate::error::{Error, Result};
use crate::planner::{self, Scope};
use crate::policy::{self, Caller};
use crate::session::write::{CompiledCheck, CompiledGenerated, Rule, table_schema};
use tessera_udfs::walk;

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

/// Refuses a sub-query where an expression is kept: it would read with the rights of whoever comes to
/// evaluate it, and whoever planted it would find in the table what it read.
///
/// # Errors
/// 0A000, as in PostgreSQL.
pub(super) fn no_subquery(expr: &ast::Expr, place: &str) -> Result<()> {
    use std::ops::ControlFlow;
    let found = walk::expressions(expr, &mut |expr| {
        let is_query = match expr {
            ast::Expr::Subquery(_) | ast::Expr::Exists { .. } | ast::Expr::InSubquery { .. } => {
                true
            }
            ast::Expr::Function(call) => {
                matches!(call.args, ast::FunctionArguments::Subquery(_))
            }
            _ => false,
        };
        match is_query {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Function {
            sqlstate: "0A000",
            message: format!("cannot use subquery in {place}"),
            hint: None,
            detail: None,
        }),
    }
}

/// Places of expressions without sub-queries, as errors call them.
const CHECK: &str = "check constraint";
const DEFAULT: &str = "DEFAULT expression";
const GENERATED: &str = "column generation expression";

/// What a column holds when nothing is said: its default, the session's tenant, or NULL; in the
/// column's type.
pub(super) fn of_column(column: &Column, scope: &Scope) -> Result<Expr> {
    if column.is_tenant() {
        let name = (!scope.is_system()).then(|| scope.database.name.clone());
        return Ok(lit(ScalarValue::Utf8View(name)));
    }
    let Some(text) = text_of(column, scope) else {
        let null = ScalarValue::try_new_null(&column.sql_type.arrow(&scope.zone))?;
        return Ok(lit(null));
    };
    let written = parse(&text)?;
    no_subquery(&written, DEFAULT)?;
    let expr = planner::expression(written, &DFSchema::empty(), scope, &[])?;
    planner::assign(
        expr,
        &DFSchema::empty(),
        &column.sql_type,
        &scope.zone,
        &column.name,
    )
}

/// The text of a column's default: its own, or that of its domain.
pub(super) fn text_of(column: &Column, scope: &Scope) -> Option<String> {
    if column.default.is_some() || column.generated.is_some() {
        return column.default.clone();
    }
    let mut next = Some(column.domain?);
    let types = scope.user_types();
    while let Some(oid) = next {
        let domain = types.by_oid(oid)?.domain()?;
        if domain.default.is_some() {
            return domain.default.clone();
        }
        next = domain.parent;
    }
    None
}

/// As [`of_column`], for an operator's row that goes to the tenant that it names.
pub(super) fn of_row(column: &Column, scope: &Scope, tenant: Option<&Expr>) -> Result<Expr> {
    let value = of_column(column, scope)?;
    let Some(tenant) = tenant.filter(|_| scope.is_system()) else {
        return Ok(value);
    };
    let drawn = value.transform(|expr| match expr {
        Expr::ScalarFunction(mut call) if call.name() == "nextval" && call.args.len() == 1 => {
            call.args.push(tenant.clone());
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(drawn.data)
}

/// The expression that DEFAULT stands for, as it is written.
pub(super) fn written(column: &Column, scope: &Scope) -> Result<ast::Expr> {
    match text_of(column, scope) {
        _ if column.is_tenant() && !scope.is_system() => Ok(ast::Expr::value(
            ast::Value::SingleQuotedString(scope.database.name.clone()),
        )),
        Some(text) => {
            let written = parse(&text)?;
            no_subquery(&written, DEFAULT)?;
            Ok(written)
        }
        None => Ok(ast::Expr::value(ast::Value::Null)),
    }
}

/// Lets the sequences that an expression draws from be those of a row's own tenant.
pub(super) fn draw_for(expr: &mut ast::Expr, tenant: &ast::Expr) {
    use std::ops::ControlFlow;
    let drawn = walk::expressions_mut(expr, &mut |expr| {
        if let ast::Expr::Function(call) = expr
            && super::names::parts(&call.name).last().map(String::as_str) == Some("nextval")
            && let ast::FunctionArguments::List(list) = &mut call.args
            && list.args.len() == 1
        {
            let argument = ast::FunctionArgExpr::Expr(tenant.clone());
            list.args.push(ast::FunctionArg::Unnamed(argument));
        }
        ControlFlow::<()>::Continue(())
    });
    debug_assert!(drawn.is_continue());
}

/// Checks a default's expression and gives its text for the catalog.
pub(super) fn check(expr: &ast::Expr, column: &Column, scope: &Scope) -> Result<String> {
    no_subquery(expr, DEFAULT)?;
    let mut expr = expr.clone();
    bind_sequences(&mut expr, scope)?;
    planner::bind_types(&mut expr, scope);
    let text = expr.to_string();
    let planned =
        planner::expression(expr.clone(), &DFSchema::empty(), scope, &[]).map_err(|error| {
            match error {
                Error::NoSuchColumn(_) => Error::Function {
                    sqlstate: "0A000",
                    message: "cannot use column reference in DEFAULT expression".to_owned(),
                    hint: None,
                    detail: None,
                },
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

/// Names sequences by number, so that the default goes on meaning the same whoever inserts.
fn bind_sequences(expr: &mut ast::Expr, scope: &Scope) -> Result<()> {
    use std::ops::ControlFlow;
    let bound = walk::expressions_mut(expr, &mut |expr| {
        let ast::Expr::Function(call) = expr else {
            return ControlFlow::Continue(());
        };
        let name = super::names::parts(&call.name).pop().unwrap_or_default();
        if !["nextval", "currval"].contains(&name.as_str()) {
            return ControlFlow::Continue(());
        }
        let ast::FunctionArguments::List(list) = &mut call.args else {
            return ControlFlow::Continue(());
        };
        let Some(ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(argument))) =
            list.args.first_mut()
        else {
            return ControlFlow::Continue(());
        };
        match bound_sequence(argument, scope) {
            Ok(Some(number)) => {
                *argument = ast::Expr::value(ast::Value::SingleQuotedString(number.to_string()));
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    });
    match bound {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The number of the sequence that a literal names.
fn bound_sequence(argument: &ast::Expr, scope: &Scope) -> Result<Option<Oid>> {
    let literal = match argument {
        ast::Expr::Cast { expr, .. } => expr.as_ref(),
        other => other,
    };
    let ast::Expr::Value(value) = literal else {
        return Ok(None);
    };
    let ast::Value::SingleQuotedString(text) = &value.value else {
        return Ok(None);
    };
    if text.parse::<u32>().is_ok() {
        return Ok(None);
    }
    let mut parts = planner::name_parts(text)?;
    let name = parts.pop().unwrap_or_default();
    let found = scope.relation(parts.pop().as_deref(), &name)?;
    match found.relation.sequence() {
        Some(_) => Ok(Some(found.relation.oid)),
        None => Err(Error::WrongKind {
            name: found.relation.name.clone(),
            wanted: "sequence",
        }),
    }
}

/// Checks that who writes to a table may call what its expressions call. What the operator put into a table
/// that it lends is the operator's business.
pub(super) fn check_calls(table: &Table, caller: &Caller, expr: &Expr) -> Result<()> {
    match table.scope {
        Reach::Own => policy::check_calls(caller, expr),
        Reach::Common | Reach::Shared => Ok(()),
    }
}

/// The CHECK constraints of a table, ready to be evaluated over its live columns.
pub(super) fn compile_checks(
    table: &Table,
    caller: &Caller,
    scope: &Scope,
) -> Result<Arc<[CompiledCheck]>> {
    let schema = table_schema(table, &scope.zone).to_dfschema()?;
    let mut compiled = domain_checks(table, &schema, caller, scope)?;
    for check in &table.checks {
        let condition = condition(&parse(&check.expression)?, &schema, scope)?;
        check_calls(table, caller, &condition)?;
        let condition = scope.state.create_physical_expr(condition, &schema)?;
        compiled.push(CompiledCheck {
            name: check.name.clone(),
            condition,
            rule: Rule::OfTable,
        });
    }
    Ok(Arc::from(compiled))
}

/// What the domains of a table's columns demand.
fn domain_checks(
    table: &Table,
    schema: &DFSchema,
    caller: &Caller,
    scope: &Scope,
) -> Result<Vec<CompiledCheck>> {
    let mut compiled = Vec::new();
    for column in table.live_columns() {
        let Some(domain) = column.domain else {
            continue;
        };
        for (domain, check) in user_type::rules_of(domain, scope)? {
            let (name, written, rule) = match check {
                Some(check) => (
                    check.name,
                    user_type::on_column(&check.expression, &column.name)?,
                    Rule::OfDomain(domain),
                ),
                None => {
                    let quoted = ast::Ident::with_quote('"', &column.name);
                    let is_there = Box::new(ast::Expr::Identifier(quoted));
                    let is_there = ast::Expr::IsNotNull(is_there);
                    (String::new(), is_there, Rule::NotNullOfDomain(domain))
                }
            };
            let condition = condition(&written, schema, scope)?;
            check_calls(table, caller, &condition)?;
            let condition = scope.state.create_physical_expr(condition, schema)?;
            compiled.push(CompiledCheck {
                name,
                condition,
                rule,
            });
        }
    }
    Ok(compiled)
}

/// A condition over a table's columns.
pub(super) fn condition(expr: &ast::Expr, schema: &DFSchema, scope: &Scope) -> Result<Expr> {
    use datafusion::arrow::datatypes::DataType;
    use datafusion::logical_expr::ExprSchemable;
    no_subquery(expr, CHECK)?;
    let condition = planner::expression(expr.clone(), schema, scope, &[])?;
    match condition.get_type(schema)? {
        DataType::Boolean | DataType::Null => Ok(condition),
        other => Err(Error::DatatypeMismatch(format!(
            "argument of CHECK must be type boolean, not type {}",
            tessera_catalog::sql_type::SqlType::from_arrow(&other)
        ))),
    }
}

/// The expressions of a table's generated columns, ready to be evaluated over its live columns.
pub(super) fn compile_generated(
    table: &Table,
    caller: &Caller,
    scope: &Scope,
) -> Result<Arc<[CompiledGenerated]>> {
    let schema = table_schema(table, &scope.zone).to_dfschema()?;
    let mut compiled = Vec::new();
    for (place, column) in table.live_columns().enumerate() {
        let Some(text) = &column.generated else {
            continue;
        };
        let written = parse(text)?;
        no_subquery(&written, GENERATED)?;
        let value = planner::expression(written, &schema, scope, &[])?;
        check_calls(table, caller, &value)?;
        let value = planner::assign(value, &schema, &column.sql_type, &scope.zone, &column.name)?;
        let value = scope.state.create_physical_expr(value, &schema)?;
        compiled.push(CompiledGenerated { place, value });
    }
    Ok(Arc::from(compiled))
}

/// Checks the expression of a generated column.
///
/// # Errors
/// 42P17 and 42P16 as in PostgreSQL.
pub(super) fn check_generated(column: &Column, table: &Table, scope: &Scope) -> Result<()> {
    let Some(text) = &column.generated else {
        return Ok(());
    };
    let schema = table_schema(table, &scope.zone).to_dfschema()?;
    let written = parse(text)?;
    no_subquery(&written, GENERATED)?;
    let value = planner::expression(written, &schema, scope, &[])?;
    for used in value.column_refs() {
        let other = table.column(&used.name);
        if other.is_some_and(|other| other.generated.is_some()) {
            return Err(Error::Function {
                sqlstate: "42P17",
                message: format!(
                    "cannot use generated column \"{}\" in column generation expression",
                    used.name
                ),
                hint: None,
                detail: Some(
                    "A generated column cannot reference another generated column.".into(),
                ),
            });
        }
    }
    if calls_changing_function(&value) {
        return Err(Error::Function {
            sqlstate: "42P17",
            message: "generation expression is not immutable".to_owned(),
            hint: None,
            detail: None,
        });
    }
    planner::assign(value, &schema, &column.sql_type, &scope.zone, &column.name)?;
    Ok(())
}

/// Whether an expression's value may change while its columns stay.
fn calls_changing_function(expr: &Expr) -> bool {
    use datafusion::logical_expr::Volatility;
    let changing = |expr: &Expr| match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        _ => false,
    };
    expr.exists(|expr| Ok(changing(expr))).unwrap_or(true)
}
