//! Rows that a cursor keeps: some in memory, the others in files of the bounded temporary folder.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::spill_file::SpillFile;
use futures::TryStreamExt;

use crate::error::{Error, Result};

/// The most memory of one spool's rows, in bytes; what is more goes to files.
const MAX_SPOOL_MEMORY_BYTES: usize = 2 << 20;

/// Rows in the order in which they came, numbered from 0.
pub(super) struct Spool {
    disk: Arc<DiskManager>,
    chunks: VecDeque<Chunk>,
    /// Of the last chunk, if it is in memory.
    memory_bytes: usize,
    /// The number of the first row that is kept.
    first: u64,
    rows: u64,
}

/// Rows one after the other.
struct Chunk {
    rows: u64,
    place: Place,
}

enum Place {
    Memory(Vec<RecordBatch>),
    File(Arc<dyn SpillFile>),
}

impl Spool {
    /// An empty spool.
    pub(super) fn new(disk: Arc<DiskManager>) -> Self {
        Self {
            disk,
            chunks: VecDeque::new(),
            memory_bytes: 0,
            first: 0,
            rows: 0,
        }
    }

    /// The number after that of the last row.
    pub(super) fn end(&self) -> u64 {
        self.first + self.rows
    }

    /// Adds rows.
    ///
    /// # Errors
    /// 53400 when the temporary folder is full.
    pub(super) async fn push(&mut self, batch: RecordBatch) -> Result<()> {
        let rows = batch.num_rows() as u64;
        if rows == 0 {
            return Ok(());
        }
        self.memory_bytes += batch.get_array_memory_size();
        self.rows += rows;
        match self.chunks.back_mut() {
            Some(Chunk {
                rows: known,
                place: Place::Memory(batches),
            }) => {
                *known += rows;
                batches.push(batch);
            }
            _ => self.chunks.push_back(Chunk {
                rows,
                place: Place::Memory(vec![batch]),
            }),
        }
        if self.memory_bytes > MAX_SPOOL_MEMORY_BYTES {
            self.spill().await?;
        }
        Ok(())
    }

    /// Writes the last chunk to a file.
    async fn spill(&mut self) -> Result<()> {
        let Some(chunk) = self.chunks.back_mut() else {
            return Ok(());
        };
        let Place::Memory(batches) = &chunk.place else {
            return Ok(());
        };
        let (batches, disk) = (batches.clone(), Arc::clone(&self.disk));
        let written = tokio::task::spawn_blocking(move || write(&disk, &batches)).await;
        let file = written.map_err(|error| Error::Internal(Box::new(error)))??;
        chunk.place = Place::File(file);
        self.memory_bytes = 0;
        Ok(())
    }

    /// Rows from a number on, at most so many: those that lie together with the first of them.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn rows_at(&self, from: u64, most: u64) -> Result<Vec<RecordBatch>> {
        let mut start = self.first;
        for chunk in &self.chunks {
            let end = start + chunk.rows;
            if from < end {
                let batches = chunk.batches().await?;
                return Ok(cut(&batches, from.saturating_sub(start), most));
            }
            start = end;
        }
        Ok(Vec::new())
    }

    /// The rows before a number that lie together with the last of them, and the first one's number.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn rows_before(&self, to: u64, most: u64) -> Result<(u64, Vec<RecordBatch>)> {
        let mut start = self.first;
        for chunk in &self.chunks {
            let end = start + chunk.rows;
            if to > start && to <= end {
                let from = start.max(to.saturating_sub(most));
                let batches = chunk.batches().await?;
                return Ok((from, cut(&batches, from - start, to - from)));
            }
            start = end;
        }
        Ok((to, Vec::new()))
    }

    /// Forgets the rows before a number.
    pub(super) fn forget_before(&mut self, number: u64) {
        while let Some(chunk) = self.chunks.front_mut() {
            let rest = number.saturating_sub(self.first);
            if rest == 0 {
                return;
            }
            if chunk.rows <= rest {
                self.first += chunk.rows;
                self.rows -= chunk.rows;
                if matches!(chunk.place, Place::Memory(_)) {
                    self.memory_bytes = 0;
                }
                self.chunks.pop_front();
                continue;
            }
            let Place::Memory(batches) = &mut chunk.place else {
                return;
            };
            *batches = cut(batches, rest, chunk.rows - rest);
            chunk.rows -= rest;
            self.first += rest;
            self.rows -= rest;
        }
    }
}

impl Chunk {
    async fn batches(&self) -> Result<Vec<RecordBatch>> {
        let pieces = match &self.place {
            Place::Memory(batches) => return Ok(batches.clone()),
            Place::File(file) => file.read_stream()?,
        };
        let pieces: Vec<Bytes> = pieces.try_collect().await?;
        let read = tokio::task::spawn_blocking(move || read(&pieces.concat())).await;
        read.map_err(|error| Error::Internal(Box::new(error)))?
    }
}

fn write(disk: &Arc<DiskManager>, batches: &[RecordBatch]) -> Result<Arc<dyn SpillFile>> {
    let Some(first) = batches.first() else {
        return Err(Error::internal("no rows to write"));
    };
    let file = disk.create_tmp_file("a cursor")?;
    let full = |error| {
        tracing::warn!(%error, "a cursor's rows could not be written");
        Error::ConfigurationLimit(
            "rows of cursors need more than the temporary folder holds".into(),
        )
    };
    let mut writer = StreamWriter::try_new(file.open_writer()?, &first.schema()).map_err(full)?;
    for batch in batches {
        writer.write(batch).map_err(full)?;
    }
    writer.finish().map_err(full)?;
    writer.into_inner().map_err(full)?.finish()?;
    Ok(file)
}

fn read(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    let reader = StreamReader::try_new(bytes, None).map_err(DataFusionError::from)?;
    reader
        .map(|batch| Ok(batch.map_err(DataFusionError::from)?))
        .collect()
}

/// `most` rows of some batches, from a place on.
fn cut(batches: &[RecordBatch], from: u64, most: u64) -> Vec<RecordBatch> {
    let mut skip = usize::try_from(from).unwrap_or(usize::MAX);
    let mut left = usize::try_from(most).unwrap_or(usize::MAX);
    let mut taken = Vec::new();
    for batch in batches {
        let rows = batch.num_rows();
        if skip >= rows {
            skip -= rows;
            continue;
        }
        let now = (rows - skip).min(left);
        if now == 0 {
            break;
        }
        taken.push(batch.slice(skip, now));
        left -= now;
        skip = 0;
    }
    taken
}
