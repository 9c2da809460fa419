//! The types of a plan as PostgreSQL has them, once all names are known.
//!
//! The engine types a plan while it makes it, by its own rules. This pass goes over the finished plan
//! from the bottom and settles what differs:
//!
//! ```text
//! literals   whole numbers are `integer` where they fit, long ones are exact
//! common     the one type of several values
//! choice     CASE, COALESCE, GREATEST, LEAST and NULLIF, which are calls until their types are known
//! guarded    conditions that are a CASE
//! unions     columns of UNION
//! moments    comparisons of dates with timestamps
//! numbers    arithmetic, comparisons and aggregates of `numeric`
//! enums      orders of words, and texts beside them
//! arrays     what the elements of ARRAY are
//! exclusion  window frames that leave rows out
//! decimals   exact numbers whose digits nobody sees
//! parameters `$1` among the arguments of functions
//! keys       sorting, grouping and joining by exact numbers
//! ```

mod arrays;
mod choice;
mod common;
mod decimals;
mod enum_calls;
mod enums;
mod exclusion;
mod guarded;
mod keys;
mod literals;
mod moments;
mod numbers;
mod parameters;
mod unions;

pub(super) use choice::{CASE, CASE_OF, NEGATIVE, choice};
pub(super) use enum_calls::enum_call;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

/// Settles the types of a plan.
///
/// # Errors
/// What the engine cannot type.
pub(super) fn settle(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        if let LogicalPlan::Limit(_) = node {
            return Ok(Transformed::no(node));
        }
        settle_node(node).map(Transformed::yes)
    })
    .map(|plan| plan.data)
}

fn settle_node(node: LogicalPlan) -> Result<LogicalPlan> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = names.save(&expr);
        let settled = expr.transform_up(|expr| settled(expr, &schema))?;
        Ok(settled.update_data(|expr| name.restore(expr)))
    })?;
    let changed = node.transformed;
    let node = match node.data {
        LogicalPlan::RecursiveQuery(query) => return literals::widened(query),
        LogicalPlan::Union(union) => return unions::settle(union),
        LogicalPlan::Values(values) if changed => {
            LogicalPlanBuilder::values(values.values)?.build()?
        }
        leaf if leaf.inputs().is_empty() => leaf,
        // A node's own expressions may be as before while its input's types are not.
        other => other.recompute_schema()?,
    };
    keys::compare_by_key(node)
}

/// Settles a plan once more when its parameters are known: numbers that decimals hold are compared as
/// such, which the engine is quick with and prunes files by.
///
/// # Errors
/// What the engine cannot type.
pub fn settle_bound(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let schema = numbers::visible_schema(&node)?;
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let settled = expr.transform_up(|expr| Ok(numbers::compare_bound(expr, &schema)))?;
            Ok(settled.update_data(|expr| name.restore(expr)))
        })
    })
    .map(|plan| plan.data)
}

/// Settles the types of an expression that stands by itself.
///
/// # Errors
/// What the engine cannot type.
pub(super) fn settle_expression(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let settled = expr.transform_up(|expr| settled(expr, schema))?;
    Ok(settled.data)
}

fn settled(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    literals::narrow(expr)
        .transform_data(|expr| choice::settle(expr, schema))?
        .transform_data(|expr| Ok(parameters::settle(expr, schema)))?
        .transform_data(|expr| Ok(moments::settle(expr, schema)))?
        .transform_data(|expr| enums::settle(expr, schema))?
        .transform_data(|expr| numbers::settle(expr, schema))?
        .transform_data(|expr| arrays::settle(expr, schema))?
        .transform_data(exclusion::settle)?
        .transform_data(|expr| guarded::keep(expr, schema))
}
