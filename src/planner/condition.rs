//! Conditions of row policies: bound to the numbers of what they name when they are made, and
//! planned again, over whatever rows they are to judge, whenever they are used.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, TableSource};
use datafusion::sql::sqlparser::ast::{self, SetExpr, Statement as Sql};
use tessera_catalog::model::{Condition, Reference};
use tessera_catalog::sql_type::SqlType;

use super::ast::Body;
use super::names::Names;
use super::query::plan_with;
use super::scope::Scope;
use super::source::{AsOf, Found, TableRef};
use super::view::{OWN_ROWS, REFERENCE_SCHEMA, bind_beside};
use crate::error::{Error, Result};

/// Binds a policy's condition over the rows of a table.
///
/// # Errors
/// Names that mean nothing, and what PostgreSQL does not take for such a condition.
pub fn bind(written: &ast::Expr, found: &Found, scope: &Scope) -> Result<Condition> {
    let table = &found.relation.name;
    let mut query = query(table, "true")?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.selection = Some(written.clone());
    }
    let (bound, references) = bind_beside(&query, scope)?;
    let own = TableRef::new(found.clone(), AsOf::Now, &scope.zone);
    let columns = own.columns.clone();
    let bound = condition_of(&bound)?.to_string();
    let rows = Arc::new(own);
    let narrowed = Narrowed {
        table,
        text: &bound,
        references: &references,
    };
    let plan = narrowed.plan(rows, scope).map_err(|error| match error {
        Error::Grouping(text) => Error::Grouping(text.replace("WHERE", "policy expressions")),
        Error::Function {
            sqlstate: "42803",
            message,
            ..
        } => Error::Grouping(message.replace("WHERE", "policy expressions")),
        Error::DatatypeMismatch(text) => {
            Error::DatatypeMismatch(text.replace("of WHERE must", "of POLICY must"))
        }
        other => other,
    })?;
    let (names, subqueries) = check(&plan, table)?;
    let names = columns
        .iter()
        .filter(|(_, name)| names.contains(name))
        .map(|(number, _)| *number)
        .collect();
    Ok(Condition {
        definition: shown(written),
        bound,
        table: table.clone(),
        columns,
        names,
        subqueries,
        references,
    })
}

/// A condition as `pg_get_expr` would write it.
fn shown(written: &ast::Expr) -> String {
    match written {
        ast::Expr::Nested(inner) => shown(inner),
        ast::Expr::BinaryOp { left, op, right } => {
            format!("({} {op} {})", shown(left), shown(right))
        }
        ast::Expr::UnaryOp {
            op: ast::UnaryOperator::Not,
            expr,
        } => format!("(NOT {})", shown(expr)),
        ast::Expr::IsNull(expr) => format!("({} IS NULL)", shown(expr)),
        ast::Expr::IsNotNull(expr) => format!("({} IS NOT NULL)", shown(expr)),
        ast::Expr::Value(_)
        | ast::Expr::Identifier(_)
        | ast::Expr::CompoundIdentifier(_)
        | ast::Expr::Function(_)
        | ast::Expr::Exists { .. } => written.to_string(),
        other => format!("({other})"),
    }
}

/// Rows and the condition that they are narrowed by.
pub struct Narrowed<'a> {
    /// What the condition calls the rows.
    pub table: &'a str,
    /// A bound condition's text.
    pub text: &'a str,
    /// What the names in it stand for.
    pub references: &'a [Reference],
}

impl Narrowed<'_> {
    /// The rows of a source that fulfil the condition; its columns have the condition's names.
    ///
    /// # Errors
    /// As planning a query, for instance when a relation has gone.
    pub fn plan(&self, rows: Arc<dyn TableSource>, scope: &Scope) -> Result<LogicalPlan> {
        let query = query(self.table, self.text)?;
        let names = Names::of_condition(scope, self.references, rows);
        plan_with(&names, Sql::Query(query), &[])
    }
}

/// A condition without relations of its own, over columns of `schema`.
///
/// # Errors
/// As planning a query.
pub fn expression(text: &str, schema: &DFSchema, scope: &Scope) -> Result<Expr> {
    let query = query("t", text)?.to_string();
    super::query::expression(condition_of(&query)?, schema, scope, &[])
}

/// A condition's text with its relations' numbers moved up, so that several can stand side by side.
pub fn renumbered(bound: &str, by: usize) -> String {
    let start = format!("\"{REFERENCE_SCHEMA}\".\"");
    let mut moved = String::with_capacity(bound.len());
    let mut rest = bound;
    while let Some(at) = rest.find(&start) {
        let (before, after) = rest.split_at(at + start.len());
        moved.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = after.split_at(digits);
        match number.parse::<usize>() {
            Ok(number) => moved.push_str(&(number + by).to_string()),
            Err(_) => moved.push_str(number),
        }
        rest = after;
    }
    moved.push_str(rest);
    moved
}

fn query(table: &str, condition: &str) -> Result<Box<ast::Query>> {
    let table = table.replace('"', "\"\"");
    let text = format!(
        "SELECT * FROM \"{REFERENCE_SCHEMA}\".\"{OWN_ROWS}\" AS \"{table}\" WHERE {condition}"
    );
    let statement = super::parse(&text)?.into_iter().next();
    match statement.map(|statement| statement.body) {
        Some(Body::Query(query)) => Ok(query),
        _ => Err(Error::internal("a condition is not a query's")),
    }
}

fn condition_of(query: &str) -> Result<ast::Expr> {
    let statement = super::parse(query)?.into_iter().next();
    if let Some(Body::Query(query)) = statement.map(|statement| statement.body)
        && let SetExpr::Select(select) = *query.body
        && let Some(condition) = select.selection
    {
        return Ok(condition);
    }
    Err(Error::internal("a condition cannot be read"))
}

/// Checks the planned condition, and gives the names of the table's columns that it looks at and
/// whether it has a sub-query.
fn check(plan: &LogicalPlan, table: &str) -> Result<(Vec<String>, bool)> {
    let mut subqueries = false;
    let mut names = Vec::new();
    let mut refused = Ok(());
    // The select list of `*` is above the condition and names every column.
    let mut node = plan;
    while let LogicalPlan::Projection(projection) = node {
        node = projection.input.as_ref();
    }
    node.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::Column(column) | Expr::OuterReferenceColumn(_, column)
                        if column.relation.as_ref().is_none_or(|r| r.table() == table) =>
                    {
                        names.push(column.name.clone());
                    }
                    Expr::AggregateFunction(_) => refused = refused_in("aggregate functions"),
                    Expr::WindowFunction(_) => refused = refused_in("window functions"),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if let LogicalPlan::Filter(filter) = node {
        subqueries = filter.predicate.exists(|expr| {
            Ok(matches!(
                expr,
                Expr::ScalarSubquery(_)
                    | Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_)
            ))
        })?;
        is_boolean(&filter.predicate, filter.input.schema())?;
        // Those of sub-queries are their own.
        let direct = filter.predicate.exists(|expr| {
            Ok(matches!(
                expr,
                Expr::AggregateFunction(_) | Expr::WindowFunction(_)
            ))
        })?;
        if direct {
            refused?;
        }
    }
    Ok((names, subqueries))
}

fn refused_in(what: &str) -> Result<()> {
    Err(Error::Grouping(format!(
        "{what} are not allowed in policy expressions"
    )))
}

fn is_boolean(condition: &Expr, schema: &DFSchema) -> Result<()> {
    match condition.get_type(schema)? {
        DataType::Boolean | DataType::Null => Ok(()),
        other => Err(Error::DatatypeMismatch(format!(
            "argument of POLICY must be type boolean, not type {}",
            SqlType::from_arrow(&other)
        ))),
    }
}
