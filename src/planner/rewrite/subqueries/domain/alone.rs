//! Whether a plan treats each outer row alone.

use datafusion::common::JoinType;
use datafusion::logical_expr::LogicalPlan;

/// Whether rows that a plan gives for one outer row depend on no other outer row, so that the outer rows
/// themselves can be its domain.
pub(in crate::planner::rewrite::subqueries) fn treats_rows_alone(
    plan: &LogicalPlan,
    asks: &dyn Fn(&LogicalPlan) -> bool,
) -> bool {
    if !asks(plan) {
        return true;
    }
    match plan {
        LogicalPlan::Filter(filter) => treats_rows_alone(&filter.input, asks),
        LogicalPlan::Projection(projection) => treats_rows_alone(&projection.input, asks),
        LogicalPlan::SubqueryAlias(alias) => treats_rows_alone(&alias.input, asks),
        LogicalPlan::Subquery(subquery) => treats_rows_alone(&subquery.subquery, asks),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => treats_rows_alone(&sort.input, asks),
        LogicalPlan::Values(values) => values.values.len() == 1,
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            !(asks(&join.left) && asks(&join.right))
                && treats_rows_alone(&join.left, asks)
                && treats_rows_alone(&join.right, asks)
        }
        LogicalPlan::Extension(extension) => {
            tessera_udfs::pg::sets::is_set_rows(extension.node.as_ref())
                && extension
                    .node
                    .inputs()
                    .iter()
                    .all(|input| treats_rows_alone(input, asks))
        }
        _ => false,
    }
}
