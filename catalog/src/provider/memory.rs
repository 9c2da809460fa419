//! A table whose rows are in memory alone: a session's temporary table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::shape::Shape;
use crate::error::Result as CatalogResult;
use crate::model::Relation;

/// A table of batches.
#[derive(Debug)]
pub struct MemoryTable {
    shape: Shape,
    rows: Vec<RecordBatch>,
}

impl MemoryTable {
    /// A table over batches of the relation's live columns in the engine's types.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Unstorable`] when the batches do not fit the columns.
    pub fn new(relation: &Relation, rows: &[RecordBatch], zone: &Arc<str>) -> CatalogResult<Self> {
        let shape = Shape::new(relation, zone, &std::collections::HashMap::new())?;
        let rows = rows
            .iter()
            .map(|batch| shape.complete(batch, None))
            .collect::<CatalogResult<_>>();
        Ok(Self { rows: rows?, shape })
    }
}

#[async_trait]
impl TableProvider for MemoryTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shape.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = [self.rows.clone()];
        let schema = Arc::clone(&self.shape.schema);
        let exec = MemorySourceConfig::try_new_exec(&partitions, schema, projection.cloned())?;
        Ok(exec)
    }
}
