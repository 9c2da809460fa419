//! The proleptic Gregorian calendar in microseconds, from 4713 BC to 294247 AD: PostgreSQL counts from 2000 and gets
//! 29 years further.
//!
//! Years are astronomical inside (1 BC is year 0). Zones are not known here.

use super::error::{PgError, PgResult};
use super::value::{Date, Interval, Timestamp};

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The Julian day of 1970-01-01.
pub(crate) const UNIX_JULIAN: i64 = 2_440_588;

/// 4713-11-24 BC, Julian day 0; the last value is infinity's.
const MIN_TIMESTAMP: i64 = -UNIX_JULIAN * DAY;
const END_TIMESTAMP: i64 = i64::MAX;
/// The first day after PostgreSQL's last date, 5874897-12-31.
const END_DATE: i64 = 2_147_483_494 - UNIX_JULIAN;

/// A moment taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    /// Astronomical.
    pub(crate) year: i32,
    pub(crate) month: i32,
    pub(crate) day: i32,
    /// Microseconds since midnight.
    pub(crate) time: i64,
}

impl Parts {
    pub(crate) fn of_days(days: i64) -> Self {
        // Years begin in March, so that the leap day is the last; eras have 400 years.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: year as i32,
            month: month as i32,
            day: day as i32,
            time: 0,
        }
    }

    pub(crate) fn of(micros: i64) -> Self {
        Self {
            time: micros.rem_euclid(DAY),
            ..Self::of_days(micros.div_euclid(DAY))
        }
    }

    pub(crate) fn days(&self) -> i64 {
        days_of(self.year, self.month, self.day)
    }

    pub(crate) fn timestamp(&self) -> PgResult<Timestamp> {
        let micros = self
            .days()
            .checked_mul(DAY)
            .and_then(|days| days.checked_add(self.time));
        checked_timestamp(micros.ok_or_else(PgError::timestamp_range)?)
    }

    pub(crate) fn hour(&self) -> i64 {
        self.time / HOUR
    }

    pub(crate) fn minute(&self) -> i64 {
        self.time / MINUTE % 60
    }

    pub(crate) fn second(&self) -> i64 {
        self.time / SECOND % 60
    }

    pub(crate) fn micro(&self) -> i64 {
        self.time % SECOND
    }

    pub(crate) fn day_of_year(&self) -> i64 {
        self.days() - days_of(self.year, 1, 1) + 1
    }

    /// Sunday is 0.
    pub(crate) fn weekday(&self) -> i64 {
        weekday(self.days())
    }

    /// ISO 8601 year (astronomical) and week.
    pub(crate) fn iso_week(&self) -> (i32, i64) {
        let days = self.days();
        let thursday = days - (weekday(days) + 6) % 7 + 3;
        let year = Self::of_days(thursday).year;
        (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
    }

    /// The first day of an ISO year's week.
    pub(crate) fn iso_week_start(year: i32, week: i64) -> i64 {
        let fourth = days_of(year, 1, 4);
        fourth - (weekday(fourth) + 6) % 7 + (week - 1) * 7
    }
}

/// Sunday is 0.
pub(crate) fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// Days since 1970-01-01.
pub(crate) fn days_of(year: i32, month: i32, day: i32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let shifted_month = i64::from((month + 9) % 12);
    let of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

pub(crate) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The year as people write it: no year 0, 1 BC is -1.
pub(crate) fn common_year(year: i32) -> i32 {
    if year <= 0 { year - 1 } else { year }
}

pub(crate) fn checked_timestamp(micros: i64) -> PgResult<Timestamp> {
    if (MIN_TIMESTAMP..END_TIMESTAMP).contains(&micros) {
        Ok(Timestamp(micros))
    } else {
        Err(PgError::timestamp_range())
    }
}

pub(crate) fn checked_date(days: i64) -> PgResult<Date> {
    if (-UNIX_JULIAN..END_DATE).contains(&days) {
        Ok(Date(days as i32))
    } else {
        Err(PgError::date_range())
    }
}

/// Whether a date or timestamp is plus or minus infinity.
pub(crate) trait Infinite: Copy {
    fn infinite(self) -> bool;
}

impl Infinite for Date {
    fn infinite(self) -> bool {
        self.0 == i32::MAX || self.0 == i32::MIN
    }
}

impl Infinite for Timestamp {
    fn infinite(self) -> bool {
        self.0 == i64::MAX || self.0 == i64::MIN
    }
}

impl Date {
    /// Midnight of the day; infinity stays.
    pub(crate) fn timestamp(self) -> PgResult<Timestamp> {
        match self.0 {
            i32::MAX => Ok(Timestamp(i64::MAX)),
            i32::MIN => Ok(Timestamp(i64::MIN)),
            days => i64::from(days)
                .checked_mul(DAY)
                .ok_or(())
                .and_then(|micros| checked_timestamp(micros).map_err(|_| ()))
                .map_err(|()| {
                    PgError::DatetimeOverflow("date out of range for timestamp".to_owned())
                }),
        }
    }
}

/// `timestamp + interval` on the wall clock: months (clamped to the month's end), then days, then time.
pub(crate) fn add_interval(moment: Timestamp, span: Interval) -> PgResult<Timestamp> {
    if moment.infinite() {
        return Ok(moment);
    }
    let mut micros = moment.0;
    if span.months != 0 {
        let mut parts = Parts::of(micros);
        let months =
            i64::from(parts.year) * 12 + i64::from(parts.month) - 1 + i64::from(span.months);
        parts.year =
            i32::try_from(months.div_euclid(12)).map_err(|_| PgError::timestamp_range())?;
        parts.month = months.rem_euclid(12) as i32 + 1;
        parts.day = parts.day.min(days_in_month(parts.year, parts.month));
        micros = parts.timestamp()?.0;
    }
    let days = i64::from(span.days).checked_mul(DAY);
    let moved = days
        .and_then(|days| micros.checked_add(days))
        .and_then(|micros| micros.checked_add(span.micros));
    checked_timestamp(moved.ok_or_else(PgError::timestamp_range)?)
}

/// `timestamp - timestamp`: whole days and the rest, never months.
pub(crate) fn subtract(left: Timestamp, right: Timestamp) -> PgResult<Interval> {
    if left.infinite() || right.infinite() {
        return Err(PgError::DatetimeOverflow(
            "cannot subtract infinite timestamps".to_owned(),
        ));
    }
    let micros = left
        .0
        .checked_sub(right.0)
        .ok_or_else(PgError::interval_range)?;
    let days = i32::try_from(micros / DAY).map_err(|_| PgError::interval_range())?;
    Ok(Interval {
        months: 0,
        days,
        micros: micros % DAY,
    })
}

impl Interval {
    pub(crate) fn negate(self) -> PgResult<Self> {
        let negated = (
            self.months.checked_neg(),
            self.days.checked_neg(),
            self.micros.checked_neg(),
        );
        match negated {
            (Some(months), Some(days), Some(micros)) => Ok(Self {
                months,
                days,
                micros,
            }),
            _ => Err(PgError::interval_range()),
        }
    }

    /// The length that comparisons use: months of 30 days, days of 24 hours.
    pub(crate) fn length(self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(DAY)
            + i128::from(self.micros)
    }
}
