//! Scalar sub-queries that look at the query around them.
//!
//! The engine joins such a sub-query to the outer rows if it is aggregated and its conditions are
//! equations between an inner column and the outer row. Here every other becomes one of these: its
//! value is aggregated by `single_value`, and where a condition is no such equation, the distinct
//! outer values are joined into the sub-query, which then is equal to the outer row in these alone.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
};

use super::single_value::single_value;
use crate::error::Result;

/// The relation of the outer values inside a sub-query, and the start of its columns' names.
const OUTER: &str = "\u{5}outer";

/// Makes a plan's correlated scalar sub-queries such that the engine can join them.
pub(in crate::planner) fn make_joinable(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan
        .transform_up_with_subqueries(before_aggregation)
        .map(|plan| plan.data)?;
    let made = plan.transform_up_with_subqueries(|node| {
        let input = match node.inputs().as_slice() {
            [input] => (*input).clone(),
            _ => return Ok(Transformed::no(node)),
        };
        let filters = matches!(node, LogicalPlan::Filter(_));
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let replaced = expr.transform_up(|expr| match expr {
                // Beside rows, as against above them, the engine has no EXISTS.
                Expr::Exists(exists) if !filters => {
                    let subquery = any_row(exists.subquery)?;
                    let subquery = if subquery.outer_ref_columns.is_empty() {
                        subquery
                    } else {
                        joinable(subquery, &input)?
                    };
                    let found = Expr::ScalarSubquery(subquery);
                    Ok(Transformed::yes(match exists.negated {
                        true => found.is_null(),
                        false => found.is_not_null(),
                    }))
                }
                Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty() => {
                    let subquery = joinable(subquery, &input)?;
                    Ok(Transformed::yes(Expr::ScalarSubquery(subquery)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(replaced.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(made.data)
}

/// A sub-query of one value, which is NULL if there are no rows.
fn any_row(subquery: Subquery) -> EngineResult<Subquery> {
    let none: Vec<Expr> = Vec::new();
    let one = datafusion::functions_aggregate::expr_fn::max(datafusion::logical_expr::lit(1_i32));
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
        .aggregate(none, vec![one.alias("any_row")])?
        .build()?;
    Ok(Subquery {
        subquery: Arc::new(plan),
        ..subquery
    })
}

fn joinable(subquery: Subquery, outer: &LogicalPlan) -> EngineResult<Subquery> {
    let mut plan = subquery.subquery.as_ref().clone();
    if plan.max_rows() != Some(1) {
        plan = aggregated(plan)?;
    }
    if !is_simple(&plan)?
        && let Some(joined) = with_outer_values(&plan, outer)?
    {
        plan = joined;
    }
    Ok(Subquery {
        outer_ref_columns: plan.all_out_ref_exprs(),
        subquery: Arc::new(plan),
        ..subquery
    })
}

/// The sub-query with its only value as an aggregate.
fn aggregated(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    // The order of at most one row is none.
    let plan = match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => sort.input.as_ref().clone(),
        other => other,
    };
    let column = Column::from(plan.schema().qualified_field(0));
    let name = column.name.clone();
    let value = Expr::AggregateFunction(AggregateFunction::new_udf(
        single_value(),
        vec![Expr::Column(column)],
        false,
        None,
        Vec::new(),
        None,
    ));
    let none: Vec<Expr> = Vec::new();
    LogicalPlanBuilder::from(plan)
        .aggregate(none, vec![value.alias(name)])?
        .build()
}

/// Whether the engine can join the sub-query as it stands.
fn is_simple(plan: &LogicalPlan) -> EngineResult<bool> {
    let mut simple = true;
    plan.apply(|node| {
        match node {
            LogicalPlan::Filter(filter) => {
                let mut conditions = split_conjunction(&filter.predicate).into_iter();
                simple &= conditions.all(|c| !c.contains_outer() || is_equation(c));
            }
            other => {
                other.apply_expressions(|expr| {
                    simple &= !expr.contains_outer();
                    Ok(TreeNodeRecursion::Continue)
                })?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(simple)
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

/// The sub-query over the distinct outer values that it looks at; `None` if it has another shape.
fn with_outer_values(plan: &LogicalPlan, outer: &LogicalPlan) -> EngineResult<Option<LogicalPlan>> {
    let mut columns: Vec<Column> = Vec::new();
    let mut references = Vec::new();
    for reference in plan.all_out_ref_exprs() {
        let Expr::OuterReferenceColumn(_, column) = &reference else {
            continue;
        };
        if !outer.schema().has_column(column) {
            return Ok(None);
        }
        if !columns.contains(column) {
            columns.push(column.clone());
            references.push(reference);
        }
    }
    // More values than the outer rows have do no harm, so its own correlation can be left out.
    let outer = &without_correlation(outer.clone())?;
    if !outer.all_out_ref_exprs().is_empty() {
        return Ok(None);
    }
    let outputs = columns
        .iter()
        .enumerate()
        .map(|(number, column)| Expr::Column(column.clone()).alias(value_name(number)));
    let values = LogicalPlanBuilder::from(outer.clone())
        .project(outputs.collect::<Vec<_>>())?
        .distinct()?
        .alias(OUTER)?
        .build()?;
    let equal = references
        .iter()
        .enumerate()
        .map(|(number, reference)| Expr::Column(value(number)).eq(reference.clone()));
    let Some(equal) = equal.reduce(Expr::and) else {
        return Ok(None);
    };
    let outer = OuterValues {
        columns,
        values,
        equal,
    };
    outer.join_into(conditions_above(plan.clone())?)
}

/// A plan without the conditions that look at a query around it.
fn without_correlation(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let plain = plan.transform_up(|node| {
        let LogicalPlan::Filter(filter) = node else {
            return Ok(Transformed::no(node));
        };
        if !filter.predicate.contains_outer() {
            return Ok(Transformed::no(LogicalPlan::Filter(filter)));
        }
        let own = split_conjunction(&filter.predicate)
            .into_iter()
            .filter(|condition| !condition.contains_outer())
            .cloned()
            .reduce(Expr::and);
        Ok(Transformed::yes(match own {
            Some(own) => LogicalPlan::Filter(Filter::try_new(own, filter.input)?),
            None => filter.input.as_ref().clone(),
        }))
    })?;
    Ok(plain.data)
}

/// Sub-queries in the arguments of aggregates become columns of the rows that are aggregated.
fn before_aggregation(node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = node else {
        return Ok(Transformed::no(node));
    };
    let mut columns: Vec<Expr> = Vec::new();
    let mut take = |expr: Expr| {
        expr.transform_up(|expr| match expr {
            Expr::ScalarSubquery(_) => {
                let name = format!("{OUTER}column{}", columns.len());
                columns.push(expr.alias(&name));
                Ok(Transformed::yes(Expr::Column(Column::new_unqualified(
                    name,
                ))))
            }
            other => Ok(Transformed::no(other)),
        })
        .map(|taken| taken.data)
    };
    let taken = aggregate
        .aggr_expr
        .iter()
        .cloned()
        .map(|expr| {
            let name = expr.schema_name().to_string();
            let taken = take(expr)?;
            let same = taken.schema_name().to_string() == name;
            Ok(if same { taken } else { taken.alias(name) })
        })
        .collect::<EngineResult<Vec<_>>>()?;
    if columns.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let kept = aggregate.input.schema().columns().into_iter();
    let rows = kept.map(Expr::Column).chain(columns).collect::<Vec<_>>();
    let made = LogicalPlanBuilder::from(aggregate.input.as_ref().clone())
        .project(rows)?
        .aggregate(aggregate.group_expr.clone(), taken)?
        .build()?;
    Ok(Transformed::yes(made))
}

fn value_name(number: usize) -> String {
    format!("{OUTER}{number}")
}

fn value(number: usize) -> Column {
    Column::new(Some(OUTER), value_name(number))
}

/// Conditions of inner joins that look at the outer row, moved above their join.
fn conditions_above(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let moved = plan.transform_up(|node| match node {
        LogicalPlan::Join(join)
            if join.join_type == JoinType::Inner
                && join.filter.as_ref().is_some_and(Expr::contains_outer) =>
        {
            let mut join = join;
            let Some(condition) = join.filter.take() else {
                return Ok(Transformed::no(LogicalPlan::Join(join)));
            };
            let join = LogicalPlan::Join(Join { ..join });
            let filter = Filter::try_new(condition, Arc::new(join))?;
            Ok(Transformed::yes(LogicalPlan::Filter(filter)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(moved.data)
}

struct OuterValues {
    columns: Vec<Column>,
    values: LogicalPlan,
    /// The outer row has these values.
    equal: Expr,
}

impl OuterValues {
    /// Joins the values where the first condition that asks for them stands.
    fn join_into(&self, plan: LogicalPlan) -> EngineResult<Option<LogicalPlan>> {
        let asks = |plan: &LogicalPlan| !plan.all_out_ref_exprs().is_empty();
        match plan {
            LogicalPlan::Filter(filter) if !asks(&filter.input) => {
                let input = LogicalPlanBuilder::from(filter.input.as_ref().clone())
                    .cross_join(self.values.clone())?
                    .build()?;
                let condition = self.inner(filter.predicate)?.and(self.equal.clone());
                let filter = Filter::try_new(condition, Arc::new(input))?;
                Ok(Some(LogicalPlan::Filter(filter)))
            }
            plan @ (LogicalPlan::Projection(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::SubqueryAlias(_)) => {
                let Some(input) = plan.inputs().first().map(|input| (*input).clone()) else {
                    return Ok(None);
                };
                // Only what stands right above the condition sees the values.
                let beside = matches!(input, LogicalPlan::Filter(_));
                let own = plan.expressions();
                if !beside && own.iter().any(Expr::contains_outer) {
                    return Ok(None);
                }
                let Some(input) = self.join_into(input)? else {
                    return Ok(None);
                };
                let own = own
                    .into_iter()
                    .map(|expr| self.inner(expr))
                    .collect::<EngineResult<Vec<_>>>()?;
                Ok(Some(plan.with_new_exprs(own, vec![input])?))
            }
            _ => Ok(None),
        }
    }

    /// An expression with the joined values in place of the outer row's.
    fn inner(&self, expr: Expr) -> EngineResult<Expr> {
        let inner = expr.transform_up(|expr| {
            let Expr::OuterReferenceColumn(_, column) = &expr else {
                return Ok(Transformed::no(expr));
            };
            Ok(match self.columns.iter().position(|c| c == column) {
                Some(number) => Transformed::yes(Expr::Column(value(number))),
                None => Transformed::no(expr),
            })
        })?;
        Ok(inner.data)
    }
}
