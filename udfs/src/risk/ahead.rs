//! The times after a series' last: by its calendar frequency, or by the step of integers.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use crate::math::calendar::detect_frequency;
use crate::relation::Failure;

/// The times of the next `horizon` steps after `times`, which are in order; NULL where the times tell no frequency.
pub(super) fn times_ahead(times: &ArrayRef, horizon: usize) -> Result<ArrayRef, Failure> {
    let data_type = times.data_type();
    let ticks = ticks(times)?;
    let known: Vec<i64> = ticks.iter().flatten().collect();
    let next: Option<Vec<i64>> = if data_type.is_integer() {
        by_step(&known, horizon)
    } else {
        detect_frequency(&known)
            .zip(known.last())
            .map(|(frequency, last)| {
                let steps = 1..=i64::try_from(horizon).unwrap_or(i64::MAX);
                steps.map(|step| frequency.next(*last, step)).collect()
            })
    };
    let Some(next) = next else {
        return Ok(new_null_array(data_type, horizon));
    };
    let next: ArrayRef = Arc::new(Int64Array::from(next));
    let strict = strict();
    if data_type.is_integer() {
        return cast_with_options(&next, data_type, &strict).map_err(|_| out_of_range());
    }
    let micros = cast_with_options(&next, &micros(data_type), &strict)?;
    cast_with_options(&micros, data_type, &strict).map_err(|_| out_of_range())
}

fn ticks(times: &ArrayRef) -> Result<Int64Array, Failure> {
    let strict = strict();
    let ticks = if times.data_type().is_integer() {
        cast_with_options(times, &DataType::Int64, &strict)
    } else {
        cast_with_options(times, &micros(times.data_type()), &strict)
            .and_then(|micros| cast_with_options(&micros, &DataType::Int64, &strict))
    };
    let ticks = ticks.map_err(|_| out_of_range())?;
    Ok(ticks.as_primitive::<Int64Type>().clone())
}

fn micros(data_type: &DataType) -> DataType {
    let zone = match data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    DataType::Timestamp(TimeUnit::Microsecond, zone)
}

fn by_step(known: &[i64], horizon: usize) -> Option<Vec<i64>> {
    let last = *known.last()?;
    let before = known.iter().rev().find(|time| **time < last)?;
    let step = last.checked_sub(*before)?;
    let steps = 1..=i64::try_from(horizon).ok()?;
    steps
        .map(|count| last.checked_add(step.checked_mul(count)?))
        .collect()
}

fn strict() -> CastOptions<'static> {
    CastOptions {
        safe: false,
        ..CastOptions::default()
    }
}

fn out_of_range() -> Failure {
    Failure::refused("timestamp out of range")
}
