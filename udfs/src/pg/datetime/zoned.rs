//! Times with and without a zone as one another, and as the times of moments.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, IntervalMonthDayNanoArray, Time64MicrosecondArray, Time64NanosecondArray,
};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use chrono::Utc;
use datafusion::common::{Result, internal_err};

use super::super::calendar::{DAY, SECOND};
use super::super::error::{PgError, PgResult};
use super::super::value::{Timestamp, Timestamptz, Timetz};
use super::super::zone::Zone;

const TIME: DataType = DataType::Time64(TimeUnit::Microsecond);
const TIMETZ: DataType = DataType::Time64(TimeUnit::Nanosecond);

/// The moment whose offsets a zone's times without a date have.
pub(crate) fn now() -> Timestamptz {
    Timestamptz(Utc::now().timestamp_micros())
}

impl Timetz {
    /// The same moment of the day on another zone's clock.
    pub(crate) fn in_zone(self, zone: &Zone, now: Timestamptz) -> Self {
        let west = -zone.offset_at(now);
        let moved = self.micros + i64::from(self.west - west) * SECOND;
        Self {
            micros: moved.rem_euclid(DAY),
            west,
        }
    }

    /// A zone's clock at this moment; infinity has no time of day.
    fn of_moment(moment: i64, zone: &Zone) -> Option<Self> {
        if matches!(moment, i64::MIN | i64::MAX) {
            return None;
        }
        let Timestamp(local) = zone.local(Timestamptz(moment));
        Some(Self {
            micros: local.rem_euclid(DAY),
            west: -zone.offset_at(Timestamptz(moment)),
        })
    }
}

/// Seconds west of Greenwich that a zone's clock is today when it shows this time.
fn west_today(zone: &Zone, today: i64, micros: i64) -> PgResult<i32> {
    let wall = Timestamp(today + micros);
    let moment = zone.moment(wall)?;
    Ok(((moment.0 - wall.0) / SECOND) as i32)
}

/// Whether values of a type are times of day, with or without a zone.
pub fn is_time(data_type: &DataType) -> bool {
    *data_type == TIME || *data_type == TIMETZ
}

/// Times of day, or moments, as times of day of another type; `zone` is the session's.
///
/// # Errors
/// 22023 for a zone that is not known.
pub fn as_times(array: &ArrayRef, wanted: &DataType, zone: &str) -> Result<ArrayRef> {
    let session = || Zone::of_type(zone);
    Ok(match (array.data_type(), wanted) {
        (from, to) if from == to => Arc::clone(array),
        (from, to) if *from == TIME && *to == TIMETZ => {
            let zone = session()?;
            let Timestamp(local) = zone.local(now());
            let today = local - local.rem_euclid(DAY);
            let times = array.as_primitive::<Time64MicrosecondType>();
            let zoned: Time64NanosecondArray = times.try_unary(|micros| {
                let west = west_today(&zone, today, micros)?;
                Ok::<_, PgError>(Timetz { micros, west }.pack())
            })?;
            Arc::new(zoned)
        }
        (from, to) if *from == TIMETZ && *to == TIME => {
            let times = array.as_primitive::<Time64NanosecondType>();
            let plain: Time64MicrosecondArray = times.unary(|packed| Timetz::unpack(packed).micros);
            Arc::new(plain)
        }
        (DataType::Timestamp(TimeUnit::Microsecond, Some(own)), to) if *to == TIMETZ => {
            let zone = Zone::of_type(own)?;
            let moments = array.as_primitive::<TimestampMicrosecondType>();
            let zoned: Time64NanosecondArray =
                moments.unary_opt(|moment| Timetz::of_moment(moment, &zone).map(Timetz::pack));
            Arc::new(zoned)
        }
        (DataType::Interval(_), to) if *to == TIME => {
            let spans = array.as_primitive::<IntervalMonthDayNanoType>();
            let times: Time64MicrosecondArray =
                spans.unary(|span| (span.nanoseconds / 1000).rem_euclid(DAY));
            Arc::new(times)
        }
        (from, DataType::Interval(_)) if *from == TIME => {
            let times = array.as_primitive::<Time64MicrosecondType>();
            let spans: IntervalMonthDayNanoArray =
                times.unary(|micros| IntervalMonthDayNano::new(0, 0, micros * 1000));
            Arc::new(spans)
        }
        (from, to) => return internal_err!("a time held as {from} is not one held as {to}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // PostgreSQL 15: SELECT '2026-07-01 12:00+00'::timestamptz::timetz with TimeZone America/New_York.
    #[test]
    fn a_moment_has_its_zones_time() {
        let zone = DataType::Timestamp(TimeUnit::Microsecond, Some("America/New_York".into()));
        let moments = arrow::array::TimestampMicrosecondArray::from(vec![
            Some(1_782_907_200_000_000),
            Some(i64::MAX),
            None,
        ]);
        let moments: ArrayRef = Arc::new(moments.with_data_type(zone));
        let times = as_times(&moments, &TIMETZ, "UTC").unwrap();
        let times = times.as_primitive::<Time64NanosecondType>();
        let time = Timetz::unpack(times.value(0));
        assert_eq!((time.micros / SECOND / 3600, time.west), (8, 4 * 3600));
        assert_eq!(arrow::array::Array::null_count(times), 2);
    }
}
