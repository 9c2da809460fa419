//! Whole numbers are `integer` where they fit, as in PostgreSQL; the engine reads them as `bigint`.
//! Aggregates, whose types follow from theirs, get theirs in the same pass.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
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

fn narrow(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), metadata) => match i32::try_from(value) {
            Ok(value) => Transformed::yes(Expr::Literal(ScalarValue::Int32(Some(value)), metadata)),
            Err(_) => Transformed::no(Expr::Literal(ScalarValue::Int64(Some(value)), metadata)),
        },
        other => Transformed::no(other),
    }
}
