//! Time zones: from their names to their offsets at a moment.
//!
//! Arrow's and PostgreSQL's notations of a fixed offset have opposite signs, so there are two ways in.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

use super::calendar::{Infinite, SECOND, checked_timestamp};
use super::error::{PgError, PgResult};
use super::value::{Timestamp, Timestamptz};

/// A zone: a name with rules, or one offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Seconds east of Greenwich, and the abbreviation.
    Fixed(i32, String),
    Named(Tz),
}

/// What a zone says at one moment.
pub(crate) struct Local {
    /// Seconds east of Greenwich.
    pub(crate) offset: i32,
    pub(crate) abbreviation: String,
}

/// Abbreviations that PostgreSQL's default set knows and that name no zone of their own.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("ACDT", 37_800),
    ("ACST", 34_200),
    ("ADT", -10_800),
    ("AEDT", 39_600),
    ("AEST", 36_000),
    ("AKDT", -28_800),
    ("AKST", -32_400),
    ("AST", -14_400),
    ("AWST", 28_800),
    ("BST", 3600),
    ("CAST", 34_200),
    ("CDT", -18_000),
    ("CEST", 7200),
    ("CETDST", 7200),
    ("CST", -21_600),
    ("EAT", 10_800),
    ("EDT", -14_400),
    ("EEST", 10_800),
    ("EETDST", 10_800),
    ("GMT", 0),
    ("HKT", 28_800),
    ("HST", -36_000),
    ("IDT", 10_800),
    ("IST", 7200),
    ("JST", 32_400),
    ("KST", 32_400),
    ("MDT", -21_600),
    ("MSD", 14_400),
    ("MSK", 10_800),
    ("MST", -25_200),
    ("NZDT", 46_800),
    ("NZST", 43_200),
    ("PDT", -25_200),
    ("PKT", 18_000),
    ("PST", -28_800),
    ("SAST", 7200),
    ("SGT", 28_800),
    ("UT", 0),
    ("UTC", 0),
    ("WEST", 3600),
    ("WETDST", 3600),
    ("Z", 0),
    ("ZULU", 0),
    // Rule-less zones of the database under the same names have these offsets too.
    ("EST", -18_000),
    ("CET", 3600),
    ("EET", 7200),
    ("MET", 3600),
    ("WET", 0),
];

/// `+05:30`, `-08`, `0530` as seconds, the sign as written.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    let mut fields = digits.split(':');
    let (hours, minutes, seconds) =
        match (fields.next()?, fields.next(), fields.next(), fields.next()) {
            (compact, None, None, None) if compact.len() == 4 && compact.is_ascii() => {
                (&compact[..2], Some(&compact[2..]), None)
            }
            (hours, minutes, seconds, None) => (hours, minutes, seconds),
            _ => return None,
        };
    if hours.is_empty() || hours.len() > 2 {
        return None;
    }
    let part = |text: Option<&str>, end: i32| match text {
        None => Some(0),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().filter(|value| *value < end)
        }
        Some(_) => None,
    };
    Some(sign * (part(Some(hours), 25)? * 3600 + part(minutes, 60)? * 60 + part(seconds, 60)?))
}

impl Zone {
    /// The zone of a column's type or of the session: a fixed offset is east of Greenwich.
    pub(crate) fn of_type(name: &str) -> PgResult<Self> {
        match offset(name) {
            Some(seconds) if name.starts_with(['+', '-']) => Ok(Self::fixed(seconds)),
            _ => Self::named(name),
        }
    }

    /// The zone that SQL text names: a bare offset is POSIX's, west of Greenwich.
    pub(crate) fn named(name: &str) -> PgResult<Self> {
        let trimmed = name.trim();
        let known = ABBREVIATIONS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(trimmed));
        if let Some((known, seconds)) = known {
            return Ok(Self::Fixed(*seconds, (*known).to_owned()));
        }
        if let Ok(zone) = Tz::from_str_insensitive(trimmed) {
            return Ok(Self::Named(zone));
        }
        // POSIX: letters, then hours west.
        let letters = trimmed
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(trimmed.len());
        match offset(&trimmed[letters..]) {
            Some(west) => Ok(Self::fixed(-west)),
            None => Err(PgError::InvalidParameter(format!(
                "time zone \"{name}\" not recognized"
            ))),
        }
    }

    /// A zone of one offset, in seconds east of Greenwich.
    pub(crate) fn fixed(seconds: i32) -> Self {
        let mut text = String::new();
        write_offset(&mut text, seconds);
        Self::Fixed(seconds, text)
    }

    /// What the zone says at this moment of UTC.
    pub(crate) fn at(&self, moment: Timestamptz) -> Local {
        match self {
            Self::Fixed(offset, abbreviation) => Local {
                offset: *offset,
                abbreviation: abbreviation.clone(),
            },
            Self::Named(zone) => match utc(moment.0) {
                Some(utc) => {
                    let offset = zone.offset_from_utc_datetime(&utc);
                    let seconds =
                        (offset.base_utc_offset() + offset.dst_offset()).num_seconds() as i32;
                    Local {
                        offset: seconds,
                        abbreviation: offset.abbreviation().unwrap_or_default().to_owned(),
                    }
                }
                None => Local {
                    offset: 0,
                    abbreviation: zone.name().to_owned(),
                },
            },
        }
    }

    /// Seconds east of Greenwich at this moment of UTC.
    pub(crate) fn offset_at(&self, moment: Timestamptz) -> i32 {
        match self {
            Self::Fixed(offset, _) => *offset,
            Self::Named(zone) => utc(moment.0).map_or(0, |utc| {
                zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
            }),
        }
    }

    /// The wall clock at this moment.
    pub(crate) fn local(&self, moment: Timestamptz) -> Timestamp {
        if Timestamp(moment.0).infinite() {
            return Timestamp(moment.0);
        }
        Timestamp(moment.0 + i64::from(self.offset_at(moment)) * SECOND)
    }

    /// The moment at which the wall clock shows this; a time that the clock skips is read with the offset before
    /// the change, one that it shows twice with the offset after it.
    pub(crate) fn moment(&self, wall: Timestamp) -> PgResult<Timestamptz> {
        if wall.infinite() {
            return Ok(Timestamptz(wall.0));
        }
        let seconds = match self {
            Self::Fixed(offset, _) => *offset,
            Self::Named(zone) => utc(wall.0).map_or(0, |wall| offset_of_wall(*zone, wall)),
        };
        Ok(Timestamptz(
            checked_timestamp(wall.0 - i64::from(seconds) * SECOND)?.0,
        ))
    }
}

fn utc(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

fn offset_of_wall(zone: Tz, wall: NaiveDateTime) -> i32 {
    let mut wall = wall;
    // A gap is at most a day long.
    for _ in 0..50 {
        match zone.offset_from_local_datetime(&wall) {
            LocalResult::Single(offset) | LocalResult::Ambiguous(_, offset) => {
                return offset.fix().local_minus_utc();
            }
            LocalResult::None => wall -= chrono::TimeDelta::minutes(30),
        }
    }
    0
}

/// Writes `+02`, `-05:30` or `+00:19:32`.
pub(crate) fn write_offset(out: &mut String, seconds: i32) {
    let magnitude = seconds.abs();
    let (hours, minutes, rest) = (magnitude / 3600, magnitude / 60 % 60, magnitude % 60);
    out.push(if seconds < 0 { '-' } else { '+' });
    super::output::two_digits(out, i64::from(hours));
    if minutes != 0 || rest != 0 {
        out.push(':');
        super::output::two_digits(out, i64::from(minutes));
    }
    if rest != 0 {
        out.push(':');
        super::output::two_digits(out, i64::from(rest));
    }
}
