//! `to_timestamp(text, template)`, `to_timestamp(double)` and `to_date(text, template)`.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::calendar::{
    DAY, HOUR, MINUTE, Parts, SECOND, UNIX_JULIAN, checked_date, checked_timestamp, days_in_month,
    is_leap,
};
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Date, Memo, Timestamp, Timestamptz, map2};
use super::super::zone::Zone;
use super::make::from_epoch;
use super::template::{DAYS, Field, MONTHS, ROMAN_MONTHS, Step, compile, is_separator};

pub(crate) const TO_TIMESTAMP: Spec = Spec::stable(
    "to_timestamp",
    &[
        Overload::new(&[Ty::Float8], Ty::Timestamptz, from_epoch),
        Overload::new(&[Ty::Text, Ty::Text], Ty::Timestamptz, to_timestamp),
    ],
);

pub(crate) const TO_DATE: Spec = Spec::stable(
    "to_date",
    &[Overload::new(&[Ty::Text, Ty::Text], Ty::Date, |call| {
        let mut memo = Memo::new();
        map2(call, |text: &str, template: &str| {
            let steps = memo.get(template, |template| Ok(compile(template)))?;
            let (parts, _) = Scan::read(text, steps)?.moment()?;
            let range = |_| PgError::DatetimeOverflow(format!("date out of range: \"{text}\""));
            checked_date(parts.days())
                .map_err(range)
                .map(|date: Date| date)
        })
    })],
);

fn to_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let session = Zone::of_type(call.zone())?;
    let mut memo = Memo::new();
    map2(call, |text: &str, template: &str| {
        let steps = memo.get(template, |template| Ok(compile(template)))?;
        let (parts, offset) = Scan::read(text, steps)?.moment()?;
        let wall = parts
            .days()
            .checked_mul(DAY)
            .and_then(|days| days.checked_add(parts.time));
        let wall = checked_timestamp(wall.ok_or_else(PgError::timestamp_range)?)?;
        match offset {
            Some(seconds) => Ok(Timestamptz(
                checked_timestamp(wall.0 - i64::from(seconds) * SECOND)?.0,
            )),
            None => session.moment(Timestamp(wall.0)),
        }
    })
}

/// What has been read of a text along a template.
#[derive(Debug, Default)]
struct Scan<'a> {
    source: &'a str,
    rest: &'a str,
    era_bc: bool,
    has_era: bool,
    pm: Option<bool>,
    twelve: bool,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    second_of_day: Option<i64>,
    milli: Option<i64>,
    micro: Option<i64>,
    year: Option<i64>,
    /// How many digits of the year were written, where they may be short.
    year_digits: u32,
    century: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    weekday: Option<i64>,
    week: Option<i64>,
    week_of_month: Option<i64>,
    julian: Option<i64>,
    zone_sign: i32,
    zone_hour: Option<i64>,
    zone_minute: Option<i64>,
}

fn invalid(text: String) -> PgError {
    PgError::InvalidDatetimeFormat(text)
}

impl<'a> Scan<'a> {
    fn read(text: &'a str, steps: &[Step]) -> PgResult<Self> {
        let mut scan = Self {
            source: text,
            rest: text,
            ..Self::default()
        };
        let exact = steps.iter().any(|step| {
            matches!(
                step,
                Step::Field {
                    field: Field::Exact,
                    ..
                }
            )
        });
        let mut extra: i32 = 0;
        for (index, step) in steps.iter().enumerate() {
            if !exact && (index == 0 || matches!(step, Step::Field { .. })) {
                extra += scan.skip_spaces();
            }
            if scan.rest.is_empty() {
                break;
            }
            match step {
                Step::Space(_) | Step::Separator(_) if !exact => {
                    // One of the template matches one of the text, or none.
                    extra -= 1;
                    if scan
                        .rest
                        .starts_with(|c: char| c.is_whitespace() || is_separator(c))
                    {
                        scan.skip_char();
                        extra += 1;
                    }
                }
                Step::Char(_) if !exact && extra > 0 => extra -= 1,
                Step::Char(_) | Step::Space(_) | Step::Separator(_) => scan.skip_char(),
                Step::Field {
                    field: Field::Exact,
                    ..
                } => {}
                Step::Field {
                    field,
                    name,
                    fill,
                    ordinal,
                } => {
                    let open = *fill || ordinal.is_some() || next_is_no_digit(steps.get(index + 1));
                    scan.field(*field, name, open)?;
                    if ordinal.is_some() {
                        scan.skip_char();
                        scan.skip_char();
                    }
                    if !exact {
                        extra = scan.skip_spaces();
                    }
                }
            }
        }
        Ok(scan)
    }

    fn skip_spaces(&mut self) -> i32 {
        let trimmed = self.rest.trim_start();
        let skipped = self.rest.len() - trimmed.len();
        self.rest = trimmed;
        skipped as i32
    }

    fn skip_char(&mut self) {
        let mut chars = self.rest.chars();
        chars.next();
        self.rest = chars.as_str();
    }

    /// A whole number: all its digits where what follows ends it, else this many.
    fn number(&mut self, name: &str, length: usize, open: bool) -> PgResult<(i64, u32)> {
        self.skip_spaces();
        let source = self.rest;
        let taken = if open {
            source
        } else {
            let end = source
                .char_indices()
                .nth(length)
                .map_or(source.len(), |(at, _)| at);
            if source.chars().count() < length {
                return Err(invalid(format!(
                    "source string too short for \"{name}\" formatting field"
                )));
            }
            &source[..end]
        };
        let sign = usize::from(taken.starts_with(['-', '+']));
        let digits = taken[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let shown: String = source.chars().take(length).collect();
        if digits == 0 || (!open && sign + digits < length) {
            return Err(invalid(format!("invalid value \"{shown}\" for \"{name}\"")));
        }
        let text = &taken[..sign + digits];
        let range = || {
            PgError::DatetimeOverflow(format!(
                "value for \"{name}\" in source string is out of range"
            ))
        };
        let value: i64 = text.trim_start_matches('+').parse().map_err(|_| range())?;
        if i32::try_from(value).is_err() {
            return Err(range());
        }
        self.rest = &source[sign + digits..];
        Ok((value, digits as u32))
    }

    fn set(&self, slot: Option<i64>, value: i64, name: &str) -> PgResult<Option<i64>> {
        match slot {
            Some(known) if known != value => Err(invalid(format!(
                "conflicting values for \"{name}\" field in formatting string"
            ))),
            _ => Ok(Some(value)),
        }
    }

    /// The index of the name that the text starts with, in any case.
    fn word(&mut self, name: &str, words: &[&str]) -> PgResult<usize> {
        self.skip_spaces();
        let starts = |word: &&str| {
            self.rest
                .get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        let longest = (0..words.len())
            .filter(|index| starts(&words[*index]))
            .max_by_key(|index| words[*index].len());
        let Some(index) = longest else {
            let shown: String = self
                .rest
                .chars()
                .take_while(|c| !c.is_whitespace())
                .collect();
            return Err(invalid(format!("invalid value \"{shown}\" for \"{name}\"")));
        };
        self.rest = &self.rest[words[index].len()..];
        Ok(index)
    }

    fn field(&mut self, field: Field, name: &'static str, open: bool) -> PgResult<()> {
        let short =
            |names: &[&'static str]| names.iter().map(|name| &name[..3]).collect::<Vec<_>>();
        match field {
            Field::Era(..) => {
                self.era_bc = self.word(name, &["A.D.", "AD", "B.C.", "BC"])? >= 2;
                self.has_era = true;
            }
            Field::Meridian(..) => {
                self.pm = Some(self.word(name, &["A.M.", "AM", "P.M.", "PM"])? >= 2)
            }
            Field::MonthName(_) => {
                let index = self.word(name, &MONTHS)?;
                self.month = self.set(self.month, index as i64 + 1, name)?;
            }
            Field::MonthShort(_) => {
                let index = self.word(name, &short(&MONTHS))?;
                self.month = self.set(self.month, index as i64 + 1, name)?;
            }
            Field::RomanMonth(_) => {
                let index = self.word(name, &ROMAN_MONTHS)?;
                self.month = self.set(self.month, index as i64 + 1, name)?;
            }
            Field::DayName(_) => {
                let index = self.word(name, &DAYS)?;
                self.weekday = self.set(self.weekday, index as i64, name)?;
            }
            Field::DayShort(_) => {
                let index = self.word(name, &short(&DAYS))?;
                self.weekday = self.set(self.weekday, index as i64, name)?;
            }
            Field::ZoneName(_) => {
                return Err(PgError::NotSupported(format!(
                    "formatting field \"{name}\" is only supported in to_char"
                )));
            }
            Field::ZoneOffset => {
                return Err(PgError::NotSupported(format!(
                    "formatting field \"{name}\" is only supported in to_char"
                )));
            }
            Field::ZoneHour => {
                self.zone_sign = 1;
                if self.rest.starts_with(['+', '-', ' ']) {
                    self.zone_sign = if self.rest.starts_with('-') { -1 } else { 1 };
                    self.skip_char();
                }
                self.zone_hour = Some(self.number(name, 2, open)?.0);
            }
            Field::ZoneMinute => {
                self.zone_sign = if self.zone_sign == 0 {
                    1
                } else {
                    self.zone_sign
                };
                self.zone_minute = Some(self.number(name, 2, open)?.0);
            }
            Field::Exact => {}
            _ => self.digits(field, name, open)?,
        }
        Ok(())
    }

    fn digits(&mut self, field: Field, name: &'static str, open: bool) -> PgResult<()> {
        let mut number = |length| self.number(name, length, open);
        match field {
            Field::Hour12 | Field::Hour24 => {
                let value = number(2)?.0;
                self.twelve |= field == Field::Hour12;
                self.hour = self.set(self.hour, value, name)?;
            }
            Field::Minute => {
                let value = number(2)?.0;
                self.minute = self.set(self.minute, value, name)?;
            }
            Field::Second => {
                let value = number(2)?.0;
                self.second = self.set(self.second, value, name)?;
            }
            Field::SecondOfDay => {
                let value = number(name.len())?.0;
                self.second_of_day = self.set(self.second_of_day, value, name)?;
            }
            Field::Millisecond => {
                let (value, digits) = number(3)?;
                self.milli = Some(value * 10_i64.pow(3_u32.saturating_sub(digits)));
            }
            Field::Microsecond | Field::Fraction(_) => {
                let length = if let Field::Fraction(length) = field {
                    length
                } else {
                    6
                };
                let (value, digits) = number(length as usize)?;
                self.micro = Some(value * 10_i64.pow(6_u32.saturating_sub(digits.min(6))));
            }
            Field::Century => {
                let value = number(2)?.0;
                self.century = self.set(self.century, value, name)?;
            }
            Field::Month => {
                let value = number(2)?.0;
                self.month = self.set(self.month, value, name)?;
            }
            Field::Day => {
                let value = number(2)?.0;
                self.day = self.set(self.day, value, name)?;
            }
            Field::DayOfYear => {
                let value = number(3)?.0;
                self.day_of_year = self.set(self.day_of_year, value, name)?;
            }
            Field::IsoDayOfYear => {
                let value = number(3)?.0;
                self.iso_week = Some((value - 1) / 7 + 1);
                self.weekday = Some((value - 1) % 7 + 1);
            }
            Field::Weekday => {
                let value = number(1)?.0;
                self.weekday = self.set(self.weekday, value - 1, name)?;
            }
            Field::IsoWeekday => {
                let value = number(1)?.0;
                self.weekday = self.set(self.weekday, value % 7, name)?;
            }
            Field::WeekOfMonth => self.week_of_month = Some(number(1)?.0),
            Field::WeekOfYear => self.week = Some(number(2)?.0),
            Field::IsoWeek => self.iso_week = Some(number(2)?.0),
            // PostgreSQL reads the quarter and makes no use of it.
            Field::Quarter => {
                number(1)?;
            }
            Field::Julian => self.julian = Some(number(name.len())?.0),
            Field::Year(length) => {
                let (value, digits) = number(length as usize)?;
                self.year_digits = digits;
                let value = if length < 4 {
                    adjusted_year(value, digits.min(length))
                } else {
                    value
                };
                self.year = self.set(self.year, value, name)?;
                self.year_digits = length;
            }
            Field::IsoYear(length) => {
                let (value, digits) = number(length as usize)?;
                let value = if length < 4 {
                    adjusted_year(value, digits.min(length))
                } else {
                    value
                };
                self.iso_year = Some(value);
            }
            Field::YearComma => {
                let end = self
                    .rest
                    .find(|c: char| !c.is_ascii_digit() && c != ',')
                    .unwrap_or(self.rest.len());
                let text: String = self.rest[..end]
                    .chars()
                    .filter(char::is_ascii_digit)
                    .collect();
                let bad = || invalid("invalid input string for \"Y,YYY\"".to_owned());
                self.year = Some(text.parse().map_err(|_| bad())?);
                self.year_digits = 4;
                self.rest = &self.rest[end..];
            }
            _ => {}
        }
        Ok(())
    }

    fn out_of_range(&self) -> PgError {
        PgError::DatetimeOverflow(format!(
            "date/time field value out of range: \"{}\"",
            self.source
        ))
    }

    /// The moment on the wall clock, and the offset if one was written.
    fn moment(&self) -> PgResult<(Parts, Option<i32>)> {
        let time = self.time()?;
        let mut year = self.base_year();
        let mut month = self.month.unwrap_or(1);
        let mut day = self.day.unwrap_or(1);
        if let Some(julian) = self.julian {
            return Ok((
                Parts {
                    time,
                    ..Parts::of_days(julian - UNIX_JULIAN)
                },
                self.offset()?,
            ));
        }
        if let Some(week) = self.iso_week {
            let iso_year = self.iso_year.or(self.year).unwrap_or(year);
            let weekday = self.weekday.map_or(0, |weekday| (weekday + 6) % 7);
            let days = Parts::iso_week_start(iso_year as i32, week) + weekday;
            return Ok((
                Parts {
                    time,
                    ..Parts::of_days(days)
                },
                self.offset()?,
            ));
        }
        if let Some(iso_year) = self.iso_year {
            year = iso_year;
        }
        let narrow = i32::try_from(year).map_err(|_| self.out_of_range())?;
        let mut day_of_year = self.day_of_year;
        if let Some(week) = self.week {
            day_of_year = Some((week - 1) * 7 + 1);
        }
        if let Some(week) = self.week_of_month {
            day = (week - 1) * 7 + 1;
        }
        if let Some(ordinal) = day_of_year.filter(|_| self.month.is_none() || self.day.is_none()) {
            let length = if is_leap(narrow) { 366 } else { 365 };
            if ordinal < 1 || ordinal > length {
                return Err(self.out_of_range());
            }
            let parts = Parts::of_days(super::super::calendar::days_of(narrow, 1, 1) + ordinal - 1);
            (month, day) = (i64::from(parts.month), i64::from(parts.day));
        }
        let valid = (1..=12).contains(&month)
            && day >= 1
            && day <= i64::from(days_in_month(narrow, month as i32));
        if !valid || narrow.abs() > 5_900_000 {
            return Err(self.out_of_range());
        }
        Ok((
            Parts {
                year: narrow,
                month: month as i32,
                day: day as i32,
                time,
            },
            self.offset()?,
        ))
    }

    /// The astronomical year.
    fn base_year(&self) -> i64 {
        let bc = self.era_bc;
        match (self.year, self.century) {
            (Some(year), Some(century)) if self.year_digits <= 2 => {
                let tail = year % 100;
                let century = if bc { -century } else { century };
                match century >= 0 {
                    true if tail == 0 => (century - 1) * 100 + 100,
                    true => (century - 1) * 100 + tail,
                    false => (century + 1) * 100 - tail + 1,
                }
            }
            (Some(year), _) => match (bc, year > 0) {
                (true, true) => 1 - year,
                (true, false) => -year,
                (false, false) if year < 0 => year + 1,
                (false, false) => 0,
                (false, true) => year,
            },
            (None, Some(century)) => match (bc, century >= 0) {
                (true, true) => -century * 100 + 1,
                (_, true) => (century - 1) * 100 + 1,
                (_, false) => century * 100 + 1,
            },
            (None, None) => 0,
        }
    }

    fn time(&self) -> PgResult<i64> {
        let mut hour = self.hour.unwrap_or(0);
        let (mut minute, mut second) = (self.minute.unwrap_or(0), self.second.unwrap_or(0));
        if let Some(of_day) = self.second_of_day {
            (hour, minute, second) = (of_day / 3600, of_day % 3600 / 60, of_day % 60);
        }
        if self.twelve || self.pm.is_some() {
            if self.hour.is_some() && !(1..=12).contains(&hour) {
                return Err(invalid(format!(
                    "hour \"{hour}\" is invalid for the 12-hour clock"
                )));
            }
            match self.pm {
                Some(true) if hour < 12 => hour += 12,
                Some(false) if hour == 12 => hour = 0,
                None if hour == 12 && self.twelve => hour = 12,
                _ => {}
            }
        }
        let fraction = self.milli.unwrap_or(0) * 1000 + self.micro.unwrap_or(0);
        let valid = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..SECOND).contains(&fraction);
        if !valid {
            return Err(self.out_of_range());
        }
        Ok(hour * HOUR + minute * MINUTE + second * SECOND + fraction)
    }

    fn offset(&self) -> PgResult<Option<i32>> {
        if self.zone_sign == 0 {
            return Ok(None);
        }
        let (hours, minutes) = (self.zone_hour.unwrap_or(0), self.zone_minute.unwrap_or(0));
        if !(0..=15).contains(&hours) || !(0..60).contains(&minutes) {
            return Err(self.out_of_range());
        }
        Ok(Some(self.zone_sign * (hours * 3600 + minutes * 60) as i32))
    }
}

/// The year nearest to 2020 that ends in these digits.
fn adjusted_year(value: i64, digits: u32) -> i64 {
    match digits {
        _ if value < 0 => value,
        0..=2 if value < 70 => value + 2000,
        0..=2 if value < 100 => value + 1900,
        3 if value < 520 => value + 2000,
        3 if value < 1000 => value + 1000,
        _ => value,
    }
}

fn next_is_no_digit(step: Option<&Step>) -> bool {
    match step {
        None => true,
        Some(Step::Field { field, .. }) => !field.is_digits(),
        Some(Step::Char(c) | Step::Space(c) | Step::Separator(c)) => !c.is_ascii_digit(),
    }
}
