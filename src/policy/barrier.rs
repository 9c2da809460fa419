//! The barrier: rows that a policy has let through, as a table of which the engine sees no inside.
//!
//! To the optimiser it is a leaf. It takes over only what [`super::leakproof`] lists; every other
//! expression, limits and aggregates stay above it, and no statistics of the rows below get out.
//! What runs below was planned by itself, from the policies and such taken-over filters alone.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, ChildPushdownResult, FilterDescription, FilterPushdownPhase,
    FilterPushdownPropagation,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::leakproof::{is_leakproof, is_leakproof_physical};

/// The name of a column that no relation has.
const NO_COLUMN: &str = "\u{6}";

/// Rows behind a barrier. Its columns are the plan's, in order and without a qualifier.
#[derive(Debug, Clone)]
pub struct Barrier {
    table: Arc<str>,
    plan: Arc<LogicalPlan>,
    schema: SchemaRef,
    /// Columns that do not show what is stored; nothing that looks at them is taken over.
    masked: Arc<[String]>,
}

impl Barrier {
    /// A barrier over a plan whose tables are open.
    pub(super) fn new(table: Arc<str>, plan: LogicalPlan, masked: Arc<[String]>) -> Self {
        let schema = Arc::clone(plan.schema().inner());
        Self {
            table,
            plan: Arc::new(plan),
            schema,
            masked,
        }
    }

    /// The plan below.
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// The same barrier over a plan of the same columns.
    #[must_use]
    pub fn with_plan(&self, plan: LogicalPlan) -> Self {
        Self {
            plan: Arc::new(plan),
            ..self.clone()
        }
    }

    fn takes_over(&self, filter: &Expr, schema: &DFSchema) -> bool {
        let columns = filter.column_refs();
        // One without columns is not about rows, yet would tell whether there are any.
        !columns.is_empty()
            && !columns
                .iter()
                .any(|column| self.masked.contains(&column.name))
            && is_leakproof(filter, schema)
    }
}

#[async_trait]
impl TableProvider for Barrier {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let kinds = filters.iter().map(|filter| {
            let unqualified = unqualified((*filter).clone())?;
            Ok(match self.takes_over(&unqualified, &schema) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Unsupported,
            })
        });
        kinds.collect()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut plan = LogicalPlanBuilder::from(self.plan.as_ref().clone());
        let filters = filters
            .iter()
            .cloned()
            .map(unqualified)
            .collect::<Result<Vec<_>>>()?;
        if let Some(condition) = conjunction(filters) {
            plan = plan.filter(condition)?;
        }
        if let Some(projection) = projection {
            plan = plan.select(projection.iter().copied())?;
        }
        let input = state.create_physical_plan(&plan.build()?).await?;
        Ok(Arc::new(BarrierExec {
            table: Arc::clone(&self.table),
            masked: Arc::clone(&self.masked),
            input,
        }))
    }
}

/// A filter over the barrier's own columns.
fn unqualified(filter: Expr) -> Result<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let plain = filter.transform(|expr| match expr {
        Expr::Column(column) if column.relation.is_some() => Ok(Transformed::yes(Expr::Column(
            Column::new_unqualified(column.name),
        ))),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(plain.data)
}

/// The barrier where it runs: hands batches on, and keeps what it stands above to itself.
#[derive(Debug, Clone)]
pub struct BarrierExec {
    table: Arc<str>,
    masked: Arc<[String]>,
    input: Arc<dyn ExecutionPlan>,
}

impl BarrierExec {
    /// The same node with nothing of its inside to show, for EXPLAIN.
    pub fn shown(&self) -> Arc<dyn ExecutionPlan> {
        Arc::new(Shown {
            table: Arc::clone(&self.table),
            properties: Arc::clone(self.input.properties()),
        })
    }
}

impl BarrierExec {
    fn lets_through(&self, filter: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> bool {
        let columns = collect_columns(filter);
        !columns.is_empty()
            && !columns
                .iter()
                .any(|c| self.masked.iter().any(|masked| masked == c.name()))
            && is_leakproof_physical(filter, schema)
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowSecurityExec: table={}", self.table)
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &str {
        "RowSecurityExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = match children.pop() {
            Some(input) if children.is_empty() => input,
            _ => return Err(one_input()),
        };
        Ok(Arc::new(Self {
            table: Arc::clone(&self.table),
            masked: Arc::clone(&self.masked),
            input,
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    /// About how many rows, for the order of joins; of values nothing.
    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut known = Statistics::new_unknown(&self.schema());
        if let Some(input) = inputs.first() {
            known.num_rows = input.num_rows.to_inexact();
            known.total_byte_size = match input.total_byte_size {
                Precision::Absent => Precision::Absent,
                size => size.to_inexact(),
            };
        }
        Ok(Arc::new(known))
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let schema = self.schema();
        // A column that is not there holds the place of what must not get through.
        let refused: Arc<dyn PhysicalExpr> = Arc::new(Column::new(NO_COLUMN, usize::MAX));
        let passed: Vec<_> = parent_filters
            .into_iter()
            .map(|filter| match self.lets_through(&filter, &schema) {
                true => filter,
                false => Arc::clone(&refused),
            })
            .collect();
        let child = ChildFilterDescription::from_child(&passed, &self.input)?;
        Ok(FilterDescription::new().with_child(child))
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(child_pushdown_result))
    }
}

/// A barrier in EXPLAIN: a leaf.
#[derive(Debug)]
struct Shown {
    table: Arc<str>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for Shown {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowSecurityExec: table={}", self.table)
    }
}

impl ExecutionPlan for Shown {
    fn name(&self) -> &str {
        "RowSecurityExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Err(one_input())
    }
}

fn one_input() -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::Internal("a barrier without its input".to_owned())
}
