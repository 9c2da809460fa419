//! Where one part's rows go: they wait in memory for the commit, or are many and go to a file.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tessera_catalog::id::{Part, Space};
use tessera_catalog::storage::{DataFile, PartWriter};

use super::{RowWriter, table};
use crate::error::{Error, Result};
use crate::session::transaction::{Fresh, TEMPORARY_SCHEMA};

/// Rows that wait in memory for the commit; more go to a file of their own.
const MAX_ROWS_IN_MEMORY: usize = 4_096;

/// The same in bytes.
const MAX_BYTES_IN_MEMORY: usize = 4 << 20;

/// The most bytes that one statement writes to a temporary table.
const MAX_TEMPORARY_BYTES: usize = 64 << 20;

#[derive(Default)]
pub(super) struct PartSink {
    pub(super) rows: Vec<RecordBatch>,
    pub(super) row_count: usize,
    pub(super) byte_count: usize,
    pub(super) writer: Option<PartWriter>,
    pub(super) removed: Vec<Arc<DataFile>>,
}

impl PartSink {
    /// Closes the file, if there is one, and gives what was written.
    pub(super) async fn close(self) -> Result<Fresh> {
        let files = match self.writer {
            Some(writer) => writer.finish().await?,
            None => Vec::new(),
        };
        Ok(Fresh {
            files,
            rows: self.rows,
        })
    }
}

impl RowWriter {
    /// The stored columns: all but the tenant's name.
    pub(super) fn stored(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let table = table(&self.relation)?;
        let kept: Vec<usize> = table
            .live_columns()
            .enumerate()
            .filter(|(_, column)| !column.is_tenant())
            .map(|(index, _)| index)
            .collect();
        batch
            .project(&kept)
            .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))
    }

    pub(super) async fn push(
        &mut self,
        space: Space,
        batch: RecordBatch,
        is_new: bool,
    ) -> Result<()> {
        let table_uuid = table(&self.relation)?.uuid;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let sinks = match &mut self.fresh {
            Some(fresh) if is_new => fresh,
            _ => &mut self.sinks,
        };
        let sink = sinks.entry(space).or_default();
        if let Some(writer) = &mut sink.writer {
            return Ok(writer.write(&batch).await?);
        }
        sink.row_count += batch.num_rows();
        sink.byte_count += batch.get_array_memory_size();
        sink.rows.push(batch);
        if self.relation.schema == TEMPORARY_SCHEMA {
            // These never reach a file.
            if sink.byte_count > MAX_TEMPORARY_BYTES {
                return Err(Error::OutOfMemory {
                    detail: format!(
                        "At most {MAX_TEMPORARY_BYTES} bytes at once go to a temporary table."
                    ),
                });
            }
        } else if sink.row_count > MAX_ROWS_IN_MEMORY || sink.byte_count > MAX_BYTES_IN_MEMORY {
            let part = Part {
                space,
                table: table_uuid,
            };
            let writer = self.storage.writer(part, &self.relation)?;
            let mut writer = writer.encoding_in(Arc::new(self.cpu.clone()));
            for batch in sink.rows.drain(..) {
                writer.write(&batch).await?;
            }
            sink.writer = Some(writer);
        }
        Ok(())
    }
}
