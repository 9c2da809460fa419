//! Makes the rows of sets batch by batch: never more of them at a time than one batch holds.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};

use super::node::SetRows;
use super::series::AllSeries;

/// Rows of the input whose sets are evaluated at a time, because sets may be many times larger than rows.
const EVALUATED_ROWS: usize = 1024;

/// Makes the operator of a [`SetRows`].
#[derive(Debug, Default)]
pub struct SetRowsPlanner;

/// The sets of an input's rows as rows.
#[derive(Debug, Clone)]
pub struct SetRowsExec {
    input: Arc<dyn ExecutionPlan>,
    /// `None` for the place of a row.
    sets: Vec<Option<Arc<dyn PhysicalExpr>>>,
    keeps_empty: bool,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

#[async_trait]
impl ExtensionPlanner for SetRowsPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<SetRows>() else {
            return Ok(None);
        };
        let ([input], [logical]) = (physical_inputs, logical_inputs) else {
            return internal_err!("rows of sets have one input");
        };
        let columns: &DFSchema = logical.schema();
        let sets = node.sets().iter().map(|set| {
            let rows = set.rows.as_ref();
            rows.map(|rows| planner.create_physical_expr(rows, columns, session, context))
                .transpose()
        });
        let schema = Arc::new(node.result().as_arrow().clone());
        Ok(Some(Arc::new(SetRowsExec::new(
            Arc::clone(input),
            sets.collect::<Result<_>>()?,
            node.keeps_empty(),
            schema,
        ))))
    }
}

impl SetRowsExec {
    fn new(
        input: Arc<dyn ExecutionPlan>,
        sets: Vec<Option<Arc<dyn PhysicalExpr>>>,
        keeps_empty: bool,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            input.boundedness(),
        );
        let properties = properties.with_scheduling_type(SchedulingType::Cooperative);
        Self {
            input,
            sets,
            keeps_empty,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl DisplayAs for SetRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = self.sets.iter().map(|set| match set {
            Some(set) => set.to_string(),
            None => "ordinality".to_owned(),
        });
        write!(f, "SetRowsExec: {}", sets.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for SetRowsExec {
    fn name(&self) -> &'static str {
        "SetRowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for set in self.sets.iter().flatten() {
            if f(set)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("rows of sets have one input");
        };
        let sets = self.sets.clone();
        Ok(Arc::new(Self::new(
            input,
            sets,
            self.keeps_empty,
            self.schema(),
        )))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::ChildrenPropertiesMode;
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
        let maker = Maker {
            memory: MemoryConsumer::new(format!("SetRowsExec[{partition}]"))
                .register(context.memory_pool()),
            batch_size: context.session_config().batch_size().max(1),
            input: self.input.execute(partition, context)?,
            sets: self.sets.clone(),
            keeps_empty: self.keeps_empty,
            schema: self.schema(),
            waiting: None,
            part: None,
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let stream = futures::stream::try_unfold(maker, |mut maker| async move {
            let batch = maker.next().await?;
            Ok(batch.map(|batch| (batch, maker)))
        });
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            stream.into_stream(),
        ))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

struct Maker {
    input: SendableRecordBatchStream,
    sets: Vec<Option<Arc<dyn PhysicalExpr>>>,
    keeps_empty: bool,
    schema: SchemaRef,
    batch_size: usize,
    /// Rows of the input whose sets are not evaluated yet.
    waiting: Option<RecordBatch>,
    part: Option<Part>,
    memory: MemoryReservation,
    metrics: BaselineMetrics,
}

/// Rows of the input with their sets, and how far they have been given out.
struct Part {
    rows: RecordBatch,
    sets: Vec<Set>,
    row: usize,
    /// Rows given out of the current row; `None` before its sets are looked at.
    given: Option<usize>,
}

enum Set {
    Elements(ListArray),
    Series(AllSeries),
    Place,
}

impl Maker {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(part) = &mut self.part {
                if let Some(batch) = part.next(self.batch_size, self.keeps_empty, &self.schema)? {
                    self.metrics.output_rows().add(batch.num_rows());
                    return Ok(Some(batch));
                }
                self.part = None;
                self.memory.free();
            }
            if let Some(rows) = self.waiting.take() {
                let count = rows.num_rows().min(EVALUATED_ROWS);
                if count < rows.num_rows() {
                    self.waiting = Some(rows.slice(count, rows.num_rows() - count));
                }
                self.part = Some(self.evaluated(rows.slice(0, count))?);
                continue;
            }
            match self.input.next().await {
                Some(batch) => self.waiting = Some(batch?),
                None => return Ok(None),
            }
        }
    }

    fn evaluated(&self, rows: RecordBatch) -> Result<Part> {
        let mut bytes = 0;
        let mut sets = Vec::with_capacity(self.sets.len());
        for set in &self.sets {
            let Some(set) = set else {
                sets.push(Set::Place);
                continue;
            };
            let array = set.evaluate(&rows)?.into_array(rows.num_rows())?;
            bytes += array.get_array_memory_size();
            sets.push(match array.as_list_opt::<i32>() {
                Some(list) => Set::Elements(list.clone()),
                None => Set::Series(AllSeries::new(&array)?),
            });
        }
        self.memory.try_resize(bytes)?;
        Ok(Part {
            rows,
            sets,
            row: 0,
            given: None,
        })
    }
}

/// What is gathered of one set for the batch in the making.
enum Gathered {
    /// Places in the list's elements.
    Elements(Vec<Option<u64>>),
    Series(Vec<Option<i128>>),
    Place(Vec<Option<i64>>),
}

impl Gathered {
    fn of(set: &Set) -> Self {
        match set {
            Set::Elements(_) => Self::Elements(Vec::new()),
            Set::Series(_) => Self::Series(Vec::new()),
            Set::Place => Self::Place(Vec::new()),
        }
    }

    /// Adds up to `most` elements of `row` behind the first `given`; tells how many there were.
    fn add(&mut self, set: &mut Set, row: usize, given: usize, most: usize) -> Result<usize> {
        Ok(match (self, set) {
            (Self::Elements(places), Set::Elements(list)) if list.is_valid(row) => {
                let offsets = list.value_offsets();
                let (start, end) = (offsets[row] as usize + given, offsets[row + 1] as usize);
                let end = end.min(start + most);
                places.extend((start..end).map(|place| Some(place as u64)));
                end.saturating_sub(start)
            }
            (Self::Series(values), Set::Series(series)) => {
                if given == 0 {
                    series.start(row)?;
                }
                series.write(most, values)?
            }
            _ => 0,
        })
    }

    /// Fills up to `length`, places with their numbers and others with NULL.
    fn fill(&mut self, length: usize, given: usize, places: bool) {
        match self {
            Self::Elements(items) => items.resize(length, None),
            Self::Series(items) => items.resize(length, None),
            Self::Place(items) => {
                let first = given as i64 + 1;
                let count = (length - items.len()) as i64;
                items.extend((first..first + count).map(|place| places.then_some(place)));
            }
        }
    }

    fn column(self, set: &Set) -> Result<ArrayRef> {
        Ok(match (self, set) {
            (Self::Elements(places), Set::Elements(list)) => {
                take(list.values(), &UInt64Array::from(places), None)?
            }
            (Self::Series(values), Set::Series(series)) => series.column(values),
            (Self::Place(places), _) => Arc::new(Int64Array::from(places)),
            _ => return internal_err!("a set changed its kind"),
        })
    }
}

impl Part {
    /// The next rows, at most `batch_size`; `None` once there are no more.
    fn next(
        &mut self,
        batch_size: usize,
        keeps_empty: bool,
        schema: &SchemaRef,
    ) -> Result<Option<RecordBatch>> {
        let mut gathered: Vec<Gathered> = self.sets.iter().map(Gathered::of).collect();
        let mut rows: Vec<u64> = Vec::new();
        while rows.len() < batch_size && self.row < self.rows.num_rows() {
            let given = self.given.unwrap_or(0);
            let room = batch_size - rows.len();
            let mut count = 0;
            for (gathered, set) in gathered.iter_mut().zip(&mut self.sets) {
                count = count.max(gathered.add(set, self.row, given, room)?);
            }
            let empty = count == 0 && self.given.is_none() && keeps_empty;
            rows.extend(std::iter::repeat_n(
                self.row as u64,
                count + usize::from(empty),
            ));
            for gathered in &mut gathered {
                gathered.fill(rows.len(), given, !empty);
            }
            if count < room || empty {
                self.row += 1;
                self.given = None;
            } else {
                self.given = Some(given + count);
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let count = rows.len();
        let rows = UInt64Array::from(rows);
        let mut columns = Vec::with_capacity(schema.fields().len());
        for column in self.rows.columns() {
            columns.push(take(column, &rows, None)?);
        }
        for (gathered, set) in gathered.into_iter().zip(&self.sets) {
            columns.push(gathered.column(set)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(Some(RecordBatch::try_new_with_options(
            Arc::clone(schema),
            columns,
            &options,
        )?))
    }
}
