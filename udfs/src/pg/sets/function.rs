//! A set-returning function as it stands in an expression: of its element's type, never evaluated.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::super::error::PgError;
use super::series;

/// The name of the call that stands for a row's number among those made of the same input row.
const PLACE: &str = "ordinality";

/// A set-returning function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SetFunction {
    /// What gives the whole set of a row; `None` for the place of a row in its set.
    rows: Option<Arc<ScalarUDF>>,
    signature: Signature,
}

impl SetFunction {
    pub(super) fn new(rows: Arc<ScalarUDF>) -> Self {
        Self {
            rows: Some(rows),
            signature: Signature::user_defined(Volatility::Volatile),
        }
    }
}

/// The function without arguments that tells a row's place, from 1, among the rows that its select list makes.
pub fn place() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(SetFunction {
        rows: None,
        signature: Signature::nullary(Volatility::Volatile),
    }))
}

fn function_of(expr: &Expr) -> Option<(&ScalarFunction, &SetFunction)> {
    match expr {
        Expr::ScalarFunction(call) => {
            let function = call.func.inner().as_ref() as &dyn std::any::Any;
            Some((call, function.downcast_ref::<SetFunction>()?))
        }
        _ => None,
    }
}

/// Whether an expression is a call of a set-returning function.
pub fn is_set_call(expr: &Expr) -> bool {
    function_of(expr).is_some()
}

/// What such a call's rows are made of: an expression of the whole set, `None` for a row's place.
pub fn rows_of(expr: &Expr) -> Option<Option<Expr>> {
    let (call, function) = function_of(expr)?;
    let rows = function.rows.as_ref();
    Some(rows.map(|rows| {
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(rows), call.args.clone()))
    }))
}

/// The field of one element of a set.
pub(super) fn element(set: &Field, name: &str) -> Result<Field> {
    if let Some(field) = series::element(set) {
        return Ok(field.with_name(name));
    }
    match set.data_type() {
        DataType::List(item) => Ok(item.as_ref().clone().with_name(name).with_nullable(true)),
        other => internal_err!("a set of {other}"),
    }
}

impl ScalarUDFImpl for SetFunction {
    fn name(&self) -> &str {
        self.rows.as_ref().map_or(PLACE, |rows| rows.name())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on its fields", self.name())
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let rows = self.rows.as_ref()?.inner().with_updated_config(config)?;
        Some(ScalarUDF::new_from_impl(Self::new(Arc::new(rows))))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match &self.rows {
            Some(rows) => rows.coerce_types(types),
            None => Ok(types.to_vec()),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let Some(rows) = &self.rows else {
            return Ok(Arc::new(Field::new(PLACE, DataType::Int64, true)));
        };
        let set = rows.return_field_from_args(args)?;
        Ok(Arc::new(element(&set, self.name())?))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(PgError::NotSupported(
            "set-valued function called in context that cannot accept a set".to_owned(),
        )
        .into())
    }
}
