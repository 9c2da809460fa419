//! The rows that pass a condition, as batches of a good size.
//!
//! A batch of which all rows pass goes on as it is, one of which many pass is copied once. Where few do,
//! they are gathered until there are many, in order.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{BatchCoalescer, filter_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{Stream, StreamExt};

use super::condition::Condition;

/// What part of a full batch goes on by itself.
const ENOUGH: usize = 4;

/// A stream of the rows that pass.
pub(super) struct Select {
    /// `None` once it has ended.
    input: Option<SendableRecordBatchStream>,
    condition: Arc<Condition>,
    /// The columns that go on; all of them if none are named.
    columns: Option<Arc<[usize]>>,
    schema: SchemaRef,
    /// The rows of a full batch.
    rows: usize,
    /// Rows of which there are not enough yet, and batches that are ready.
    gathered: BatchCoalescer,
    metrics: BaselineMetrics,
}

impl Select {
    pub(super) fn new(
        input: SendableRecordBatchStream,
        condition: Arc<Condition>,
        columns: Option<Arc<[usize]>>,
        schema: SchemaRef,
        rows: usize,
        metrics: BaselineMetrics,
    ) -> Self {
        let gathered = BatchCoalescer::new(Arc::clone(&schema), rows);
        let input = Some(input);
        Self {
            input,
            condition,
            columns,
            schema,
            rows,
            gathered,
            metrics,
        }
    }

    /// Takes a batch in; gives one that is not to wait, if nothing else does.
    fn take(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let kept = self.condition.rows(&batch)?;
        let count = kept.count();
        if count == 0 {
            return Ok(None);
        }
        let whole = count == batch.num_rows();
        let batch = match &self.columns {
            Some(columns) => batch.project(columns)?,
            None => batch,
        };
        if count < self.rows.div_ceil(ENOUGH) {
            match whole {
                true => self.gathered.push_batch(batch)?,
                false => self
                    .gathered
                    .push_batch_with_filter(batch, &kept.into_array())?,
            }
            return Ok(None);
        }
        let batch = match whole {
            true => batch,
            false => filter_record_batch(&batch, &kept.into_array())?,
        };
        // What waits comes first, and this one after it.
        self.gathered.finish_buffered_batch()?;
        if !self.gathered.has_completed_batch() {
            return Ok(Some(batch));
        }
        self.after(batch)
    }

    /// Puts a batch behind those that are ready, without copying it.
    fn after(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        self.gathered.set_biggest_coalesce_batch_size(Some(0));
        let pushed = self.gathered.push_batch(batch);
        self.gathered.set_biggest_coalesce_batch_size(None);
        pushed?;
        Ok(self.gathered.next_completed_batch())
    }
}

impl Stream for Select {
    type Item = EngineResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(batch) = this.gathered.next_completed_batch() {
                let ready = Poll::Ready(Some(Ok(batch)));
                return this.metrics.record_poll(ready);
            }
            let Some(input) = &mut this.input else {
                return this.metrics.record_poll(Poll::Ready(None));
            };
            let elapsed = this.metrics.elapsed_compute().clone();
            let ready = match ready!(input.poll_next_unpin(context)) {
                Some(Ok(batch)) => {
                    let _timer = elapsed.timer();
                    this.take(batch)
                }
                Some(Err(error)) => Err(error),
                None => {
                    this.input = None;
                    this.gathered.finish_buffered_batch()?;
                    Ok(None)
                }
            };
            if let Some(batch) = ready.transpose() {
                return this.metrics.record_poll(Poll::Ready(Some(batch)));
            }
        }
    }
}

impl RecordBatchStream for Select {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
