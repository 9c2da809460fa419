//! Cuts a stream that is ordered by the id columns into groups, one in memory at a time,
//! and puts a group's rows in an order that depends on nothing but the rows.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt32Array, make_comparator};
use datafusion::arrow::compute::{SortOptions, concat_batches, partition, take_record_batch};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::StreamExt;

/// Memory is asked for in steps of this size, so that small groups cost the pool nothing.
const RESERVATION_STEP_BYTES: usize = 64 * 1024;

/// The order that the operator asks of its input, and that of groups: PostgreSQL's ascending order.
pub(super) const ASCENDING: SortOptions = SortOptions {
    descending: false,
    nulls_first: false,
};

/// The groups of an ordered stream.
pub(super) struct Groups {
    input: SendableRecordBatchStream,
    /// The id columns are the first ones.
    ids: usize,
    current: Option<Batch>,
    pending: Vec<RecordBatch>,
    pending_bytes: usize,
    reservation: MemoryReservation,
}

/// A batch of which some ranges are still to be read.
struct Batch {
    batch: RecordBatch,
    ranges: VecDeque<Range<usize>>,
    bytes_per_row: usize,
}

impl Groups {
    pub(super) fn new(
        input: SendableRecordBatchStream,
        ids: usize,
        reservation: MemoryReservation,
    ) -> Self {
        Self {
            input,
            ids,
            current: None,
            pending: Vec::new(),
            pending_bytes: 0,
            reservation,
        }
    }

    /// The rows of the next group; none at the end.
    ///
    /// # Errors
    /// When the input fails, or the pool has no memory for the group.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(range) = current.ranges.pop_front() {
                    let slice = current.batch.slice(range.start, range.len());
                    let bytes = range.len() * current.bytes_per_row;
                    if self.continues(&slice)? {
                        self.pending_bytes += bytes;
                        self.pending.push(slice);
                        self.reserve(self.pending_bytes)?;
                        continue;
                    }
                    if let Some(current) = &mut self.current {
                        current.ranges.push_front(range);
                    }
                    return self.finish().map(Some);
                }
                self.current = None;
            }
            match self.input.next().await {
                Some(batch) => self.current = self.read(batch?)?,
                None if self.pending.is_empty() => return Ok(None),
                None => return self.finish().map(Some),
            }
        }
    }

    /// Asks the pool for a group's memory before it is used.
    ///
    /// # Errors
    /// When the pool has not that much.
    pub(super) fn reserve(&self, bytes: usize) -> Result<()> {
        let bytes = bytes.next_multiple_of(RESERVATION_STEP_BYTES);
        if bytes > self.reservation.size() {
            self.reservation.try_resize(bytes)?;
        }
        Ok(())
    }

    /// Gives memory back once a group is done.
    pub(super) fn release(&self) {
        if self.reservation.size() > RESERVATION_STEP_BYTES {
            self.reservation.free();
        }
    }

    fn read(&self, batch: RecordBatch) -> Result<Option<Batch>> {
        if batch.num_rows() == 0 {
            return Ok(None);
        }
        let ranges = if self.ids == 0 {
            std::iter::once(0..batch.num_rows()).collect()
        } else {
            VecDeque::from(partition(&batch.columns()[..self.ids])?.ranges())
        };
        let bytes_per_row = get_record_batch_memory_size(&batch).div_ceil(batch.num_rows());
        Ok(Some(Batch {
            batch,
            ranges,
            bytes_per_row,
        }))
    }

    /// Whether rows belong to the group that is being collected.
    fn continues(&self, slice: &RecordBatch) -> Result<bool> {
        let Some(last) = self.pending.last() else {
            return Ok(true);
        };
        for column in 0..self.ids {
            let order = make_comparator(last.column(column), slice.column(column), ASCENDING)?;
            if order(last.num_rows() - 1, 0) != Ordering::Equal {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn finish(&mut self) -> Result<RecordBatch> {
        let mut pending = std::mem::take(&mut self.pending);
        let bytes = std::mem::take(&mut self.pending_bytes);
        if pending.len() == 1
            && let Some(only) = pending.pop()
        {
            return Ok(only);
        }
        self.reserve(bytes.saturating_mul(2))?;
        Ok(concat_batches(&self.input.schema(), &pending)?)
    }
}

/// Orders the rows of a group by the ordering columns, then by the others. The input is ordered by the
/// former already, so there is work only where rows tie, or without ordering columns.
///
/// # Errors
/// When a column's type has no order.
pub(super) fn canonical(
    rows: RecordBatch,
    ids: usize,
    order: &[usize],
) -> Result<RecordBatch, ArrowError> {
    if rows.num_rows() < 2 || (!order.is_empty() && !ties(&rows, order)?) {
        return Ok(rows);
    }
    let others = (ids..rows.num_columns()).filter(|column| !order.contains(column));
    let columns: Vec<ArrayRef> = order
        .iter()
        .copied()
        .chain(others)
        .map(|i| Arc::clone(rows.column(i)))
        .collect();
    if columns.is_empty() {
        return Ok(rows);
    }
    let fields = columns
        .iter()
        .map(|column| SortField::new_with_options(column.data_type().clone(), ASCENDING));
    let keys = RowConverter::new(fields.collect())?.convert_columns(&columns)?;
    let mut indices: Vec<u32> = (0..).take(rows.num_rows()).collect();
    indices.sort_unstable_by(|a, b| keys.row(*a as usize).cmp(&keys.row(*b as usize)));
    take_record_batch(&rows, &UInt32Array::from(indices))
}

fn ties(rows: &RecordBatch, order: &[usize]) -> Result<bool, ArrowError> {
    let comparators = order
        .iter()
        .map(|i| make_comparator(rows.column(*i), rows.column(*i), ASCENDING))
        .collect::<Result<Vec<_>, _>>()?;
    let tie = |row: usize| comparators.iter().all(|order| order(row - 1, row).is_eq());
    Ok((1..rows.num_rows()).any(tie))
}
