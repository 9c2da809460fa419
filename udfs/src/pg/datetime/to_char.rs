//! `to_char` of dates, timestamps, times and intervals.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::calendar::{Infinite, Parts, SECOND, days_of};
use super::super::error::{PgError, PgResult};
use super::super::function::Call;
use super::super::output::put;
use super::super::value::{Interval, Memo, Time, Timestamp, Timestamptz, text2};
use super::super::zone::{Local, Zone};
use super::template::{Case, DAYS, Field, MONTHS, ROMAN_MONTHS, Step, compile};

pub(crate) fn timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    text2(call, |moment: Timestamp, template: &str, out| {
        if moment.infinite() || template.is_empty() {
            return Ok(false);
        }
        let steps = memo.get(template, |template| Ok(compile(template)))?;
        let clock = Clock::of_timestamp(moment, None);
        clock.write(out, steps).map(|()| true)
    })
}

pub(crate) fn timestamptz(call: &Call<'_>) -> Result<ArrayRef> {
    let zone = zone_of(call, 0)?;
    let mut memo = Memo::new();
    text2(call, |moment: Timestamptz, template: &str, out| {
        if Timestamp(moment.0).infinite() || template.is_empty() {
            return Ok(false);
        }
        let steps = memo.get(template, |template| Ok(compile(template)))?;
        let offset = zone.offset_at(moment);
        let wall = Timestamp(moment.0 + i64::from(offset) * SECOND);
        // The zone's name is looked up only where the template shows it.
        let shows_zone = |step: &Step| {
            matches!(
                step,
                Step::Field {
                    field: Field::ZoneName(_),
                    ..
                }
            )
        };
        let abbreviation = if steps.iter().any(shows_zone) {
            zone.at(moment).abbreviation
        } else {
            String::new()
        };
        let clock = Clock::of_timestamp(
            wall,
            Some(Local {
                offset,
                abbreviation,
            }),
        );
        clock.write(out, steps).map(|()| true)
    })
}

pub(crate) fn interval(call: &Call<'_>) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    text2(call, |span: Interval, template: &str, out| {
        if template.is_empty() {
            return Ok(false);
        }
        let steps = memo.get(template, |template| Ok(compile(template)))?;
        Clock::of_interval(span).write(out, steps).map(|()| true)
    })
}

pub(crate) fn time(call: &Call<'_>) -> Result<ArrayRef> {
    let mut memo = Memo::new();
    text2(call, |time: Time, template: &str, out| {
        if template.is_empty() {
            return Ok(false);
        }
        let steps = memo.get(template, |template| Ok(compile(template)))?;
        Clock::of_interval(Interval {
            micros: time.0,
            ..Interval::default()
        })
        .write(out, steps)
        .map(|()| true)
    })
}

/// The zone that a timestamptz argument carries, which is the session's.
pub(crate) fn zone_of(call: &Call<'_>, index: usize) -> Result<Zone> {
    let name = match call.args.get(index).map(|arg| arg.array.data_type()) {
        Some(DataType::Timestamp(_, Some(zone))) => Arc::clone(zone),
        _ => Arc::from(call.zone()),
    };
    Ok(Zone::of_type(&name)?)
}

/// A moment or an interval, as fields print it.
struct Clock {
    /// Astronomical for moments; years of an interval.
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    /// The date of a moment; an interval has none.
    date: Option<Parts>,
    zone: Option<Local>,
}

impl Clock {
    fn of_timestamp(moment: Timestamp, zone: Option<Local>) -> Self {
        let parts = Parts::of(moment.0);
        Self {
            year: i64::from(parts.year),
            month: i64::from(parts.month),
            day: i64::from(parts.day),
            day_of_year: parts.day_of_year(),
            hour: parts.hour(),
            minute: parts.minute(),
            second: parts.second(),
            micro: parts.micro(),
            date: Some(parts),
            zone,
        }
    }

    fn of_interval(span: Interval) -> Self {
        let (year, month, day) = (
            i64::from(span.months / 12),
            i64::from(span.months % 12),
            i64::from(span.days),
        );
        Self {
            year,
            month,
            day,
            day_of_year: (year * 12 + month) * 30 + day,
            hour: span.micros / 3_600_000_000,
            minute: span.micros / 60_000_000 % 60,
            second: span.micros / 1_000_000 % 60,
            micro: span.micros % 1_000_000,
            date: None,
            zone: None,
        }
    }

    fn date(&self) -> PgResult<&Parts> {
        let invalid = || {
            PgError::InvalidDatetimeFormat(
                "invalid format specification for an interval value".to_owned(),
            )
        };
        self.date.as_ref().ok_or_else(invalid)
    }

    fn write(&self, out: &mut String, steps: &[Step]) -> PgResult<()> {
        for step in steps {
            match step {
                Step::Char(c) | Step::Space(c) | Step::Separator(c) => out.push(*c),
                Step::Field {
                    field,
                    fill,
                    ordinal,
                    ..
                } => {
                    let start = out.len();
                    let number = self.field(out, *field, *fill)?;
                    if let (true, Some(case)) = (number, ordinal) {
                        out.push_str(ordinal_suffix(&out[start..], *case));
                    }
                }
            }
        }
        Ok(())
    }

    /// The year as it prints: no year 0 for moments.
    fn shown_year(&self, year: i64) -> i64 {
        if self.date.is_some() && year <= 0 {
            1 - year
        } else {
            year
        }
    }

    /// Writes one field and says whether it is a number that may take an ordinal suffix.
    fn field(&self, out: &mut String, field: Field, fill: bool) -> PgResult<bool> {
        match field {
            Field::Era(case, dotted) => {
                self.date()?;
                let text = match (self.year <= 0, dotted) {
                    (true, true) => "B.C.",
                    (true, false) => "BC",
                    (false, true) => "A.D.",
                    (false, false) => "AD",
                };
                push_cased(out, text, case);
                return Ok(false);
            }
            Field::Meridian(case, dotted) => {
                let text = match (self.hour % 24 >= 12, dotted) {
                    (true, true) => "P.M.",
                    (true, false) => "PM",
                    (false, true) => "A.M.",
                    (false, false) => "AM",
                };
                push_cased(out, text, case);
                return Ok(false);
            }
            Field::MonthName(case) => return self.month_name(out, case, fill, 9),
            Field::MonthShort(case) => return self.month_name(out, case, fill, 3),
            Field::RomanMonth(case) => return Ok(self.roman_month(out, case, fill)),
            Field::DayName(case) => {
                let name = DAYS[self.date()?.weekday() as usize];
                push_padded(out, name, case, if fill { 0 } else { 9 });
                return Ok(false);
            }
            Field::DayShort(case) => {
                let name = DAYS[self.date()?.weekday() as usize];
                push_cased(out, &name[..3], case);
                return Ok(false);
            }
            Field::ZoneName(_) | Field::ZoneHour | Field::ZoneMinute | Field::ZoneOffset => {
                self.zone(out, field, fill)?;
                return Ok(false);
            }
            Field::Exact => return Ok(false),
            Field::Fraction(digits) => {
                let value = self.micro / 10_i64.pow(6 - digits);
                put!(out, "{value:0width$}", width = digits as usize);
            }
            Field::Millisecond => put!(out, "{:03}", self.micro / 1000),
            Field::Microsecond => put!(out, "{:06}", self.micro),
            Field::SecondOfDay => {
                put!(out, "{}", self.hour * 3600 + self.minute * 60 + self.second)
            }
            Field::YearComma => {
                let year = self.shown_year(self.year);
                put!(out, "{},{:03}", year / 1000, year % 1000);
            }
            Field::Quarter => {
                if self.month == 0 {
                    return Ok(false);
                }
                put!(out, "{}", (self.month - 1) / 3 + 1);
            }
            Field::Julian => put!(out, "{}", self.julian()),
            Field::Weekday => put!(out, "{}", self.date()?.weekday() + 1),
            Field::IsoWeekday => put!(out, "{}", (self.date()?.weekday() + 6) % 7 + 1),
            Field::WeekOfMonth => put!(out, "{}", (self.day - 1) / 7 + 1),
            _ => {
                let (value, width) = self.padded_number(field)?;
                // Only the clock and the month leave room for a sign.
                let roomy = matches!(
                    field,
                    Field::Hour12
                        | Field::Hour24
                        | Field::Minute
                        | Field::Second
                        | Field::Month
                        | Field::Century
                ) || matches!(field, Field::Year(_) | Field::IsoYear(_));
                let width = if value < 0 && !roomy {
                    width - 1
                } else {
                    width
                };
                push_number(out, value, if fill { 0 } else { width });
            }
        }
        Ok(true)
    }

    /// The value of a zero-padded field and its width.
    fn padded_number(&self, field: Field) -> PgResult<(i64, usize)> {
        Ok(match field {
            Field::Hour12 => (
                if self.hour % 12 == 0 {
                    12
                } else {
                    self.hour % 12
                },
                2,
            ),
            Field::Hour24 => (self.hour, 2),
            Field::Minute => (self.minute, 2),
            Field::Second => (self.second, 2),
            Field::Month => (self.month, 2),
            Field::Day => (self.day, 2),
            Field::DayOfYear => (self.day_of_year, 3),
            Field::IsoDayOfYear => {
                let parts = self.date()?;
                (
                    parts.days() - Parts::iso_week_start(parts.iso_week().0, 1) + 1,
                    3,
                )
            }
            Field::WeekOfYear => ((self.day_of_year - 1) / 7 + 1, 2),
            Field::IsoWeek => (self.date()?.iso_week().1, 2),
            Field::Century => {
                let century = match (self.date.is_some(), self.year > 0) {
                    (false, _) => self.year / 100,
                    (true, true) => (self.year - 1) / 100 + 1,
                    (true, false) => self.year / 100 - 1,
                };
                (century, 2)
            }
            Field::Year(digits) => (
                last_digits(self.shown_year(self.year), digits),
                digits as usize,
            ),
            Field::IsoYear(digits) => {
                let year = match &self.date {
                    Some(parts) => i64::from(parts.iso_week().0),
                    None => self.year,
                };
                (last_digits(self.shown_year(year), digits), digits as usize)
            }
            _ => (0, 0),
        })
    }

    fn julian(&self) -> i64 {
        match &self.date {
            Some(parts) => parts.days() + super::super::calendar::UNIX_JULIAN,
            None => {
                days_of(self.year as i32, self.month as i32, self.day as i32)
                    + super::super::calendar::UNIX_JULIAN
            }
        }
    }

    fn month_name(&self, out: &mut String, case: Case, fill: bool, width: usize) -> PgResult<bool> {
        self.date()?;
        let name = MONTHS[(self.month - 1).clamp(0, 11) as usize];
        let name = if width == 3 { &name[..3] } else { name };
        push_padded(out, name, case, if fill { 0 } else { width });
        Ok(false)
    }

    fn roman_month(&self, out: &mut String, case: Case, fill: bool) -> bool {
        if self.month == 0 && self.year == 0 {
            return false;
        }
        // An interval's month counts back from December when it is negative; 0 is December, or January of years below 0.
        let index = match self.month {
            0 if self.year < 0 => 0,
            0 => 11,
            month if month < 0 => (12 + month) as usize,
            month => month as usize - 1,
        };
        push_padded(out, ROMAN_MONTHS[index], case, if fill { 0 } else { 4 });
        false
    }

    fn zone(&self, out: &mut String, field: Field, fill: bool) -> PgResult<()> {
        self.date()?;
        let Some(zone) = &self.zone else {
            // A timestamp without zone prints as one at Greenwich, with no name.
            match field {
                Field::ZoneHour => out.push_str("+00"),
                Field::ZoneMinute => out.push_str("00"),
                Field::ZoneOffset => out.push_str(if fill { "+0" } else { "+00" }),
                _ => {}
            }
            return Ok(());
        };
        let sign = if zone.offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (zone.offset.abs() / 3600, zone.offset.abs() % 3600 / 60);
        match field {
            Field::ZoneName(case) => push_cased(out, &zone.abbreviation, case),
            Field::ZoneHour => put!(out, "{sign}{hours:02}"),
            Field::ZoneMinute => put!(out, "{minutes:02}"),
            _ => {
                out.push(sign);
                push_number(out, i64::from(hours), if fill { 0 } else { 2 });
                if minutes != 0 {
                    put!(out, ":{minutes:02}");
                }
            }
        }
        Ok(())
    }
}

fn last_digits(year: i64, digits: u32) -> i64 {
    if digits == 4 {
        year
    } else {
        year % 10_i64.pow(digits)
    }
}

fn push_number(out: &mut String, value: i64, width: usize) {
    if value < 0 && width > 0 {
        put!(out, "-{:0width$}", -value);
    } else {
        put!(out, "{value:0width$}");
    }
}

fn push_cased(out: &mut String, text: &str, case: Case) {
    match case {
        Case::Upper => out.extend(text.chars().map(|c| c.to_ascii_uppercase())),
        Case::Title => out.push_str(text),
        Case::Lower => out.extend(text.chars().map(|c| c.to_ascii_lowercase())),
    }
}

fn push_padded(out: &mut String, text: &str, case: Case, width: usize) {
    push_cased(out, text, case);
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(text.len())));
}

/// `st`, `nd`, `rd` or `th` for the digits written.
pub(crate) fn ordinal_suffix(digits: &str, case: Case) -> &'static str {
    let bytes = digits.as_bytes();
    let last = bytes.last().copied().unwrap_or(b'0');
    let teen = bytes.len() > 1 && bytes[bytes.len() - 2] == b'1';
    let index = match (teen, last) {
        (false, b'1') => 0,
        (false, b'2') => 1,
        (false, b'3') => 2,
        _ => 3,
    };
    match case {
        Case::Lower => ["st", "nd", "rd", "th"][index],
        _ => ["ST", "ND", "RD", "TH"][index],
    }
}
