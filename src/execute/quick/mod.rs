//! The hot operators of scans, made quicker once a plan is final.
//!
//! ```text
//! node        an operator in the place of another, which it resembles in all but speed
//! condition   a filter's condition: what can be tested on columns alone, and the rest
//! test        such tests, on the columns of a batch
//! mask        the rows that are still wanted, as bits
//! select      the filter
//! project     computed columns
//! arithmetic  + − × of decimals in projections and aggregates
//! decimal     the numbers of it
//! ```
//!
//! It is the last thing that happens to a plan, after every rule of the engine has read its filters,
//! and within what runs below a barrier of row security too. No part of a condition leaves its operator.

mod arithmetic;
mod condition;
mod decimal;
mod mask;
mod node;
mod project;
mod select;
mod test;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::common::Result as EngineResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};

use self::arithmetic::quick_arithmetic;
use self::node::Quick;

/// The same plan, quicker.
///
/// # Errors
/// Expressions that do not fit the plan, which is a bug.
pub(super) fn quick(plan: Arc<dyn ExecutionPlan>) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let quicker = plan.transform_up(|node| {
        if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
            return Ok(match with_quick_arguments(aggregate)? {
                Some(quick) => Transformed::yes(Arc::new(quick) as Arc<dyn ExecutionPlan>),
                None => Transformed::no(node),
            });
        }
        Ok(match Quick::of(&node)? {
            Some(quick) => Transformed::yes(Arc::new(quick) as Arc<dyn ExecutionPlan>),
            None => Transformed::no(node),
        })
    })?;
    Ok(quicker.data)
}

/// An aggregate whose functions' arguments are computed quicker; `None` if none can be.
fn with_quick_arguments(aggregate: &AggregateExec) -> EngineResult<Option<AggregateExec>> {
    match aggregate.mode() {
        AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned => {}
        // These read states, not arguments.
        _ => return Ok(None),
    }
    let schema = aggregate.input().schema();
    let mut changed = false;
    let mut functions = Vec::with_capacity(aggregate.aggr_expr().len());
    for function in aggregate.aggr_expr() {
        functions.push(match with_quick_argument(function, &schema)? {
            Some(quick) => {
                changed = true;
                Arc::new(quick)
            }
            None => Arc::clone(function),
        });
    }
    Ok(changed.then(|| aggregate.with_new_aggr_exprs(functions)))
}

fn with_quick_argument(
    function: &AggregateFunctionExpr,
    schema: &datafusion::arrow::datatypes::Schema,
) -> EngineResult<Option<AggregateFunctionExpr>> {
    // A function made anew forgets that it goes backwards.
    if function.is_reversed() || !function.order_bys().is_empty() {
        return Ok(None);
    }
    let mut changed = false;
    let mut arguments = Vec::new();
    for argument in function.expressions() {
        let argument = quick_arithmetic(argument, schema)?;
        changed |= argument.transformed;
        arguments.push(argument.data);
    }
    if !changed {
        return Ok(None);
    }
    Ok(function.with_new_expressions(arguments, Vec::new()))
}
