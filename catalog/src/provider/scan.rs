//! Files and rows in memory to a plan: which files are read at all, by how many streams.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfigBuilder,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::union::UnionExec;
use object_store::path::Path;

use super::shape::Shape;
use super::source::{MissingColumns, file_source, open_file};
use crate::storage::DataFile;

/// Files of less than this in all are read by one stream.
const MIN_BYTES_IN_PARALLEL: u64 = 1 << 20;

/// A file and where it lies in the scan's store.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) file: Arc<DataFile>,
    pub(super) path: Path,
    pub(super) tenant: Option<Arc<str>>,
}

/// What a scan is asked for.
pub(super) struct ScanRequest<'a> {
    pub(super) state: &'a dyn Session,
    pub(super) projection: Option<&'a Vec<usize>>,
    pub(super) filters: &'a [Expr],
    pub(super) limit: Option<usize>,
    /// Whether the planner may know what the files' metadata tell.
    pub(super) statistics: bool,
}

/// The plan that reads files and rows in memory.
pub(super) fn scan(
    shape: &Shape,
    url: &ObjectStoreUrl,
    files: &[Located],
    memory: &[RecordBatch],
    request: &ScanRequest<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let every: Vec<usize>;
    let wanted = match request.projection {
        Some(projection) => projection,
        None => {
            every = (0..shape.schema.fields().len()).collect();
            &every
        }
    };
    let kept = prune(shape, files, request)?;
    let kept = enough(&kept, request);
    let mut inputs = Vec::new();
    if !kept.is_empty() {
        inputs.push(scan_files(shape, url, kept, wanted, request)?);
    }
    if !memory.is_empty() || inputs.is_empty() {
        inputs.push(scan_memory(
            &shape.schema,
            memory,
            wanted,
            request.statistics,
        )?);
    }
    UnionExec::try_new(inputs)
}

fn scan_files(
    shape: &Shape,
    url: &ObjectStoreUrl,
    files: &[&Located],
    wanted: &[usize],
    request: &ScanRequest<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    scan_grouped(shape, url, files, wanted, request, |files| {
        group(files, request.state)
    })
}

/// The plan of one partition that reads one file from its first row to its last.
pub(super) fn scan_whole_file(
    shape: &Shape,
    url: &ObjectStoreUrl,
    file: &Located,
    wanted: &[usize],
    request: &ScanRequest<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    scan_grouped(shape, url, &[file], wanted, request, |files| {
        vec![FileGroup::new(files)]
    })
}

fn scan_grouped(
    shape: &Shape,
    url: &ObjectStoreUrl,
    files: &[&Located],
    wanted: &[usize],
    request: &ScanRequest<'_>,
    group: impl FnOnce(Vec<PartitionedFile>) -> Vec<FileGroup>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let source = file_source(request.state, url, shape.files.clone())?;
    let source = source
        .try_pushdown_projection(&shape.projection(wanted))?
        .ok_or_else(|| {
            DataFusionError::Internal("the file source takes no projection".to_owned())
        })?;
    let opened: Vec<PartitionedFile> = files
        .iter()
        .map(|located| {
            let tenant = located.tenant.as_deref().filter(|_| shape.has_tenant());
            let tenant = tenant.map(|name| ScalarValue::Utf8View(Some(name.to_owned())));
            let statistics = request
                .statistics
                .then(|| shape.file_statistics(&located.file));
            let constants = tenant.into_iter().collect();
            open_file(&located.file, located.path.clone(), constants, statistics)
        })
        .collect();
    let mut config = FileScanConfigBuilder::new(url.clone(), source)
        .with_limit(request.limit.filter(|_| request.filters.is_empty()))
        .with_expr_adapter(Some(Arc::new(MissingColumns {
            defaults: Arc::clone(&shape.defaults),
        })));
    if request.statistics {
        let known = opened.iter().filter_map(|file| file.statistics.as_deref());
        config = config.with_statistics(Statistics::try_merge_iter(
            known,
            shape.files.table_schema(),
        )?);
    }
    let config = config.with_file_groups(group(opened)).build();
    Ok(DataSourceExec::from_data_source(config))
}

/// Deals files out to streams, and cuts big ones.
fn group(mut files: Vec<PartitionedFile>, state: &dyn Session) -> Vec<FileGroup> {
    let bytes: u64 = files.iter().map(|file| file.object_meta.size).sum();
    let streams = state.config().target_partitions().max(1);
    if bytes < MIN_BYTES_IN_PARALLEL || streams == 1 {
        return vec![FileGroup::new(files)];
    }
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); streams];
    for file in files {
        if let Some(least) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            least.0 += file.object_meta.size;
            least.1.push(file);
        }
    }
    let groups: Vec<FileGroup> = groups
        .into_iter()
        .filter(|(_, files)| !files.is_empty())
        .map(|(_, files)| FileGroup::new(files))
        .collect();
    let optimizer = &state.config_options().optimizer;
    if !optimizer.repartition_file_scans || groups.len() == streams {
        return groups;
    }
    FileGroupPartitioner::new()
        .with_target_partitions(streams)
        .with_repartition_file_min_size(optimizer.repartition_file_min_size)
        .repartition_file_groups(&groups)
        .unwrap_or(groups)
}

/// The first files that have as many rows as are asked for, when any rows will do.
fn enough<'a, 'b>(files: &'b [&'a Located], request: &ScanRequest<'_>) -> &'b [&'a Located] {
    let Some(limit) = request.limit.filter(|_| request.filters.is_empty()) else {
        return files;
    };
    let mut rows = 0;
    let mut count = 0;
    for located in files {
        if rows >= limit as u64 {
            break;
        }
        rows += located.file.rows;
        count += 1;
    }
    &files[..count]
}

fn scan_memory(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    wanted: &[usize],
    statistics: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    let projection = wanted.to_vec();
    if !statistics {
        // This node alone tells nothing of what it will return.
        let rows = MemoryRows {
            schema: Arc::clone(schema),
            batches: batches.to_vec(),
        };
        return Ok(Arc::new(StreamingTableExec::try_new(
            Arc::clone(schema),
            vec![Arc::new(rows)],
            Some(&projection),
            [],
            false,
            None,
        )?));
    }
    if batches.is_empty() {
        return Ok(Arc::new(EmptyExec::new(Arc::new(
            schema.project(&projection)?,
        ))));
    }
    let partitions = [batches.to_vec()];
    let exec = MemorySourceConfig::try_new_exec(&partitions, Arc::clone(schema), Some(projection))?;
    Ok(exec)
}

#[derive(Debug)]
struct MemoryRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl PartitionStream for MemoryRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.batches.clone();
        match MemoryStream::try_new(batches, Arc::clone(&self.schema), None) {
            Ok(stream) => Box::pin(stream),
            Err(error) => Box::pin(
                datafusion::physical_plan::stream::RecordBatchStreamAdapter::new(
                    Arc::clone(&self.schema),
                    futures::stream::once(std::future::ready(Err(error))),
                ),
            ),
        }
    }
}

/// The files that may hold rows for the filters.
pub(super) fn prune<'a>(
    shape: &Shape,
    files: &'a [Located],
    request: &ScanRequest<'_>,
) -> Result<Vec<&'a Located>> {
    let all = || files.iter().collect();
    if request.filters.is_empty() || files.is_empty() {
        return Ok(all());
    }
    let Some(predicate) = pruning_predicate(&shape.schema, request) else {
        return Ok(all());
    };
    let known = KnownFiles {
        shape,
        statistics: files
            .iter()
            .map(|located| shape.file_statistics(&located.file))
            .collect(),
        files,
    };
    // A filter that cannot be judged by statistics prunes nothing.
    let Ok(kept) = predicate.prune(&known) else {
        return Ok(all());
    };
    Ok(files
        .iter()
        .zip(kept)
        .filter(|(_, kept)| *kept)
        .map(|(file, _)| file)
        .collect())
}

/// The filters as a question to statistics; `None` when there is none.
pub(super) fn pruning_predicate(
    schema: &SchemaRef,
    request: &ScanRequest<'_>,
) -> Option<PruningPredicate> {
    let filter = conjunction(request.filters.iter().cloned())?;
    let columns = DFSchema::try_from(Arc::clone(schema)).ok()?;
    let filter = request.state.create_physical_expr(filter, &columns).ok()?;
    let predicate = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(schema))
        .try_build(filter)
        .ok()?;
    (!predicate.always_true()).then_some(predicate)
}

/// What the files' statistics tell of SQL's columns.
struct KnownFiles<'a> {
    shape: &'a Shape,
    statistics: Vec<Statistics>,
    files: &'a [Located],
}

impl KnownFiles<'_> {
    fn bounds(
        &self,
        column: &Column,
        bound: impl Fn(&datafusion::common::ColumnStatistics) -> &Precision<ScalarValue>,
    ) -> Option<ArrayRef> {
        let place = self.shape.place_of(column.name())?;
        let data_type = self.shape.type_of(column.name())?;
        let none = ScalarValue::try_from(data_type).ok()?;
        let values = self
            .statistics
            .iter()
            .zip(self.files)
            .map(|(statistics, located)| {
                match statistics.column_statistics.get(place) {
                    // Bounds will do: they need not be values of the column.
                    Some(column) => bound(column)
                        .get_value()
                        .cloned()
                        .unwrap_or_else(|| none.clone()),
                    None => ScalarValue::Utf8View(located.tenant.as_deref().map(str::to_owned)),
                }
            });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for KnownFiles<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |statistics| &statistics.min_value)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |statistics| &statistics.max_value)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let place = self.shape.place_of(column.name())?;
        let counts = self.statistics.iter().map(|statistics| {
            match statistics.column_statistics.get(place) {
                Some(column) => column.null_count.get_value().map(|count| *count as u64),
                None => Some(0),
            }
        });
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.files.iter().map(|located| Some(located.file.rows));
        Some(Arc::new(rows.collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
