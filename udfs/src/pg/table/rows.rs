//! Constant arguments of functions in FROM.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
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
