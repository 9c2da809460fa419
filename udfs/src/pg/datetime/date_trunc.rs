//! `date_trunc` from microseconds to millennium, and `date_bin`.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::calendar::{DAY, HOUR, Infinite, MINUTE, Parts, SECOND, checked_timestamp};
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Ret, Spec};
use super::super::types::Ty;
use super::super::value::{Interval, Memo, Timestamp, Timestamptz, map2, map3};
use super::super::zone::Zone;
use super::to_char::zone_of;

/// `date_trunc(unit, value [, zone])`.
pub(crate) const DATE_TRUNC: Spec = Spec::stable(
    "date_trunc",
    &[
        Overload::returning(
            &[Ty::Text, Ty::Timestamptz],
            Ret::Is(Ty::Timestamptz),
            timestamptz,
        ),
        Overload::returning(
            &[Ty::Text, Ty::Timestamp],
            Ret::Is(Ty::Timestamp),
            timestamp,
        ),
        Overload::returning(&[Ty::Text, Ty::Interval], Ret::Is(Ty::Interval), interval),
        Overload::returning(
            &[Ty::Text, Ty::Timestamptz, Ty::Text],
            Ret::Is(Ty::Timestamptz),
            timestamptz_in_zone,
        ),
    ],
)
.ordered_by(1);

/// `date_bin(stride, source, origin)`.
pub(crate) const DATE_BIN: Spec = Spec::immutable(
    "date_bin",
    &[
        Overload::new(
            &[Ty::Interval, Ty::Timestamptz, Ty::Timestamptz],
            Ty::Timestamptz,
            |call| {
                map3(call, |stride, source: Timestamptz, origin: Timestamptz| {
                    bin(stride, source.0, origin.0).map(Timestamptz)
                })
            },
        ),
        Overload::new(
            &[Ty::Interval, Ty::Timestamp, Ty::Timestamp],
            Ty::Timestamp,
            |call| {
                map3(call, |stride, source: Timestamp, origin: Timestamp| {
                    bin(stride, source.0, origin.0).map(Timestamp)
                })
            },
        ),
    ],
);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

/// A unit that is known, one that is known but can't be truncated to, or an unknown word.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Unit(Unit),
    Unsupported,
    Unknown,
}

impl Asked {
    fn parse(name: &str) -> Self {
        Self::Unit(match name.to_ascii_lowercase().as_str() {
            "microseconds" | "microsecond" | "us" | "usec" | "usecs" | "usecond" | "useconds"
            | "microsecon" => Unit::Microseconds,
            "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" | "msecond" | "mseconds"
            | "millisecon" => Unit::Milliseconds,
            "second" | "seconds" | "sec" | "secs" | "s" => Unit::Second,
            "minute" | "minutes" | "min" | "mins" | "m" => Unit::Minute,
            "hour" | "hours" | "hr" | "hrs" | "h" => Unit::Hour,
            "day" | "days" | "d" => Unit::Day,
            "week" | "weeks" | "w" => Unit::Week,
            "month" | "months" | "mon" | "mons" => Unit::Month,
            "quarter" | "qtr" => Unit::Quarter,
            "year" | "years" | "yr" | "yrs" | "y" => Unit::Year,
            "decade" | "decades" | "dec" | "decs" => Unit::Decade,
            "century" | "centuries" | "cent" | "c" => Unit::Century,
            "millennium" | "millennia" | "mil" | "mils" => Unit::Millennium,
            "timezone" | "timezone_h" | "timezone_hour" | "timezone_m" | "timezone_minute" => {
                return Self::Unsupported;
            }
            _ => return Self::Unknown,
        })
    }

    fn unit(self, name: &str, type_name: &str) -> PgResult<Unit> {
        let name = name.to_ascii_lowercase();
        match self {
            Self::Unit(unit) => Ok(unit),
            Self::Unsupported => Err(PgError::NotSupported(format!(
                "unit \"{name}\" not supported for type {type_name}"
            ))),
            Self::Unknown => Err(PgError::InvalidParameter(format!(
                "unit \"{name}\" not recognized for type {type_name}"
            ))),
        }
    }
}

fn truncate(moment: Timestamp, unit: Unit) -> PgResult<Timestamp> {
    if moment.infinite() {
        return Ok(moment);
    }
    let step = match unit {
        Unit::Microseconds => return Ok(moment),
        Unit::Milliseconds => 1000,
        Unit::Second => SECOND,
        Unit::Minute => MINUTE,
        Unit::Hour => HOUR,
        Unit::Day => DAY,
        _ => return truncate_date(moment, unit),
    };
    Ok(Timestamp(moment.0 - moment.0.rem_euclid(step)))
}

fn truncate_date(moment: Timestamp, unit: Unit) -> PgResult<Timestamp> {
    let mut parts = Parts {
        time: 0,
        day: 1,
        ..Parts::of(moment.0)
    };
    match unit {
        Unit::Week => {
            let days = moment.0.div_euclid(DAY);
            let monday = days - (super::super::calendar::weekday(days) + 6) % 7;
            return checked_timestamp(monday * DAY);
        }
        Unit::Quarter => parts.month = (parts.month - 1) / 3 * 3 + 1,
        Unit::Month => {}
        _ => parts.month = 1,
    }
    // Centuries and millennia begin with year 1; there is no year 0.
    parts.year = match unit {
        Unit::Decade => parts.year.div_euclid(10) * 10,
        Unit::Century => (parts.year - 1).div_euclid(100) * 100 + 1,
        Unit::Millennium => (parts.year - 1).div_euclid(1000) * 1000 + 1,
        _ => parts.year,
    };
    parts.timestamp()
}

fn timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    map2(call, |name: &str, moment: Timestamp| {
        let unit = memo
            .get(name, |name| Ok(Asked::parse(name)))?
            .unit(name, "timestamp without time zone")?;
        truncate(moment, unit)
    })
}

fn in_zone(moment: Timestamptz, unit: Unit, zone: &Zone) -> PgResult<Timestamptz> {
    if unit >= Unit::Day {
        return zone.moment(truncate(zone.local(moment), unit)?);
    }
    // Below a day the offset of the moment stays, so that an hour shown twice is not mixed up.
    let offset = i64::from(zone.offset_at(moment)) * SECOND;
    if Timestamp(moment.0).infinite() {
        return Ok(moment);
    }
    Ok(Timestamptz(
        truncate(Timestamp(moment.0 + offset), unit)?.0 - offset,
    ))
}

fn timestamptz(call: &Call<'_>) -> Result<ArrayRef> {
    let zone = zone_of(call, 1)?;
    let mut memo = Memo::new();
    map2(call, |name: &str, moment: Timestamptz| {
        let unit = memo
            .get(name, |name| Ok(Asked::parse(name)))?
            .unit(name, "timestamp with time zone")?;
        in_zone(moment, unit, &zone)
    })
}

fn timestamptz_in_zone(call: &Call<'_>) -> Result<ArrayRef> {
    let (mut memo, mut zones) = (Memo::new(), Memo::new());
    map3(call, |name: &str, moment: Timestamptz, zone: &str| {
        let unit = memo
            .get(name, |name| Ok(Asked::parse(name)))?
            .unit(name, "timestamp with time zone")?;
        in_zone(moment, unit, zones.get(zone, Zone::named)?)
    })
}

fn interval(call: &Call<'_>) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    map2(call, |name: &str, span: Interval| {
        let unit = memo
            .get(name, |name| Ok(Asked::parse(name)))?
            .unit(name, "interval")?;
        let months = |length: i32| Interval {
            months: span.months / length * length,
            days: 0,
            micros: 0,
        };
        let time = |step: i64| Interval {
            micros: span.micros / step * step,
            ..span
        };
        Ok(match unit {
            Unit::Microseconds => span,
            Unit::Milliseconds => time(1000),
            Unit::Second => time(SECOND),
            Unit::Minute => time(MINUTE),
            Unit::Hour => time(HOUR),
            Unit::Day => Interval { micros: 0, ..span },
            Unit::Week => {
                return Err(PgError::NotSupported(
                    "unit \"week\" not supported for type interval".to_owned(),
                ));
            }
            Unit::Month => months(1),
            Unit::Quarter => months(3),
            Unit::Year => months(12),
            Unit::Decade => months(120),
            Unit::Century => months(1200),
            Unit::Millennium => months(12_000),
        })
    })
}

fn bin(stride: Interval, source: i64, origin: i64) -> PgResult<i64> {
    let out_of_range = |text: &str| PgError::DatetimeOverflow(text.to_owned());
    if Timestamp(source).infinite() {
        return Ok(source);
    }
    if Timestamp(origin).infinite() {
        return Err(out_of_range("origin out of range"));
    }
    if stride.months != 0 {
        let text = "timestamps cannot be binned into intervals containing months or years";
        return Err(PgError::NotSupported(text.to_owned()));
    }
    let length = i64::from(stride.days)
        .checked_mul(DAY)
        .and_then(|days| days.checked_add(stride.micros));
    let length = length.ok_or_else(PgError::interval_range)?;
    if length <= 0 {
        return Err(out_of_range("stride must be greater than zero"));
    }
    let distance = source
        .checked_sub(origin)
        .ok_or_else(PgError::interval_range)?;
    checked_timestamp(origin + distance.div_euclid(length) * length).map(|moment| moment.0)
}
