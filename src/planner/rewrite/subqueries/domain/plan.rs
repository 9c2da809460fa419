//! Plans and expressions that carrying the domain is made of.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, Result as EngineResult, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::logical_plan::{EmptyRelation, Join, Projection};
use datafusion::logical_expr::{Expr, JoinConstraint, LogicalPlan, LogicalPlanBuilder, lit};

use crate::error::Error;
use crate::planner::row_ids::{FILE_COLUMN, ROW_COLUMN};
use crate::planner::source::TableRef;

/// The rows without the places by which a statement changes them: only one scan may name these.
pub(super) fn without_row_ids(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let plain = plan.transform_up(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let table = scan.source.downcast_ref::<TableRef>();
            match table.filter(|table| table.row_ids) {
                Some(table) => {
                    let source = Arc::new(table.without_row_ids());
                    let name = scan.table_name.clone();
                    let made = LogicalPlanBuilder::scan(name, source, None)?.build()?;
                    Ok(Transformed::yes(made))
                }
                None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
            }
        }
        LogicalPlan::Projection(projection) => {
            let is_place = |expr: &Expr| {
                matches!(expr, Expr::Column(c) if c.name == FILE_COLUMN || c.name == ROW_COLUMN)
            };
            let kept = projection.expr.iter().filter(|expr| !is_place(expr));
            let made = Projection::try_new(kept.cloned().collect(), projection.input)?;
            Ok(Transformed::yes(LogicalPlan::Projection(made)))
        }
        other => Ok(Transformed::yes(other.recompute_schema()?)),
    })?;
    Ok(plain.data)
}

/// A join in which NULL is equal to NULL.
pub(in crate::planner::rewrite::subqueries) fn joined(
    left: LogicalPlan,
    right: LogicalPlan,
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
    join_type: JoinType,
) -> EngineResult<LogicalPlan> {
    let null_equality = if on.is_empty() {
        NullEquality::NullEqualsNothing
    } else {
        NullEquality::NullEqualsNull
    };
    Ok(LogicalPlan::Join(Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        filter,
        join_type,
        JoinConstraint::On,
        null_equality,
        false,
    )?))
}

/// A plan's columns in another order.
pub(in crate::planner::rewrite) fn arranged(
    plan: LogicalPlan,
    order: impl Iterator<Item = usize>,
) -> EngineResult<LogicalPlan> {
    let columns: Vec<Expr> = order
        .map(|place| Expr::Column(Column::from(plan.schema().qualified_field(place))))
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

pub(super) fn is_not_distinct(left: Expr, right: Expr) -> Expr {
    use datafusion::logical_expr::{BinaryExpr, Operator};
    Expr::BinaryExpr(BinaryExpr::new(
        Box::new(left),
        Operator::IsNotDistinctFrom,
        Box::new(right),
    ))
}

/// An aggregate of those rows alone for which a condition holds.
pub(super) fn only_where(expr: Expr, condition: &Expr) -> EngineResult<Transformed<Expr>> {
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr else {
        return Ok(Transformed::no(expr));
    };
    params.filter = Some(Box::new(match params.filter.take() {
        Some(filter) => condition.clone().and(*filter),
        None => condition.clone(),
    }));
    let expr = Expr::AggregateFunction(AggregateFunction { func, params });
    Ok(Transformed::new(expr, true, TreeNodeRecursion::Jump))
}

pub(super) fn is_one_row(empty: &EmptyRelation) -> bool {
    empty.produce_one_row && empty.schema.fields().is_empty()
}

/// Whether rows of a plan are others each time that they are asked for.
pub(super) fn is_volatile(plan: &LogicalPlan) -> EngineResult<bool> {
    plan.exists(|node| {
        let mut volatile = false;
        node.apply_expressions(|expr| {
            volatile |= expr.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(volatile)
    })
}

pub(in crate::planner::rewrite::subqueries) fn unsupported(
    what: &str,
) -> datafusion::error::DataFusionError {
    Error::Unsupported(what.to_owned()).into()
}

/// A value that is NULL, of the type that conditions have.
pub(in crate::planner::rewrite::subqueries) fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}
