//! A file's row groups, one after the other: from decoded columns, or decoded and kept, or by Parquet's
//! own reader where nothing is to be kept.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::{
    ParquetAccessPlan, ParquetFileMetrics, ParquetFileReaderFactory, RowGroupAccessPlanFilter,
    apply_file_schema_type_coercions,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExprSimplifier;
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr_adapter::{
    PhysicalExprAdapterFactory, replace_columns_with_literals,
};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};

use super::DecodedColumns;
use super::cache::Key;
use crate::provider::source::METADATA_BYTES;

/// How much bigger a column is when it is decoded, about.
const DECODED_FACTOR: usize = 2;

/// What is the same for all files of a scan.
pub(super) struct Scan {
    pub(super) columns: DecodedColumns,
    pub(super) readers: Arc<dyn ParquetFileReaderFactory>,
    pub(super) store: ObjectStoreUrl,
    pub(super) table: TableSchema,
    pub(super) projection: ProjectionExprs,
    pub(super) output: SchemaRef,
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(super) adapters: Arc<dyn PhysicalExprAdapterFactory>,
    pub(super) metrics: ExecutionPlanMetricsSet,
    pub(super) batch_rows: usize,
    pub(super) limit: Option<usize>,
    pub(super) partition: usize,
}

/// Makes morsels of files.
pub(super) struct DecodedMorselizer {
    shared: Arc<Shared>,
}

struct Shared {
    parquet: Box<dyn Morselizer>,
    scan: Scan,
}

impl DecodedMorselizer {
    pub(super) fn new(parquet: Box<dyn Morselizer>, scan: Scan) -> Self {
        Self {
            shared: Arc::new(Shared { parquet, scan }),
        }
    }
}

impl fmt::Debug for DecodedMorselizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DecodedMorselizer")
    }
}

impl Morselizer for DecodedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        Ok(Box::new(Unopened {
            shared: Arc::clone(&self.shared),
            file,
        }))
    }
}

/// A file before its metadata is known.
struct Unopened {
    shared: Arc<Shared>,
    file: PartitionedFile,
}

impl fmt::Debug for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unopened")
    }
}

impl MorselPlanner for Unopened {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { shared, file } = *self;
        let opening = async move {
            let opened = Opened::load(shared, file).await?;
            Ok(Box::new(opened) as Box<dyn MorselPlanner>)
        };
        Ok(Some(MorselPlan::new().with_pending_planner(opening)))
    }
}

/// A file with the row groups that are still to be read.
struct Opened {
    file: Arc<OpenFile>,
    groups: VecDeque<usize>,
    /// A group whose columns have just been decoded.
    ready: Option<GroupMorsel>,
}

/// What reading any group of a file takes.
struct OpenFile {
    shared: Arc<Shared>,
    file: PartitionedFile,
    name: Arc<str>,
    metadata: ArrowReaderMetadata,
    /// The columns that are read, as places among the file's.
    wanted: Vec<usize>,
    output: Arc<Output>,
}

/// From decoded columns to the scan's.
struct Output {
    /// The columns that are read, in the file's types.
    read: SchemaRef,
    projector: Projector,
    schema: SchemaRef,
    batch_rows: usize,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl Opened {
    async fn load(shared: Arc<Shared>, file: PartitionedFile) -> Result<Self> {
        let scan = &shared.scan;
        let mut reader = scan.reader(&file)?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let mut metadata = ArrowReaderMetadata::load_async(&mut reader, options.clone()).await?;
        let logical = Arc::clone(scan.table.file_schema());
        if let Some(coerced) = apply_file_schema_type_coercions(&logical, metadata.schema()) {
            let options = options.with_schema(Arc::new(coerced));
            metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
        }
        let physical = Arc::clone(metadata.schema());
        let constants: HashMap<_, _> = scan
            .table
            .table_partition_cols()
            .iter()
            .zip(&file.partition_values)
            .map(|(field, value)| (field.name().clone(), value.clone()))
            .collect();
        let adapter = scan.adapters.create(logical, Arc::clone(&physical))?;
        let simplifier = PhysicalExprSimplifier::new(&physical);
        let adapt = |expr: Arc<dyn PhysicalExpr>| {
            let expr = replace_columns_with_literals(expr, &constants)?;
            simplifier.simplify(adapter.rewrite(expr)?)
        };
        let projection = scan.projection.clone().try_map_exprs(adapt)?;
        let predicate = scan.predicate.clone().map(adapt).transpose()?;
        let groups = scan.groups(&file, &metadata, predicate.as_ref());
        let wanted: BTreeSet<usize> = projection
            .expr_iter()
            .flat_map(|expr| collect_columns(&expr))
            .map(|column| column.index())
            .collect();
        let wanted: Vec<usize> = wanted.into_iter().collect();
        let read = Arc::new(Schema::new(physical.project(&wanted)?.fields().clone()));
        let projector = projection
            .try_map_exprs(|expr| reassign_expr_columns(expr, &read))?
            .make_projector(&read)?;
        let name = format!("{}{}", scan.store.as_str(), file.object_meta.location);
        let output = Arc::new(Output {
            read,
            projector,
            schema: Arc::clone(&scan.output),
            batch_rows: scan.batch_rows,
        });
        Ok(Self {
            file: Arc::new(OpenFile {
                shared,
                file,
                name: Arc::from(name),
                metadata,
                wanted,
                output,
            }),
            groups,
            ready: None,
        })
    }
}

impl Scan {
    fn reader(&self, file: &PartitionedFile) -> Result<Box<dyn AsyncFileReader>> {
        let (hint, file) = (Some(METADATA_BYTES), file.clone());
        let reader = self
            .readers
            .create_reader(self.partition, file, hint, &self.metrics)?;
        Ok(reader)
    }

    /// The groups of a file that are in its range and may hold rows for the predicate.
    fn groups(
        &self,
        file: &PartitionedFile,
        metadata: &ArrowReaderMetadata,
        predicate: Option<&Arc<dyn PhysicalExpr>>,
    ) -> VecDeque<usize> {
        let groups = metadata.metadata().row_groups();
        let mut plan = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(groups.len()));
        if let Some(range) = &file.range {
            plan.prune_by_range(groups, range);
        }
        let schema = metadata.schema();
        let pruning = predicate.and_then(|predicate| {
            PruningPredicateBuilder::new()
                .with_file_schema(Arc::clone(schema))
                .build(Arc::clone(predicate))
        });
        if let Some(pruning) = pruning {
            let name = file.object_meta.location.as_ref();
            let metrics = ParquetFileMetrics::new(self.partition, name, &self.metrics);
            let parquet = metadata.parquet_schema();
            plan.prune_by_statistics(schema, parquet, groups, &pruning, &metrics);
        }
        plan.row_group_indexes().collect()
    }
}

impl MorselPlanner for Opened {
    fn plan(mut self: Box<Self>) -> Result<Option<MorselPlan>> {
        if let Some(ready) = self.ready.take() {
            return Ok(Some(self.after(ready)));
        }
        let Some(group) = self.groups.pop_front() else {
            return Ok(None);
        };
        let (found, missing) = self.file.look_up(group);
        if missing.is_empty() {
            let morsel = self.file.morsel(group, found)?;
            return Ok(Some(self.after(morsel)));
        }
        if self.file.would_keep(group, &missing) {
            let decoding = async move {
                let decoded = self.file.decode(group, &missing).await?;
                let mut columns = found;
                columns.extend(decoded);
                self.ready = Some(self.file.morsel(group, columns)?);
                Ok(self as Box<dyn MorselPlanner>)
            };
            return Ok(Some(MorselPlan::new().with_pending_planner(decoding)));
        }
        let by_parquet = self.file.by_parquet(group)?;
        let planners: Vec<Box<dyn MorselPlanner>> = vec![by_parquet, self];
        Ok(Some(MorselPlan::new().with_planners(planners)))
    }
}

impl Opened {
    /// A group's rows, and after them the other groups'.
    fn after(self: Box<Self>, morsel: GroupMorsel) -> MorselPlan {
        let plan = MorselPlan::new().with_morsels(vec![Box::new(morsel)]);
        if self.groups.is_empty() {
            plan
        } else {
            plan.with_planners(vec![self])
        }
    }
}

impl OpenFile {
    fn key(&self, group: usize, column: usize) -> Key {
        Key {
            file: Arc::clone(&self.name),
            group,
            column,
        }
    }

    fn group(&self, group: usize) -> &RowGroupMetaData {
        self.metadata.metadata().row_group(group)
    }

    /// The wanted columns of a group that are kept, and those that are not.
    fn look_up(&self, group: usize) -> (HashMap<usize, ArrayRef>, Vec<usize>) {
        let mut found = HashMap::with_capacity(self.wanted.len());
        let mut missing = Vec::new();
        for column in &self.wanted {
            match self.shared.scan.columns.get(&self.key(group, *column)) {
                Some(values) => {
                    found.insert(*column, values);
                }
                None => missing.push(*column),
            }
        }
        (found, missing)
    }

    /// Whether it is worth the while to decode a whole group's columns.
    fn would_keep(&self, group: usize, missing: &[usize]) -> bool {
        let rows = usize::try_from(self.group(group).num_rows()).unwrap_or(usize::MAX);
        // Who wants a few rows does not wait for all.
        if self.shared.scan.limit.is_some_and(|limit| limit < rows) {
            return false;
        }
        let mut all = true;
        for column in missing {
            let bytes = self.bytes(group, *column).saturating_mul(DECODED_FACTOR);
            let key = self.key(group, *column);
            all &= self.shared.scan.columns.would_keep(&key, bytes);
        }
        all
    }

    /// What a column's leaves take in the file before compression.
    fn bytes(&self, group: usize, column: usize) -> usize {
        let parquet = self.metadata.parquet_schema();
        let leaves = self.group(group).columns().iter().enumerate();
        let bytes: i64 = leaves
            .filter(|(leaf, _)| parquet.get_column_root_idx(*leaf) == column)
            .map(|(_, chunk)| chunk.uncompressed_size())
            .sum();
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Decodes a group's columns and keeps them.
    async fn decode(&self, group: usize, columns: &[usize]) -> Result<HashMap<usize, ArrayRef>> {
        let scan = &self.shared.scan;
        let reader = scan.reader(&self.file)?;
        let rows = usize::try_from(self.group(group).num_rows()).unwrap_or(usize::MAX);
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), columns.iter().copied());
        let batches: Vec<RecordBatch> =
            ParquetRecordBatchStreamBuilder::new_with_metadata(reader, self.metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(mask)
                .with_batch_size(rows.max(1))
                .build()?
                .try_collect()
                .await?;
        let mut decoded = HashMap::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let parts: Vec<&dyn arrow::array::Array> = batches
                .iter()
                .map(|batch| batch.column(place).as_ref())
                .collect();
            let values = match (batches.as_slice(), parts.as_slice()) {
                ([batch], _) => Arc::clone(batch.column(place)),
                (_, parts) => arrow::compute::concat(parts)?,
            };
            scan.columns
                .put(self.key(group, *column), Arc::clone(&values));
            decoded.insert(*column, values);
        }
        Ok(decoded)
    }

    fn morsel(&self, group: usize, columns: HashMap<usize, ArrayRef>) -> Result<GroupMorsel> {
        let rows = usize::try_from(self.group(group).num_rows()).unwrap_or_default();
        let arrays = self
            .wanted
            .iter()
            .filter_map(|column| columns.get(column).map(Arc::clone))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let read = Arc::clone(&self.output.read);
        let batch = RecordBatch::try_new_with_options(read, arrays, &options)?;
        Ok(GroupMorsel {
            batch,
            output: Arc::clone(&self.output),
        })
    }

    /// The same group by Parquet's reader, which keeps nothing.
    fn by_parquet(&self, group: usize) -> Result<Box<dyn MorselPlanner>> {
        let first = self.group(group).column(0);
        let start = first
            .dictionary_page_offset()
            .unwrap_or_else(|| first.data_page_offset());
        let mut file = self.file.clone();
        file.range = Some(FileRange {
            start,
            end: start + 1,
        });
        self.shared.parquet.plan_file(file)
    }
}

/// One group's decoded columns.
struct GroupMorsel {
    batch: RecordBatch,
    output: Arc<Output>,
}

impl fmt::Debug for GroupMorsel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupMorsel")
            .field("rows", &self.batch.num_rows())
            .finish_non_exhaustive()
    }
}

impl Morsel for GroupMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { batch, output } = *self;
        let rows = batch.num_rows();
        let starts = (0..rows).step_by(output.batch_rows);
        futures::stream::iter(starts.map(move |start| {
            let length = output.batch_rows.min(rows - start);
            output.project(&batch.slice(start, length))
        }))
        .boxed()
    }
}

impl Output {
    fn project(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let projected = self.projector.project_batch(batch)?;
        if projected.schema_ref() == &self.schema {
            return Ok(projected);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(projected.num_rows()));
        let (_, arrays, _) = projected.into_parts();
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
    }
}
