//! A query's AST to its plan.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast;

use super::aside::aside;
use super::names::Names;
use super::rewrite::{
    counted, domains, fractions, from_functions, full_join, functions, locks, object_names,
    operators, output_names, refused, sampled, sets, short_aliases, spelling, subqueries,
    time_travel, whole_rows, windows,
};
use super::scope::Scope;
use super::size;
use super::typing;
use crate::error::{Error, Result};

/// Plans a query over the names of `scope`; `parameters` are the types of `$1`, `$2`, … as far as
/// they were told.
///
/// # Errors
/// Names that mean nothing, types that do not fit, and what the engine cannot do.
pub fn plan(
    query: ast::Query,
    scope: &Scope,
    parameters: &[Option<FieldRef>],
) -> Result<LogicalPlan> {
    plan_with(
        &Names::new(scope),
        ast::Statement::Query(Box::new(query)),
        parameters,
    )
}

/// Plans the query by which a statement finds the rows that it changes; its target's name is marked.
///
/// # Errors
/// As [`plan`].
pub fn plan_change(
    query: ast::Query,
    scope: &Scope,
    parameters: &[Option<FieldRef>],
) -> Result<LogicalPlan> {
    plan_with(
        &Names::of_change(scope),
        ast::Statement::Query(Box::new(query)),
        parameters,
    )
}

pub(super) fn plan_with(
    names: &Names<'_>,
    statement: ast::Statement,
    parameters: &[Option<FieldRef>],
) -> Result<LogicalPlan> {
    aside(|| plan_statement(names, statement, parameters))
}

fn plan_statement(
    names: &Names<'_>,
    mut statement: ast::Statement,
    parameters: &[Option<FieldRef>],
) -> Result<LogicalPlan> {
    size::check_statement(&statement)?;
    functions::plain_calls(&mut statement);
    tessera_udfs::rewrite_calls(&mut statement).map_err(DataFusionError::from)?;
    time_travel::mark_versions(&mut statement)?;
    locks::mark_locked(&mut statement);
    whole_rows::expand(&mut statement);
    full_join::spell_out(&mut statement, &|factor| names.columns_of(factor))?;
    output_names::name_outputs(&mut statement);
    windows::spell_out(&mut statement)?;
    short_aliases::complete(&mut statement, &|factor| names.columns_of(factor));
    refused::check(&statement)?;
    sampled::by_chance(&mut statement, &|factor| names.is_table(factor))?;
    from_functions::to_subqueries(&mut statement, names.scope)?;
    let hidden = operators::short_spellings(&mut statement);
    names.show_hidden(hidden);
    domains::spell_out(&mut statement, &names.user_types)?;
    fractions::spell_out(&mut statement);
    spelling::plain(&mut statement);
    whole_rows::plain(&mut statement);
    let plan = planned(names, statement, parameters)?;
    size::Size::of(&plan)?;
    let plan = counted::by_numbers(plan)?;
    let plan = sets::expand(plan)?;
    let plan = subqueries::flatten(plan)?;
    let plan = object_names::cast_names(plan, names.scope)?;
    Ok(typing::settle(plan)?)
}

/// Plans a statement; a name that turns out to be no column is taken for a whole row, if it may be one.
fn planned(
    names: &Names<'_>,
    mut statement: ast::Statement,
    parameters: &[Option<FieldRef>],
) -> Result<LogicalPlan> {
    let engine = SqlToRel::new_with_options(names, options());
    let mut taken: Vec<String> = Vec::new();
    loop {
        let mut context = PlannerContext::new().with_prepare_param_data_types(parameters.to_vec());
        let error = match engine.sql_statement_to_plan_with_context(statement.clone(), &mut context)
        {
            Ok(plan) => return Ok(plan),
            Err(error) => Error::from(error),
        };
        let Error::NoSuchColumn(name) = &error else {
            return Err(error);
        };
        let columns = |factor: &ast::TableFactor| names.columns_of(factor);
        if taken.contains(name) || !whole_rows::mark(&mut statement, name, &columns) {
            return Err(error);
        }
        taken.push(name.clone());
    }
}

/// How the engine reads SQL: numbers with a point are exact, names fold, text is a view.
pub(super) fn options() -> ParserOptions {
    ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_map_string_types_to_utf8view(true)
}

/// Plans an expression over the columns of `schema`.
///
/// # Errors
/// As [`plan`].
pub fn expression(
    mut expression: ast::Expr,
    schema: &DFSchema,
    scope: &Scope,
    parameters: &[Option<FieldRef>],
) -> Result<Expr> {
    functions::plain_calls(&mut expression);
    tessera_udfs::rewrite_calls(&mut expression).map_err(DataFusionError::from)?;
    operators::short_spellings(&mut expression);
    let names = Names::new(scope);
    domains::spell_out(&mut expression, &names.user_types)?;
    fractions::spell_out(&mut expression);
    spelling::plain_expression(&mut expression);
    let engine = SqlToRel::new_with_options(&names, options());
    let mut context = PlannerContext::new().with_prepare_param_data_types(parameters.to_vec());
    let planned = engine.sql_to_expr(expression, schema, &mut context)?;
    Ok(typing::settle_expression(planned, schema)?)
}
