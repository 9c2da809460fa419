//! Batches to data files: Parquet with physical names and field ids, and the statistics of each file.
//!
//! A file gets its name in the store only when it is whole and durable. A file that nothing refers to
//! is harmless: vacuum finds it by its age.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use super::data_file::MAX_STATISTICS_BYTES;
use super::encode::{Encoder, FileEncoder, GroupLimits};
use super::sample::is_mostly_distinct;
use super::stored::{file_schema, stored_columns, to_file};
use super::{DataFile, FileStats, Storage, StoreRef, file_path};
use crate::error::{Error, Result};
use crate::id::Part;
use crate::key::{KeyColumns, KeyFilter, filter_key};
use crate::model::Relation;
use crate::sql_type::SqlType;

/// Encoded bytes are handed to the store in parts of this size.
const UPLOAD_PART_BYTES: usize = 8 << 20;

/// How data files are written.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// A file is closed when it has grown to about this size.
    pub file_bytes: usize,
    /// The most rows of a row group.
    pub group_rows: usize,
    /// The most encoded bytes of a row group.
    pub group_bytes: usize,
    pub compression: Compression,
}

impl Default for WriteOptions {
    /// What scans TPC-H's lineitem with the least CPU: snappy and zstd take 10 to 50 % more (zstd for a
    /// quarter fewer bytes), no dictionary 15 to 40 %; row groups of four times the rows gain nothing
    /// and are pruned and shared out less well.
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            group_rows: 1 << 18,
            group_bytes: 128 << 20,
            compression: Compression::LZ4_RAW,
        }
    }
}

/// Writes one transaction's rows of one part.
#[derive(Debug)]
pub struct PartWriter {
    part: Part,
    store: StoreRef,
    schema: SchemaRef,
    types: Vec<SqlType>,
    storage: Storage,
    /// The enforced keys, and where their columns stand.
    keys: Vec<(KeyColumns, Vec<usize>)>,
    options: WriteOptions,
    encoder: Option<Arc<dyn Encoder>>,
    open: Option<OpenFile>,
    done: Vec<Arc<DataFile>>,
    /// Whether a write failed or was dropped half-way, so that rows are missing.
    torn: bool,
}

/// A file that is being written.
struct OpenFile {
    name: String,
    path: Path,
    encoder: FileEncoder,
    upload: Option<Box<dyn MultipartUpload>>,
    uploaded: usize,
    rows: u64,
    /// NULLs by column.
    nulls: Vec<u64>,
    /// What the filter of each key will be made of.
    keys: Vec<Vec<u64>>,
    /// Columns that hold a NaN, about which Parquet's statistics would lie.
    nans: HashSet<usize>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .finish()
    }
}

impl Storage {
    /// A writer of a table's rows into a part.
    ///
    /// # Errors
    ///
    /// [`Error::Unstorable`] when a column has a type that no file holds.
    pub fn writer(&self, part: Part, relation: &Relation) -> Result<PartWriter> {
        self.writer_with(part, relation, WriteOptions::default())
    }

    /// A writer with other sizes than the usual ones.
    ///
    /// # Errors
    ///
    /// As [`Storage::writer`].
    pub fn writer_with(
        &self,
        part: Part,
        relation: &Relation,
        options: WriteOptions,
    ) -> Result<PartWriter> {
        let table = relation.table().ok_or_else(|| {
            Error::Unstorable(format!("view \"{}\" stores no rows", relation.name))
        })?;
        Ok(PartWriter {
            part,
            store: self.store(part.space),
            schema: file_schema(table)?,
            types: stored_columns(table)
                .map(|column| column.sql_type.clone())
                .collect(),
            storage: self.clone(),
            keys: KeyColumns::enforced(table)
                .into_iter()
                .map(|key| {
                    let places = key.places(stored_columns(table));
                    (key, places)
                })
                .collect(),
            options,
            encoder: None,
            open: None,
            done: Vec::new(),
            torn: false,
        })
    }
}

impl PartWriter {
    /// The same with a place to encode in; without one it is any thread.
    #[must_use]
    pub fn encoding_in(mut self, encoder: Arc<dyn Encoder>) -> Self {
        self.encoder = Some(encoder);
        self
    }

    /// Adds rows: one column per stored live column of the table, in the engine's types.
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`], [`Error::Store`], or [`Error::Unstorable`] for a value that no file holds.
    /// The writer cannot be finished then.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let torn = std::mem::replace(&mut self.torn, true);
        self.write_whole(batch).await?;
        self.torn = torn;
        Ok(())
    }

    async fn write_whole(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_columns() != self.types.len() {
            let (found, wanted) = (batch.num_columns(), self.types.len());
            let message = format!("{found} columns were given for the {wanted} that are stored");
            return Err(Error::Unstorable(message));
        }
        let keys = self.key_hashes(batch)?;
        let batch = to_file(batch.columns(), batch.num_rows(), &self.types, &self.schema)?;
        let nans = nan_columns(&batch);
        if self
            .open
            .as_ref()
            .is_some_and(|file| !nans.is_subset(&file.nans))
        {
            // Statistics cannot be switched off within a file.
            self.close_file().await?;
        }
        let mut file = match self.open.take() {
            Some(file) => file,
            None => self.new_file(nans, &batch)?,
        };
        file.rows += batch.num_rows() as u64;
        for (known, more) in file.keys.iter_mut().zip(keys) {
            known.extend(more);
        }
        for (nulls, column) in file.nulls.iter_mut().zip(batch.columns()) {
            *nulls += column.null_count() as u64;
        }
        file.encoder.write(&batch).await?;
        let encoded = file.encoder.encoded_bytes();
        let size = file.uploaded + encoded + file.encoder.open_bytes();
        let file = self.open.insert(file);
        if encoded >= UPLOAD_PART_BYTES {
            file.send(&self.store).await?;
        }
        if size >= self.options.file_bytes {
            self.close_file().await?;
        }
        Ok(())
    }

    /// The bytes of all files so far, as far as they are encoded.
    pub fn bytes(&self) -> u64 {
        let done: u64 = self.done.iter().map(|file| file.size).sum();
        let open = self.open.as_ref();
        let open = open.map_or(0, |file| file.uploaded + file.encoder.encoded_bytes());
        done + open as u64
    }

    /// Closes the files; they are durable when this returns.
    ///
    /// # Errors
    ///
    /// As [`PartWriter::write`]; nothing is left behind then.
    pub async fn finish(mut self) -> Result<Vec<Arc<DataFile>>> {
        if self.torn {
            self.abort().await;
            return Err(Error::Unstorable(
                "an earlier write of the same rows failed".to_owned(),
            ));
        }
        match self.close_file().await {
            Ok(()) => Ok(self.done),
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Removes what was written.
    pub async fn abort(mut self) {
        if let Some(mut upload) = self.open.take().and_then(|file| file.upload) {
            // What cannot be removed now is found by vacuum.
            upload.abort().await.ok();
        }
        for file in &self.done {
            let path = file_path(self.part, &file.path);
            if let Err(error) = self.store.delete(&path).await {
                tracing::warn!(%path, %error, "could not remove an unused data file");
            }
        }
    }

    /// The keys of a batch's rows, as filters hold them.
    fn key_hashes(&self, batch: &RecordBatch) -> Result<Vec<Vec<u64>>> {
        let of_key = |(key, places): &(KeyColumns, Vec<usize>)| {
            let columns: Vec<ArrayRef> = places
                .iter()
                .map(|place| Arc::clone(batch.column(*place)))
                .collect();
            let hashes = key.hashes(&columns, batch.num_rows())?;
            Ok(hashes.into_iter().flatten().map(filter_key).collect())
        };
        self.keys.iter().map(of_key).collect()
    }

    /// A file that will begin with the rows of `batch`.
    fn new_file(&self, nans: HashSet<usize>, batch: &RecordBatch) -> Result<OpenFile> {
        let mut properties = WriterProperties::builder()
            .set_compression(self.options.compression)
            .set_statistics_truncate_length(Some(MAX_STATISTICS_BYTES))
            .set_column_index_truncate_length(Some(MAX_STATISTICS_BYTES));
        let path = |column: usize| ColumnPath::new(vec![self.schema.field(column).name().clone()]);
        for column in &nans {
            let path = path(*column);
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        for (index, column) in batch.columns().iter().enumerate() {
            if is_mostly_distinct(column) {
                properties = properties.set_column_dictionary_enabled(path(index), false);
            }
        }
        let limits = GroupLimits {
            rows: self.options.group_rows,
            bytes: self.options.group_bytes,
        };
        let schema = Arc::clone(&self.schema);
        let encoder =
            FileEncoder::new(schema, properties.build(), limits)?.encoding_in(self.encoder.clone());
        let name = format!("{}.parquet", Uuid::new_v4());
        Ok(OpenFile {
            path: file_path(self.part, &name),
            name,
            encoder,
            upload: None,
            uploaded: 0,
            rows: 0,
            keys: vec![Vec::new(); self.keys.len()],
            nulls: vec![0; self.schema.fields().len()],
            nans,
        })
    }

    async fn close_file(&mut self) -> Result<()> {
        let Some(file) = self.open.take() else {
            return Ok(());
        };
        let mut file = file;
        let keys = std::mem::take(&mut file.keys);
        let metadata = file.encoder.finish().await?;
        let stats = FileStats::of_parquet(&self.schema, &metadata, &file.nulls)?;
        let (name, rows) = (file.name.clone(), file.rows);
        let size = file.store(&self.store).await?;
        for ((key, _), hashes) in self.keys.iter().zip(keys) {
            let filter = Arc::new(KeyFilter::of(&hashes));
            self.storage.key_filters().put(&name, key, filter);
        }
        self.done.push(Arc::new(DataFile {
            path: name,
            size: size as u64,
            rows,
            stats: Arc::new(stats),
            modified_ms: chrono::Utc::now().timestamp_millis(),
        }));
        Ok(())
    }
}

impl OpenFile {
    /// Hands the encoded bytes to the store as one part of the upload.
    async fn send(&mut self, store: &StoreRef) -> Result<()> {
        let bytes = self.encoder.take();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(store.put_multipart(&self.path).await?),
        };
        self.uploaded += bytes.len();
        upload.put_part(PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Makes the file durable under its name; tells its size.
    async fn store(mut self, store: &StoreRef) -> Result<usize> {
        if self.upload.is_none() {
            let bytes = self.encoder.take();
            let size = bytes.len();
            // The name is new, so that a put whose answer was lost may be repeated.
            store.put(&self.path, PutPayload::from(bytes)).await?;
            return Ok(size);
        }
        let result = match self.send(store).await {
            Ok(()) => match &mut self.upload {
                Some(upload) => upload.complete().await.map(|_| ()).map_err(Error::from),
                None => Ok(()),
            },
            Err(error) => Err(error),
        };
        if let (Err(_), Some(upload)) = (&result, &mut self.upload) {
            upload.abort().await.ok();
        }
        result.map(|()| self.uploaded)
    }
}

/// The float columns that hold a NaN.
fn nan_columns(batch: &RecordBatch) -> HashSet<usize> {
    let holds_nan = |column: &ArrayRef| match column.data_type() {
        DataType::Float32 => column
            .as_primitive::<Float32Type>()
            .values()
            .iter()
            .any(|value| value.is_nan()),
        DataType::Float64 => column
            .as_primitive::<Float64Type>()
            .values()
            .iter()
            .any(|value| value.is_nan()),
        _ => false,
    };
    let columns = batch.columns().iter().enumerate();
    columns
        .filter(|(_, column)| holds_nan(column))
        .map(|(index, _)| index)
        .collect()
}
