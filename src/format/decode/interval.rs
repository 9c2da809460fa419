//! Intervals as text.

use arrow::datatypes::IntervalMonthDayNano;

use crate::error::{Error, Result};
use crate::format::encode::IntervalStyle;

const SECOND: i64 = 1_000_000;
const DAY_MICROS: f64 = 86_400_000_000.0;

/// Reads an `interval`.
pub fn interval(text: &str, style: IntervalStyle) -> Result<IntervalMonthDayNano> {
    let trimmed = text.trim();
    let parts = if !trimmed.is_ascii() {
        Err(Fault::Syntax)
    } else if trimmed.starts_with(['P', 'p']) {
        iso_8601(trimmed)
    } else {
        words(trimmed).map(|parts| {
            if sign_is_for_all(trimmed, style) {
                parts.negative()
            } else {
                parts
            }
        })
    };
    match parts {
        Ok(parts) => parts.finish().ok_or_else(|| out_of_range(text)),
        Err(Fault::Syntax) => Err(Error::InvalidDatetime(format!(
            "invalid input syntax for type interval: \"{text}\""
        ))),
        Err(Fault::Range) => Err(out_of_range(text)),
    }
}

/// Whether the sign in front counts for every field, as the standard's style has it.
fn sign_is_for_all(text: &str, style: IntervalStyle) -> bool {
    let mut words = text.split_ascii_whitespace();
    style == IntervalStyle::SqlStandard
        && words.next().is_some_and(|first| first.starts_with('-'))
        && !words.any(|word| word.starts_with(['-', '+']))
}

fn out_of_range(text: &str) -> Error {
    let message = format!("interval field value out of range: \"{text}\"");
    Error::Function {
        sqlstate: "22015",
        message,
        detail: None,
        hint: None,
    }
}

/// The microseconds of a fraction's digits, rounded.
pub(super) fn fraction_micros(digits: &str) -> i64 {
    let mut micros = 0;
    for place in 0..6 {
        let digit = digits
            .as_bytes()
            .get(place)
            .map_or(0, |byte| i64::from(byte.wrapping_sub(b'0')));
        micros = micros * 10 + digit;
    }
    micros + i64::from(digits.as_bytes().get(6).is_some_and(|digit| *digit >= b'5'))
}

enum Fault {
    Syntax,
    Range,
}

#[derive(Debug, Default)]
struct Parts {
    months: i64,
    days: i64,
    micros: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Micros(i64),
    Days(i64),
    Months(i64),
}

impl Parts {
    fn negative(self) -> Self {
        Self {
            months: -self.months.abs(),
            days: -self.days.abs(),
            micros: -self.micros.abs(),
        }
    }

    fn finish(self) -> Option<IntervalMonthDayNano> {
        Some(IntervalMonthDayNano::new(
            i32::try_from(self.months).ok()?,
            i32::try_from(self.days).ok()?,
            self.micros.checked_mul(1000)?,
        ))
    }

    /// Adds a number of units; a fraction goes to the next smaller ones.
    fn add(&mut self, whole: i64, fraction: f64, unit: Unit) -> Result<(), Fault> {
        let sum = |a: i64, b: i64, size: i64| b.checked_mul(size)?.checked_add(a);
        match unit {
            Unit::Micros(size) => {
                self.micros = sum(self.micros, whole, size).ok_or(Fault::Range)?;
                self.micros += (fraction * size as f64).round() as i64;
            }
            Unit::Days(size) => {
                self.days = sum(self.days, whole, size).ok_or(Fault::Range)?;
                self.add_days(fraction * size as f64);
            }
            Unit::Months(size) => {
                self.months = sum(self.months, whole, size).ok_or(Fault::Range)?;
                if size > 1 {
                    self.months += (fraction * size as f64).round() as i64;
                } else {
                    self.add_days(fraction * 30.0);
                }
            }
        }
        Ok(())
    }

    fn add_days(&mut self, days: f64) {
        let rounded = (days * 1e9).round() / 1e9;
        self.days += rounded.trunc() as i64;
        self.micros += ((rounded - rounded.trunc()) * DAY_MICROS).round() as i64;
    }
}

fn unit(name: &str) -> Option<Unit> {
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds"
        | "microsecon" => Unit::Micros(1),
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds"
        | "millisecon" => Unit::Micros(1000),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(SECOND),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(60 * SECOND),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(3600 * SECOND),
        "d" | "day" | "days" => Unit::Days(1),
        "w" | "week" | "weeks" => Unit::Days(7),
        "mon" | "mons" | "month" | "months" => Unit::Months(1),
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Months(12),
        "dec" | "decs" | "decade" | "decades" => Unit::Months(120),
        "c" | "cent" | "century" | "centuries" => Unit::Months(1200),
        "mil" | "mils" | "millennium" | "millennia" => Unit::Months(12_000),
        _ => return None,
    })
}

/// A number with a sign and a fraction of the same sign.
fn number(text: &str) -> Result<(i64, f64), Fault> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return Err(Fault::Syntax);
    }
    let whole = if whole.is_empty() {
        0
    } else {
        whole.parse::<i64>().map_err(|_| Fault::Range)?
    };
    let fraction = format!("0.{fraction}0")
        .parse::<f64>()
        .map_err(|_| Fault::Syntax)?;
    Ok(if negative {
        (-whole, -fraction)
    } else {
        (whole, fraction)
    })
}

/// `1 year 2 mons -3 days 04:05:06`, with `@` and `ago`, and the standard's `1-2` and `3 04:05:06`.
fn words(text: &str) -> Result<Parts, Fault> {
    let mut parts = Parts::default();
    let mut ago = false;
    let mut pending: Option<(i64, f64)> = None;
    let mut any = false;
    for word in split(text) {
        let first = word.as_bytes()[0];
        if word.eq_ignore_ascii_case("ago") {
            ago = true;
        } else if first.is_ascii_alphabetic() {
            let unit = unit(word).ok_or(Fault::Syntax)?;
            let (whole, fraction) = pending.take().ok_or(Fault::Syntax)?;
            parts.add(whole, fraction, unit)?;
        } else if word.contains(':') {
            // A number in front of a time of day counts days.
            if let Some((whole, fraction)) = pending.take() {
                parts.add(whole, fraction, Unit::Days(1))?;
            }
            parts.micros = parts.micros.checked_add(clock(word)?).ok_or(Fault::Range)?;
        } else if let Some((years, months)) = word[1..]
            .split_once('-')
            .map(|(years, months)| (&word[..=years.len()], months))
        {
            let (years, _) = number(years)?;
            let months: i64 = months.parse().map_err(|_| Fault::Syntax)?;
            if months > 11 {
                return Err(Fault::Range);
            }
            let months = if first == b'-' { -months } else { months };
            parts.add(years, 0.0, Unit::Months(12))?;
            parts.months += months;
        } else {
            if pending.is_some() {
                return Err(Fault::Syntax);
            }
            pending = Some(number(word)?);
        }
        any = true;
    }
    if let Some((whole, fraction)) = pending {
        parts.add(whole, fraction, Unit::Micros(SECOND))?;
    }
    if !any {
        return Err(Fault::Syntax);
    }
    if ago {
        parts = Parts {
            months: -parts.months,
            days: -parts.days,
            micros: -parts.micros,
        };
    }
    Ok(parts)
}

/// Words between spaces, and between digits and letters that touch.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split(|letter: char| letter.is_ascii_whitespace() || letter == '@') {
        let mut rest = word;
        while !rest.is_empty() {
            let alphabetic = rest.as_bytes()[0].is_ascii_alphabetic();
            let end = rest.find(|letter: char| letter.is_ascii_alphabetic() != alphabetic);
            let (head, tail) = rest.split_at(end.unwrap_or(rest.len()));
            words.push(head);
            rest = tail;
        }
    }
    words
}

/// `[-]HH:MM[:SS[.ffffff]]` in microseconds.
fn clock(word: &str) -> Result<i64, Fault> {
    let negative = word.starts_with('-');
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut numbers = [0i64; 3];
    let fields: Vec<&str> = whole.split(':').collect();
    if fields.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    for (number, field) in numbers.iter_mut().zip(&fields) {
        *number = field.parse().map_err(|_| Fault::Syntax)?;
    }
    let [mut hours, mut minutes, mut seconds] = numbers;
    // Two fields with a fraction are minutes and seconds.
    if fields.len() == 2 && digits.contains('.') {
        (hours, minutes, seconds) = (0, hours, minutes);
    }
    if minutes > 59 || seconds > 59 {
        return Err(Fault::Range);
    }
    let total = hours
        .checked_mul(3600)
        .and_then(|hours| (hours + minutes * 60 + seconds).checked_mul(SECOND))
        .ok_or(Fault::Range)?
        + fraction_micros(fraction);
    Ok(if negative { -total } else { total })
}

/// `P1Y2M3DT4H5M6.7S`, `P2W` and `P1-2-3T4:5:6`.
fn iso_8601(text: &str) -> Result<Parts, Fault> {
    let mut parts = Parts::default();
    let (date, time) = match text[1..].split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (&text[1..], None),
    };
    if date.is_empty() && time.is_none_or(str::is_empty) {
        return Err(Fault::Syntax);
    }
    if date.len() > 1
        && date[1..].contains('-')
        && !date.contains(|c: char| c.is_ascii_alphabetic())
    {
        let mut fields = date.split('-');
        for unit in [Unit::Months(12), Unit::Months(1), Unit::Days(1)] {
            if let Some(field) = fields.next() {
                let (whole, fraction) = number(field)?;
                parts.add(whole, fraction, unit)?;
            }
        }
    } else {
        designated(date, &mut parts, |letter| match letter {
            'Y' => Some(Unit::Months(12)),
            'M' => Some(Unit::Months(1)),
            'W' => Some(Unit::Days(7)),
            'D' => Some(Unit::Days(1)),
            _ => None,
        })?;
    }
    match time {
        Some(time) if time.contains(':') => parts.micros += clock(time)?,
        Some(time) => designated(time, &mut parts, |letter| match letter {
            'H' => Some(Unit::Micros(3600 * SECOND)),
            'M' => Some(Unit::Micros(60 * SECOND)),
            'S' => Some(Unit::Micros(SECOND)),
            _ => None,
        })?,
        None => {}
    }
    Ok(parts)
}

/// Numbers, each followed by its unit's letter.
fn designated(
    text: &str,
    parts: &mut Parts,
    unit: impl Fn(char) -> Option<Unit>,
) -> Result<(), Fault> {
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .find(|letter: char| letter.is_ascii_alphabetic())
            .ok_or(Fault::Syntax)?;
        let (whole, fraction) = number(&rest[..end])?;
        let letter = char::from(rest.as_bytes()[end].to_ascii_uppercase());
        parts.add(whole, fraction, unit(letter).ok_or(Fault::Syntax)?)?;
        rest = &rest[end + 1..];
    }
    Ok(())
}
