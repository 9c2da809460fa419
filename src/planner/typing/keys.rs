//! Plan nodes that compare rows do so by the keys of exact numbers, and show the numbers themselves.

use datafusion::common::{Column, DFSchema, Result};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct, DistinctOn, Join, Sort};
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};
use tessera_udfs::pg::{NumericOperator, compared_as, is_exact};

use super::enum_calls::place_of;
use super::enums::enum_of;
use super::numbers::{is_exact_expr, key_of, sort_by_key};

/// What stands before the names of keys and of the numbers beside them.
const MARK: &str = "\u{4}";

/// Lets a node compare exact numbers by their keys.
pub(super) fn compare_by_key(node: LogicalPlan) -> Result<LogicalPlan> {
    match node {
        LogicalPlan::Sort(sort) => sorted(sort),
        LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
        LogicalPlan::Distinct(Distinct::All(input)) if has_exact(input.schema()) => {
            let columns: Vec<Expr> = columns(input.schema());
            grouped(Aggregate::try_new(input, columns, Vec::new())?)
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            let DistinctOn {
                on_expr,
                select_expr,
                sort_expr,
                input,
                ..
            } = on;
            let keys = on_expr
                .into_iter()
                .map(|expr| match enum_of(&expr, input.schema()) {
                    Some(enumerated) => place_of(expr, &enumerated),
                    None => key_of(expr, input.schema()),
                });
            let keys = keys.collect();
            let sort = sort_expr.map(|mut sort| {
                for order in &mut sort {
                    sort_by_key(order, input.schema());
                }
                sort
            });
            let on = DistinctOn::try_new(keys, select_expr, sort, input)?;
            Ok(LogicalPlan::Distinct(Distinct::On(on)))
        }
        LogicalPlan::Join(join) => joined(join),
        other => Ok(other),
    }
}

fn has_exact(schema: &DFSchema) -> bool {
    schema
        .fields()
        .iter()
        .any(|field| is_exact(field.data_type()))
}

fn columns(schema: &DFSchema) -> Vec<Expr> {
    schema
        .iter()
        .map(|pair| Expr::Column(Column::from(pair)))
        .collect()
}

fn sorted(mut sort: Sort) -> Result<LogicalPlan> {
    for order in &mut sort.expr {
        sort_by_key(order, sort.input.schema());
    }
    Ok(LogicalPlan::Sort(sort))
}

fn joined(mut join: Join) -> Result<LogicalPlan> {
    let (left, right) = (join.left.schema(), join.right.schema());
    let mut on = Vec::with_capacity(join.on.len());
    for (a, b) in std::mem::take(&mut join.on) {
        let exact = is_exact_expr(&a, left) || is_exact_expr(&b, right);
        let number = |expr: &Expr, schema| {
            super::numbers::type_of(expr, schema).is_some_and(|t| t.is_numeric() || is_exact(&t))
        };
        on.push(if exact && number(&a, left) && number(&b, right) {
            (compared_as(a), compared_as(b))
        } else {
            (a, b)
        });
    }
    join.on = on;
    Ok(LogicalPlan::Join(join))
}

/// Groups by keys, and takes the first of the equal numbers of each group for its number.
fn grouped(aggregate: Aggregate) -> Result<LogicalPlan> {
    let input = aggregate.input.schema();
    let exact: Vec<bool> = aggregate
        .group_expr
        .iter()
        .map(|expr| is_exact_expr(expr, input))
        .collect();
    if let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() {
        return grouped_by_sets(set.clone(), aggregate);
    }
    if !exact.contains(&true) {
        return Ok(LogicalPlan::Aggregate(aggregate));
    }
    let schema = std::sync::Arc::clone(&aggregate.schema);
    let mut groups = Vec::with_capacity(aggregate.group_expr.len());
    let mut aggregates = aggregate.aggr_expr;
    let mut outputs = Vec::with_capacity(schema.fields().len());
    for (index, (expr, exact)) in aggregate.group_expr.into_iter().zip(exact).enumerate() {
        let (qualifier, field) = schema.qualified_field(index);
        if !exact {
            groups.push(expr);
            outputs.push(Expr::Column(Column::from((qualifier, field))));
            continue;
        }
        let name = format!("{MARK}number{index}");
        groups.push(compared_as(expr.clone().unalias()).alias(format!("{MARK}key{index}")));
        aggregates.push(
            first_value_udaf()
                .call(vec![expr.unalias()])
                .alias(name.clone()),
        );
        let number = Expr::Column(Column::new_unqualified(name));
        outputs.push(number.alias_qualified(qualifier.cloned(), field.name()));
    }
    let first_aggregate = groups.len();
    for index in first_aggregate..schema.fields().len() {
        let (qualifier, field) = schema.qualified_field(index);
        outputs.push(Expr::Column(Column::from((qualifier, field))));
    }
    let grouped = Aggregate::try_new(aggregate.input, groups, aggregates)?;
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(grouped))
        .project(outputs)?
        .build()
}

/// Grouping sets group by numbers without zeros at their ends, which have one text each.
fn grouped_by_sets(set: GroupingSet, aggregate: Aggregate) -> Result<LogicalPlan> {
    let input = aggregate.input.schema();
    let keyed: Vec<Expr> = set
        .distinct_expr()
        .into_iter()
        .filter(|expr| matches!(expr, Expr::Column(_)) && is_exact_expr(expr, input))
        .cloned()
        .collect();
    if keyed.is_empty() {
        return Ok(LogicalPlan::Aggregate(aggregate));
    }
    let outputs = input.iter().map(|(qualifier, field)| {
        let column = Expr::Column(Column::from((qualifier, field)));
        if keyed.contains(&column) {
            NumericOperator::TrimScale
                .call(vec![column])
                .alias_qualified(qualifier.cloned(), field.name())
        } else {
            column
        }
    });
    let outputs: Vec<Expr> = outputs.collect();
    let input = LogicalPlanBuilder::from(aggregate.input.as_ref().clone())
        .project(outputs)?
        .build()?;
    let aggregate = Aggregate::try_new(
        std::sync::Arc::new(input),
        aggregate.group_expr,
        aggregate.aggr_expr,
    )?;
    Ok(LogicalPlan::Aggregate(aggregate))
}
