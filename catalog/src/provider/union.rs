//! A common table as the operators see it: the rows of all tenants, with their names.
//!
//! It is one scan over one store that reaches every space, and so belongs into sessions of the system
//! database alone. Filters on `tenant_id` drop tenants before anything of theirs is looked at.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringViewArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, DataFusionError, Result, ScalarValue};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};

use super::scan::{Located, ScanRequest, pruning_predicate, scan};
use super::shape::Shape;
use crate::error::Result as CatalogResult;
use crate::id::Part;
use crate::model::{Relation, TENANT_COLUMN};
use crate::storage::{ALL_SPACES_URL, DataFile, file_path};

/// How many tenants' parts are looked up at once.
const MAX_OPENING_BRANCHES: usize = 32;

/// One tenant's part of a common table.
#[derive(Debug, Clone)]
pub struct UnionBranch {
    pub tenant_name: Arc<str>,
    pub part: Part,
}

/// The rows of a branch.
#[derive(Debug, Clone, Default)]
pub struct BranchRows {
    pub files: Vec<Arc<DataFile>>,
    /// Rows that are not in files, as in [`super::PartTableOptions::memory`].
    pub memory: Vec<RecordBatch>,
}

/// Finds the rows of a branch when a scan needs them.
pub type OpenBranch =
    Arc<dyn Fn(Part) -> BoxFuture<'static, CatalogResult<BranchRows>> + Send + Sync>;

/// What a [`UnionTable`] is made of.
pub struct UnionTableOptions {
    pub relation: Arc<Relation>,
    pub branches: Vec<UnionBranch>,
    pub open: OpenBranch,
    /// The session's time zone.
    pub zone: Arc<str>,
    /// As in [`super::PartTableOptions::defaults`].
    pub defaults: HashMap<i16, ScalarValue>,
    /// As in [`super::PartTableOptions::statistics`].
    pub statistics: bool,
}

/// The union of all tenants' parts of a common table.
///
/// [`crate::storage::Storage::all_spaces_store`] must be registered under [`ALL_SPACES_URL`] with the
/// runtime that executes the scan.
pub struct UnionTable {
    shape: Shape,
    branches: Vec<UnionBranch>,
    open: OpenBranch,
    statistics: bool,
}

impl fmt::Debug for UnionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnionTable")
            .field("branches", &self.branches.len())
            .finish_non_exhaustive()
    }
}

impl UnionTable {
    /// A table over the branches.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Unstorable`] for a view.
    pub fn new(options: UnionTableOptions) -> CatalogResult<Self> {
        let shape = Shape::new(&options.relation, &options.zone, &options.defaults)?;
        let UnionTableOptions {
            branches,
            open,
            statistics,
            ..
        } = options;
        Ok(Self {
            shape,
            branches,
            open,
            statistics,
        })
    }

    /// The branches that filters on the tenant's name leave.
    fn wanted(&self, request: &ScanRequest<'_>) -> Vec<&UnionBranch> {
        let all = || self.branches.iter().collect();
        let Some(predicate) = pruning_predicate(&self.shape.schema, request) else {
            return all();
        };
        let Ok(kept) = predicate.prune(&TenantNames(&self.branches)) else {
            return all();
        };
        self.branches
            .iter()
            .zip(kept)
            .filter(|(_, kept)| *kept)
            .map(|(b, _)| b)
            .collect()
    }
}

#[async_trait]
impl TableProvider for UnionTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shape.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

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
        let opening: Vec<_> = self
            .wanted(&request)
            .into_iter()
            .map(|branch| {
                let (name, part) = (Arc::clone(&branch.tenant_name), branch.part);
                let rows = (self.open)(part);
                async move { rows.await.map(|rows| (name, part, rows)) }
            })
            .collect();
        let opened: Vec<_> = futures::stream::iter(opening)
            .buffered(MAX_OPENING_BRANCHES)
            .try_collect()
            .await
            .map_err(|error: crate::error::Error| DataFusionError::External(error.into()))?;
        let mut files = Vec::new();
        let mut memory = Vec::new();
        for (name, part, rows) in opened {
            for batch in rows.memory.iter().filter(|batch| batch.num_rows() > 0) {
                let batch = self.shape.complete(batch, Some(&name));
                memory.push(batch.map_err(|error| DataFusionError::External(error.into()))?);
            }
            files.extend(rows.files.into_iter().map(|file| {
                let below_space = file_path(part, &file.path);
                let path = format!("{}/{below_space}", part.space.prefix());
                Located {
                    file,
                    path: path.into(),
                    tenant: Some(Arc::clone(&name)),
                }
            }));
        }
        let url = ObjectStoreUrl::parse(ALL_SPACES_URL)?;
        scan(&self.shape, &url, &files, &memory, &request)
    }
}

/// Branches as containers of which nothing but the tenant's name is known.
struct TenantNames<'a>(&'a [UnionBranch]);

impl TenantNames<'_> {
    fn names(&self, column: &Column) -> Option<ArrayRef> {
        (column.name() == TENANT_COLUMN).then(|| {
            let names = self
                .0
                .iter()
                .map(|branch| Some(branch.tenant_name.as_ref()));
            Arc::new(names.collect::<StringViewArray>()) as ArrayRef
        })
    }
}

impl PruningStatistics for TenantNames<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.names(column)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.names(column)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        (column.name() == TENANT_COLUMN).then(|| {
            let none = std::iter::repeat_n(Some(0), self.0.len());
            Arc::new(none.collect::<UInt64Array>()) as ArrayRef
        })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
