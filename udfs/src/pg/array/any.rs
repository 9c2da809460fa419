//! `x op ANY (array)` in three values: what is not found may still be unknown.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// The function of the engine's answer, the array and the value: true stays, and what is false is unknown
/// where the value or an element is NULL.
pub const ANY_OF_ARRAY: &str = "any_of_array";

pub(in crate::pg) fn any_of_array() -> ScalarUDF {
    ScalarUDF::new_from_impl(AnyOfArray {
        signature: Signature::any(3, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AnyOfArray {
    signature: Signature,
}

impl ScalarUDFImpl for AnyOfArray {
    fn name(&self) -> &str {
        ANY_OF_ARRAY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = arrow::datatypes::Field::new("any", DataType::Boolean, true);
        Ok(Arc::new(field))
    }

    /// Over a constant without NULL the engine's answer is right, and may be one that it can search by.
    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let known = matches!(
            args.get(1),
            Some(Expr::Literal(ScalarValue::List(list), _))
                if list.len() == 1
                    && list.is_valid(0)
                    && !list.value(0).is_empty()
                    && list.value(0).null_count() == 0
        );
        match args.first() {
            Some(answer) if known => Ok(ExprSimplifyResult::Simplified(answer.clone())),
            _ => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [answers, lists, values] = arrays.as_slice() else {
            return internal_err!("{ANY_OF_ARRAY} takes three arguments");
        };
        let answers = as_boolean_array(answers)?;
        let values = values.logical_nulls();
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return Ok(ColumnarValue::Array(Arc::new(answers.clone())));
        };
        let nulls = lists.values().logical_nulls();
        let answer = |row: usize| {
            if answers.is_valid(row) && answers.value(row) {
                return Some(true);
            }
            if lists.is_null(row) {
                return None;
            }
            let (start, end) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
            if start == end {
                return Some(false);
            }
            let unknown = values.as_ref().is_some_and(|nulls| nulls.is_null(row))
                || nulls.as_ref().is_some_and(|nulls| {
                    (start..end).any(|element| nulls.is_null(element as usize))
                });
            (!unknown).then_some(false)
        };
        let found: BooleanArray = (0..answers.len()).map(answer).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}
