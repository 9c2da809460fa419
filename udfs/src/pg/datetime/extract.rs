//! `extract` (numeric) and `date_part` (double precision) of dates, times, timestamps and intervals.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field as ArrowField};
use datafusion::common::Result;

use super::super::calendar::{
    DAY, HOUR, Infinite, MINUTE, Parts, SECOND, UNIX_JULIAN, common_year,
};
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::numeric::Numeric;
use super::super::types::Ty;
use super::super::value::{
    Date, FromColumn, Interval, IntoColumn, Memo, Reader, Time, Timestamp, Timestamptz, Timetz,
    rows,
};
use super::super::zone::Zone;
use super::to_char::zone_of;

/// `extract(field FROM value)` as a function; the planner gives it the field's name.
pub(crate) const EXTRACT: Spec = Spec::stable(
    "extract",
    &[
        Overload::returning(
            &[Ty::Text, Ty::Timestamptz],
            Ret::By(numeric),
            timestamptz::<Numeric>,
        ),
        Overload::returning(
            &[Ty::Text, Ty::Timestamp],
            Ret::By(numeric),
            timestamp::<Numeric>,
        ),
        Overload::returning(&[Ty::Text, Ty::Date], Ret::By(numeric), date::<Numeric>),
        Overload::returning(&[Ty::Text, Ty::Time], Ret::By(numeric), time::<Numeric>),
        Overload::returning(&[Ty::Text, Ty::Timetz], Ret::By(numeric), timetz::<Numeric>),
        Overload::returning(
            &[Ty::Text, Ty::Interval],
            Ret::By(numeric),
            interval::<Numeric>,
        ),
    ],
);

/// `date_part(field, value)`.
pub(crate) const DATE_PART: Spec = Spec::stable(
    "date_part",
    &[
        Overload::new(&[Ty::Text, Ty::Timestamptz], Ty::Float8, timestamptz::<f64>),
        Overload::new(&[Ty::Text, Ty::Timestamp], Ty::Float8, timestamp::<f64>),
        Overload::new(&[Ty::Text, Ty::Date], Ty::Float8, timestamp_of_date::<f64>),
        Overload::new(&[Ty::Text, Ty::Time], Ty::Float8, time::<f64>),
        Overload::new(&[Ty::Text, Ty::Timetz], Ty::Float8, timetz::<f64>),
        Overload::new(&[Ty::Text, Ty::Interval], Ty::Float8, interval::<f64>),
    ],
)
.also(&["datepart"]);

/// A field of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
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
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
    Julian,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

impl Part {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "microseconds" | "microsecond" | "us" | "usec" | "usecs" | "usecond" | "useconds"
            | "microsecon" => Self::Microseconds,
            "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" | "msecond" | "mseconds"
            | "millisecon" => Self::Milliseconds,
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Second,
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Minute,
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Hour,
            "day" | "days" | "d" => Self::Day,
            "week" | "weeks" | "w" => Self::Week,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "quarter" | "qtr" => Self::Quarter,
            "year" | "years" | "yr" | "yrs" | "y" => Self::Year,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "century" | "centuries" | "cent" | "c" => Self::Century,
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "isoyear" => Self::IsoYear,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "epoch" => Self::Epoch,
            "julian" | "j" | "jd" => Self::Julian,
            "timezone" => Self::Timezone,
            "timezone_hour" | "timezone_h" => Self::TimezoneHour,
            "timezone_minute" | "timezone_m" => Self::TimezoneMinute,
            _ => return None,
        })
    }

    /// How many digits after the point PostgreSQL shows.
    fn scale(self) -> i8 {
        match self {
            Self::Second | Self::Epoch => 6,
            Self::Milliseconds => 3,
            Self::Julian => 20,
            _ => 0,
        }
    }
}

/// Seconds, milliseconds and epoch have a fixed number of digits, other fields are whole.
fn numeric(planned: &Planned<'_>) -> Result<ArrowField> {
    let whole_day = planned
        .fields
        .get(1)
        .is_some_and(|field| matches!(field.data_type(), DataType::Date32));
    let scale = match planned.text(0).map(Part::parse) {
        Some(Some(_)) if whole_day => 0,
        Some(Some(part)) => part.scale(),
        // An unknown field fails when it runs; a field from a column may be any.
        Some(None) | None => 6,
    };
    Ok(ArrowField::new(
        "extract",
        DataType::Decimal128(38, scale),
        true,
    ))
}

/// What a field is: a number with a fixed scale, or an infinite one, or none.
enum Extracted {
    Exact(i128, i32),
    Infinite(bool),
    Null,
}

/// The type that the answer has.
trait Answer: IntoColumn {
    fn answer(value: Extracted) -> PgResult<Option<Self>>;
}

impl Answer for Numeric {
    fn answer(value: Extracted) -> PgResult<Option<Self>> {
        match value {
            Extracted::Exact(unscaled, scale) => Ok(Some(Self::new(unscaled, scale))),
            Extracted::Infinite(true) => Ok(Some(Self::Infinity)),
            Extracted::Infinite(false) => Ok(Some(Self::NegativeInfinity)),
            Extracted::Null => Ok(None),
        }
    }
}

impl Answer for f64 {
    fn answer(value: Extracted) -> PgResult<Option<Self>> {
        Ok(match value {
            Extracted::Exact(unscaled, scale) => Some(unscaled as Self / 10_f64.powi(scale)),
            Extracted::Infinite(positive) => Some(if positive {
                Self::INFINITY
            } else {
                Self::NEG_INFINITY
            }),
            Extracted::Null => None,
        })
    }
}

fn each<'a, V: FromColumn<'a>, R: Answer>(
    call: &'a Call<'_>,
    type_name: &str,
    extract: impl Fn(V, Part) -> PgResult<Option<Extracted>>,
) -> Result<ArrayRef> {
    let names = Reader::<&str>::of(call, 0)?;
    let values = Reader::<V>::of(call, 1)?;
    let mut memo = Memo::new();
    rows(call, |row| {
        let (Some(name), Some(value)) = (names.get(row)?, values.get(row)?) else {
            return Ok(None);
        };
        let refused = |known: &str| {
            PgError::InvalidParameter(format!(
                "unit \"{}\" {known} for type {type_name}",
                name.to_ascii_lowercase()
            ))
        };
        let part = memo
            .get(name, |name| Ok(Part::parse(name)))?
            .ok_or_else(|| refused("not recognized"))?;
        match extract(value, part)? {
            Some(value) => R::answer(value),
            None => Err(PgError::NotSupported(refused("not supported").to_string())),
        }
    })
}

fn timestamp<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    each::<Timestamp, R>(call, "timestamp without time zone", |moment, part| {
        of_timestamp(moment, part, None, moment.0)
    })
}

fn timestamp_of_date<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    each::<Date, R>(call, "timestamp without time zone", |date, part| {
        let moment = date.timestamp()?;
        of_timestamp(moment, part, None, moment.0)
    })
}

fn timestamptz<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    let zone: Zone = zone_of(call, 1)?;
    each::<Timestamptz, R>(call, "timestamp with time zone", |moment, part| {
        of_timestamp(
            zone.local(moment),
            part,
            Some(zone.offset_at(moment)),
            moment.0,
        )
    })
}

fn whole(value: impl Into<i128>) -> Option<Extracted> {
    Some(Extracted::Exact(value.into(), 0))
}

fn of_timestamp(
    wall: Timestamp,
    part: Part,
    offset: Option<i32>,
    utc: i64,
) -> PgResult<Option<Extracted>> {
    if wall.infinite() {
        return Ok(of_infinity(wall.0 > 0, part, offset.is_some()));
    }
    let parts = Parts::of(wall.0);
    Ok(match (part, offset) {
        (Part::Epoch, _) => Some(Extracted::Exact(i128::from(utc), 6)),
        (Part::Julian, _) => {
            let days = i128::from(parts.days() + UNIX_JULIAN);
            let day = i128::from(DAY);
            let digits = (i128::from(parts.time) * 10_i128.pow(20) + day / 2) / day;
            Some(Extracted::Exact(days * 10_i128.pow(20) + digits, 20))
        }
        (Part::Timezone, Some(offset)) => whole(offset),
        (Part::TimezoneHour, Some(offset)) => whole(offset / 3600),
        (Part::TimezoneMinute, Some(offset)) => whole(offset / 60 % 60),
        _ => of_time(parts.time, part).or_else(|| of_date_parts(&parts, part)),
    })
}

fn of_infinity(positive: bool, part: Part, zoned: bool) -> Option<Extracted> {
    match part {
        Part::Timezone | Part::TimezoneHour | Part::TimezoneMinute if !zoned => None,
        Part::Year
        | Part::Decade
        | Part::Century
        | Part::Millennium
        | Part::IsoYear
        | Part::Epoch
        | Part::Julian => Some(Extracted::Infinite(positive)),
        _ => Some(Extracted::Null),
    }
}

/// The fields of a time of day, or of an interval's time.
fn of_time(micros: i64, part: Part) -> Option<Extracted> {
    let seconds = i128::from(micros % MINUTE);
    match part {
        Part::Microseconds => whole(seconds),
        Part::Milliseconds => Some(Extracted::Exact(seconds, 3)),
        Part::Second => Some(Extracted::Exact(seconds, 6)),
        Part::Minute => whole(micros / MINUTE % 60),
        Part::Hour => whole(micros / HOUR),
        _ => None,
    }
}

fn of_date_parts(parts: &Parts, part: Part) -> Option<Extracted> {
    let year = parts.year;
    let up = |length: i32| {
        if year > 0 {
            (year + length - 1) / length
        } else {
            -((length - 1 - (year - 1)) / length)
        }
    };
    match part {
        Part::Day => whole(parts.day),
        Part::Month => whole(parts.month),
        Part::Quarter => whole((parts.month - 1) / 3 + 1),
        Part::Week => whole(parts.iso_week().1),
        Part::Year => whole(common_year(year)),
        Part::Decade => whole(year.div_euclid(10)),
        Part::Century => whole(up(100)),
        Part::Millennium => whole(up(1000)),
        Part::IsoYear => whole(common_year(parts.iso_week().0)),
        Part::DayOfWeek => whole(parts.weekday()),
        Part::IsoDayOfWeek => whole((parts.weekday() + 6) % 7 + 1),
        Part::DayOfYear => whole(parts.day_of_year()),
        _ => None,
    }
}

fn date<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    each::<Date, R>(call, "date", |date, part| {
        let time_of_day = matches!(
            part,
            Part::Microseconds
                | Part::Milliseconds
                | Part::Second
                | Part::Minute
                | Part::Hour
                | Part::Timezone
                | Part::TimezoneHour
                | Part::TimezoneMinute
        );
        if time_of_day {
            return Ok(None);
        }
        if date.infinite() {
            return Ok(of_infinity(date.0 > 0, part, false));
        }
        let days = i64::from(date.0);
        Ok(match part {
            Part::Epoch => whole(days * 86_400),
            Part::Julian => whole(days + UNIX_JULIAN),
            _ => of_date_parts(&Parts::of_days(days), part),
        })
    })
}

fn time<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    each::<Time, R>(call, "time without time zone", |time, part| {
        Ok(match part {
            Part::Epoch => Some(Extracted::Exact(i128::from(time.0), 6)),
            _ => of_time(time.0, part),
        })
    })
}

fn timetz<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    each::<Timetz, R>(call, "time with time zone", |time, part| {
        let east = -time.west;
        Ok(match part {
            Part::Epoch => {
                let utc = time.micros + i64::from(time.west) * SECOND;
                Some(Extracted::Exact(i128::from(utc), 6))
            }
            Part::Timezone => whole(east),
            Part::TimezoneHour => whole(east / 3600),
            Part::TimezoneMinute => whole(east / 60 % 60),
            _ => of_time(time.micros, part),
        })
    })
}

fn interval<R: Answer>(call: &Call<'_>) -> Result<ArrayRef> {
    each::<Interval, R>(call, "interval", |span, part| {
        let years = span.months / 12;
        Ok(match part {
            Part::Epoch => {
                // A year is 365.25 days, so a whole number of seconds.
                let days = i128::from(years) * 31_557_600
                    + i128::from(span.months % 12) * 30 * 86_400
                    + i128::from(span.days) * 86_400;
                Some(Extracted::Exact(
                    days * i128::from(SECOND) + i128::from(span.micros),
                    6,
                ))
            }
            Part::Day => whole(span.days),
            Part::Month => whole(span.months % 12),
            Part::Quarter => whole(span.months % 12 / 3 + 1),
            Part::Year => whole(years),
            Part::Decade => whole(years / 10),
            Part::Century => whole(years / 100),
            Part::Millennium => whole(years / 1000),
            _ => of_time(span.micros, part),
        })
    })
}

/// The planner's door to this function.
pub(crate) fn extract_udf() -> Arc<datafusion::logical_expr::ScalarUDF> {
    Arc::new(EXTRACT.udf())
}
