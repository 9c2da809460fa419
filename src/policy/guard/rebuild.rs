//! Nodes put together again from guarded parts.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{
    Distinct, DistinctOn, Expr, LogicalPlan, LogicalPlanBuilder, Subquery, TableSource,
};

use super::super::columns::Positions;
use super::unknown;
use crate::error::Result;

/// An expression with each sub-query's plan replaced by what `change` makes of it.
pub(super) fn with_subqueries(
    expr: Expr,
    change: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<Expr> {
    let changed = |subquery: Subquery| -> Result<Subquery> {
        let plan = change(subquery.subquery.as_ref().clone())?;
        Ok(Subquery {
            subquery: Arc::new(plan),
            ..subquery
        })
    };
    let guarded = expr.transform_up(|expr| {
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(changed(subquery)?))
            }
            Expr::Exists(mut exists) => {
                exists.subquery = changed(exists.subquery)?;
                Transformed::yes(Expr::Exists(exists))
            }
            Expr::InSubquery(mut inside) => {
                inside.subquery = changed(inside.subquery)?;
                Transformed::yes(Expr::InSubquery(inside))
            }
            Expr::SetComparison(mut set) => {
                set.subquery = changed(set.subquery)?;
                Transformed::yes(Expr::SetComparison(set))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(guarded.data)
}

/// A view keeps the types it was made with.
pub(super) fn typed_as(expr: Expr, field: &datafusion::arrow::datatypes::FieldRef) -> Expr {
    use datafusion::logical_expr::Cast;
    Expr::Cast(Cast::new_from_field(Box::new(expr), Arc::clone(field)))
}

/// The numbers of the columns that are asked of a scan.
pub(super) fn asked_columns(
    asked: &Positions,
    scan: &TableScan,
    number: impl Fn(usize) -> Option<i16>,
) -> Vec<i16> {
    let index = |position: &usize| match &scan.projection {
        Some(projection) => projection.get(*position).copied(),
        None => Some(*position),
    };
    asked.iter().filter_map(index).filter_map(number).collect()
}

/// The same scan of an opened source.
pub(super) fn rescanned(scan: &TableScan, source: Arc<dyn TableSource>) -> Result<LogicalPlan> {
    let projection = scan.projection.clone();
    let opened = LogicalPlanBuilder::scan_with_filters(
        scan.table_name.clone(),
        source,
        projection,
        scan.filters.clone(),
    )?
    .build()?;
    // Column names of the reference, which a view may hold from before a column was renamed.
    let renamed = opened
        .schema()
        .fields()
        .iter()
        .zip(scan.projected_schema.fields())
        .any(|(new, old)| new.name() != old.name());
    if !renamed {
        return Ok(opened);
    }
    let table: TableReference = scan.table_name.clone();
    let outputs: Vec<Expr> = opened
        .schema()
        .columns()
        .into_iter()
        .zip(scan.projected_schema.fields())
        .map(|(column, field)| Expr::Column(column).alias(field.name()))
        .collect();
    let plan = LogicalPlanBuilder::from(opened)
        .project(outputs)?
        .alias(table)?;
    Ok(plan.build()?)
}

/// The node with guarded expressions and inputs; columns are found again by name, so types that an
/// opened relation made more exact reach the top.
pub(super) fn rebuilt(
    node: LogicalPlan,
    expressions: Vec<Expr>,
    inputs: Vec<LogicalPlan>,
) -> Result<LogicalPlan> {
    Ok(match node {
        // These have no expressions that could have changed, and no builder of their own.
        LogicalPlan::Subquery(subquery) => {
            let input = inputs
                .into_iter()
                .next()
                .ok_or_else(|| unknown("an empty sub-query"))?;
            LogicalPlan::Subquery(Subquery {
                subquery: Arc::new(input),
                ..subquery
            })
        }
        // The engine's own rebuilding takes no order.
        LogicalPlan::Distinct(Distinct::On(on)) => {
            LogicalPlan::Distinct(Distinct::On(distinct_on(on, expressions, inputs)?))
        }
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) if inputs.is_empty() => {
            node.with_new_exprs(expressions, inputs)?
        }
        other => other.with_new_exprs(expressions, inputs)?,
    })
}

/// DISTINCT ON with guarded expressions, which come in the order ON, SELECT, ORDER BY.
fn distinct_on(
    on: DistinctOn,
    mut expressions: Vec<Expr>,
    inputs: Vec<LogicalPlan>,
) -> Result<DistinctOn> {
    let input = inputs
        .into_iter()
        .next()
        .ok_or_else(|| unknown("DISTINCT ON without input"))?;
    let sorts = expressions.split_off(on.on_expr.len() + on.select_expr.len());
    let select = expressions.split_off(on.on_expr.len());
    let order = on.sort_expr.map(|former| {
        let sorted = former.iter().zip(sorts);
        sorted.map(|(sort, expr)| sort.with_expr(expr)).collect()
    });
    Ok(DistinctOn::try_new(
        expressions,
        select,
        order,
        Arc::new(input),
    )?)
}
