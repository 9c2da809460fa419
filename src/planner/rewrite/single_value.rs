//! The functions behind scalar sub-queries and `ARRAY(SELECT …)`: one value of at most one row, and
//! an empty array where there are no rows.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, new_empty_array};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::operators::{ARRAY_OF_ROWS, ELEMENTS_AND_PLACES};
use crate::error::Error;

/// The value of the only row; NULL without one, an error with more.
pub(super) fn single_value() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(SingleValue {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// An array, or an empty one for NULL.
pub(in crate::planner) fn array_of_rows() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(ArrayOfRows {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// The elements of an array as records `x`, `n` with `n` counted from 1.
pub(in crate::planner) fn elements_and_places() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(ElementsAndPlaces {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field(&self, arguments: &[FieldRef]) -> EngineResult<FieldRef> {
        Ok(match arguments.first() {
            Some(field) => Arc::new(field.as_ref().clone().with_nullable(true)),
            None => Arc::new(Field::new(self.name(), DataType::Null, true)),
        })
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> EngineResult<Box<dyn Accumulator>> {
        Ok(Box::new(Single {
            value: ScalarValue::try_from(args.return_field.data_type())?,
            seen: false,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> EngineResult<Vec<FieldRef>> {
        let value = args.return_field.as_ref().clone().with_name("value");
        Ok(vec![
            Arc::new(value),
            Arc::new(Field::new("seen", DataType::Boolean, false)),
        ])
    }
}

#[derive(Debug)]
struct Single {
    value: ScalarValue,
    seen: bool,
}

impl Single {
    fn see(&mut self, values: &ArrayRef, row: usize) -> EngineResult<()> {
        if self.seen {
            return Err(Error::Cardinality.into());
        }
        self.value = ScalarValue::try_from_array(values, row)?;
        self.seen = true;
        Ok(())
    }
}

impl Accumulator for Single {
    fn update_batch(&mut self, values: &[ArrayRef]) -> EngineResult<()> {
        for array in values {
            for row in 0..array.len() {
                self.see(array, row)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> EngineResult<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) - size_of_val(&self.value) + self.value.size()
    }

    fn state(&mut self) -> EngineResult<Vec<ScalarValue>> {
        Ok(vec![
            self.value.clone(),
            ScalarValue::Boolean(Some(self.seen)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> EngineResult<()> {
        if let [values, seen] = states
            && let Some(seen) = seen.as_any().downcast_ref::<BooleanArray>()
        {
            for row in (0..values.len()).filter(|row| seen.value(*row)) {
                self.see(values, row)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayOfRows {
    signature: Signature,
}

impl ScalarUDFImpl for ArrayOfRows {
    fn name(&self) -> &str {
        ARRAY_OF_ROWS
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        Ok(match args.arg_fields.first() {
            Some(field) => Arc::new(field.as_ref().clone().with_name(ARRAY_OF_ROWS)),
            None => Arc::new(Field::new(ARRAY_OF_ROWS, DataType::Null, true)),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(array) = arrays.first() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let DataType::List(item) = array.data_type() else {
            return Ok(ColumnarValue::Array(Arc::clone(array)));
        };
        let nothing = new_empty_array(item.data_type());
        let empty = datafusion::arrow::array::ListArray::try_new(
            Arc::clone(item),
            datafusion::arrow::buffer::OffsetBuffer::from_lengths([0]),
            nothing,
            None,
        )?;
        let empty = datafusion::arrow::array::Scalar::new(empty);
        let missing = compute::is_null(array)?;
        let filled = compute::kernels::zip::zip(&missing, &empty, array)?;
        Ok(ColumnarValue::Array(filled))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementsAndPlaces {
    signature: Signature,
}

impl ElementsAndPlaces {
    fn fields(argument: &DataType) -> EngineResult<datafusion::arrow::datatypes::Fields> {
        match argument {
            DataType::List(item) => Ok(vec![
                item.as_ref().clone().with_name("x"),
                Field::new("n", DataType::Int32, true),
            ]
            .into()),
            other => Err(Error::NoSuchFunction(format!(
                "function _pg_expandarray({}) does not exist",
                tessera_catalog::sql_type::SqlType::from_arrow(other)
            ))
            .into()),
        }
    }
}

impl ScalarUDFImpl for ElementsAndPlaces {
    fn name(&self) -> &str {
        ELEMENTS_AND_PLACES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> EngineResult<DataType> {
        let fields = Self::fields(arguments.first().unwrap_or(&DataType::Null))?;
        let item = Field::new_list_field(DataType::Struct(fields), true);
        Ok(DataType::List(Arc::new(item)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        use datafusion::arrow::array::{Int32Array, ListArray, StructArray};
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(array) = arrays.first() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let list = datafusion::common::cast::as_list_array(array)?;
        let fields = Self::fields(array.data_type())?;
        let mut places = vec![0_i32; list.values().len()];
        for window in list.value_offsets().windows(2) {
            for (place, at) in (1..).zip(window[0]..window[1]) {
                if let Some(slot) = usize::try_from(at).ok().and_then(|at| places.get_mut(at)) {
                    *slot = place;
                }
            }
        }
        let places: ArrayRef = Arc::new(Int32Array::from(places));
        let records = StructArray::try_new(fields, vec![Arc::clone(list.values()), places], None)?;
        let item = Field::new_list_field(records.data_type().clone(), true);
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(
            Arc::new(item),
            list.offsets().clone(),
            Arc::new(records),
            list.nulls().cloned(),
        )?)))
    }
}
