//! Times of day.

use super::fields::Kind;
use crate::error::Result;
use crate::format::decode::interval::fraction_micros;

/// `HHMM`, `HHMMSS` and `HHMMSS.ffffff`.
pub(super) fn digits_time(text: &str, kind: &Kind<'_>) -> Result<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let pair = |at: usize| whole.get(at..at + 2).map_or(Ok(0), str::parse::<i64>);
    let invalid = |_| kind.invalid();
    let (hours, minutes, seconds) = (
        pair(0).map_err(invalid)?,
        pair(2).map_err(invalid)?,
        pair(4).map_err(invalid)?,
    );
    time_of(hours, minutes, seconds, fraction_micros(fraction), kind)
}

/// `HH:MM`, `HH:MM:SS` and `HH:MM:SS.ffffff`.
pub(super) fn clock(text: &str, kind: &Kind<'_>) -> Result<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<&str> = whole.split(':').collect();
    let number = |text: &str| -> Result<i64> {
        if text.is_empty() {
            Err(kind.invalid())
        } else {
            text.parse().map_err(|_| kind.overflow())
        }
    };
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (number(hours)?, number(minutes)?, 0),
        [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
        _ => return Err(kind.invalid()),
    };
    if fraction.contains(['.', ':']) {
        return Err(kind.invalid());
    }
    time_of(hours, minutes, seconds, fraction_micros(fraction), kind)
}

pub(super) fn time_of(
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
    kind: &Kind<'_>,
) -> Result<i64> {
    if hours > 24 || minutes > 59 || seconds > 60 {
        return Err(kind.overflow());
    }
    Ok((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros)
}
