//! Columns computed of columns, a batch at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{Stream, StreamExt};

/// A stream of batches with the columns that expressions give.
pub(super) struct Project {
    input: SendableRecordBatchStream,
    expressions: Arc<[Arc<dyn PhysicalExpr>]>,
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

impl Project {
    pub(super) fn new(
        input: SendableRecordBatchStream,
        expressions: Arc<[Arc<dyn PhysicalExpr>]>,
        schema: SchemaRef,
        metrics: BaselineMetrics,
    ) -> Self {
        Self {
            input,
            expressions,
            schema,
            metrics,
        }
    }

    fn project(&self, batch: &RecordBatch) -> EngineResult<RecordBatch> {
        let _timer = self.metrics.elapsed_compute().timer();
        let rows = batch.num_rows();
        let columns = self
            .expressions
            .iter()
            .map(|expression| expression.evaluate(batch)?.into_array(rows))
            .collect::<EngineResult<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

impl Stream for Project {
    type Item = EngineResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.input.poll_next_unpin(context).map(|batch| {
            let batch = batch?;
            Some(batch.and_then(|batch| self.project(&batch)))
        });
        self.metrics.record_poll(polled)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.input.size_hint()
    }
}

impl RecordBatchStream for Project {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
