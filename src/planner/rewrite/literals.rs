//! Whole numbers are `integer` where they fit, as in PostgreSQL; the engine reads them as `bigint`.
//! Aggregates, whose types follow from theirs, get theirs in the same pass.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::RecursiveQuery;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::scalar::ScalarValue;

use super::aggregates;

/// Narrows the whole-number literals of a plan.
pub(in crate::planner) fn narrow_integers(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        if let LogicalPlan::Limit(_) = node {
            return Ok(Transformed::no(node));
        }
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            Ok(expr
                .transform_up(|expr| Ok(narrow(expr)))?
                .transform_data(|expr| {
                    expr.transform_up(|expr| Ok(aggregates::exact_cast(expr, &schema)))
                })?
                .transform_data(|expr| aggregates::exact(expr, &schema))?
                .update_data(|expr| name.restore(expr)))
        })?;
        if let LogicalPlan::RecursiveQuery(query) = node.data {
            return Ok(Transformed::yes(widened(query)?));
        }
        // A node's own expressions may be as before while its input's types are not.
        let data = match node.data {
            LogicalPlan::Values(values) if node.transformed => {
                LogicalPlanBuilder::values(values.values)?.build()?
            }
            leaf if leaf.inputs().is_empty() => leaf,
            other => other.recompute_schema()?,
        };
        Ok(Transformed::yes(data))
    })
    .map(|plan| plan.data)
}

/// The first rows of a recursion keep the types that the recursion was planned with.
fn widened(query: RecursiveQuery) -> Result<LogicalPlan> {
    let query = RecursiveQuery {
        static_term: Arc::new(recomputed(&query.static_term)?),
        recursive_term: Arc::new(recomputed(&query.recursive_term)?),
        ..query
    };
    let (first, next) = (query.static_term.schema(), query.recursive_term.schema());
    let types = first.fields().iter().zip(next.fields());
    if types.clone().all(|(a, b)| a.data_type() == b.data_type()) {
        return LogicalPlan::RecursiveQuery(query).recompute_schema();
    }
    let outputs: Vec<Expr> = first
        .iter()
        .zip(next.fields())
        .map(|((qualifier, field), wanted)| {
            let column = Expr::Column((qualifier, field).into());
            match (field.data_type(), wanted.data_type()) {
                (DataType::Int32, DataType::Int64) => {
                    cast(column, DataType::Int64).alias_qualified(qualifier.cloned(), field.name())
                }
                _ => column,
            }
        })
        .collect();
    let first = LogicalPlanBuilder::from(query.static_term.as_ref().clone())
        .project(outputs)?
        .build()?;
    let query = RecursiveQuery {
        static_term: Arc::new(first),
        ..query
    };
    LogicalPlan::RecursiveQuery(query).recompute_schema()
}

/// A plan whose nodes know the types below them.
fn recomputed(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan
        .clone()
        .transform_up(|node| Ok(Transformed::yes(node.recompute_schema()?)))?;
    Ok(plan.data)
}

fn narrow(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => match i32::try_from(value) {
            Ok(value) => Transformed::yes(Expr::Literal(ScalarValue::Int32(Some(value)), metadata)),
            Err(_) => Transformed::no(Expr::Literal(ScalarValue::Int64(Some(value)), metadata)),
        },
        other => Transformed::no(other),
    }
}
