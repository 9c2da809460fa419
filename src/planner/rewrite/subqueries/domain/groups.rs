//! Aggregates and window functions for every value of the domain.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result as EngineResult};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Window};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::plan::{arranged, joined, only_where, unsupported};
use super::{Domain, OUTER};

impl Domain<'_> {
    pub(super) fn aggregate_of_groups(&self, aggregate: &Aggregate) -> EngineResult<LogicalPlan> {
        if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
            return Err(unsupported(
                "a reference to an outer query below GROUPING SETS",
            ));
        }
        let input = self.apply(&aggregate.input)?;
        let keys = self.keys(&input);
        let mut groups = self.named(&aggregate.group_expr, &keys)?;
        let own = groups.len();
        let values = self.named(&aggregate.aggr_expr, &keys)?;
        let count = values.len();
        groups.extend(keys);
        let made = Aggregate::try_new(Arc::new(input), groups, values)?;
        let order = (0..own).chain(own + self.width()..own + self.width() + count);
        arranged(
            LogicalPlan::Aggregate(made),
            order.chain(own..own + self.width()),
        )
    }

    /// An aggregate that gives a row even if there are none below.
    pub(super) fn aggregate_of_all(&self, aggregate: &Aggregate) -> EngineResult<LogicalPlan> {
        let input = self.apply(&aggregate.input)?;
        let (domain, present) = (self.instance()?, self.flattener.name(OUTER));
        let keys: Vec<Expr> = domain
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let mut columns: Vec<Expr> = input
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        columns.push(lit(true).alias(&present));
        let below = self.keys(&input);
        let marked = LogicalPlanBuilder::from(input).project(columns)?.build()?;
        let joined = joined(
            domain,
            marked,
            keys.iter().cloned().zip(below).collect(),
            None,
            JoinType::Left,
        )?;
        let present = Expr::Column(Column::new_unqualified(present)).is_not_null();
        let names = NamePreserver::new_for_projection();
        let values = aggregate.aggr_expr.iter().map(|expr| {
            let name = names.save(expr);
            let filtered = expr
                .clone()
                .transform_down(|expr| only_where(expr, &present))?;
            Ok(name.restore(self.inner(filtered.data, &keys)?))
        });
        let values = values.collect::<EngineResult<Vec<_>>>()?;
        let count = values.len();
        let made = Aggregate::try_new(Arc::new(joined), keys, values)?;
        let order = (self.width()..self.width() + count).chain(0..self.width());
        arranged(LogicalPlan::Aggregate(made), order)
    }

    pub(super) fn window(&self, window: &Window) -> EngineResult<LogicalPlan> {
        let own = window.input.schema().fields().len();
        let input = self.apply(&window.input)?;
        let keys = self.keys(&input);
        let names = NamePreserver::new_for_projection();
        let exprs = window.window_expr.iter().map(|expr| {
            let name = names.save(expr);
            let divided = expr.clone().transform_down(|expr| {
                Ok(match expr {
                    Expr::WindowFunction(mut function) => {
                        let WindowFunction { params, .. } = function.as_mut();
                        params.partition_by.extend(keys.iter().cloned());
                        let expr = Expr::WindowFunction(function);
                        Transformed::new(expr, true, TreeNodeRecursion::Jump)
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(name.restore(self.inner(divided.data, &keys)?))
        });
        let exprs = exprs.collect::<EngineResult<Vec<_>>>()?;
        let count = exprs.len();
        let made = Window::try_new(exprs, Arc::new(input))?;
        let width = self.width();
        let order = (0..own).chain(own + width..own + width + count);
        arranged(LogicalPlan::Window(made), order.chain(own..own + width))
    }
}
