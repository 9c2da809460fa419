//! The first rows for every value of the domain: LIMIT and DISTINCT ON.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result as EngineResult};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::logical_plan::{Distinct, DistinctOn, Filter, Limit, Projection};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, SortExpr, cast, lit,
};

use super::plan::arranged;
use super::{Domain, OUTER};

impl Domain<'_> {
    /// The first rows of each value of the domain, by their numbers.
    pub(super) fn limit(&self, limit: &Limit) -> EngineResult<LogicalPlan> {
        let below = |input: &Arc<LogicalPlan>| {
            LogicalPlan::Limit(Limit {
                skip: limit.skip.clone(),
                fetch: limit.fetch.clone(),
                input: Arc::clone(input),
            })
        };
        // What is made of each row can be made of the chosen ones.
        if let LogicalPlan::Projection(projection) = limit.input.as_ref() {
            let input = below(&projection.input);
            let above = Projection::try_new(projection.expr.clone(), Arc::new(input))?;
            return self.projection(&above);
        }
        let (source, sorts) = match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (&sort.input, sort.expr.as_slice()),
            _ => (&limit.input, [].as_slice()),
        };
        let own = source.schema().fields().len();
        let input = self.apply(source)?;
        let keys = self.keys(&input);
        let number = row_number().partition_by(keys.clone());
        let number = match sorts {
            [] => number.build()?,
            sorts => number.order_by(self.sorts(sorts, &keys)?).build()?,
        };
        let name = self.flattener.name(OUTER);
        let made = LogicalPlanBuilder::from(input)
            .window([number.alias(&name)])?
            .build()?;
        let number = cast(Expr::Column(Column::new_unqualified(name)), DataType::Int64);
        let bound = |expr: &Option<Box<Expr>>| -> EngineResult<Option<Expr>> {
            match expr {
                Some(expr) => {
                    let expr = self.inner(expr.as_ref().clone(), &keys)?;
                    Ok(Some(cast(expr, DataType::Int64)))
                }
                None => Ok(None),
            }
        };
        let (skip, fetch) = (bound(&limit.skip)?, bound(&limit.fetch)?);
        let zero = lit(0_i64);
        let first = skip.unwrap_or_else(|| zero.clone());
        let mut condition = number.clone().gt(first.clone());
        if let Some(fetch) = fetch {
            // LIMIT NULL is none.
            let within = number.lt_eq(first + fetch.clone());
            condition = condition.and(fetch.is_null().or(within));
        }
        let chosen = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(made))?);
        arranged(chosen, 0..own + self.width())
    }

    pub(super) fn distinct_on(&self, on: &DistinctOn) -> EngineResult<LogicalPlan> {
        let input = self.apply(&on.input)?;
        let keys = self.keys(&input);
        let mut firsts = keys.clone();
        firsts.extend(self.named(&on.on_expr, &keys)?);
        let mut select = self.named(&on.select_expr, &keys)?;
        select.extend(keys.iter().cloned());
        let sorts = match &on.sort_expr {
            Some(sorts) => {
                let mut all: Vec<SortExpr> = keys
                    .iter()
                    .map(|key| key.clone().sort(true, false))
                    .collect();
                all.extend(self.sorts(sorts, &keys)?);
                Some(all)
            }
            None => None,
        };
        let made = DistinctOn::try_new(firsts, select, sorts, Arc::new(input))?;
        Ok(LogicalPlan::Distinct(Distinct::On(made)))
    }
}
