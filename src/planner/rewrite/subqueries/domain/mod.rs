//! A correlated plan over all outer rows at once.
//!
//! The plan is computed for every distinct combination of the outer values that it looks at, its *domain*,
//! and gives these values beside its own columns, so that it can be joined to the outer rows. The domain is
//! carried down to where the values are asked for. After Neumann and Kemper, "Unnesting Arbitrary Queries"
//! (BTW 2015).
//!
//! What is made of a node has the node's own columns, then those of the domain.

mod alone;
mod groups;
mod join;
mod limit;
mod plan;
mod rows;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result as EngineResult};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Distinct, Filter, Projection, Sort};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr};

pub(super) use alone::treats_rows_alone;
pub(in crate::planner::rewrite) use plan::arranged;
pub(super) use plan::{joined, unknown, unsupported};

use super::{Flattener, OUTER, outer_columns};
use plan::{is_one_row, is_volatile, without_row_ids};

/// The outer values that a plan looks at.
pub(super) struct Domain<'a> {
    flattener: &'a Flattener,
    /// Rows of the values, under names of their own.
    values: LogicalPlan,
    /// The outer columns that the values are of.
    columns: Vec<Column>,
}

impl<'a> Domain<'a> {
    /// The distinct values of some columns of the outer rows.
    pub(super) fn distinct(
        flattener: &'a Flattener,
        outer: &LogicalPlan,
        columns: Vec<Column>,
    ) -> EngineResult<Self> {
        if is_volatile(outer)? {
            return Err(unsupported(
                "a correlated sub-query over rows of volatile functions",
            ));
        }
        let values = LogicalPlanBuilder::from(without_row_ids(outer.clone())?)
            .project(flattener.renamed(&columns))?
            .distinct()?
            .build()?;
        Ok(Self {
            flattener,
            values,
            columns,
        })
    }

    /// The outer rows themselves, all their columns, for a plan that treats each of them alone.
    pub(super) fn rows(flattener: &'a Flattener, outer: &LogicalPlan) -> EngineResult<Self> {
        let columns = outer.schema().columns();
        let values = LogicalPlanBuilder::from(outer.clone())
            .project(flattener.renamed(&columns))?
            .build()?;
        Ok(Self {
            flattener,
            values,
            columns,
        })
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    /// The values once more, under a qualifier of their own.
    fn instance(&self) -> EngineResult<LogicalPlan> {
        let name = self.flattener.name(OUTER);
        LogicalPlanBuilder::from(self.values.clone())
            .alias(name)?
            .build()
    }

    /// The columns of the domain in a plan made by [`Self::apply`].
    pub(super) fn keys(&self, plan: &LogicalPlan) -> Vec<Expr> {
        let columns = plan.schema().columns();
        let own = columns.len() - self.width();
        columns.into_iter().skip(own).map(Expr::Column).collect()
    }

    fn asks(&self, plan: &LogicalPlan) -> EngineResult<bool> {
        let asked = outer_columns(plan)?;
        Ok(asked.iter().any(|column| self.columns.contains(column)))
    }

    /// An expression over a plan made by [`Self::apply`].
    fn inner(&self, expr: Expr, keys: &[Expr]) -> EngineResult<Expr> {
        let inner = expr.transform_up(|expr| {
            let Expr::OuterReferenceColumn(_, column) = &expr else {
                return Ok(Transformed::no(expr));
            };
            let place = self.columns.iter().position(|c| c == column);
            Ok(match place.and_then(|place| keys.get(place)) {
                Some(key) => Transformed::yes(key.clone()),
                None => Transformed::no(expr),
            })
        })?;
        Ok(inner.data)
    }

    /// Expressions with their names, over a plan made by [`Self::apply`].
    fn named(&self, exprs: &[Expr], keys: &[Expr]) -> EngineResult<Vec<Expr>> {
        let names = NamePreserver::new_for_projection();
        exprs
            .iter()
            .map(|expr| Ok(names.save(expr).restore(self.inner(expr.clone(), keys)?)))
            .collect()
    }

    fn sorts(&self, sorts: &[SortExpr], keys: &[Expr]) -> EngineResult<Vec<SortExpr>> {
        sorts
            .iter()
            .map(|sort| Ok(sort.with_expr(self.inner(sort.expr.clone(), keys)?)))
            .collect()
    }

    /// The plan for every value of the domain.
    ///
    /// # Errors
    /// A node through which the domain cannot be carried.
    pub(super) fn apply(&self, plan: &LogicalPlan) -> EngineResult<LogicalPlan> {
        stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || self.apply_on_stack(plan))
    }

    fn apply_on_stack(&self, plan: &LogicalPlan) -> EngineResult<LogicalPlan> {
        if let LogicalPlan::EmptyRelation(empty) = plan
            && is_one_row(empty)
        {
            return self.instance();
        }
        if !self.asks(plan)? {
            return LogicalPlanBuilder::from(plan.clone())
                .cross_join(self.instance()?)?
                .build();
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                let input = self.apply(&filter.input)?;
                let predicate = self.inner(filter.predicate.clone(), &self.keys(&input))?;
                Ok(LogicalPlan::Filter(Filter::try_new(
                    predicate,
                    Arc::new(input),
                )?))
            }
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.apply(&alias.input)?;
                LogicalPlanBuilder::from(input)
                    .alias(alias.alias.clone())?
                    .build()
            }
            LogicalPlan::Subquery(subquery) => self.apply(&subquery.subquery),
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                self.aggregate_of_all(aggregate)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate_of_groups(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let input = self.apply(&sort.input)?;
                let expr = self.sorts(&sort.expr, &self.keys(&input))?;
                Ok(LogicalPlan::Sort(Sort {
                    expr,
                    input: Arc::new(input),
                    fetch: None,
                }))
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let input = self.apply(input)?;
                LogicalPlanBuilder::from(input).distinct()?.build()
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Extension(extension)
                if tessera_udfs::pg::sets::is_set_rows(extension.node.as_ref()) =>
            {
                self.sets(extension)
            }
            other => {
                let text = other.display().to_string();
                let node = text.split([':', ' ']).next().unwrap_or_default();
                Err(unsupported(&format!(
                    "a reference to an outer query below {node} in a sub-query"
                )))
            }
        }
    }

    fn projection(&self, projection: &Projection) -> EngineResult<LogicalPlan> {
        let input = self.apply(&projection.input)?;
        let keys = self.keys(&input);
        let mut exprs = self.named(&projection.expr, &keys)?;
        exprs.extend(keys);
        Ok(LogicalPlan::Projection(Projection::try_new(
            exprs,
            Arc::new(input),
        )?))
    }
}
