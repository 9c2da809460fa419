//! The expression that turns a stored interval, zoned time or array into the engine's, above the file reader.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::PhysicalExpr;

use crate::sql_type::SqlType;
use crate::storage::stored::to_engine;

/// `input` in the engine's form of a SQL type.
#[derive(Debug)]
pub(super) struct Restore {
    input: Arc<dyn PhysicalExpr>,
    sql_type: SqlType,
    zone: Arc<str>,
    field: FieldRef,
}

impl Restore {
    pub(super) fn new(
        input: Arc<dyn PhysicalExpr>,
        sql_type: SqlType,
        zone: Arc<str>,
        field: FieldRef,
    ) -> Self {
        Self {
            input,
            sql_type,
            zone,
            field,
        }
    }
}

impl PartialEq for Restore {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input) && self.sql_type == other.sql_type && self.zone == other.zone
    }
}

impl Eq for Restore {}

impl Hash for Restore {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.sql_type.hash(state);
        self.zone.hash(state);
    }
}

impl fmt::Display for Restore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.input)
    }
}

impl PhysicalExpr for Restore {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(self.field.is_nullable())
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let stored = self.input.evaluate(batch)?.into_array(batch.num_rows())?;
        let restored = to_engine(&stored, &self.sql_type, &self.zone)
            .map_err(|error| DataFusionError::External(error.into()))?;
        Ok(ColumnarValue::Array(restored))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let input = children.into_iter().next().ok_or_else(|| {
            DataFusionError::Internal("a stored value is restored from one input".to_owned())
        })?;
        Ok(Arc::new(Self {
            input,
            sql_type: self.sql_type.clone(),
            zone: Arc::clone(&self.zone),
            field: Arc::clone(&self.field),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt_sql(f)
    }
}
