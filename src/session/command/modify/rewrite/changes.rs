//! What a change's query finds: which rows go or get new values, and these values.

use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::StreamExt;

use super::rows::engine;
use crate::error::{Error, Result};
use crate::execute::BatchStream;
use crate::planner::Scope;
use crate::session::command::modify::change::{Action, LEADING_COLUMNS, Planned};

/// A row that is changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touched {
    pub(super) file: i64,
    pub(super) row: i64,
    pub(super) action: usize,
    /// Its new values' row in [`Changes::values`].
    pub(super) value: u64,
}

/// All that a statement changes.
pub(in crate::session::command::modify) struct Changes {
    /// By file and row, each once.
    pub(super) touched: Vec<Touched>,
    /// Rows of `values` that are new in the table.
    pub(super) inserted: Vec<u64>,
    /// The new values, and what RETURNING names beside the table; none for a plain DELETE.
    pub(super) values: Option<RecordBatch>,
    /// What all this takes, and the rows for RETURNING with it.
    pub(super) memory: MemoryReservation,
}

/// Takes in what a change's query finds.
///
/// # Errors
/// 21000 when MERGE would change a row twice, 53200 when they take too much memory, and what the query
/// meets.
pub(in crate::session::command::modify) async fn collect(
    mut found: BatchStream,
    planned: &Planned,
    scope: &Scope,
) -> Result<Changes> {
    let pool = &scope.state.runtime_env().memory_pool;
    let memory = MemoryConsumer::new(planned.verb).register(pool);
    let mut touched = Vec::new();
    let mut inserted = Vec::new();
    let mut values: Vec<RecordBatch> = Vec::new();
    let mut count = 0_u64;
    let beside = planned.returning.as_ref().map_or(0, |r| r.beside().len());
    let given = planned.values.len() + beside;
    let of_values: Vec<usize> = (LEADING_COLUMNS..LEADING_COLUMNS + given).collect();
    while let Some(batch) = found.next().await {
        let batch = batch?;
        let [files, rows, actions] = [0, 1, 2].map(|column| {
            let numbers: &Int64Array = batch.column(column).as_primitive::<Int64Type>();
            numbers
        });
        for index in 0..batch.num_rows() {
            if actions.is_null(index) {
                continue;
            }
            let action = usize::try_from(actions.value(index)).unwrap_or(usize::MAX);
            let value = count + index as u64;
            match planned.actions.get(action) {
                None => return Err(Error::internal("no such action")),
                Some(Action::Nothing) => {}
                Some(Action::Insert) => inserted.push(value),
                Some(Action::Update(_) | Action::Delete) => touched.push(Touched {
                    file: files.value(index),
                    row: rows.value(index),
                    action,
                    value,
                }),
            }
        }
        count += batch.num_rows() as u64;
        memory.try_grow(batch.num_rows() * size_of::<Touched>())?;
        if !of_values.is_empty() {
            let batch = batch.project(&of_values).map_err(engine)?;
            memory.try_grow(batch.get_array_memory_size())?;
            values.push(batch);
        }
    }
    // Stable: of several matches the first counts.
    touched.sort_by_key(|touched| (touched.file, touched.row));
    let all = touched.len();
    touched.dedup_by_key(|touched| (touched.file, touched.row));
    if touched.len() < all && planned.verb == "MERGE" {
        return Err(Error::MergedTwice);
    }
    let values = joined(values, &memory)?;
    Ok(Changes {
        touched,
        inserted,
        values,
        memory,
    })
}

/// The batches as one, which stands beside them for a moment.
fn joined(batches: Vec<RecordBatch>, memory: &MemoryReservation) -> Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let apart: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    memory.try_grow(apart)?;
    let joined = concat_batches(&first.schema(), &batches).map_err(engine)?;
    memory.shrink(apart);
    Ok(Some(joined))
}

impl Changes {
    /// The changed rows of one file, or of one batch in memory.
    pub(super) fn of_file(&self, file: i64) -> &[Touched] {
        let start = self.touched.partition_point(|touched| touched.file < file);
        let end = self.touched.partition_point(|touched| touched.file <= file);
        &self.touched[start..end]
    }
}
