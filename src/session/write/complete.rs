//! Rows as they will be stored: what the table generates, and whose they are.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute;
use datafusion::physical_expr::PhysicalExpr;

use super::tenants::text_values;
use super::{RowWriter, Target, table, tenant_index};
use crate::error::{Error, Result};
use crate::format::fraction;

/// A generated column's expression, ready to be evaluated over the table's columns.
#[derive(Debug, Clone)]
pub(in crate::session) struct CompiledGenerated {
    /// The column's place among the live ones.
    pub(in crate::session) place: usize,
    pub(in crate::session) value: Arc<dyn PhysicalExpr>,
}

impl RowWriter {
    /// Rows as they will be stored: with the tenant's name and what the table generates.
    ///
    /// # Errors
    /// 42501 for another tenant's rows, and what generating meets.
    pub(in crate::session) fn completed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.rounded(self.with_generated(self.with_tenant(batch)?)?)
    }

    /// Computes generated columns from the others.
    pub(super) fn with_generated(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.generated.is_empty() {
            return Ok(batch);
        }
        let mut columns = batch.columns().to_vec();
        for generated in self.generated.iter() {
            let value = generated.value.evaluate(&batch)?;
            let value = value.into_array(batch.num_rows())?;
            columns[generated.place] = compute::cast(&value, columns[generated.place].data_type())
                .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))?;
        }
        RecordBatch::try_new(batch.schema(), columns)
            .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))
    }

    /// Moments and spans with as many digits as their columns keep.
    pub(super) fn rounded(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let table = table(&self.relation)?;
        if table.live_columns().all(|column| column.fraction.is_none()) {
            return Ok(batch);
        }
        let columns = table.live_columns().zip(batch.columns());
        let columns = columns.map(|(column, values)| match column.fraction {
            Some(digits) => fraction::rounded(values, digits),
            None => Arc::clone(values),
        });
        RecordBatch::try_new(batch.schema(), columns.collect())
            .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))
    }

    /// Fills `tenant_id` where a tenant left it out, and refuses any other tenant's name.
    pub(super) fn with_tenant(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Target::One {
            tenant_name: Some(name),
            ..
        } = &self.target
        else {
            return Ok(batch.clone());
        };
        let Some(index) = tenant_index(table(&self.relation)?) else {
            return Ok(batch.clone());
        };
        let named = text_values(batch.column(index))?;
        let named = named.as_string_view();
        if named.iter().flatten().any(|value| value != name) {
            return Err(Error::RowSecurity(self.relation.name.clone()));
        }
        Ok(batch.clone())
    }
}
