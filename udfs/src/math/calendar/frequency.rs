//! A frequency: a calendar unit times a whole number, and arithmetic along it.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const WEEK: i64 = 7 * DAY;

/// A calendar unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A millionth of a second.
    Microsecond,
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A day from Monday to Friday.
    BusinessDay,
    /// Seven days.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// Twelve calendar months.
    Year,
}

/// The distance between two neighbouring observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frequency {
    unit: Unit,
    count: u32,
    /// Months keep this day, or their last one where they are shorter; 31 means month ends. Zero: the day of
    /// the timestamp that steps start from.
    day: u32,
}

impl Frequency {
    /// Makes a frequency of `count` units; zero counts as one, and business days do not multiply.
    pub fn new(unit: Unit, count: u32) -> Self {
        let count = if unit == Unit::BusinessDay {
            1
        } else {
            count.max(1)
        };
        Self {
            unit,
            count,
            day: 0,
        }
    }

    /// Makes a frequency of `count` months, quarters or years whose observations lie on the last day of a month.
    pub fn at_month_end(self) -> Self {
        self.on_day(31)
    }

    pub(super) fn on_day(self, day: u32) -> Self {
        Self { day, ..self }
    }

    /// The unit.
    pub fn unit(self) -> Unit {
        self.unit
    }

    /// How many units.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether observations lie on the last day of a month.
    pub fn is_month_end(self) -> bool {
        self.day == 31 && self.months().is_some()
    }

    /// Reads `15 minutes`, `hour`, `business day`, `month end`, `2 weeks` and the like, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase().replace(['_', '-'], " ");
        let digits = lower.chars().take_while(char::is_ascii_digit).count();
        let count = if digits == 0 {
            1
        } else {
            lower[..digits].parse().ok().filter(|n| *n > 0)?
        };
        let name = lower[digits..].trim();
        let (name, end) = name
            .strip_suffix(" end")
            .map_or((name, false), |name| (name, true));
        let unit = match name.strip_suffix('s').unwrap_or(name) {
            "microsecond" => Unit::Microsecond,
            "second" => Unit::Second,
            "minute" => Unit::Minute,
            "hour" => Unit::Hour,
            "day" => Unit::Day,
            "business day" if count == 1 => Unit::BusinessDay,
            "week" => Unit::Week,
            "month" => Unit::Month,
            "quarter" => Unit::Quarter,
            "year" => Unit::Year,
            _ => return None,
        };
        let frequency = Self::new(unit, count);
        match (end, frequency.months()) {
            (false, _) => Some(frequency),
            (true, Some(_)) => Some(frequency.at_month_end()),
            (true, None) => None,
        }
    }

    /// The timestamp `steps` observations after `last`.
    ///
    /// Months that are too short give their last day. Timestamps beyond the calendar stop at its ends.
    pub fn next(self, last_micros: i64, steps: i64) -> i64 {
        match (self.micros(), self.months()) {
            (Some(step), _) => last_micros.saturating_add(step.saturating_mul(steps)),
            (_, Some(months)) => add_months(last_micros, steps.saturating_mul(months), self.day),
            _ => add_business_days(last_micros, steps),
        }
    }

    /// How many steps lie between two timestamps, to the nearest whole number.
    pub fn steps_between(self, from_micros: i64, to_micros: i64) -> i64 {
        match (self.micros(), self.months()) {
            (Some(step), _) => {
                let distance = i128::from(to_micros) - i128::from(from_micros);
                let half = i128::from(step) / 2;
                (distance + half).div_euclid(i128::from(step)) as i64
            }
            (_, Some(months)) => nearest_months(from_micros, to_micros, months),
            _ => business_days_between(from_micros, to_micros),
        }
    }

    /// The season lengths that such data usually have, shortest first; empty where there is none.
    ///
    /// Whether a series is long enough for them is for the model to decide.
    pub fn default_periods(self) -> &'static [usize] {
        match (self.unit, self.count) {
            (Unit::Second, 1) => &[60, 3600],
            (Unit::Minute, 1) => &[60, 1440],
            (Unit::Minute, 5) => &[288, 2016],
            (Unit::Minute, 10) => &[144, 1008],
            (Unit::Minute, 15) => &[96, 672],
            (Unit::Minute, 20) => &[72, 504],
            (Unit::Minute, 30) => &[48, 336],
            (Unit::Hour, 1) => &[24, 168],
            (Unit::Hour, 2) => &[12, 84],
            (Unit::Hour, 3) => &[8, 56],
            (Unit::Hour, 4) => &[6, 42],
            (Unit::Hour, 6) => &[4, 28],
            (Unit::Hour, 8) => &[3, 21],
            (Unit::Hour, 12) => &[2, 14],
            (Unit::Day, 1) => &[7],
            (Unit::BusinessDay, _) => &[5],
            (Unit::Week, 1) => &[52],
            (Unit::Month, 1) => &[12],
            (Unit::Month, 2) => &[6],
            (Unit::Month, 4) => &[3],
            (Unit::Quarter, 1) => &[4],
            (Unit::Quarter, 2) => &[2],
            _ => &[],
        }
    }

    /// The length of a step where all steps are equally long.
    pub(super) fn micros(self) -> Option<i64> {
        let unit = match self.unit {
            Unit::Microsecond => 1,
            Unit::Second => SECOND,
            Unit::Minute => MINUTE,
            Unit::Hour => HOUR,
            Unit::Day => DAY,
            Unit::Week => WEEK,
            Unit::BusinessDay | Unit::Month | Unit::Quarter | Unit::Year => return None,
        };
        Some(unit.saturating_mul(i64::from(self.count)))
    }

    /// The length of a step in months where it is made of months.
    pub(super) fn months(self) -> Option<i64> {
        let unit = match self.unit {
            Unit::Month => 1,
            Unit::Quarter => 3,
            Unit::Year => 12,
            Unit::Microsecond
            | Unit::Second
            | Unit::Minute
            | Unit::Hour
            | Unit::Day
            | Unit::BusinessDay
            | Unit::Week => return None,
        };
        Some(unit * i64::from(self.count))
    }
}

impl fmt::Display for Frequency {
    /// Writes what [`Frequency::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.unit {
            Unit::Microsecond => "microsecond",
            Unit::Second => "second",
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::BusinessDay => "business day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Quarter => "quarter",
            Unit::Year => "year",
        };
        let end = if self.is_month_end() { " end" } else { "" };
        match self.count {
            1 => write!(f, "{name}{end}"),
            n => write!(f, "{n} {name}s{end}"),
        }
    }
}

pub(super) fn civil(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|instant| instant.naive_utc())
}

/// Months since year zero.
pub(super) fn month_number(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// The last day of the month that `date` lies in.
pub(super) fn month_length(date: NaiveDate) -> u32 {
    u32::from(date.num_days_in_month())
}

fn micros_of(date: NaiveDate, time: NaiveTime) -> i64 {
    date.and_time(time).and_utc().timestamp_micros()
}

fn add_months(micros: i64, months: i64, day: u32) -> i64 {
    let end = if months < 0 { i64::MIN } else { i64::MAX };
    let Some(from) = civil(micros) else {
        return end;
    };
    let number = month_number(from.date()).saturating_add(months);
    let Ok(year) = i32::try_from(number.div_euclid(12)) else {
        return end;
    };
    let Some(first) = NaiveDate::from_ymd_opt(year, number.rem_euclid(12) as u32 + 1, 1) else {
        return end;
    };
    let wanted = if day == 0 { from.day() } else { day };
    first
        .with_day(wanted.min(month_length(first)))
        .map_or(end, |date| micros_of(date, from.time()))
}

fn nearest_months(from: i64, to: i64, months: i64) -> i64 {
    let (Some(start), Some(end)) = (civil(from), civil(to)) else {
        return 0;
    };
    // Fractions of a month by the day decide between the two neighbours.
    let part = |at: NaiveDateTime| f64::from(at.day() - 1) / f64::from(month_length(at.date()));
    let whole = (month_number(end.date()) - month_number(start.date())) as f64;
    ((whole + part(end) - part(start)) / months as f64).round() as i64
}

/// Business days since Monday, 5 January 1970; weekends count as the Friday before.
fn business_number(micros: i64) -> i64 {
    let days = micros.div_euclid(DAY) - 4;
    days.div_euclid(7) * 5 + days.rem_euclid(7).min(4)
}

fn add_business_days(micros: i64, steps: i64) -> i64 {
    let number = business_number(micros).saturating_add(steps);
    let days = number
        .div_euclid(5)
        .saturating_mul(7)
        .saturating_add(number.rem_euclid(5) + 4);
    if steps == 0 {
        micros
    } else {
        days.saturating_mul(DAY)
            .saturating_add(micros.rem_euclid(DAY))
    }
}

fn business_days_between(from: i64, to: i64) -> i64 {
    business_number(to) - business_number(from)
}

pub(super) fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}
