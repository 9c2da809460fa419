//! UPDATE, DELETE and MERGE.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::ast;
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::reply::{Columns, Reply};

/// A batch under a table's own schema: names and nullability of a plan differ from it.
pub(super) fn as_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            cast(column, field.data_type())
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(DataFusionError::from)?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}

pub(super) async fn describe(
    _session: &mut Session,
    _statement: &ast::Statement,
    _declared: &[u32],
) -> Result<(Vec<SqlType>, Option<Columns>)> {
    Err(Error::Unsupported("UPDATE".to_owned()))
}

pub(super) async fn run(
    _session: &mut Session,
    _statement: &ast::Statement,
    _prepared: &Prepared,
    _parameters: Vec<ScalarValue>,
    _limits: Limits,
) -> Result<Reply> {
    Err(Error::Unsupported("UPDATE".to_owned()))
}
