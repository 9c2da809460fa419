//! An operator that works another way and is the same in all else.
//!
//! Order, partitions, statistics and what EXPLAIN shows are those of the operator in whose place it
//! stands: whoever planned around that one finds what he found.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as EngineResult, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, replace_children_if_necessary};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::arithmetic::quick_arithmetic;
use super::condition::Condition;
use super::project::Project;
use super::select::Select;

/// An operator in the place of another.
#[derive(Debug)]
pub(super) struct Quick {
    original: Arc<dyn ExecutionPlan>,
    work: Work,
    metrics: ExecutionPlanMetricsSet,
}

/// What the operator does with a batch.
#[derive(Debug)]
enum Work {
    /// Keeps the rows for which a condition is true, in batches of about so many, and of them these columns.
    Select {
        condition: Arc<Condition>,
        columns: Option<Arc<[usize]>>,
        rows: usize,
    },
    /// Computes columns.
    Project(Arc<[Arc<dyn PhysicalExpr>]>),
}

impl Quick {
    /// The quicker operator for another; `None` if there is none.
    ///
    /// # Errors
    /// Expressions that do not fit the plan, which is a bug.
    pub(super) fn of(original: &Arc<dyn ExecutionPlan>) -> EngineResult<Option<Self>> {
        let Some(work) = work(original)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            original: Arc::clone(original),
            work,
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }
}

fn work(original: &Arc<dyn ExecutionPlan>) -> EngineResult<Option<Work>> {
    if let Some(filter) = original.downcast_ref::<FilterExec>() {
        // One that ends after some rows is left to end there.
        if filter.fetch().is_some() {
            return Ok(None);
        }
        let schema = filter.input().schema();
        return Ok(Some(Work::Select {
            condition: Arc::new(Condition::new(filter.predicate(), &schema)),
            columns: filter.projection().clone(),
            rows: filter.batch_size(),
        }));
    }
    let Some(projection) = original.downcast_ref::<ProjectionExec>() else {
        return Ok(None);
    };
    let schema = projection.input().schema();
    let mut changed = false;
    let mut expressions = Vec::with_capacity(projection.expr().len());
    for column in projection.expr() {
        let expression = quick_arithmetic(Arc::clone(&column.expr), &schema)?;
        changed |= expression.transformed;
        expressions.push(expression.data);
    }
    Ok(changed.then(|| Work::Project(expressions.into())))
}

impl DisplayAs for Quick {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.original.fmt_as(kind, f)
    }
}

impl ExecutionPlan for Quick {
    fn name(&self) -> &str {
        self.original.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.original.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.original.maintains_input_order()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        self.original.benefits_from_input_partitioning()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.original.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        self.original.apply_expressions(f)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let original = replace_children_if_necessary(Arc::clone(&self.original), children)?;
        Ok(match Self::of(&original)? {
            Some(quick) => Arc::new(quick),
            None => original,
        })
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = match self.children().first() {
            Some(input) => input.execute(partition, context)?,
            None => return datafusion::common::internal_err!("an operator without its input"),
        };
        let schema = self.schema();
        Ok(match &self.work {
            Work::Select {
                condition,
                columns,
                rows,
            } => {
                let (condition, columns) = (Arc::clone(condition), columns.clone());
                Box::pin(Select::new(
                    input, condition, columns, schema, *rows, metrics,
                ))
            }
            Work::Project(expressions) => Box::pin(Project::new(
                input,
                Arc::clone(expressions),
                schema,
                metrics,
            )),
        })
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.original.child_stats_requests(partition)
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> EngineResult<Arc<Statistics>> {
        self.original.statistics_from_inputs(inputs, args)
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.original.supports_limit_pushdown()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.original.cardinality_effect()
    }
}
