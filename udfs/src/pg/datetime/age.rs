//! `age`, `justify_days`, `justify_hours`, `justify_interval` and `isfinite`.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::calendar::{DAY, Infinite, Parts, days_in_month};
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Date, Interval, Timestamp, Timestamptz, map1, map2};
use super::now::midnight;
use super::to_char::zone_of;

/// `age(later, earlier)`, `age(earlier)` from today's midnight.
pub(crate) const AGE: Spec = Spec::stable(
    "age",
    &[
        Overload::new(
            &[Ty::Timestamptz, Ty::Timestamptz],
            Ty::Interval,
            timestamptz,
        ),
        Overload::new(&[Ty::Timestamp, Ty::Timestamp], Ty::Interval, |call| {
            map2(call, age)
        }),
        Overload::new(&[Ty::Timestamptz], Ty::Interval, |call| {
            let zone = zone_of(call, 0)?;
            let today = midnight(&zone)?;
            map1(call, |moment: Timestamptz| age(today, zone.local(moment)))
        }),
        Overload::new(&[Ty::Timestamp], Ty::Interval, |call| {
            let zone = zone_of(call, 0)?;
            let today = midnight(&zone)?;
            map1(call, |moment: Timestamp| age(today, moment))
        }),
    ],
);

pub(crate) const JUSTIFY_DAYS: Spec = Spec::immutable(
    "justify_days",
    &[Overload::new(&[Ty::Interval], Ty::Interval, |call| {
        map1(call, justify_days)
    })],
);

pub(crate) const JUSTIFY_HOURS: Spec = Spec::immutable(
    "justify_hours",
    &[Overload::new(&[Ty::Interval], Ty::Interval, |call| {
        map1(call, justify_hours)
    })],
);

pub(crate) const JUSTIFY_INTERVAL: Spec = Spec::immutable(
    "justify_interval",
    &[Overload::new(&[Ty::Interval], Ty::Interval, |call| {
        map1(call, justify_interval)
    })],
);

pub(crate) const ISFINITE: Spec = Spec::immutable(
    "isfinite",
    &[
        Overload::new(&[Ty::Timestamptz], Ty::Bool, |call| {
            map1(call, |moment: Timestamptz| {
                Ok(!Timestamp(moment.0).infinite())
            })
        }),
        Overload::new(&[Ty::Timestamp], Ty::Bool, |call| {
            map1(call, |moment: Timestamp| Ok(!moment.infinite()))
        }),
        Overload::new(&[Ty::Date], Ty::Bool, |call| {
            map1(call, |date: Date| Ok(!date.infinite()))
        }),
        Overload::new(&[Ty::Interval], Ty::Bool, |call| {
            map1(call, |_: Interval| Ok(true))
        }),
    ],
);

fn timestamptz(call: &Call<'_>) -> Result<ArrayRef> {
    let zone = zone_of(call, 0)?;
    map2(call, |later: Timestamptz, earlier: Timestamptz| {
        age(zone.local(later), zone.local(earlier))
    })
}

/// The difference in years, months, days and time, with borrowed months as long as those of the earlier side.
fn age(left: Timestamp, right: Timestamp) -> PgResult<Interval> {
    if left.infinite() || right.infinite() {
        return Err(PgError::DatetimeOverflow(
            "timestamp out of range".to_owned(),
        ));
    }
    let (later, earlier, negative) = if left >= right {
        (left, right, false)
    } else {
        (right, left, true)
    };
    let (a, b) = (Parts::of(later.0), Parts::of(earlier.0));
    let mut months = (i64::from(a.year) - i64::from(b.year)) * 12 + i64::from(a.month - b.month);
    let mut days = a.day - b.day;
    let mut micros = a.time - b.time;
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    if days < 0 {
        days += days_in_month(b.year, b.month);
        months -= 1;
    }
    let months = i32::try_from(months).map_err(|_| PgError::interval_range())?;
    let span = Interval {
        months,
        days,
        micros,
    };
    if negative { span.negate() } else { Ok(span) }
}

fn justify_days(span: Interval) -> PgResult<Interval> {
    let mut months = span
        .months
        .checked_add(span.days / 30)
        .ok_or_else(PgError::interval_range)?;
    let mut days = span.days % 30;
    if months > 0 && days < 0 {
        days += 30;
        months -= 1;
    } else if months < 0 && days > 0 {
        days -= 30;
        months += 1;
    }
    Ok(Interval {
        months,
        days,
        ..span
    })
}

fn justify_hours(span: Interval) -> PgResult<Interval> {
    let whole = i32::try_from(span.micros / DAY).map_err(|_| PgError::interval_range())?;
    let mut days = span
        .days
        .checked_add(whole)
        .ok_or_else(PgError::interval_range)?;
    let mut micros = span.micros % DAY;
    if days > 0 && micros < 0 {
        micros += DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= DAY;
        days += 1;
    }
    Ok(Interval {
        days,
        micros,
        ..span
    })
}

fn justify_interval(span: Interval) -> PgResult<Interval> {
    let length = span.length();
    // All three parts take the sign of the larger ones.
    let days = i64::from(span.days) + span.micros / DAY;
    let mut micros = span.micros % DAY;
    let mut months = i64::from(span.months) + days / 30;
    let mut days = days % 30;
    if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
        days += 30;
        months -= 1;
    } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
        days -= 30;
        months += 1;
    }
    if days > 0 && micros < 0 {
        micros += DAY;
        days -= 1;
    } else if days < 0 && micros > 0 {
        micros -= DAY;
        days += 1;
    }
    let months = i32::try_from(months).map_err(|_| PgError::interval_range())?;
    let justified = Interval {
        months,
        days: days as i32,
        micros,
    };
    debug_assert_eq!(justified.length(), length);
    Ok(justified)
}
