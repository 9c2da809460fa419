//! Dates, timestamps and timestamps with a zone as one another, infinities included.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, internal_err};

use super::super::calendar::{DAY, Infinite};
use super::super::error::{PgError, PgResult};
use super::super::value::{Date, Timestamp, Timestamptz};
use super::super::zone::Zone;

/// How a type counts moments.
enum Kind {
    Day,
    Wall,
    Zoned(Zone),
}

impl Kind {
    fn of(data_type: &DataType) -> PgResult<Option<Self>> {
        Ok(match data_type {
            DataType::Date32 => Some(Self::Day),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Some(Self::Wall),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
                Some(Self::Zoned(Zone::of_type(zone)?))
            }
            _ => None,
        })
    }
}

/// Whether values of a type are dates or timestamps as tables hold them.
pub fn is_moment(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _)
    )
}

fn day_of(wall: Timestamp) -> i32 {
    match wall.0 {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        micros => micros.div_euclid(DAY) as i32,
    }
}

/// The midnight with which a day begins.
fn midnight(day: i32, kind: &Kind) -> PgResult<i64> {
    let wall = Date(day).timestamp()?;
    Ok(match kind {
        Kind::Zoned(zone) => zone.moment(wall)?.0,
        Kind::Day | Kind::Wall => wall.0,
    })
}

/// Moments as those of another type, as PostgreSQL casts them.
///
/// # Errors
/// 22008 for a day that no timestamp reaches, 22023 for a zone that is not known.
pub fn as_moments(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    let (from, to) = (Kind::of(array.data_type())?, Kind::of(wanted)?);
    let (Some(from), Some(to)) = (from, to) else {
        return internal_err!("{} and {wanted} are not both moments", array.data_type());
    };
    let micros = |array: &ArrayRef, f: &dyn Fn(i64) -> PgResult<i64>| -> Result<ArrayRef> {
        let moments = array.as_primitive::<TimestampMicrosecondType>();
        let moved: TimestampMicrosecondArray = moments.try_unary(f)?;
        Ok(Arc::new(moved.with_data_type(wanted.clone())))
    };
    let days = |array: &ArrayRef, f: &dyn Fn(i64) -> Timestamp| -> ArrayRef {
        let moments = array.as_primitive::<TimestampMicrosecondType>();
        let days: Date32Array = moments.unary(|moment| day_of(f(moment)));
        Arc::new(days)
    };
    Ok(match (from, to) {
        (Kind::Day, Kind::Day) => Arc::clone(array),
        (Kind::Day, to) => {
            let days = array.as_primitive::<Date32Type>();
            let moments: TimestampMicrosecondArray = days.try_unary(|day| midnight(day, &to))?;
            Arc::new(moments.with_data_type(wanted.clone()))
        }
        (Kind::Wall, Kind::Day) => days(array, &Timestamp),
        (Kind::Zoned(zone), Kind::Day) => days(array, &|moment| zone.local(Timestamptz(moment))),
        (Kind::Wall, Kind::Zoned(zone)) => {
            micros(array, &|wall| Ok(zone.moment(Timestamp(wall))?.0))?
        }
        (Kind::Zoned(zone), Kind::Wall) => {
            micros(array, &|moment| Ok(zone.local(Timestamptz(moment)).0))?
        }
        (Kind::Wall, Kind::Wall) | (Kind::Zoned(_), Kind::Zoned(_)) => micros(array, &Ok)?,
    })
}

/// The days whose midnight is a moment, from the first to before the second; none for infinity.
///
/// Both are the first day that begins later where no day begins then.
///
/// # Errors
/// As [`as_moments`].
pub fn days_at(moment: i64, data_type: &DataType) -> Result<Option<(i32, i32)>, PgError> {
    let Some(kind) = Kind::of(data_type)? else {
        return Ok(None);
    };
    if Timestamp(moment).infinite() {
        return Ok(None);
    }
    // Zones are less than a day from Greenwich.
    let near = day_of(Timestamp(moment));
    for day in near.saturating_sub(2)..=near.saturating_add(2) {
        let begins = midnight(day, &kind)?;
        if begins >= moment {
            let end = if begins == moment { day + 1 } else { day };
            return Ok(Some((day, end)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONED: &str = "America/New_York";

    fn zoned() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some(ZONED.into()))
    }

    #[test]
    fn infinities_and_far_days_go_both_ways() {
        let wall = DataType::Timestamp(TimeUnit::Microsecond, None);
        let days: ArrayRef = Arc::new(Date32Array::from(vec![
            Some(i32::MAX),
            Some(i32::MIN),
            Some(376_200),
            Some(-1),
            None,
        ]));
        for data_type in [wall, zoned()] {
            let moments = as_moments(&days, &data_type).unwrap();
            assert_eq!(moments.data_type(), &data_type);
            assert_eq!(&as_moments(&moments, &DataType::Date32).unwrap(), &days);
        }
    }

    #[test]
    fn a_day_too_far_is_an_error() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![2_000_000_000]));
        let wall = DataType::Timestamp(TimeUnit::Microsecond, None);
        let error = as_moments(&days, &wall).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("date out of range for timestamp")
        );
    }

    #[test]
    fn days_are_found_by_their_midnight() {
        // 2024-03-10 05:00 UTC is midnight in New York; PostgreSQL: SELECT '2024-03-10'::timestamptz.
        let midnight = 1_710_046_800_000_000;
        assert_eq!(days_at(midnight, &zoned()).unwrap(), Some((19_792, 19_793)));
        assert_eq!(
            days_at(midnight + 1, &zoned()).unwrap(),
            Some((19_793, 19_793))
        );
        assert_eq!(days_at(i64::MAX, &zoned()).unwrap(), None);
    }
}
