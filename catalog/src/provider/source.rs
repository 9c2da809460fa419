//! Which bytes are read for an immutable data file: the one place that gives a scan its source.
//!
//! Columns that are kept decoded come first, see [`DecodedColumns`]. A node-local copy in another format
//! comes in here too: another [`FileSource`] over the same schema and other [`PartitionedFile`]s for the
//! same [`DataFile`]s.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::expressions::{Column, lit};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::decoded::{DecodedColumns, DecodedSource};
use crate::storage::DataFile;

/// The end of a file that is read first; it holds the metadata of most files.
pub(super) const METADATA_BYTES: usize = 64 << 10;

/// The source of a scan's rows. Metadata of files is cached by the session's runtime, which is one
/// tenant's; the names of files are never used twice.
pub(super) fn file_source(
    state: &dyn Session,
    url: &ObjectStoreUrl,
    schema: TableSchema,
) -> Result<Arc<dyn FileSource>> {
    let runtime = state.runtime_env();
    let store = runtime.object_store(url)?;
    let cache = runtime.cache_manager.get_file_metadata_cache();
    let options = TableParquetOptions {
        global: state.config_options().execution.parquet.clone(),
        ..TableParquetOptions::default()
    };
    let readers: Arc<dyn ParquetFileReaderFactory> =
        Arc::new(CachedParquetFileReaderFactory::new(store, cache));
    let source = ParquetSource::new(schema)
        .with_table_parquet_options(options)
        .with_metadata_size_hint(METADATA_BYTES)
        .with_parquet_file_reader_factory(Arc::clone(&readers));
    let source: Arc<dyn FileSource> = Arc::new(source);
    let columns = state.config().get_extension::<DecodedColumns>();
    Ok(match columns {
        Some(columns) => {
            let columns = columns.as_ref().clone();
            Arc::new(DecodedSource::new(source, columns, readers, url.clone()))
        }
        None => source,
    })
}

/// A data file as a scan opens it.
pub(super) fn open_file(
    file: &DataFile,
    location: Path,
    constants: Vec<ScalarValue>,
    statistics: Option<Statistics>,
) -> PartitionedFile {
    let modified = chrono::DateTime::from_timestamp_millis(file.modified_ms).unwrap_or_default();
    let meta = ObjectMeta {
        location,
        last_modified: modified,
        size: file.size,
        e_tag: None,
        version: None,
    };
    let file = PartitionedFile::new_from_meta(meta).with_partition_values(constants);
    match statistics {
        Some(statistics) => file.with_statistics(Arc::new(statistics)),
        None => file,
    }
}

/// Gives columns that a file does not have their values of before, and casts the others.
#[derive(Debug)]
pub(super) struct MissingColumns {
    /// By physical name; a column that is not here is NULL.
    pub(super) defaults: Arc<HashMap<String, ScalarValue>>,
}

impl PhysicalExprAdapterFactory for MissingColumns {
    fn create(
        &self,
        logical_file_schema: SchemaRef,
        physical_file_schema: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let mut defaults: HashMap<String, ScalarValue> = self.defaults.as_ref().clone();
        defaults.retain(|name, _| physical_file_schema.index_of(name).is_err());
        let inner =
            DefaultPhysicalExprAdapterFactory.create(logical_file_schema, physical_file_schema)?;
        Ok(Arc::new(FillMissing { defaults, inner }))
    }
}

#[derive(Debug)]
struct FillMissing {
    defaults: HashMap<String, ScalarValue>,
    inner: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for FillMissing {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        if self.defaults.is_empty() {
            return self.inner.rewrite(expr);
        }
        let filled = expr
            .transform_down(|expr| {
                let column = expr.downcast_ref::<Column>();
                match column.and_then(|column| self.defaults.get(column.name())) {
                    Some(value) => Ok(Transformed::yes(lit(value.clone()))),
                    None => Ok(Transformed::no(expr)),
                }
            })
            .data()?;
        self.inner.rewrite(filled)
    }
}
