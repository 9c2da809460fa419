//! What table functions of constant arguments share: reading the constants, serving the rows made from them.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, FieldRef};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;

use super::super::error::PgError;
use super::super::types::call_name;

/// The arguments of a call in FROM, which must be constants.
pub(super) fn constants(name: &str, exprs: &[Expr]) -> Result<Vec<ScalarValue>> {
    let value = |expr: &Expr| match expr {
        Expr::Literal(value, _) => Ok(value.clone()),
        other => {
            let text = format!("arguments of {name} in FROM must be constants, found {other}");
            Err(DataFusionError::from(PgError::NotSupported(text)))
        }
    };
    exprs.iter().map(value).collect()
}

/// No overload takes these values.
pub(super) fn undefined(name: &str, values: &[ScalarValue]) -> DataFusionError {
    let fields: Vec<FieldRef> = values
        .iter()
        .map(|value| Arc::new(Field::new("", value.data_type(), true)))
        .collect();
    PgError::UndefinedFunction(call_name(
        name,
        &fields,
        &values.iter().map(Some).collect::<Vec<_>>(),
    ))
    .into()
}

/// A table function whose rows are few enough to be made at once from its constants.
pub(super) struct Rows {
    pub(super) name: &'static str,
    pub(super) make: fn(&str, &[ScalarValue]) -> Result<RecordBatch>,
}

impl Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).finish()
    }
}

impl TableFunctionImpl for Rows {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let values = constants(self.name, args.exprs())?;
        let batch = (self.make)(self.name, &values)?;
        Ok(Arc::new(MemTable::try_new(
            batch.schema(),
            vec![vec![batch]],
        )?))
    }
}

/// The text of a constant.
pub(super) fn text(value: Option<&ScalarValue>) -> Option<&str> {
    value.and_then(|value| value.try_as_str().flatten())
}
