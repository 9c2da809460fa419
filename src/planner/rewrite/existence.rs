//! `EXISTS` in a select list, where the engine counts rows instead.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Query, SelectItem, SetExpr, TableFactor, VisitorMut,
};

use super::spelling::{binary, nested, number, parsed_query};

/// EXISTS in a select list: the engine knows it in conditions only, but counts everywhere.
pub(super) struct Exists {
    pub(super) below: usize,
}

impl VisitorMut for Exists {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.below += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.below -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.below == 0
            && let Expr::Exists { subquery, negated } = expr
            && let Some(count) = counted(subquery)
        {
            let op = if *negated {
                BinaryOperator::Eq
            } else {
                BinaryOperator::Gt
            };
            *expr = nested(binary(Expr::Subquery(count), op, number(0)));
        }
        ControlFlow::Continue(())
    }
}

/// A query for the number of a query's rows.
fn counted(query: &Query) -> Option<Box<Query>> {
    let mut counts = parsed_query("SELECT count(*) FROM (SELECT 1) AS counted")?;
    if let SetExpr::Select(select) = query.body.as_ref()
        && query.with.is_none()
        && query.limit_clause.is_none()
        && select.distinct.is_none()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(list, _) if list.is_empty())
        && select.projection.iter().all(is_plain)
    {
        let mut plain = query.clone();
        plain.order_by = None;
        if let (SetExpr::Select(to), SetExpr::Select(from)) =
            (plain.body.as_mut(), counts.body.as_ref())
        {
            to.projection.clone_from(&from.projection);
        }
        return Some(Box::new(plain));
    }
    if let SetExpr::Select(select) = counts.body.as_mut()
        && let TableFactor::Derived { subquery, .. } = &mut select.from.first_mut()?.relation
    {
        **subquery = query.clone();
    }
    Some(counts)
}

/// Whether an item surely is no aggregate.
fn is_plain(item: &SelectItem) -> bool {
    match item {
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => matches!(
            expr,
            Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_)
        ),
        SelectItem::ExprWithAliases { .. } => false,
    }
}
