//! ISO dates and timestamps, which most texts are, in one go.

use super::MICROS_PER_DAY;
use crate::format::encode::datetime::{Day, days_of};

/// `YYYY-MM-DD` and nothing else.
#[inline]
pub(super) fn iso_date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let digit = |at: usize| {
        let digit = text[at].wrapping_sub(b'0');
        (digit <= 9).then_some(u32::from(digit))
    };
    let two = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
    let day = Day {
        year: (two(0)? * 100 + two(2)?) as i32,
        month: two(5)?,
        day: two(8)?,
    };
    is_day(day)
        .then(|| days_of(day) as i32)
        .filter(|_| day.year > 0)
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]` and nothing else.
pub(super) fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = iso_date(date)?;
    let [
        b' ' | b'T',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        fraction @ ..,
    ] = rest
    else {
        return None;
    };
    let two = |a: &u8, b: &u8| {
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() && digits.len() <= 6 => {
            let value = digits.iter().try_fold(0i64, |sum, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| sum * 10 + i64::from(digit - b'0'))
            })?;
            value * 10i64.pow(6 - digits.len() as u32)
        }
        _ => return None,
    };
    let of_day = (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros;
    Some(i64::from(days) * MICROS_PER_DAY + of_day)
}

pub(super) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[inline]
pub(super) fn is_day(day: Day) -> bool {
    let last = match day.month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap(day.year)),
        _ => return false,
    };
    (1..=last).contains(&day.day)
}
