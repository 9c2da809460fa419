//! Runs a table function: rows in by group, rows out, one group in memory at a time.
//!
//! The inputs whose rows belong to groups are one stream: the first relation alone, or a union of several in which a
//! column tells them apart. So a group's rows of all relations meet in one partition whatever the partitioning.
//! Shared inputs are read once and kept.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, new_null_array,
};
use datafusion::arrow::compute::{BatchCoalescer, concat_batches, take};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int8Type, SchemaRef};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning,
    PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::OnceCell;

use super::call::{Call, Options};
use super::group::{Failure, Group, Output};
use super::layout::Layout;
use super::node::TableFunctionNode;
use super::rows::{ASCENDING, Groups, canonical};
use super::signature::Rows;
use super::{Bound, TableFunction};
use crate::error::Error;

/// Groups are computed this long before other tasks of the runtime get their turn.
const TURN: Duration = Duration::from_millis(5);
/// Rows that are ready wait at most this long for a full batch.
const MAX_DELAY: Duration = Duration::from_millis(200);

/// Makes the operator of a [`TableFunctionNode`].
#[derive(Debug, Default)]
pub struct TableFunctionPlanner;

/// A table function over its inputs.
#[derive(Debug, Clone)]
pub struct TableFunctionExec {
    call: Call,
    layout: Arc<Layout>,
    bound: Arc<dyn Bound>,
    aborts: bool,
    /// The grouped inputs as one, then the shared ones.
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    shared: Arc<OnceCell<Shared>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
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
        let groups = MetricBuilder::new(&self.metrics).counter("groups", partition);
        let refused = MetricBuilder::new(&self.metrics).counter("refused_groups", partition);
        let run = Run {
            exec: self.clone(),
            main: Main::new(&self.layout),
            rows: Groups::new(input, self.layout.ids().len(), reservation),
            shared: Vec::new(),
            ready: BatchCoalescer::new(self.schema(), context.session_config().batch_size()),
            turn: Instant::now(),
            delayed: Instant::now(),
            ended: false,
            baseline: BaselineMetrics::new(&self.metrics, partition),
            groups,
            refused,
        };
        let exec = self.clone();
        let stream = futures::stream::once(async move {
            let shared = exec.shared(&context).await?;
            Ok::<_, DataFusionError>(Run { shared, ..run })
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

/// One partition's work.
struct Run {
    exec: TableFunctionExec,
    main: Main,
    rows: Groups,
    shared: Vec<RecordBatch>,
    ready: BatchCoalescer,
    /// When this task last let others run.
    turn: Instant,
    /// When rows were last returned.
    delayed: Instant,
    ended: bool,
    baseline: BaselineMetrics,
    groups: Count,
    refused: Count,
}

impl Run {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.ready.next_completed_batch() {
                self.delayed = Instant::now();
                self.baseline.record_output(batch.num_rows());
                return Ok(Some((batch, self)));
            }
            if self.ended {
                self.baseline.done();
                return Ok(None);
            }
            match self.rows.next().await? {
                Some(rows) => {
                    let rows = self.compute(rows)?;
                    self.ready.push_batch(rows)?;
                    self.rows.release();
                    if self.delayed.elapsed() >= MAX_DELAY {
                        self.ready.finish_buffered_batch()?;
                    }
                    self.give_way().await;
                }
                None => {
                    self.ended = true;
                    self.ready.finish_buffered_batch()?;
                }
            }
        }
    }

    /// Lets other tasks run, and this one be dropped, between groups.
    async fn give_way(&mut self) {
        tokio::task::consume_budget().await;
        if self.turn.elapsed() >= TURN {
            tokio::task::yield_now().await;
            self.turn = Instant::now();
        }
    }

    fn compute(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let timer = self.baseline.elapsed_compute().timer();
        let bytes = rows.get_array_memory_size().min(bytes_of(&rows));
        let working = self.exec.bound.working_bytes(rows.num_rows());
        // The rows, and at most a reordered copy with its sort keys.
        self.rows
            .reserve(bytes.saturating_mul(3).saturating_add(working))?;
        self.groups.add(1);

        let relations = self.main.split(&self.exec.layout, &rows, &self.shared)?;
        let result = match self.exec.bound.run_group(&Group::new(&relations)) {
            Ok(output) => self.fine(&rows, output),
            Err(Failure::Broken(error)) => Err(error),
            Err(Failure::Refused(reason)) if self.exec.aborts => Err(Error::Group {
                function: self.exec.call.function.clone(),
                group: self.describe(&rows)?,
                reason,
            }
            .into()),
            Err(Failure::Refused(reason)) => {
                self.refused.add(1);
                self.refused_row(&rows, reason)
            }
        };
        timer.done();
        result
    }

    fn fine(&self, group: &RecordBatch, output: Output) -> Result<RecordBatch> {
        let count = output.columns.first().map_or(0, |column| column.len());
        let mut columns = self.id_values(group, count)?;
        columns.extend(output.columns);
        columns.push(
            output
                .status
                .unwrap_or_else(|| new_null_array(&DataType::Utf8, count)),
        );
        Ok(RecordBatch::try_new(self.exec.schema(), columns)?)
    }

    /// One row: the group, nothing, and why.
    fn refused_row(&self, group: &RecordBatch, reason: String) -> Result<RecordBatch> {
        let schema = self.exec.schema();
        let mut columns = self.id_values(group, 1)?;
        for field in &schema.fields()[columns.len()..schema.fields().len() - 1] {
            columns.push(new_null_array(field.data_type(), 1));
        }
        columns.push(Arc::new(StringArray::from(vec![reason])));
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn id_values(&self, group: &RecordBatch, count: usize) -> Result<Vec<ArrayRef>> {
        let first = UInt32Array::from(vec![0; count]);
        let ids = group.columns().iter().take(self.exec.layout.ids().len());
        ids.map(|id| Ok(take(id, &first, None)?)).collect()
    }

    /// The group in words, for an error's detail.
    fn describe(&self, group: &RecordBatch) -> Result<String> {
        let options = FormatOptions::new().with_null("NULL");
        let mut parts = Vec::new();
        for (field, id) in self.exec.layout.ids().iter().zip(group.columns()) {
            let value = ArrayFormatter::try_new(id, &options)?.value(0).to_string();
            parts.push(format!("{} = {value}", field.name()));
        }
        Ok(parts.join(", "))
    }
}

/// What a batch's rows take, when they are a slice of something larger.
fn bytes_of(rows: &RecordBatch) -> usize {
    let sizes = rows.columns().iter().map(|column| {
        column
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| column.get_array_memory_size())
    });
    sizes.sum()
}

/// Where the columns of the grouped relations stand in the one input that holds them all.
#[derive(Debug)]
struct Main {
    ids: usize,
    /// The column that tells the relations apart, if there are several.
    tag: Option<usize>,
    relations: Vec<MainRelation>,
}

#[derive(Debug)]
struct MainRelation {
    /// Which of the call's relations it is.
    relation: usize,
    /// The place of each of its columns.
    columns: Vec<usize>,
    order: Vec<usize>,
}

impl Main {
    fn new(layout: &Layout) -> Self {
        let ids = layout.ids().len();
        let grouped = layout
            .relations()
            .iter()
            .filter(|r| r.rows == Rows::Grouped)
            .count();
        let tag = (grouped > 1).then_some(ids);
        let mut next = ids + usize::from(tag.is_some());
        let mut relations = Vec::with_capacity(grouped);
        for (relation, columns) in layout.relations().iter().enumerate() {
            if columns.rows == Rows::Shared {
                continue;
            }
            let others = columns.fields.len() - ids;
            let places: Vec<usize> = (0..ids).chain(next..next + others).collect();
            next += others;
            let order = columns.order.iter().map(|index| places[*index]).collect();
            relations.push(MainRelation {
                relation,
                columns: places,
                order,
            });
        }
        Self {
            ids,
            tag,
            relations,
        }
    }

    /// The order that the input must have.
    fn order(&self) -> Vec<usize> {
        let ordering = self
            .relations
            .iter()
            .flat_map(|relation| relation.order.iter().copied());
        (0..self.ids).chain(self.tag).chain(ordering).collect()
    }

    /// A group's rows of each of the call's relations.
    fn split(
        &self,
        layout: &Layout,
        rows: &RecordBatch,
        shared: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>> {
        let mut shared = shared.iter();
        let mut relations = Vec::with_capacity(layout.relations().len());
        for (index, columns) in layout.relations().iter().enumerate() {
            let place = self
                .relations
                .iter()
                .position(|relation| relation.relation == index);
            match place {
                Some(place) => {
                    let part = self
                        .part(rows, place)
                        .project(&self.relations[place].columns)?;
                    relations.push(canonical(part, self.ids, &columns.order)?);
                }
                None => match shared.next() {
                    Some(rows) => relations.push(rows.clone()),
                    None => return internal_err!("relation {} was not read", columns.name),
                },
            }
        }
        Ok(relations)
    }

    /// The rows of one relation: the group is ordered by the tag.
    fn part(&self, rows: &RecordBatch, place: usize) -> RecordBatch {
        let Some(tag) = self.tag else {
            return rows.clone();
        };
        let tags = rows.column(tag).as_primitive::<Int8Type>().values();
        let start = tags.partition_point(|tag| usize::try_from(*tag).is_ok_and(|tag| tag < place));
        let end = tags.partition_point(|tag| usize::try_from(*tag).is_ok_and(|tag| tag <= place));
        rows.slice(start, end - start)
    }
}

/// The inputs of the operator: one for all grouped relations, then the shared ones.
fn grouped_and_shared(
    layout: &Layout,
    inputs: &[Arc<dyn ExecutionPlan>],
) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
    let main = Main::new(layout);
    let mut grouped = Vec::new();
    let mut shared = Vec::new();
    for (relation, input) in layout.relations().iter().zip(inputs) {
        match relation.rows {
            Rows::Grouped => grouped.push(Arc::clone(input)),
            Rows::Shared => shared.push(Arc::clone(input)),
        }
    }
    let first = match grouped.len() {
        1 => grouped.swap_remove(0),
        _ => {
            let tagged = (0..grouped.len())
                .map(|place| tagged(&main, &grouped, place))
                .collect::<Result<Vec<_>>>()?;
            UnionExec::try_new(tagged)?
        }
    };
    Ok(std::iter::once(first).chain(shared).collect())
}

/// A relation with its tag and with NULLs in the columns of the others.
fn tagged(
    main: &Main,
    grouped: &[Arc<dyn ExecutionPlan>],
    place: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let input = &grouped[place];
    let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
    for (index, field) in input.schema().fields().iter().take(main.ids).enumerate() {
        columns.push((
            Arc::new(Column::new(field.name(), index)),
            field.name().clone(),
        ));
    }
    let tag = ScalarValue::Int8(i8::try_from(place).ok());
    columns.push((Arc::new(Literal::new(tag)), "relation".to_owned()));
    for (other, relation) in grouped.iter().enumerate() {
        for (index, field) in relation.schema().fields().iter().enumerate().skip(main.ids) {
            let name = format!("{other}.{}", field.name());
            let column: Arc<dyn PhysicalExpr> = if other == place {
                Arc::new(Column::new(field.name(), index))
            } else {
                Arc::new(Literal::new(ScalarValue::try_from(field.data_type())?))
            };
            columns.push((column, name));
        }
    }
    Ok(Arc::new(ProjectionExec::try_new(
        columns,
        Arc::clone(input),
    )?))
}
