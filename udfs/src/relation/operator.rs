//! Runs a table function: rows in by group, rows out, one group in memory at a time.
//!
//! The inputs whose rows belong to groups are one stream: the first relation alone, or a union of several in which a
//! column tells them apart. So a group's rows of all relations meet in one partition whatever the partitioning.
//! Shared inputs are read once and kept.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning,
    PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::call::{Call, Options};
use super::inputs::{Main, grouped_and_shared};
use super::layout::Layout;
use super::node::TableFunctionNode;
use super::rows::{ASCENDING, Groups, canonical};
use super::run::Run;
use super::signature::Rows;
use super::{Bound, TableFunction};

/// Makes the operator of a [`TableFunctionNode`].
#[derive(Debug, Default)]
pub struct TableFunctionPlanner;

/// A table function over its inputs.
#[derive(Debug, Clone)]
pub struct TableFunctionExec {
    pub(super) call: Call,
    pub(super) layout: Arc<Layout>,
    pub(super) bound: Arc<dyn Bound>,
    pub(super) aborts: bool,
    /// The grouped inputs as one, then the shared ones.
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    shared: Arc<OnceCell<Shared>>,
    properties: Arc<PlanProperties>,
    pub(super) metrics: ExecutionPlanMetricsSet,
}

/// The rows of the shared inputs, in memory as long as the operator is.
#[derive(Debug)]
struct Shared {
    relations: Vec<RecordBatch>,
    _memory: MemoryReservation,
}

#[async_trait]
impl ExtensionPlanner for TableFunctionPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _planning_ctx: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<TableFunctionNode>() else {
            return Ok(None);
        };
        let relations: Vec<(String, Vec<FieldRef>)> = node
            .layout()
            .relations()
            .iter()
            .zip(physical_inputs)
            .map(|(relation, input)| (relation.name.to_owned(), input.schema().fields().to_vec()))
            .collect();
        let schema = Arc::new(node.result().as_arrow().clone());
        let inputs = grouped_and_shared(node.layout(), physical_inputs)?;
        let exec =
            TableFunctionExec::try_new(node.function(), node.call()?, &relations, schema, inputs)?;
        Ok(Some(Arc::new(exec)))
    }
}

impl TableFunctionExec {
    /// Makes the operator from plain data and its inputs: the grouped relations as one, then each shared one.
    /// `relations` are the columns of the relations as the call reads them.
    ///
    /// # Errors
    /// When the call does not fit the function or the inputs.
    pub fn try_new(
        function: &Arc<dyn TableFunction>,
        call: Call,
        relations: &[(String, Vec<FieldRef>)],
        schema: SchemaRef,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Self> {
        let signature = function.signature();
        let layout = Layout::resolve(signature, &call.columns, relations)?;
        let options = Options::new(signature, &call.options)?;
        let bound = function.bind(&layout, &options)?;
        let Some(main) = inputs.first() else {
            return internal_err!("{} has no input", call.function);
        };
        let properties = properties(main, schema, layout.ids().len())?;
        Ok(Self {
            call,
            bound,
            aborts: options.aborts(),
            properties: Arc::new(properties),
            layout: Arc::new(layout),
            inputs,
            shared: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The call that this operator runs.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// The columns that it reads.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn ids(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        id_columns(self.layout.ids().iter().map(|field| field.name().as_str()))
    }
}

/// Ids keep their places, so what the input says of them is true of the output.
fn properties(
    main: &Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    ids: usize,
) -> Result<PlanProperties> {
    let columns = id_columns(
        schema
            .fields()
            .iter()
            .take(ids)
            .map(|field| field.name().as_str()),
    );
    let sorted = columns
        .iter()
        .map(|id| PhysicalSortExpr::new(Arc::clone(id), ASCENDING));
    let equivalence = match LexOrdering::new(sorted) {
        Some(ordering) => EquivalenceProperties::new_with_orderings(schema, [ordering]),
        None => EquivalenceProperties::new(schema),
    };
    let input = main.output_partitioning();
    let partitioning = match input {
        Partitioning::Hash(keys, count) if keys.len() == ids => {
            let same = keys.iter().zip(&columns).all(|(key, id)| key.eq(id));
            if same {
                Partitioning::Hash(columns, *count)
            } else {
                unknown(input)
            }
        }
        other => unknown(other),
    };
    let properties = PlanProperties::new(
        equivalence,
        partitioning,
        EmissionType::Incremental,
        Boundedness::Bounded,
    );
    Ok(properties.with_scheduling_type(SchedulingType::Cooperative))
}

fn unknown(partitioning: &Partitioning) -> Partitioning {
    Partitioning::UnknownPartitioning(partitioning.partition_count())
}

fn id_columns<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Arc<dyn PhysicalExpr>> {
    let column = |(i, name)| Arc::new(Column::new(name, i)) as Arc<dyn PhysicalExpr>;
    names.enumerate().map(column).collect()
}

impl DisplayAs for TableFunctionExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self
            .call
            .columns
            .iter()
            .map(|(name, columns)| match columns.as_slice() {
                [column] => format!("{name}={column}"),
                columns => format!("{name}=[{}]", columns.join(", ")),
            });
        let options = self
            .call
            .options
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let parts: Vec<String> = columns.chain(options).collect();
        match t {
            DisplayFormatType::TreeRender => writeln!(f, "{}", self.call.function),
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(
                    f,
                    "TableFunctionExec: {}, {}",
                    self.call.function,
                    parts.join(", ")
                )
            }
        }
    }
}

impl ExecutionPlan for TableFunctionExec {
    fn name(&self) -> &'static str {
        "TableFunctionExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let main = match self.ids() {
            ids if ids.is_empty() => Distribution::SinglePartition,
            ids => Distribution::KeyPartitioned(ids),
        };
        let shared = self
            .inputs
            .iter()
            .skip(1)
            .map(|_| Distribution::SinglePartition);
        InputDistributionRequirements::new(std::iter::once(main).chain(shared).collect())
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let main = Main::new(&self.layout);
        let schema = self.inputs[0].schema();
        let sorted = main.order().into_iter().map(|index| {
            let column = Arc::new(Column::new(schema.field(index).name(), index));
            PhysicalSortExpr::new(column, ASCENDING)
        });
        let mut required = vec![None; self.inputs.len()];
        required[0] = LexOrdering::new(sorted).map(OrderingRequirements::from);
        required
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.inputs.len() {
            return internal_err!("{} has a wrong number of inputs", self.call.function);
        }
        let properties = match options.children_properties {
            ChildrenPropertiesMode::Keep => Arc::clone(&self.properties),
            ChildrenPropertiesMode::Recompute => Arc::new(properties(
                &children[0],
                self.schema(),
                self.layout.ids().len(),
            )?),
        };
        Ok(Arc::new(Self {
            inputs: children,
            properties,
            shared: Arc::default(),
            metrics: ExecutionPlanMetricsSet::new(),
            ..Self::clone(&self)
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = self.inputs[0].execute(partition, Arc::clone(&context))?;
        let reservation = MemoryConsumer::new(format!("{}[{partition}]", self.call.function))
            .register(context.memory_pool());
        let rows = Groups::new(input, self.layout.ids().len(), reservation);
        let batch_size = context.session_config().batch_size();
        let run = Run::new(self.clone(), rows, partition, batch_size);
        let exec = self.clone();
        let stream = futures::stream::once(async move {
            let shared = exec.shared(&context).await?;
            Ok::<_, DataFusionError>(run.with_shared(shared))
        })
        .map_ok(|run| futures::stream::try_unfold(run, Run::next))
        .try_flatten();
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            stream,
        ))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

impl TableFunctionExec {
    /// Reads the shared inputs, whichever partition comes first.
    async fn shared(&self, context: &Arc<TaskContext>) -> Result<Vec<RecordBatch>> {
        if self.inputs.len() == 1 {
            return Ok(Vec::new());
        }
        let shared = self.shared.get_or_try_init(|| async {
            let memory = MemoryConsumer::new(format!("{}[shared]", self.call.function))
                .register(context.memory_pool());
            let mut relations = Vec::with_capacity(self.inputs.len() - 1);
            let layouts = self
                .layout
                .relations()
                .iter()
                .filter(|r| r.rows == Rows::Shared);
            for (input, layout) in self.inputs.iter().skip(1).zip(layouts) {
                let mut stream = input.execute(0, Arc::clone(context))?;
                let mut batches = Vec::new();
                while let Some(batch) = stream.next().await {
                    let batch = batch?;
                    // Once as it comes, once in one piece.
                    memory.try_grow(batch.get_array_memory_size().saturating_mul(2))?;
                    batches.push(batch);
                }
                let rows = concat_batches(&input.schema(), &batches)?;
                relations.push(canonical(rows, 0, &layout.order)?);
            }
            Ok::<_, DataFusionError>(Shared {
                relations,
                _memory: memory,
            })
        });
        Ok(shared.await?.relations.clone())
    }
}
