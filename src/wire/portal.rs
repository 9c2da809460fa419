//! Portals: statements with their values, executed a number of rows at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use futures::{Stream, StreamExt};

use super::rows::RowEncoder;
use crate::error::{Error, Result};
use crate::session::{BatchStream, Cpu, Prepared, RowsTag};

/// Batches of fewer values than this are encoded where they are; others on the CPU runtime.
const INLINE_VALUES: usize = 4096;

/// How many batches are encoded ahead of what is sent.
const ENCODED_AHEAD: usize = 2;

/// A statement with its values.
pub(super) struct Portal {
    pub(super) prepared: Arc<Prepared>,
    pub(super) result_formats: Vec<i16>,
    pub(super) state: State,
}

/// How far a portal has run.
pub(super) enum State {
    New {
        parameters: Vec<ScalarValue>,
    },
    Running(Running),
    /// All rows were sent.
    Finished(RowsTag),
    /// What it was to do is done, and cannot be done twice.
    Spent,
}

/// Rows of which some may have been sent.
pub(super) struct Running {
    pub(super) encoder: RowEncoder,
    pub(super) batches: BatchStream,
    pub(super) tag: RowsTag,
    /// A batch of which some rows were sent.
    pub(super) rest: Option<RecordBatch>,
}

/// The batches of a result as DataRow messages, each with its number of rows.
pub(super) fn encoded(
    encoder: RowEncoder,
    batches: BatchStream,
    cpu: Cpu,
) -> impl Stream<Item = Result<(Vec<u8>, u64)>> + Send {
    batches
        .map(move |batch| {
            let encoder = encoder.clone();
            let cpu = cpu.clone();
            async move {
                let batch = batch?;
                if batch.num_rows() * batch.num_columns() < INLINE_VALUES {
                    return encode(&encoder, &batch);
                }
                let task = cpu.spawn(async move { encode(&encoder, &batch) });
                task.await
                    .map_err(|error| Error::Internal(Box::new(error)))?
            }
        })
        .buffered(ENCODED_AHEAD)
}

fn encode(encoder: &RowEncoder, batch: &RecordBatch) -> Result<(Vec<u8>, u64)> {
    let mut out = Vec::new();
    encoder.encode(batch, &mut out)?;
    Ok((out, batch.num_rows() as u64))
}
