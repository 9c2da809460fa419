//! Dates, times and timestamps as text, in the many ways in which PostgreSQL reads them.
//!
//! ISO dates take a short way; all else is cut into words that are read one after the
//! other into fields.

mod clock;
mod dates;
mod fields;
mod iso;
mod reading;
mod words;
mod zones;

use chrono::Utc;
use tessera_catalog::zoned_time::ZonedTime;

use crate::error::{Error, Result};
use crate::format::encode::Display;

use fields::{Kind, Read, Zone};
use iso::{iso_date, iso_timestamp};
use reading::read;
use zones::steady_offset;

pub use zones::offset_of_local;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days since 1970 of the first and last date: 4714-11-24 BC and 5874897-12-31.
const FIRST_DAY: i64 = -2_440_588;
const LAST_DAY: i64 = 2_145_042_905;

/// The last day that PostgreSQL's timestamps can lie on: 294276-12-31; ours, which count from 1970, end
/// in 294247.
const LAST_TIMESTAMP_DAY: i64 = 106_762_939;

/// Reads a `date` as days since 1970.
#[inline]
pub fn date(text: &str, display: &Display) -> Result<i32> {
    if let Some(days) = iso_date(text.as_bytes()) {
        return Ok(days);
    }
    let kind = Kind {
        name: "date",
        text,
        before_christ: false,
    };
    let days = match read(&kind, display)? {
        Read::Infinite { negative } => return Ok(if negative { i32::MIN } else { i32::MAX }),
        Read::Moment(utc) => utc.div_euclid(MICROS_PER_DAY),
        Read::Fields(fields) => fields.days(&kind)?,
    };
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return Err(Error::DatetimeOverflow(format!(
            "date out of range: \"{text}\""
        )));
    }
    Ok(days as i32)
}

/// Reads a `time` as microseconds since midnight.
pub fn time(text: &str, display: &Display) -> Result<i64> {
    let kind = Kind {
        name: "time",
        text,
        before_christ: false,
    };
    match read(&kind, display)? {
        Read::Infinite { .. } => Err(kind.invalid()),
        Read::Moment(utc) => Ok(utc.rem_euclid(MICROS_PER_DAY)),
        Read::Fields(fields) => match fields.time {
            Some(time) => Ok(time),
            None if fields.midnight_words => Ok(0),
            None => Err(kind.invalid()),
        },
    }
}

/// Reads a `time with time zone`; one without a zone is in the session's, of the day it names or of today.
pub fn timetz(text: &str, display: &Display) -> Result<ZonedTime> {
    let kind = Kind {
        name: "time with time zone",
        text,
        before_christ: false,
    };
    let fields = match read(&kind, display)? {
        Read::Infinite { .. } => return Err(kind.invalid()),
        Read::Moment(local) => {
            let east = offset_of_local(local, display.zone);
            let micros = local.rem_euclid(MICROS_PER_DAY);
            let west = -(east as i32);
            return Ok(ZonedTime { micros, west });
        }
        Read::Fields(fields) => fields,
    };
    let micros = match fields.time {
        Some(micros) => micros,
        None if fields.midnight_words => 0,
        None => return Err(kind.invalid()),
    };
    let dated = fields.day.is_some() || fields.day_number.is_some();
    let local = |day: i64| day * MICROS_PER_DAY + micros;
    let east = match fields.zone {
        Some(Zone::Offset(seconds)) => i64::from(seconds),
        Some(Zone::Named(zone)) if dated => offset_of_local(local(fields.days(&kind)?), zone),
        // A zone's offset depends on the day, unless it is the same on all days.
        Some(Zone::Named(zone)) => steady_offset(zone).ok_or_else(|| kind.invalid())?,
        None if dated => offset_of_local(local(fields.days(&kind)?), display.zone),
        None => {
            let today = Utc::now().with_timezone(&display.zone).naive_local();
            let today = today
                .and_utc()
                .timestamp_micros()
                .div_euclid(MICROS_PER_DAY);
            offset_of_local(local(today), display.zone)
        }
    };
    let west = -(east as i32);
    Ok(ZonedTime { micros, west })
}

/// Reads a `timestamp` as microseconds since 1970; a time zone in the text is not looked at.
pub fn timestamp(text: &str, display: &Display) -> Result<i64> {
    if let Some(micros) = iso_timestamp(text.as_bytes()) {
        return Ok(micros);
    }
    let kind = Kind {
        name: "timestamp",
        text,
        before_christ: false,
    };
    match read(&kind, display)? {
        Read::Infinite { negative } => Ok(if negative { i64::MIN } else { i64::MAX }),
        Read::Moment(local) => Ok(local),
        Read::Fields(fields) => fields.local(&kind),
    }
}

/// Reads a `timestamp with time zone` as microseconds since 1970 in UTC.
pub fn timestamptz(text: &str, display: &Display) -> Result<i64> {
    let kind = Kind {
        name: "timestamp with time zone",
        text,
        before_christ: false,
    };
    match read(&kind, display)? {
        Read::Infinite { negative } => Ok(if negative { i64::MIN } else { i64::MAX }),
        Read::Moment(local) if kind.is_now() => Ok(local),
        Read::Moment(local) => Ok(local),
        Read::Fields(fields) => {
            let local = fields.local(&kind)?;
            let offset = match fields.zone {
                Some(Zone::Offset(seconds)) => i64::from(seconds),
                Some(Zone::Named(zone)) => offset_of_local(local, zone),
                None => offset_of_local(local, display.zone),
            };
            local
                .checked_sub(offset * 1_000_000)
                .ok_or_else(|| kind.timestamp_out_of_range())
        }
    }
}
