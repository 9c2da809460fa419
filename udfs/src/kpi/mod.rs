//! Measures of users: `cohort_retention()`, `funnel()`.

mod cohorts;
mod funnel;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use crate::error::{Error, Result};
use crate::relation::{Argument, Class, ColumnRef, Failure, Layout, TableFunction};

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![Arc::new(cohorts::CohortRetention), Arc::new(funnel::Funnel)]
}

const USER: Argument = Argument {
    required: true,
    ..Argument::column("user_col", Class::Any)
};

/// The column of times, which must be of a calendar.
fn calendar_column(layout: &Layout) -> Result<ColumnRef> {
    let time = layout.column("timestamp_col")?;
    if layout.field(time).data_type().is_integer() {
        return Err(Error::ColumnType {
            column: layout.field(time).name().clone(),
            argument: "timestamp_col".to_owned(),
            wanted: "a date or timestamp",
            found: "an integer".to_owned(),
        });
    }
    Ok(time)
}

fn microseconds(data_type: &DataType) -> DataType {
    let zone = match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

/// Microseconds since 1970, UTC.
fn ticks(times: &ArrayRef) -> Result<Int64Array, Failure> {
    let micros = cast(times, &microseconds(times.data_type()))?;
    let ticks = cast(&micros, &DataType::Int64)?;
    Ok(ticks.as_primitive::<Int64Type>().clone())
}

/// A column of times of a type from microseconds.
fn times(ticks: Vec<i64>, data_type: &DataType) -> Result<ArrayRef, Failure> {
    let ticks: ArrayRef = Arc::new(Int64Array::from(ticks));
    let micros = cast(&ticks, &microseconds(data_type))?;
    Ok(cast(&micros, data_type)?)
}
