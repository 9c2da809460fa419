//! `pg_sleep` and `pg_sleep_for`: wait without holding a thread, so that a cancel or a time-out ends them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, IntervalMonthDayNanoType, IntervalUnit,
};
use async_trait::async_trait;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::types::SQL_TYPE;
use super::value::Interval;

const MICROS_PER_SECOND: f64 = 1_000_000.0;
/// Above this a wait is as good as one for ever.
const LONGEST_S: f64 = 1e9;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sleep {
    name: &'static str,
    signature: Signature,
}

/// Both functions.
pub(super) fn udfs() -> [ScalarUDF; 2] {
    let interval = DataType::Interval(IntervalUnit::MonthDayNano);
    [("pg_sleep", DataType::Float64), ("pg_sleep_for", interval)].map(|(name, argument)| {
        let signature = Signature::exact(vec![argument], Volatility::Volatile);
        AsyncScalarUDF::new(Arc::new(Sleep { name, signature })).into_scalar_udf()
    })
}

impl ScalarUDFImpl for Sleep {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        // PostgreSQL's void is shown as an empty text.
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let metadata = HashMap::from([(SQL_TYPE.to_owned(), "void".to_owned())]);
        let field = Field::new(self.name, DataType::Utf8View, true);
        Ok(Arc::new(field.with_metadata(metadata)))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} waits, and cannot be computed", self.name)
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for Sleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let Some(length) = args.args.into_iter().next() else {
            return internal_err!("{} without an argument", self.name);
        };
        let lengths = length.into_array(rows)?;
        for row in 0..lengths.len() {
            if let Some(seconds) = seconds(&lengths, row) {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
        }
        let empty = (0..rows).map(|row| lengths.is_valid(row).then_some(""));
        let said: ArrayRef = Arc::new(StringViewArray::from_iter(empty));
        Ok(ColumnarValue::Array(said))
    }
}

/// How long a row waits; nothing for NULL, NaN and the past.
fn seconds(lengths: &ArrayRef, row: usize) -> Option<f64> {
    if lengths.is_null(row) {
        return None;
    }
    let seconds = match lengths.data_type() {
        DataType::Interval(_) => {
            let length = lengths
                .as_primitive::<IntervalMonthDayNanoType>()
                .value(row);
            Interval::from_arrow(length).length() as f64 / MICROS_PER_SECOND
        }
        _ => lengths.as_primitive::<Float64Type>().value(row),
    };
    (seconds > 0.0).then(|| seconds.min(LONGEST_S))
}
