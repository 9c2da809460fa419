//! Which columns of each relation a query names, for privileges by column.
//!
//! PostgreSQL asks for a right on every column that a query mentions, used in the result or not. The
//! plan is walked from the top with the set of columns that the node above asks for.

use std::collections::HashSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};
use tessera_udfs::pg::sets::is_set_rows;

/// What names of columns start with that the planner adds; no client's do.
const PLANNERS_OWN: char = '\u{5}';

/// Columns that are asked of a plan's output, by position.
pub(super) type Positions = HashSet<usize>;

/// For each input of `node`, the positions that the node asks of it.
pub(super) fn asked_of_inputs(node: &LogicalPlan, asked: &Positions) -> Result<Vec<Positions>> {
    let inputs = node.inputs();
    let mut found: Vec<Positions> = vec![Positions::new(); inputs.len()];
    for (place, expr) in node.expressions().iter().enumerate() {
        if !asked.contains(&place) && is_passed_on(node, place, expr) {
            continue;
        }
        for column in named(expr)? {
            for (input, positions) in inputs.iter().zip(&mut found) {
                if let Some(position) = input.schema().maybe_index_of_column(&column) {
                    positions.insert(position);
                }
            }
        }
    }
    match node {
        // What passes through unchanged is asked of the input too.
        LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Subquery(_) => {
            if let Some(first) = found.first_mut() {
                first.extend(asked);
            }
        }
        // The columns of elements follow the input's own.
        LogicalPlan::Extension(extension) if is_set_rows(extension.node.as_ref()) => {
            let width = inputs
                .first()
                .map_or(0, |input| input.schema().fields().len());
            if let Some(first) = found.first_mut() {
                first.extend(asked.iter().filter(|position| **position < width));
            }
        }
        LogicalPlan::Window(_) => {
            let width = inputs
                .first()
                .map_or(0, |input| input.schema().fields().len());
            if let Some(first) = found.first_mut() {
                first.extend(asked.iter().filter(|position| **position < width));
            }
        }
        LogicalPlan::Union(_) | LogicalPlan::RecursiveQuery(_) => {
            for positions in &mut found {
                positions.extend(asked);
            }
        }
        LogicalPlan::Join(join) => {
            for position in asked {
                let (qualifier, field) = join.schema.qualified_field(*position);
                let column = Column::new(qualifier.cloned(), field.name());
                for (input, positions) in inputs.iter().zip(&mut found) {
                    if let Some(position) = input.schema().maybe_index_of_column(&column) {
                        positions.insert(position);
                    }
                }
            }
        }
        // These look at all of their input.
        LogicalPlan::Distinct(Distinct::All(_))
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Extension(_) => {
            for (input, positions) in inputs.iter().zip(&mut found) {
                positions.extend(0..input.schema().fields().len());
            }
        }
        // These make their own columns of the expressions above.
        _ => {}
    }
    Ok(found)
}

/// Whether an expression of a projection hands on a column for the planner's own ends: the query itself does
/// not name it there, so that only who asks for it needs a right.
fn is_passed_on(node: &LogicalPlan, place: usize, expr: &Expr) -> bool {
    let LogicalPlan::Projection(projection) = node else {
        return false;
    };
    let is_own = |name: &str| name.starts_with(PLANNERS_OWN);
    let plain = match expr {
        Expr::Alias(alias) => matches!(alias.expr.as_ref(), Expr::Column(_)),
        other => matches!(other, Expr::Column(_)),
    };
    let inputs = projection.input.schema().fields();
    is_own(projection.schema.field(place).name())
        || (plain && inputs.iter().any(|field| is_own(field.name())))
}

/// Columns named in an expression, those of outer queries included.
fn named(expr: &Expr) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    expr.apply(|expr| {
        match expr {
            Expr::Column(column) => columns.push(column.clone()),
            Expr::OuterReferenceColumn(_, column) => columns.push(column.clone()),
            Expr::ScalarSubquery(subquery) => add_outer(&subquery.outer_ref_columns, &mut columns),
            Expr::Exists(exists) => add_outer(&exists.subquery.outer_ref_columns, &mut columns),
            Expr::InSubquery(inside) => add_outer(&inside.subquery.outer_ref_columns, &mut columns),
            Expr::SetComparison(set) => add_outer(&set.subquery.outer_ref_columns, &mut columns),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(columns)
}

fn add_outer(outer: &[Expr], columns: &mut Vec<Column>) {
    columns.extend(outer.iter().filter_map(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) => Some(column.clone()),
        _ => None,
    }));
}
