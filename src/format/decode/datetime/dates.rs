//! Days of the calendar, in the order that the session reads them.

use super::fields::Kind;
use super::iso::is_leap;
use crate::error::Result;
use crate::format::encode::datetime::{Day, day_of, days_of};
use crate::format::encode::{DateOrder, Display};

/// A date with separators.
pub(super) fn written_date(text: &str, kind: &Kind<'_>, display: &Display) -> Result<Day> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    match parts.as_slice() {
        [year, day_of_year] if year.len() >= 3 && day_of_year.len() == 3 => {
            let year: i32 = year.parse().map_err(|_| kind.invalid())?;
            let of_year: i64 = day_of_year.parse().map_err(|_| kind.invalid())?;
            if !(1..=365 + i64::from(is_leap(year))).contains(&of_year) {
                return Err(kind.overflow());
            }
            Ok(day_of(
                days_of(Day {
                    year,
                    month: 1,
                    day: 1,
                }) + of_year
                    - 1,
            ))
        }
        [a, b, c] => {
            let named = [a, b, c]
                .iter()
                .position(|part| part.starts_with(|c: char| c.is_alphabetic()));
            match named {
                None => numbers_date(&[a, b, c], None, kind, display),
                Some(at) => {
                    let month = month(parts[at]).ok_or_else(|| kind.invalid())?;
                    let mut others = parts.clone();
                    others.remove(at);
                    loose_date(&others, Some(month), kind, display)
                }
            }
        }
        _ => Err(kind.invalid()),
    }
}

/// A date of numbers, or of a named month and two numbers.
pub(super) fn loose_date(
    numbers: &[&str],
    month: Option<u32>,
    kind: &Kind<'_>,
    display: &Display,
) -> Result<Day> {
    match (numbers, month) {
        ([_, _], Some(_)) | ([_, _, _], None) => numbers_date(numbers, month, kind, display),
        _ => Err(kind.invalid()),
    }
}

pub(super) fn numbers_date(
    parts: &[&str],
    named: Option<u32>,
    kind: &Kind<'_>,
    display: &Display,
) -> Result<Day> {
    let number = |text: &str| -> Result<u32> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(kind.invalid());
        }
        text.parse().map_err(|_| kind.overflow())
    };
    let year_first = parts[0].len() >= 3;
    let (year, month, day) = match (parts, named) {
        ([a, b], Some(month)) => {
            let second_is_year =
                b.len() >= 3 || (!year_first && display.date_order != DateOrder::Ymd);
            let (year, day) = if second_is_year { (*b, *a) } else { (*a, *b) };
            (year, month, number(day)?)
        }
        ([a, b, c], _) => match display.date_order {
            _ if year_first => (*a, number(b)?, number(c)?),
            DateOrder::Ymd => (*a, number(b)?, number(c)?),
            DateOrder::Mdy => (*c, number(a)?, number(b)?),
            DateOrder::Dmy => (*c, number(b)?, number(a)?),
        },
        _ => return Err(kind.invalid()),
    };
    let value = number(year)? as i32;
    let year = match (year.len(), value) {
        _ if kind.before_christ => value,
        (..=2, ..70) => 2000 + value,
        (..=2, _) => 1900 + value,
        _ => value,
    };
    Ok(Day { year, month, day })
}

/// `YYYYMMDD` or `YYMMDD`.
pub(super) fn digits_date(text: &str, kind: &Kind<'_>) -> Result<Day> {
    let (year, rest) = text.split_at(text.len() - 4);
    let number = |text: &str| text.parse::<u32>().map_err(|_| kind.invalid());
    let value = number(year)? as i32;
    let year = match (year.len(), value) {
        (2, ..70) => 2000 + value,
        (2, _) => 1900 + value,
        _ => value,
    };
    Ok(Day {
        year,
        month: number(&rest[..2])?,
        day: number(&rest[2..])?,
    })
}

pub(super) fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = name.to_ascii_lowercase();
    let found = NAMES.iter().position(|whole| {
        *whole == lower || lower == whole[..3] || (lower == "sept" && *whole == "september")
    });
    found.map(|index| index as u32 + 1)
}

pub(super) fn is_weekday(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    const SHORT: [&str; 4] = ["tues", "weds", "thur", "thurs"];
    NAMES
        .iter()
        .any(|whole| *whole == name || name == &whole[..3])
        || SHORT.contains(&name)
}
