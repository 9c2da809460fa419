//! The operators on dates, times and intervals, as functions that the planner puts in their place.
//!
//! They have names that PostgreSQL's own operator functions have.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use super::super::calendar::{
    DAY, Infinite, SECOND, add_interval, checked_date, checked_timestamp, subtract,
};
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Ret, Spec};
use super::super::numeric::Numeric;
use super::super::types::Ty;
use super::super::value::{Date, Interval, Time, Timestamp, Timestamptz, Timetz, map1, map2};
use super::to_char::zone_of;

/// `+` with a date, time, timestamp or interval on one side.
pub(crate) const PLUS: Spec = Spec::stable(
    "datetime_pl",
    &[
        Overload::new(&[Ty::Date, Ty::Int4], Ty::Date, |call| map2(call, add_days)),
        Overload::new(&[Ty::Int4, Ty::Date], Ty::Date, |call| {
            map2(call, |days, date| add_days(date, days))
        }),
        Overload::new(&[Ty::Date, Ty::Interval], Ty::Timestamp, |call| {
            map2(call, |date: Date, span| {
                add_interval(date.timestamp()?, span)
            })
        }),
        Overload::new(&[Ty::Interval, Ty::Date], Ty::Timestamp, |call| {
            map2(call, |span, date: Date| {
                add_interval(date.timestamp()?, span)
            })
        }),
        Overload::new(&[Ty::Date, Ty::Time], Ty::Timestamp, |call| {
            map2(call, at_time)
        }),
        Overload::new(&[Ty::Time, Ty::Date], Ty::Timestamp, |call| {
            map2(call, |time, date| at_time(date, time))
        }),
        Overload::new(&[Ty::Date, Ty::Timetz], Ty::Timestamptz, |call| {
            map2(call, at_zoned_time)
        }),
        Overload::new(&[Ty::Timetz, Ty::Date], Ty::Timestamptz, |call| {
            map2(call, |time, date| at_zoned_time(date, time))
        }),
        Overload::new(&[Ty::Timestamp, Ty::Interval], Ty::Timestamp, |call| {
            map2(call, add_interval)
        }),
        Overload::new(&[Ty::Interval, Ty::Timestamp], Ty::Timestamp, |call| {
            map2(call, |span, moment| add_interval(moment, span))
        }),
        Overload::returning(&[Ty::Timestamptz, Ty::Interval], Ret::Arg(0), |call| {
            add_in_zone(call, 0)
        }),
        Overload::returning(&[Ty::Interval, Ty::Timestamptz], Ret::Arg(1), |call| {
            add_in_zone(call, 1)
        }),
        Overload::new(&[Ty::Time, Ty::Interval], Ty::Time, |call| {
            map2(call, add_to_time)
        }),
        Overload::new(&[Ty::Interval, Ty::Time], Ty::Time, |call| {
            map2(call, |span, time| add_to_time(time, span))
        }),
        Overload::new(&[Ty::Timetz, Ty::Interval], Ty::Timetz, |call| {
            map2(call, add_to_timetz)
        }),
        Overload::new(&[Ty::Interval, Ty::Timetz], Ty::Timetz, |call| {
            map2(call, |span, time| add_to_timetz(time, span))
        }),
        Overload::new(&[Ty::Interval, Ty::Interval], Ty::Interval, |call| {
            map2(call, sum)
        }),
    ],
);

/// `-` with a date, time, timestamp or interval on the left.
pub(crate) const MINUS: Spec = Spec::stable(
    "datetime_mi",
    &[
        Overload::new(&[Ty::Date, Ty::Date], Ty::Int4, |call| {
            map2(call, days_between)
        }),
        Overload::new(&[Ty::Date, Ty::Int4], Ty::Date, |call| {
            map2(call, |date, days: i32| {
                add_days(date, days.checked_neg().ok_or_else(PgError::date_range)?)
            })
        }),
        Overload::new(&[Ty::Date, Ty::Interval], Ty::Timestamp, |call| {
            map2(call, |date: Date, span: Interval| {
                add_interval(date.timestamp()?, span.negate()?)
            })
        }),
        Overload::new(&[Ty::Timestamp, Ty::Timestamp], Ty::Interval, |call| {
            map2(call, subtract)
        }),
        Overload::new(&[Ty::Timestamptz, Ty::Timestamptz], Ty::Interval, |call| {
            map2(call, |left: Timestamptz, right: Timestamptz| {
                subtract(Timestamp(left.0), Timestamp(right.0))
            })
        }),
        Overload::new(&[Ty::Timestamp, Ty::Interval], Ty::Timestamp, |call| {
            map2(call, |moment, span: Interval| {
                add_interval(moment, span.negate()?)
            })
        }),
        Overload::returning(&[Ty::Timestamptz, Ty::Interval], Ret::Arg(0), |call| {
            let zone = zone_of(call, 0)?;
            map2(call, |moment: Timestamptz, span: Interval| {
                shift(moment, span.negate()?, &zone)
            })
        }),
        Overload::new(&[Ty::Time, Ty::Time], Ty::Interval, |call| {
            map2(call, |left: Time, right: Time| {
                Ok(Interval {
                    micros: left.0 - right.0,
                    ..Interval::default()
                })
            })
        }),
        Overload::new(&[Ty::Time, Ty::Interval], Ty::Time, |call| {
            map2(call, |time, span: Interval| {
                add_to_time(time, span.negate()?)
            })
        }),
        Overload::new(&[Ty::Timetz, Ty::Interval], Ty::Timetz, |call| {
            map2(call, |time, span: Interval| {
                add_to_timetz(time, span.negate()?)
            })
        }),
        Overload::new(&[Ty::Interval, Ty::Interval], Ty::Interval, |call| {
            map2(call, |left, right: Interval| sum(left, right.negate()?))
        }),
    ],
);

/// `interval * double` and `double * interval`.
pub(crate) const TIMES: Spec = Spec::immutable(
    "interval_mul",
    &[
        Overload::new(&[Ty::Interval, Ty::Float8], Ty::Interval, |call| {
            map2(call, scale)
        }),
        Overload::new(&[Ty::Float8, Ty::Interval], Ty::Interval, |call| {
            map2(call, |factor, span| scale(span, factor))
        }),
    ],
);

/// `interval / double`.
pub(crate) const DIVIDE: Spec = Spec::immutable(
    "interval_div",
    &[Overload::new(
        &[Ty::Interval, Ty::Float8],
        Ty::Interval,
        |call| {
            map2(call, |span, by: f64| {
                if by == 0.0 {
                    Err(PgError::DivisionByZero)
                } else {
                    divided(span, by)
                }
            })
        },
    )],
);

/// `- interval`.
pub(crate) const NEGATE: Spec = Spec::immutable(
    "interval_um",
    &[Overload::new(&[Ty::Interval], Ty::Interval, |call| {
        map1(call, Interval::negate)
    })],
);

fn add_days(date: Date, days: i32) -> PgResult<Date> {
    if date.infinite() {
        return Ok(date);
    }
    checked_date(i64::from(date.0) + i64::from(days))
}

fn days_between(left: Date, right: Date) -> PgResult<i32> {
    if left.infinite() || right.infinite() {
        return Err(PgError::DatetimeOverflow(
            "cannot subtract infinite dates".to_owned(),
        ));
    }
    left.0.checked_sub(right.0).ok_or_else(PgError::date_range)
}

fn at_time(date: Date, time: Time) -> PgResult<Timestamp> {
    let midnight = date.timestamp()?;
    Ok(if midnight.infinite() {
        midnight
    } else {
        Timestamp(midnight.0 + time.0)
    })
}

fn add_in_zone(call: &Call<'_>, moment: usize) -> Result<ArrayRef> {
    let zone = zone_of(call, moment)?;
    if moment == 0 {
        map2(call, |moment, span| shift(moment, span, &zone))
    } else {
        map2(call, |span, moment| shift(moment, span, &zone))
    }
}

/// Months and days move the wall clock, the time moves the moment.
pub(crate) fn shift(
    moment: Timestamptz,
    span: Interval,
    zone: &super::super::zone::Zone,
) -> PgResult<Timestamptz> {
    if Timestamp(moment.0).infinite() {
        return Ok(moment);
    }
    let mut moved = moment;
    if span.months != 0 || span.days != 0 {
        moved = zone.moment(add_interval(
            zone.local(moment),
            Interval { micros: 0, ..span },
        )?)?;
    }
    let micros = moved
        .0
        .checked_add(span.micros)
        .ok_or_else(PgError::timestamp_range)?;
    super::super::calendar::checked_timestamp(micros).map(|moment| Timestamptz(moment.0))
}

fn add_to_time(time: Time, span: Interval) -> PgResult<Time> {
    Ok(Time((time.0 + span.micros % DAY).rem_euclid(DAY)))
}

fn add_to_timetz(time: Timetz, span: Interval) -> PgResult<Timetz> {
    let Time(micros) = add_to_time(Time(time.micros), span)?;
    Ok(Timetz { micros, ..time })
}

fn at_zoned_time(date: Date, time: Timetz) -> PgResult<Timestamptz> {
    let Timestamp(wall) = at_time(date, Time(time.micros))?;
    if Timestamp(wall).infinite() {
        return Ok(Timestamptz(wall));
    }
    let moment = wall.saturating_add(i64::from(time.west) * SECOND);
    checked_timestamp(moment).map(|moment| Timestamptz(moment.0))
}

fn sum(left: Interval, right: Interval) -> PgResult<Interval> {
    let parts = (
        left.months.checked_add(right.months),
        left.days.checked_add(right.days),
        left.micros.checked_add(right.micros),
    );
    match parts {
        (Some(months), Some(days), Some(micros)) => Ok(Interval {
            months,
            days,
            micros,
        }),
        _ => Err(PgError::interval_range()),
    }
}

/// What `interval / double` gives.
pub(crate) fn divided(span: Interval, by: f64) -> PgResult<Interval> {
    apply(span, |value| value / by)
}

/// The span that lies this share of the way from one to another.
pub(crate) fn between(low: Interval, high: Interval, share: f64) -> PgResult<Interval> {
    let way = sum(high, low.negate()?)?;
    sum(low, scale(way, share)?)
}

fn scale(span: Interval, factor: f64) -> PgResult<Interval> {
    apply(span, |value| value * factor)
}

/// Fractions of months spill into days of 30 a month, fractions of days into time.
fn apply(span: Interval, operate: impl Fn(f64) -> f64) -> PgResult<Interval> {
    let narrow = |value: f64| {
        let fits =
            value.is_finite() && value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
        if fits {
            Ok(value.trunc() as i32)
        } else {
            Err(PgError::interval_range())
        }
    };
    // What is left is rounded to microseconds, so that 0.1 days are no hair more or less.
    let tidy = |value: f64| (value * 1e6).round_ties_even() / 1e6;
    let (whole_months, whole_days) = (
        operate(f64::from(span.months)),
        operate(f64::from(span.days)),
    );
    let months = narrow(whole_months)?;
    let days = narrow(whole_days)?;
    let mut month_days = tidy((whole_months - whole_months.trunc()) * 30.0);
    let mut seconds =
        tidy((whole_days - whole_days.trunc() + month_days - month_days.trunc()) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        month_days += (seconds / 86_400.0).trunc();
        seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
    }
    let days = days
        .checked_add(narrow(month_days)?)
        .ok_or_else(PgError::interval_range)?;
    let micros = (operate(span.micros as f64) + seconds * 1e6).round_ties_even();
    if !micros.is_finite() || micros.abs() > 9.2e18 {
        return Err(PgError::interval_range());
    }
    Ok(Interval {
        months,
        days,
        micros: micros as i64,
    })
}

/// How long an interval is, for comparisons: a month has 30 days and a day 24 hours.
pub(crate) const LENGTH: Spec = Spec::immutable(
    "interval_length",
    &[Overload::returning(
        &[Ty::Interval],
        Ret::By(|_| {
            Ok(Field::new(
                "interval_length",
                DataType::Decimal128(38, 0),
                true,
            ))
        }),
        |call| {
            map1(call, |interval: Interval| {
                let days = i128::from(interval.months) * 30 + i128::from(interval.days);
                let micros = days * 86_400_000_000 + i128::from(interval.micros);
                Ok(Numeric::new(micros, 0))
            })
        },
    )],
);
