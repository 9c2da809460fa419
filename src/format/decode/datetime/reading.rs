//! Words read one after the other into the fields of a moment.

use chrono::{Offset, TimeZone, Utc};

use super::MICROS_PER_DAY;
use super::clock::{clock, digits_time};
use super::dates::{digits_date, is_weekday, loose_date, month, written_date};
use super::fields::{Fields, Kind, Read, Zone};
use super::words::{Word, words};
use super::zones::{offset, offset_of_local, zone};
use crate::error::Result;
use crate::format::encode::Display;

pub(super) fn read(kind: &Kind<'_>, display: &Display) -> Result<Read> {
    let words = words(kind)?;
    let before_christ = words
        .iter()
        .any(|word| matches!(word, Word::Name(name) if name.eq_ignore_ascii_case("bc")));
    let kind = &Kind {
        name: kind.name,
        text: kind.text,
        before_christ,
    };
    if let [Word::Name(word)] = words.as_slice()
        && let Some(special) = special(word, kind, display)
    {
        return Ok(special);
    }
    let mut fields = Fields::default();
    let mut named_month = None;
    // Numbers that stand alone: a day, a month, a year, in the order of the style.
    let mut loose: Vec<&str> = Vec::new();
    let mut time_marked = false;
    let mut julian = false;
    for (index, word) in words.iter().enumerate() {
        match *word {
            Word::Date(text) => {
                if fields.day.is_some() {
                    return Err(kind.invalid());
                }
                fields.day = Some(written_date(text, kind, display)?);
            }
            Word::Clock(text) => {
                if fields.time.is_some() {
                    return Err(kind.invalid());
                }
                fields.time = Some(clock(text, kind)?);
            }
            Word::Number(text) if julian => {
                julian = false;
                let day: i64 = text.parse().map_err(|_| kind.invalid())?;
                fields.day_number = Some(day - 2_440_588);
            }
            Word::Number(text) | Word::Decimal(text) => {
                let whole = text.split('.').next().unwrap_or_default();
                let has_date = fields.day.is_some() || fields.day_number.is_some();
                let is_time = (time_marked || has_date || kind.is_time()) && fields.time.is_none();
                if is_time && matches!(whole.len(), 4 | 6) {
                    fields.time = Some(digits_time(text, kind)?);
                } else if is_time && meridiem_follows(&words, index) {
                    let hours: i64 = whole.parse().map_err(|_| kind.invalid())?;
                    fields.time = Some(hours * 3_600_000_000);
                } else if matches!(word, Word::Decimal(_)) {
                    // A year and a day of the year.
                    if has_date {
                        return Err(kind.invalid());
                    }
                    fields.day = Some(written_date(text, kind, display)?);
                } else if matches!(text.len(), 6 | 8) && !has_date && named_month.is_none() {
                    fields.day = Some(digits_date(text, kind)?);
                } else {
                    loose.push(text);
                }
            }
            Word::Offset(text) => {
                if fields.zone.is_some() && !matches!(fields.zone, Some(Zone::Offset(0))) {
                    return Err(kind.invalid());
                }
                // Without a time, `-08` after a date is no zone.
                if fields.time.is_none() && !kind.is_time() && fields.day.is_none() {
                    return Err(kind.invalid());
                }
                fields.zone = Some(Zone::Offset(offset(text, kind)?));
            }
            Word::Name(name) => {
                let lower = name.to_ascii_lowercase();
                match lower.as_str() {
                    "am" | "pm" => {
                        let time = fields.time.ok_or_else(|| kind.invalid())?;
                        let hours = time / 3_600_000_000;
                        if hours > 12 {
                            return Err(kind.overflow());
                        }
                        let shift = match (lower.as_str(), hours) {
                            ("am", 12) => -12,
                            ("pm", 0..12) => 12,
                            _ => 0,
                        };
                        fields.time = Some(time + shift * 3_600_000_000);
                    }
                    "bc" => fields.before_christ = true,
                    "ad" | "at" | "on" => {}
                    "t" => time_marked = true,
                    "j" | "julian" | "jd" => julian = true,
                    "allballs" => {
                        fields.time = Some(0);
                        fields.zone = Some(Zone::Offset(0));
                    }
                    "today" | "tomorrow" | "yesterday" => {
                        if let Some(Read::Moment(day)) = special(&lower, kind, display) {
                            fields.day_number = Some(day.div_euclid(MICROS_PER_DAY));
                            fields.midnight_words = true;
                        }
                    }
                    other => {
                        if let Some(month) = month(other) {
                            if named_month.replace(month).is_some() {
                                return Err(kind.invalid());
                            }
                        } else if !is_weekday(other) {
                            let zone = zone(name, kind)?;
                            if fields.zone.replace(zone).is_some() {
                                return Err(kind.invalid());
                            }
                        }
                    }
                }
            }
        }
    }
    if fields.day.is_none()
        && fields.day_number.is_none()
        && (named_month.is_some() || !loose.is_empty())
    {
        fields.day = Some(loose_date(&loose, named_month, kind, display)?);
    } else if !loose.is_empty() {
        return Err(kind.invalid());
    }
    if fields.time.is_some_and(|time| time > MICROS_PER_DAY) {
        return Err(kind.overflow());
    }
    Ok(Read::Fields(fields))
}

pub(super) fn meridiem_follows(words: &[Word<'_>], index: usize) -> bool {
    matches!(words.get(index + 1), Some(Word::Name(name))
        if name.eq_ignore_ascii_case("am") || name.eq_ignore_ascii_case("pm"))
}

/// The words that stand for a moment by themselves.
pub(super) fn special(word: &str, kind: &Kind<'_>, display: &Display) -> Option<Read> {
    let with_zone = kind.name == "timestamp with time zone";
    let now = Utc::now();
    let offset = i64::from(
        display
            .zone
            .offset_from_utc_datetime(&now.naive_utc())
            .fix()
            .local_minus_utc(),
    );
    let local = now.timestamp_micros() + offset * 1_000_000;
    let midnight = local.div_euclid(MICROS_PER_DAY) * MICROS_PER_DAY;
    let day = |days: i64| {
        let start = midnight + days * MICROS_PER_DAY;
        let shift = if with_zone {
            offset_of_local(start, display.zone) * 1_000_000
        } else {
            0
        };
        Some(Read::Moment(start - shift))
    };
    match word.to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => Some(Read::Infinite { negative: false }),
        "-infinity" => Some(Read::Infinite { negative: true }),
        "epoch" if !kind.is_time() => Some(Read::Moment(0)),
        "now" => Some(Read::Moment(if with_zone {
            now.timestamp_micros()
        } else {
            local
        })),
        "today" => day(0),
        "tomorrow" => day(1),
        "yesterday" => day(-1),
        _ => None,
    }
}
