//! The file source that looks for decoded columns first, and leaves all else to Parquet's.

use std::fmt::{self, Formatter};
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_expr_adapter::DefaultPhysicalExprAdapterFactory;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr};
use datafusion_datasource::morsel::Morselizer;
use object_store::ObjectStore;

use super::DecodedColumns;
use super::morsel::{DecodedMorselizer, Scan};

/// Parquet's source with decoded columns before it.
#[derive(Clone)]
pub(in crate::provider) struct DecodedSource {
    parquet: Arc<dyn FileSource>,
    columns: DecodedColumns,
    readers: Arc<dyn ParquetFileReaderFactory>,
    /// The store's name, which holds the tenant's id.
    store: ObjectStoreUrl,
    batch_rows: usize,
}

impl DecodedSource {
    /// Puts `columns` before `parquet`, whose files `readers` opens in the store of this name.
    pub(in crate::provider) fn new(
        parquet: Arc<dyn FileSource>,
        columns: DecodedColumns,
        readers: Arc<dyn ParquetFileReaderFactory>,
        store: ObjectStoreUrl,
    ) -> Self {
        Self {
            parquet,
            columns,
            readers,
            store,
            batch_rows: 0,
        }
    }

    fn over(&self, parquet: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self {
            parquet,
            ..self.clone()
        })
    }
}

impl FileSource for DecodedSource {
    fn create_file_opener(
        &self,
        _store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        _partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        internal_err!("decoded columns are read as morsels")
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let parquet = self.parquet.create_morselizer(store, config, partition)?;
        let table = self.parquet.table_schema();
        let projection = match self.parquet.projection() {
            Some(projection) => projection.clone(),
            None => return Ok(parquet),
        };
        let output = Arc::new(projection.project_schema(table.table_schema())?);
        let adapters = config
            .expr_adapter_factory
            .clone()
            .unwrap_or_else(|| Arc::new(DefaultPhysicalExprAdapterFactory));
        Ok(Box::new(DecodedMorselizer::new(
            parquet,
            Scan {
                columns: self.columns.clone(),
                readers: Arc::clone(&self.readers),
                store: self.store.clone(),
                table: table.clone(),
                projection,
                output,
                predicate: self.parquet.filter(),
                adapters,
                metrics: self.parquet.metrics().clone(),
                batch_rows: self.batch_rows.max(1),
                limit: config.limit,
                partition,
            },
        )))
    }

    fn table_schema(&self) -> &TableSchema {
        self.parquet.table_schema()
    }

    fn with_batch_size(&self, rows: usize) -> Arc<dyn FileSource> {
        Arc::new(Self {
            parquet: self.parquet.with_batch_size(rows),
            batch_rows: rows,
            ..self.clone()
        })
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.parquet.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.parquet.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.parquet.metrics()
    }

    fn file_type(&self) -> &str {
        self.parquet.file_type()
    }

    fn fmt_extra(&self, form: DisplayFormatType, f: &mut Formatter<'_>) -> fmt::Result {
        self.parquet.fmt_extra(form, f)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let told = self.parquet.try_pushdown_filters(filters, config)?;
        Ok(FilterPushdownPropagation {
            filters: told.filters,
            updated_node: told.updated_node.map(|parquet| self.over(parquet)),
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let told = self.parquet.try_pushdown_sort(order, properties)?;
        Ok(told.map(|parquet| self.over(parquet)))
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.parquet.reorder_files(files)
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let pushed = self.parquet.try_pushdown_projection(projection)?;
        Ok(pushed.map(|parquet| self.over(parquet)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.parquet.apply_expressions(f)
    }
}
