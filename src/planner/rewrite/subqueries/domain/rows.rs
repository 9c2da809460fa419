//! Rows from several places for every value of the domain: UNION, VALUES and sets of functions.

use std::sync::Arc;

use datafusion::common::{Column, Result as EngineResult};
use datafusion::logical_expr::logical_plan::{Extension, Union, Values};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};

use super::plan::{arranged, unsupported};
use super::{Domain, OUTER};

impl Domain<'_> {
    pub(super) fn union(&self, union: &Union) -> EngineResult<LogicalPlan> {
        let own = union.schema.fields().len();
        let keys: Vec<String> = (0..self.width())
            .map(|_| self.flattener.name(OUTER))
            .collect();
        let names: Vec<String> = (0..own).map(|_| self.flattener.name(OUTER)).collect();
        let inputs = union.inputs.iter().map(|input| {
            let columns = self.apply(input)?;
            let names = names.iter().chain(&keys);
            let renamed = columns.schema().columns().into_iter().zip(names);
            let renamed: Vec<Expr> = renamed
                .map(|(column, name)| Expr::Column(column).alias(name))
                .collect();
            let plan = LogicalPlanBuilder::from(columns)
                .project(renamed)?
                .build()?;
            Ok(Arc::new(plan))
        });
        let inputs = inputs.collect::<EngineResult<Vec<_>>>()?;
        let made = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        let shown = union
            .schema
            .iter()
            .zip(&names)
            .map(|((qualifier, field), name)| {
                Expr::Column(Column::new_unqualified(name))
                    .alias_qualified(qualifier.cloned(), field.name())
            });
        let mut shown: Vec<Expr> = shown.collect();
        shown.extend(
            keys.iter()
                .map(|key| Expr::Column(Column::new_unqualified(key))),
        );
        LogicalPlanBuilder::from(made).project(shown)?.build()
    }

    /// Rows that are written out, each over the whole domain.
    pub(super) fn values(&self, values: &Values) -> EngineResult<LogicalPlan> {
        let rows = values.values.iter().map(|row| {
            let fields = values
                .schema
                .iter()
                .zip(row)
                .map(|((qualifier, field), expr)| {
                    expr.clone()
                        .alias_qualified(qualifier.cloned(), field.name())
                });
            LogicalPlanBuilder::empty(true)
                .project(fields.collect::<Vec<_>>())?
                .build()
        });
        let mut rows = rows.collect::<EngineResult<Vec<_>>>()?;
        if rows.len() == 1
            && let Some(row) = rows.pop()
        {
            return self.apply(&row);
        }
        let rows = rows.into_iter().map(Arc::new).collect();
        self.union(&Union::try_new_with_loose_types(rows)?)
    }

    pub(super) fn sets(&self, extension: &Extension) -> EngineResult<LogicalPlan> {
        let [input] = extension.node.inputs()[..] else {
            return Err(unsupported("a set-returning function without input"));
        };
        let before = input.schema().fields().len();
        let own = extension.node.schema().fields().len();
        let input = self.apply(input)?;
        let keys = self.keys(&input);
        let exprs = extension.node.expressions().into_iter();
        let exprs = exprs.map(|expr| self.inner(expr, &keys));
        let node = extension
            .node
            .with_exprs_and_inputs(exprs.collect::<EngineResult<_>>()?, vec![input])?;
        let width = self.width();
        let order = (0..before).chain(before + width..own + width);
        arranged(
            LogicalPlan::Extension(Extension { node }),
            order.chain(before..before + width),
        )
    }
}
