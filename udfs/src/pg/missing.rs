//! A function that is not there, so that the error for it can name the types of its arguments.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::error::PgError;
use super::types::call_name;

/// A call of it fails as soon as it is planned, with PostgreSQL's error.
pub fn missing_function(name: &str) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Missing {
        name: name.to_owned(),
        signature: Signature::user_defined(Volatility::Volatile),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Missing {
    name: String,
    signature: Signature,
}

impl ScalarUDFImpl for Missing {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Err(PgError::UndefinedFunction(format!("{}()", self.name)).into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let call = call_name(&self.name, args.arg_fields, args.scalar_arguments);
        Err(PgError::UndefinedFunction(call).into())
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} is not there", self.name)
    }
}
