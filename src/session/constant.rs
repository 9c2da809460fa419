//! Constant expressions: what defaults, EXECUTE's parameters and older files' columns are worth.

use std::sync::Arc;

use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::Expr;
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};
use crate::planner::Scope;

/// Reads a value as the catalog keeps it: as text in the type's own form.
///
/// # Errors
/// A text that the type does not have.
pub(super) fn from_text(text: &str, sql_type: &SqlType, zone: &Arc<str>) -> Result<ScalarValue> {
    if let SqlType::Enum(_) = sql_type {
        return Ok(ScalarValue::Utf8View(Some(text.to_owned())));
    }
    crate::format::value_of(text, sql_type, zone)
}

/// The value of an expression that names no column.
///
/// # Errors
/// What evaluating it meets.
pub(super) fn evaluate(expr: Expr, scope: &Scope) -> Result<ScalarValue> {
    use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
    use datafusion::arrow::datatypes::Schema;
    let schema = DFSchema::empty();
    let physical = scope.state.create_physical_expr(expr, &schema)?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
        .map_err(|error| Error::Internal(Box::new(error)))?;
    let value = physical.evaluate(&batch)?.into_array(1)?;
    Ok(ScalarValue::try_from_array(&value, 0)?)
}
