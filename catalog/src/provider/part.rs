//! One part of a table, and the rows that a transaction has not written yet.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::scan::{Located, ScanRequest, scan};
use super::shape::Shape;
use crate::error::{Error, Result as CatalogResult};
use crate::id::Part;
use crate::model::Relation;
use crate::storage::{DataFile, file_path};

/// What a [`PartTable`] is made of.
#[derive(Debug)]
pub struct PartTableOptions {
    pub relation: Arc<Relation>,
    pub part: Part,
    pub files: Vec<Arc<DataFile>>,
    /// Rows that are not in files: the stored live columns, in order, in the engine's types.
    pub memory: Vec<RecordBatch>,
    /// The value of `tenant_id`, for a common table.
    pub tenant_name: Option<Arc<str>>,
    /// The session's time zone.
    pub zone: Arc<str>,
    /// What files from before a column hold in it, by the column's number; NULL if not given.
    pub defaults: HashMap<i16, ScalarValue>,
    /// Whether the planner may answer from what files' metadata tell. A row policy forbids it.
    pub statistics: bool,
}

/// A part of a table as the query engine scans it.
///
/// The store of the part's space must be registered under [`crate::id::Space::url`] with the runtime
/// that executes the scan.
#[derive(Debug)]
pub struct PartTable {
    shape: Shape,
    url: ObjectStoreUrl,
    files: Vec<Located>,
    memory: Vec<RecordBatch>,
    statistics: bool,
}

impl PartTable {
    /// A table over the files and rows.
    ///
    /// # Errors
    ///
    /// [`Error::Unstorable`] for a view, a common table without its tenant's name, or rows that do not
    /// fit the table's columns.
    pub fn new(options: PartTableOptions) -> CatalogResult<Self> {
        let PartTableOptions {
            relation,
            part,
            files,
            memory,
            tenant_name,
            zone,
            ..
        } = options;
        let shape = Shape::new(&relation, &zone, &options.defaults)?;
        if shape.has_tenant() && tenant_name.is_none() {
            let message = format!("table \"{}\" has no rows outside a tenant", relation.name);
            return Err(Error::Unstorable(message));
        }
        let memory = memory
            .iter()
            .filter(|batch| batch.num_rows() > 0)
            .map(|batch| shape.complete(batch, tenant_name.as_deref()))
            .collect::<CatalogResult<_>>()?;
        let files = files
            .into_iter()
            .map(|file| Located {
                path: file_path(part, &file.path),
                file,
                tenant: tenant_name.as_ref().map(Arc::clone),
            })
            .collect();
        let url = ObjectStoreUrl::parse(part.space.url())?;
        Ok(Self {
            shape,
            url,
            files,
            memory,
            statistics: options.statistics,
        })
    }
}

#[async_trait]
impl TableProvider for PartTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shape.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters prune files here; the optimiser then takes them into the file reader.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let statistics = self.statistics;
        let request = ScanRequest {
            state,
            projection,
            filters,
            limit,
            statistics,
        };
        scan(&self.shape, &self.url, &self.files, &self.memory, &request)
    }
}
