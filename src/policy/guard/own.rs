//! Plans over rows that the statement itself has written, or is to keep: no table is opened for them.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use tessera_catalog::model::{MaskingPolicy, Privilege};

use super::super::functions::check_calls;
use super::super::masks::{masks, shown};
use super::super::rights::{Caller, Granted};
use super::{GuardedPlan, is_subquery, unknown};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;

/// Checks a plan over rows that the statement itself has written: RETURNING's functions and sub-queries.
///
/// # Errors
/// As [`guard`].
pub fn guard_own(
    plan: LogicalPlan,
    caller: &Caller,
    found: &Found,
    scope: &Scope,
) -> Result<GuardedPlan> {
    for expr in plan.expressions() {
        check_calls(caller, &expr)?;
        if expr.exists(|expr| Ok(is_subquery(expr)))? {
            return Err(unknown("a sub-query in RETURNING"));
        }
    }
    let masks = masks(caller, found);
    if masks.is_empty() {
        return Ok(GuardedPlan { plan });
    }
    let masked = plan.transform_up(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let masked = written(scan, &masks, found, scope)?;
            Ok(Transformed::yes(masked))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(GuardedPlan { plan: masked.data })
}

/// Rows that a statement wrote, as their masks show them.
fn written(
    scan: TableScan,
    masks: &[(i16, &MaskingPolicy)],
    found: &Found,
    scope: &Scope,
) -> Result<LogicalPlan> {
    let name = scan.table_name.clone();
    let plan = LogicalPlan::TableScan(scan);
    let columns = plan.schema().columns();
    let live = found.relation.table().into_iter();
    let live: Vec<_> = live.flat_map(|table| table.live_columns()).collect();
    let beside = columns.iter().skip(live.len()).cloned().collect::<Vec<_>>();
    let beside = beside.into_iter();
    let outputs = columns
        .into_iter()
        .zip(live)
        .map(|(column, of)| {
            let name = column.name.clone();
            Ok(shown(masks, of, Expr::Column(column), scope)?.alias(name))
        })
        .collect::<Result<Vec<_>>>()?;
    // What comes from beside the table was masked where it was read.
    let beside = beside.map(|column| {
        let name = column.name.clone();
        Expr::Column(column).alias(name)
    });
    let plan = LogicalPlanBuilder::from(plan).project(outputs.into_iter().chain(beside))?;
    Ok(plan.alias(name)?.build()?)
}

/// The stored rows of a table that a statement may change, for it to keep those that stay.
///
/// # Errors
/// A grant that is none to change rows, which is a bug.
pub fn guard_changed(granted: &Granted, stored: Arc<dyn TableProvider>) -> Result<GuardedPlan> {
    if !matches!(granted.privilege(), Privilege::Update | Privilege::Delete) {
        return Err(Error::internal("changing rows without a right to"));
    }
    let name = granted.found().relation.name.as_str();
    let source = provider_as_source(stored);
    let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?.build()?;
    Ok(GuardedPlan { plan })
}
