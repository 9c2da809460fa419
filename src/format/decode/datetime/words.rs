//! A text cut into words: numbers, clocks, dates, names and offsets.

use super::dates::{is_weekday, month};
use super::fields::Kind;
use crate::error::Result;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// Digits alone.
    Number(&'a str),
    /// Digits with a fraction.
    Decimal(&'a str),
    /// Digits with colons.
    Clock(&'a str),
    /// Digits and perhaps letters with `-`, `/` or `.` between.
    Date(&'a str),
    Name(&'a str),
    /// A sign and digits, perhaps with colons.
    Offset(&'a str),
}

pub(super) fn words<'a>(kind: &Kind<'a>) -> Result<Vec<Word<'a>>> {
    let text = kind.text;
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    let run = |from: usize, take: &dyn Fn(u8) -> bool| {
        from + bytes[from..].iter().take_while(|byte| take(**byte)).count()
    };
    let digit = |byte: u8| byte.is_ascii_digit();
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_whitespace() || byte == b',' {
            at += 1;
            continue;
        }
        let (end, word): (usize, fn(&'a str) -> Word<'a>) = if byte.is_ascii_digit() {
            let digits = run(at, &digit);
            match bytes.get(digits) {
                Some(b':') => (
                    run(at, &|byte| digit(byte) || byte == b':' || byte == b'.'),
                    Word::Clock,
                ),
                Some(separator @ (b'-' | b'/' | b'.')) => {
                    let separator = *separator;
                    let next = bytes.get(digits + 1).copied().unwrap_or(0);
                    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == separator;
                    let whole = run(at, &|byte| digit(byte) || byte == separator);
                    let pieces = text[at..whole].matches(char::from(separator)).count();
                    if separator == b'.' && pieces < 2 && !next.is_ascii_alphabetic() {
                        (whole, Word::Decimal)
                    } else if next.is_ascii_alphabetic() {
                        // A day, the month's name, and a year.
                        (run(at, &part), Word::Date)
                    } else if separator == b'-' && pieces < 2 && !words.is_empty() {
                        // A time in digits, followed by a zone.
                        (digits, Word::Number)
                    } else {
                        (whole, Word::Date)
                    }
                }
                _ => (digits, Word::Number),
            }
        } else if byte.is_ascii_alphabetic() {
            let letters = run(at, &|byte| byte.is_ascii_alphabetic());
            match bytes.get(letters) {
                Some(b'-' | b'/') if month(&text[at..letters]).is_some() => (
                    run(at, &|byte| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/')
                    }),
                    Word::Date,
                ),
                Some(b'/' | b'_') => {
                    let part = |byte: u8| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+')
                    };
                    (run(at, &part), Word::Name)
                }
                // POSIX's notation, as in `GMT+8`.
                Some(b'+' | b'-')
                    if letters - at >= 3
                        && month(&text[at..letters]).is_none()
                        && !is_weekday(&text[at..letters].to_ascii_lowercase())
                        && bytes.get(letters + 1).is_some_and(u8::is_ascii_digit) =>
                {
                    (
                        run(letters + 1, &|byte| digit(byte) || byte == b':'),
                        Word::Name,
                    )
                }
                Some(b'.') => (letters, Word::Name),
                _ => (letters, Word::Name),
            }
        } else if matches!(byte, b'+' | b'-') {
            let spaces = run(at + 1, &|byte| byte == b' ');
            match bytes.get(spaces) {
                Some(next) if next.is_ascii_digit() => (
                    run(spaces, &|byte| digit(byte) || byte == b':'),
                    Word::Offset,
                ),
                Some(next) if next.is_ascii_alphabetic() => {
                    (run(spaces, &|byte| byte.is_ascii_alphabetic()), Word::Name)
                }
                _ => return Err(kind.invalid()),
            }
        } else if byte == b'.' {
            // As after an abbreviated month.
            at += 1;
            continue;
        } else {
            return Err(kind.invalid());
        };
        words.push(word(&text[at..end]));
        at = end;
        if words.len() > 25 {
            return Err(kind.invalid());
        }
    }
    Ok(words)
}
