//! Which sub-queries the engine joins by itself, rightly.

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, JoinType, Result as EngineResult};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use tessera_udfs::pg::fields_of_record;

use super::beside::row_pairs;
use super::{columns_of, has_subquery, is_subquery, outer_columns, with_plan};

/// A condition as the engine takes it, or else as it was.
pub(super) fn own_condition(
    condition: Expr,
    around: &DFSchema,
) -> EngineResult<Result<Expr, Expr>> {
    if !has_subquery(&condition)? {
        return Ok(Ok(condition));
    }
    let condition = match condition {
        Expr::Not(inner) => match *inner {
            Expr::Exists(exists) => Expr::Exists(Exists::new(exists.subquery, !exists.negated)),
            Expr::InSubquery(inside) => Expr::InSubquery(InSubquery::new(
                inside.expr,
                inside.subquery,
                !inside.negated,
            )),
            other => Expr::Not(Box::new(other)),
        },
        Expr::SetComparison(set) => as_membership(set),
        other => other,
    };
    let condition = match condition {
        Expr::InSubquery(inside) if !inside.negated => match row_pairs(&inside, around)? {
            Some(exists) => exists,
            None => Expr::InSubquery(inside),
        },
        other => other,
    };
    let taken = match &condition {
        Expr::Exists(exists) => is_pulled_up(&exists.subquery.subquery, around)?,
        Expr::InSubquery(inside) if has_subquery(&inside.expr)? => false,
        // The engine's anti join of IN knows NULL, but no constants and no further conditions.
        Expr::InSubquery(inside) if inside.negated => {
            outer_columns(&inside.subquery.subquery)?.is_empty()
                && inside.expr.any_column_refs()
                && !is_row(&inside.expr)
        }
        Expr::InSubquery(inside) => is_pulled_up(&inside.subquery.subquery, around)?,
        other => !other.exists(|expr| {
            Ok(match expr {
                Expr::ScalarSubquery(scalar) => !outer_columns(&scalar.subquery)?.is_empty(),
                other => is_subquery(other),
            })
        })?,
    };
    let condition = match condition {
        Expr::Exists(mut exists) => {
            let plan = exists.subquery.subquery.as_ref().clone();
            exists.subquery = with_plan(exists.subquery, plan);
            Expr::Exists(exists)
        }
        Expr::InSubquery(mut inside) => {
            let plan = inside.subquery.subquery.as_ref().clone();
            inside.subquery = with_plan(inside.subquery, plan);
            Expr::InSubquery(inside)
        }
        other => other,
    };
    Ok(if taken { Ok(condition) } else { Err(condition) })
}

/// `= ANY` is IN, and `<> ALL` is NOT IN.
pub(super) fn as_membership(set: SetComparison) -> Expr {
    let negated = match (set.op, &set.quantifier) {
        (Operator::Eq, SetQuantifier::Any) => false,
        (Operator::NotEq, SetQuantifier::All) => true,
        _ => return Expr::SetComparison(set),
    };
    Expr::InSubquery(InSubquery::new(set.expr, set.subquery, negated))
}

/// Whether a value is a row written out.
pub(super) fn is_row(expr: &Expr) -> bool {
    fields_of_record(expr).is_some()
}

/// Whether all of a plan's correlation stands in conditions that the engine can make those of a join.
fn is_pulled_up(plan: &LogicalPlan, around: &DFSchema) -> EngineResult<bool> {
    let all = outer_columns(plan)?;
    if columns_of(plan, around)?.len() != all.len() {
        return Ok(false);
    }
    filters_alone(plan, &|_| true)
}

/// Whether references to outer rows stand nowhere but in filters below inner joins and projections.
fn filters_alone(plan: &LogicalPlan, fits: &dyn Fn(&Expr) -> bool) -> EngineResult<bool> {
    if outer_columns(plan)?.is_empty() {
        return Ok(true);
    }
    Ok(match plan {
        LogicalPlan::Filter(filter) => {
            let mut conditions = split_conjunction(&filter.predicate).into_iter();
            conditions.all(|condition| !condition.contains_outer() || fits(condition))
                && filters_alone(&filter.input, fits)?
        }
        LogicalPlan::Projection(projection) => {
            !projection.expr.iter().any(Expr::contains_outer)
                && filters_alone(&projection.input, fits)?
        }
        LogicalPlan::SubqueryAlias(alias) => filters_alone(&alias.input, fits)?,
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            !join.filter.as_ref().is_some_and(Expr::contains_outer)
                && filters_alone(&join.left, fits)?
                && filters_alone(&join.right, fits)?
        }
        _ => false,
    })
}

/// Whether the engine joins a scalar sub-query: one aggregate over rows that equations choose.
pub(super) fn joins_scalar(plan: &LogicalPlan, around: &DFSchema) -> EngineResult<bool> {
    if columns_of(plan, around)?.len() != outer_columns(plan)?.len() {
        return Ok(false);
    }
    let mut node = plan;
    loop {
        match node {
            LogicalPlan::Projection(projection)
                if !projection.expr.iter().any(Expr::contains_outer) =>
            {
                node = &projection.input;
            }
            LogicalPlan::SubqueryAlias(alias) => node = &alias.input,
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                return Ok(!aggregate.aggr_expr.iter().any(Expr::contains_outer)
                    && filters_alone(&aggregate.input, &is_equation)?);
            }
            _ => return Ok(false),
        }
    }
}

/// Whether a condition equates an inner column with the outer row.
fn is_equation(condition: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr {
        left,
        op: Operator::Eq,
        right,
    }) = condition
    else {
        return false;
    };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(_), outer) | (outer, Expr::Column(_)) => !outer.any_column_refs(),
        _ => false,
    }
}
