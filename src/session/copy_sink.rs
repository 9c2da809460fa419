//! The end of COPY FROM: batches in, rows in the transaction when it is finished.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BooleanArray, RecordBatch};
use parking_lot::Mutex;

use super::share::Room;
use super::transaction::PendingPart;
use super::write::{FailedRow, RowWriter};
use crate::error::Result;
use crate::execute::Execution;
use crate::policy::{Judged, RowChecks};

/// Takes the rows of one COPY FROM. Dropping it leaves nothing.
pub struct CopySink {
    pub(super) shape: Shape,
    pub(super) writer: RowWriter,
    pub(super) rules: RowChecks,
    pub(super) execution: Execution,
    /// What the tenant's storage leaves.
    pub(super) room: Option<Room>,
    pub(super) inbox: Arc<Mutex<Vec<PendingPart>>>,
    /// Which rows of the last batch WHERE kept.
    pub(super) kept: Option<BooleanArray>,
}

/// How a batch of the named columns becomes one of the table's.
pub(super) struct Shape {
    /// Computes the table's columns from COPY's, defaults included.
    pub(super) columns: Vec<Arc<dyn datafusion::physical_expr::PhysicalExpr>>,
    /// COPY … WHERE, over COPY's columns and defaults.
    pub(super) filter: Option<Arc<dyn datafusion::physical_expr::PhysicalExpr>>,
}

impl CopySink {
    /// Adds rows of COPY's columns.
    ///
    /// # Errors
    /// A row that a constraint refuses, or storage that fails.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let cpu = self.execution.meter.cpu().clone();
        cpu.counting(self.write_counted(batch)).await
    }

    async fn write_counted(&mut self, batch: RecordBatch) -> Result<()> {
        let (shaped, kept) = self.shape.apply(&batch, self.writer.schema())?;
        self.kept = kept;
        let shaped = self.writer.completed(&shaped)?;
        let allowed = self.rules.allow(&shaped, Judged::Inserted, &self.execution);
        self.writer.write(allowed.await?).await?;
        match &mut self.room {
            Some(room) => room.check(self.writer.file_bytes()),
            None => Ok(()),
        }
    }

    /// The row of the last batch that a constraint refused, as far as that is known.
    pub fn failed_row(&self) -> Option<FailedRow> {
        let failed = self.writer.failed_row()?;
        let row = match &self.kept {
            None => failed.row,
            Some(kept) => {
                let mut rows =
                    (0..kept.len()).filter(|row| kept.is_valid(*row) && kept.value(*row));
                rows.nth(failed.row)?
            }
        };
        Some(FailedRow { row, ..failed })
    }

    /// Keeps the rows in the transaction and tells how many they are.
    ///
    /// # Errors
    /// Storage that fails; nothing is kept then.
    pub async fn finish(self) -> Result<u64> {
        let rows = self.writer.written();
        let written = self.writer.finish().await?;
        self.inbox.lock().extend(written);
        Ok(rows)
    }
}

impl Shape {
    fn apply(
        &self,
        batch: &RecordBatch,
        schema: &datafusion::arrow::datatypes::SchemaRef,
    ) -> Result<(RecordBatch, Option<BooleanArray>)> {
        use datafusion::arrow::array::AsArray;
        use datafusion::arrow::compute::filter_record_batch;
        use datafusion::error::DataFusionError;
        let rows = batch.num_rows();
        let columns = self
            .columns
            .iter()
            .map(|expr| expr.evaluate(batch)?.into_array(rows))
            .collect::<Result<Vec<_>, DataFusionError>>()?;
        let shaped =
            RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?;
        let Some(filter) = &self.filter else {
            return Ok((shaped, None));
        };
        // The condition sees the table's columns as they would be stored.
        let keep = filter.evaluate(&shaped)?.into_array(rows)?;
        let kept =
            filter_record_batch(&shaped, keep.as_boolean()).map_err(DataFusionError::from)?;
        Ok((kept, Some(keep.as_boolean().clone())))
    }
}
