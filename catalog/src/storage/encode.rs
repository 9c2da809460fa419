//! Batches to the bytes of a Parquet file, its columns side by side on the machine's cores.
//!
//! Parquet's own writer encodes the columns of a batch one after the other, so that loading a table
//! would wait for a single core.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, SchemaRef};
use futures::future::{BoxFuture, try_join_all};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use crate::error::{Error, Result};

/// Batches of fewer values than this are encoded where they are.
const MIN_VALUES_OFF_THE_RUNTIME: usize = 1 << 14;
/// The most cores that encode one file.
const MAX_ENCODERS: usize = 8;

/// Where a writer encodes: whoever writes may be asked for the processors' time.
pub trait Encoder: std::fmt::Debug + Send + Sync {
    /// Runs work that takes a processor for a while.
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

/// The most that a row group holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupLimits {
    pub(super) rows: usize,
    /// Encoded.
    pub(super) bytes: usize,
}

/// A Parquet file that grows in memory.
pub(super) struct FileEncoder {
    file: SerializedFileWriter<Vec<u8>>,
    schema: SchemaRef,
    factory: ArrowRowGroupWriterFactory,
    limits: GroupLimits,
    group: Option<Group>,
    groups: usize,
    encoder: Option<Arc<dyn Encoder>>,
}

/// The row group that is being filled.
struct Group {
    columns: Vec<Column>,
    rows: usize,
}

/// What encodes a column: one writer for each of its leaves.
struct Column {
    field: Arc<Field>,
    leaves: Vec<ArrowColumnWriter>,
}

impl Group {
    fn bytes(&self) -> usize {
        let leaves = self.columns.iter().flat_map(|column| &column.leaves);
        leaves
            .map(ArrowColumnWriter::get_estimated_total_bytes)
            .sum()
    }

    /// How many more rows of the usual width there is room for.
    fn room(&self, limits: GroupLimits) -> usize {
        let by_rows = limits.rows.saturating_sub(self.rows);
        let bytes = self.bytes();
        let row_bytes = bytes.checked_div(self.rows).unwrap_or(0).max(1);
        by_rows.min(limits.bytes.saturating_sub(bytes) / row_bytes)
    }
}

impl Column {
    fn write(&mut self, values: &ArrayRef) -> Result<()> {
        let leaves = compute_leaves(&self.field, values)?;
        for (writer, leaf) in self.leaves.iter_mut().zip(leaves) {
            writer.write(&leaf)?;
        }
        Ok(())
    }

    fn close(self) -> Result<Vec<ArrowColumnChunk>> {
        let chunks = self.leaves.into_iter().map(ArrowColumnWriter::close);
        Ok(chunks.collect::<Result<_, _>>()?)
    }
}

impl FileEncoder {
    /// An empty file of the schema.
    ///
    /// # Errors
    ///
    /// A schema that Parquet does not have.
    pub(super) fn new(
        schema: SchemaRef,
        properties: WriterProperties,
        limits: GroupLimits,
    ) -> Result<Self> {
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self {
            file,
            schema,
            factory,
            limits,
            group: None,
            groups: 0,
            encoder: None,
        })
    }

    /// Encodes where the one who writes wants it.
    pub(super) fn encoding_in(self, encoder: Option<Arc<dyn Encoder>>) -> Self {
        Self { encoder, ..self }
    }

    /// Adds the rows of a batch of the file's schema.
    ///
    /// # Errors
    ///
    /// A value that Parquet does not have. Nothing can be added then.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let group = match self.group.take() {
                Some(group) => group,
                None => self.new_group()?,
            };
            let wanted = batch.num_rows() - from;
            let rows = match (group.rows, group.room(self.limits)) {
                (0, _) => wanted.min(self.limits.rows),
                (_, 0) => {
                    self.put(group).await?;
                    continue;
                }
                (_, room) => wanted.min(room),
            };
            let encoder = self.encoder.as_ref();
            self.group = Some(add(encoder, group, &batch.slice(from, rows)).await?);
            from += rows;
        }
        Ok(())
    }

    /// Takes the bytes that are encoded so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.file.inner_mut())
    }

    /// How many encoded bytes [`Self::take`] would give.
    pub(super) fn encoded_bytes(&self) -> usize {
        self.file.inner().len()
    }

    /// How many bytes the open row group will have, about.
    pub(super) fn open_bytes(&self) -> usize {
        self.group.as_ref().map_or(0, Group::bytes)
    }

    /// Encodes what is left, and the file's end.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    pub(super) async fn finish(&mut self) -> Result<ParquetMetaData> {
        if let Some(group) = self.group.take() {
            self.put(group).await?;
        }
        Ok(self.file.finish()?)
    }

    fn new_group(&self) -> Result<Group> {
        let fields = self.schema.fields().iter();
        let mut columns: Vec<Column> = fields
            .map(|field| Column {
                field: Arc::clone(field),
                leaves: Vec::new(),
            })
            .collect();
        let leaves = self.factory.create_column_writers(self.groups)?;
        for (index, leaf) in leaves.into_iter().enumerate() {
            let column = self.file.schema_descr().get_column_root_idx(index);
            columns[column].leaves.push(leaf);
        }
        Ok(Group { columns, rows: 0 })
    }

    /// Ends a row group: it becomes bytes of the file.
    async fn put(&mut self, group: Group) -> Result<()> {
        let values = group.rows * group.columns.len();
        let encoder = self.encoder.as_ref();
        let chunks = side_by_side(encoder, values, group.columns, Column::close).await?;
        let mut row_group = self.file.next_row_group()?;
        for chunk in chunks.into_iter().flatten() {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.groups += 1;
        Ok(())
    }
}

async fn add(
    encoder: Option<&Arc<dyn Encoder>>,
    group: Group,
    batch: &RecordBatch,
) -> Result<Group> {
    let values = batch.columns().iter().map(Arc::clone);
    let work: Vec<_> = group.columns.into_iter().zip(values).collect();
    let encode = |(mut column, values): (Column, ArrayRef)| {
        column.write(&values)?;
        Ok(column)
    };
    let size = batch.num_rows() * batch.num_columns();
    Ok(Group {
        columns: side_by_side(encoder, size, work, encode).await?,
        rows: group.rows + batch.num_rows(),
    })
}

/// Does a piece of work for each item, as many at a time as there are cores, and gives the results
/// in order. What is of fewer values than pays for other threads is done at once.
async fn side_by_side<T: Send + 'static, R: Send + 'static>(
    encoder: Option<&Arc<dyn Encoder>>,
    values: usize,
    items: Vec<T>,
    work: impl Fn(T) -> Result<R> + Copy + Send + Sync + 'static,
) -> Result<Vec<R>> {
    if values < MIN_VALUES_OFF_THE_RUNTIME {
        return items.into_iter().map(work).collect();
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = items.len();
    let waiting: Vec<_> = items.into_iter().enumerate().collect();
    let waiting = Arc::new(Mutex::new(waiting));
    let encoders = (0..cores.min(MAX_ENCODERS).min(count)).map(|_| {
        let waiting = Arc::clone(&waiting);
        aside(encoder, move || {
            let mut done = Vec::new();
            loop {
                let next = waiting.lock().pop();
                match next {
                    Some((index, item)) => done.push((index, work(item)?)),
                    None => return Ok(done),
                }
            }
        })
    });
    let mut done: Vec<(usize, R)> = try_join_all(encoders)
        .await?
        .into_iter()
        .flatten()
        .collect();
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Runs long work off the thread that answers others.
async fn aside<T: Send + 'static>(
    encoder: Option<&Arc<dyn Encoder>>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Some(encoder) = encoder else {
        return tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Store(object_store::Error::JoinError { source: error }))?;
    };
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = Box::new(move || {
        // Nobody waits for what a statement that ended was writing.
        let _ = sender.send(work());
    });
    encoder.run(work).await;
    receiver.await.map_err(|lost| {
        Error::Store(object_store::Error::Generic {
            store: "data file",
            source: Box::new(lost),
        })
    })?
}
