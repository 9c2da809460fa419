//! Digits behind the seconds' point: moments and spans rounded to as many as their type keeps.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use tessera_catalog::zoned_time::ZonedTime;

/// The digits that are kept where a type says nothing.
pub const MOST_DIGITS: u8 = 6;

/// Microseconds from 1970 to 2000, the moment from which PostgreSQL counts, and rounds away from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The values with so many digits of seconds; other types stay as they are.
pub fn rounded(array: &ArrayRef, digits: u8) -> ArrayRef {
    let Some(unit) = unit(digits) else {
        return Arc::clone(array);
    };
    match array.data_type() {
        DataType::Time64(TimeUnit::Microsecond) => {
            let times = array.as_primitive::<Time64MicrosecondType>();
            Arc::new(times.unary::<_, Time64MicrosecondType>(|time| nearest(time, unit)))
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            let times = array.as_primitive::<Time64NanosecondType>();
            Arc::new(times.unary::<_, Time64NanosecondType>(|packed| {
                let time = ZonedTime::unpack(packed);
                let micros = nearest(time.micros, unit);
                ZonedTime { micros, ..time }.pack()
            }))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let moments = array.as_primitive::<TimestampMicrosecondType>();
            let rounded = moments.unary::<_, TimestampMicrosecondType>(|moment| match moment {
                infinite @ (i64::MIN | i64::MAX) => infinite,
                moment => {
                    nearest(moment.saturating_sub(EPOCH_MICROS), unit).saturating_add(EPOCH_MICROS)
                }
            });
            Arc::new(rounded.with_timezone_opt(zone.clone()))
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let spans = array.as_primitive::<IntervalMonthDayNanoType>();
            let rounded = spans.unary::<_, IntervalMonthDayNanoType>(|span| {
                let nanos = nearest(span.nanoseconds, unit.saturating_mul(1_000));
                IntervalMonthDayNano::new(span.months, span.days, nanos)
            });
            Arc::new(rounded)
        }
        _ => Arc::clone(array),
    }
}

/// The microseconds of the last digit; `None` where all are kept.
fn unit(digits: u8) -> Option<i64> {
    let dropped = MOST_DIGITS
        .checked_sub(digits)
        .filter(|dropped| *dropped > 0)?;
    Some(10_i64.pow(u32::from(dropped)))
}

/// The nearest multiple of a unit; half goes away from zero.
fn nearest(value: i64, unit: i64) -> i64 {
    let half = unit / 2;
    match value {
        0.. => value.saturating_add(half) / unit * unit,
        _ => value.saturating_sub(half) / unit * unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::TimestampMicrosecondArray;

    fn moment(micros: i64, digits: u8) -> i64 {
        let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![micros]));
        rounded(&array, digits)
            .as_primitive::<TimestampMicrosecondType>()
            .value(0)
    }

    // PostgreSQL 15: '1999-12-31 23:59:59.5'::timestamp(0), '2000-01-01 00:00:00.5'::timestamp(0).
    #[test]
    fn half_goes_away_from_the_year_2000() {
        let second = 1_000_000;
        assert_eq!(moment(EPOCH_MICROS - second / 2, 0), EPOCH_MICROS - second);
        assert_eq!(moment(EPOCH_MICROS + second / 2, 0), EPOCH_MICROS + second);
        assert_eq!(moment(EPOCH_MICROS + 123_456, 3), EPOCH_MICROS + 123_000);
        assert_eq!(moment(i64::MAX, 0), i64::MAX);
        assert_eq!(moment(5, 6), 5);
    }
}
