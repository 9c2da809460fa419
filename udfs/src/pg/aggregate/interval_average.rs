//! `avg` of intervals: their sum, field by field, divided by their number as `interval / double` divides.
//!
//! Source: `interval_accum` and `interval_avg` of PostgreSQL 15.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Field, FieldRef, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::super::datetime::arithmetic::divided;
use super::super::error::PgError;
use super::super::value::Interval;

/// The type of the argument and of the result.
pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// What is summed up.
const PARTS: [&str; 4] = ["count", "months", "days", "micros"];

/// The columns in which parts of a sum are handed on.
pub(super) fn state_fields(name: &str) -> Vec<FieldRef> {
    let field = |part: &&str| {
        let name = format!("{name}[{part}]");
        Arc::new(Field::new(name, DataType::Int64, true))
    };
    PARTS.iter().map(field).collect()
}

/// The sum so far, its numbers as [`PARTS`] has them.
#[derive(Debug, Default)]
pub(super) struct IntervalAverage {
    parts: [i64; 4],
}

impl IntervalAverage {
    fn add(&mut self, parts: [i64; 4], sign: i64) -> Result<()> {
        for (own, part) in self.parts.iter_mut().zip(parts) {
            let sum = part
                .checked_mul(sign)
                .and_then(|part| own.checked_add(part));
            *own = sum.ok_or_else(PgError::interval_range)?;
        }
        Ok(())
    }

    fn add_all(&mut self, values: &ArrayRef, sign: i64) -> Result<()> {
        let values = values.as_primitive::<IntervalMonthDayNanoType>();
        for value in values.iter().flatten() {
            let Interval {
                months,
                days,
                micros,
            } = Interval::from_arrow(value);
            self.add([1, i64::from(months), i64::from(days), micros], sign)?;
        }
        Ok(())
    }
}

impl Accumulator for IntervalAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(&values[0], 1)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(&values[0], -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let [count, months, days, micros] = self.parts;
        if count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let narrow = |value: i64| i32::try_from(value).map_err(|_| PgError::interval_range());
        let sum = Interval {
            months: narrow(months)?,
            days: narrow(days)?,
            micros,
        };
        let Interval {
            months,
            days,
            micros,
        } = divided(sum, count as f64)?;
        let nanoseconds = micros.saturating_mul(1000);
        let average = IntervalMonthDayNano::new(months, days, nanoseconds);
        Ok(ScalarValue::IntervalMonthDayNano(Some(average)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let parts = self.parts.iter();
        Ok(parts.map(|part| ScalarValue::Int64(Some(*part))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for row in 0..states[0].len() {
            let mut parts = [0; 4];
            for (part, state) in parts.iter_mut().zip(states) {
                let state = state.as_primitive::<Int64Type>();
                *part = if state.is_null(row) {
                    0
                } else {
                    state.value(row)
                };
            }
            self.add(parts, 1)?;
        }
        Ok(())
    }
}
