//! The work of one partition: group after group, giving way to others, with id columns and `status` around
//! what the function returns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt32Array, new_null_array};
use datafusion::arrow::compute::{BatchCoalescer, take};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{BaselineMetrics, Count, MetricBuilder};

use super::group::{Failure, Group, Output};
use super::inputs::Main;
use super::operator::TableFunctionExec;
use super::rows::Groups;
use crate::error::Error;

/// Groups are computed this long before other tasks of the runtime get their turn.
const TURN: Duration = Duration::from_millis(5);
/// Rows that are ready wait at most this long for a full batch.
const MAX_DELAY: Duration = Duration::from_millis(200);

/// One partition's work.
pub(super) struct Run {
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
    /// The work on the groups of one partition.
    pub(super) fn new(
        exec: TableFunctionExec,
        rows: Groups,
        partition: usize,
        batch_size: usize,
    ) -> Self {
        let counter = |name| MetricBuilder::new(&exec.metrics).counter(name, partition);
        let (groups, refused) = (counter("groups"), counter("refused_groups"));
        Self {
            main: Main::new(&exec.layout),
            rows,
            shared: Vec::new(),
            ready: BatchCoalescer::new(exec.schema(), batch_size),
            turn: Instant::now(),
            delayed: Instant::now(),
            ended: false,
            baseline: BaselineMetrics::new(&exec.metrics, partition),
            groups,
            refused,
            exec,
        }
    }

    /// The same with the rows of the shared relations.
    pub(super) fn with_shared(self, shared: Vec<RecordBatch>) -> Self {
        Self { shared, ..self }
    }

    /// The next rows and what remains to be done; none at the end.
    ///
    /// # Errors
    /// When the input fails, memory runs out, or a group is refused and the call aborts.
    pub(super) async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
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

        let relations = self.main.split(&self.exec, &rows, &self.shared)?;
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
