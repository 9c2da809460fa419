//! `time with time zone` as one number, whose order is SQL's: first the moment in UTC, then the zone.
//!
//! The engine holds such a time as this number in a `Time64(Nanosecond)`, in which no other type lies, so
//! that it sorts, groups and joins them without knowing what they are. Files hold the text.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewBuilder, Time64NanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Time64NanosecondType};

use crate::error::{Error, Result};

const SECOND: i64 = 1_000_000;
/// Zones are less than 16 hours from Greenwich.
const ZONE_LIMIT: i64 = 16 * 3600;
/// Enough for twice the limit in seconds.
const ZONE_BITS: u32 = 17;

/// A time of day with its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZonedTime {
    /// Microseconds since midnight, as the zone's clock shows them.
    pub micros: i64,
    /// Seconds west of Greenwich, as PostgreSQL counts them.
    pub west: i32,
}

impl ZonedTime {
    /// The number that the engine holds.
    pub fn pack(self) -> i64 {
        let west = i64::from(self.west);
        let utc = self.micros + (west + ZONE_LIMIT) * SECOND;
        (utc << ZONE_BITS) | (west + ZONE_LIMIT)
    }

    /// The time that such a number stands for.
    pub fn unpack(packed: i64) -> Self {
        let west = (packed & ((1 << ZONE_BITS) - 1)) - ZONE_LIMIT;
        let utc = packed >> ZONE_BITS;
        Self {
            micros: utc - (west + ZONE_LIMIT) * SECOND,
            west: west as i32,
        }
    }

    /// Reads the text that [`fmt::Display`] writes.
    fn parse(text: &str) -> Option<Self> {
        let sign = text.rfind(['+', '-'])?;
        let (clock, zone) = text.split_at(sign);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
        let east = seconds(&zone[1..])?;
        let west = if zone.starts_with('-') { east } else { -east };
        Some(Self {
            micros: seconds(clock)? * SECOND + fraction,
            west: i32::try_from(west).ok()?,
        })
    }
}

/// `HH`, `HH:MM` and `HH:MM:SS` in seconds.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0;
    let mut unit = 3600;
    for part in text.split(':') {
        total += part.parse::<i64>().ok()? * unit;
        unit /= 60;
    }
    Some(total)
}

impl fmt::Display for ZonedTime {
    /// `13:45:30.5+05:30`, as PostgreSQL writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.micros / SECOND;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}")?;
        let fraction = self.micros % SECOND;
        if fraction != 0 {
            let digits = format!("{fraction:06}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        let east = self.west.unsigned_abs();
        let sign = if self.west > 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}", east / 3600)?;
        if !east.is_multiple_of(3600) {
            write!(f, ":{:02}", east / 60 % 60)?;
        }
        if !east.is_multiple_of(60) {
            write!(f, ":{:02}", east % 60)?;
        }
        Ok(())
    }
}

/// Times of the engine as the texts that files hold.
pub(crate) fn to_texts(array: &ArrayRef) -> ArrayRef {
    let times = array.as_primitive::<Time64NanosecondType>();
    let mut texts = StringViewBuilder::with_capacity(times.len());
    for packed in times {
        texts.append_option(packed.map(|packed| ZonedTime::unpack(packed).to_string()));
    }
    Arc::new(texts.finish())
}

/// The texts of files as the engine holds such times.
///
/// # Errors
/// [`Error::Unstorable`] for a text that is none of ours.
pub(crate) fn from_texts(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = cast(array, &DataType::Utf8View)?;
    let mut times = Time64NanosecondArray::builder(texts.len());
    for text in texts.as_string_view() {
        let time = text.map(|text| {
            ZonedTime::parse(text)
                .ok_or_else(|| Error::Unstorable(format!("stored time \"{text}\" is not readable")))
        });
        times.append_option(time.transpose()?.map(ZonedTime::pack));
    }
    Ok(Arc::new(times.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(micros: i64, west: i32) -> ZonedTime {
        ZonedTime { micros, west }
    }

    #[test]
    fn a_time_is_packed_and_written_and_read_back() {
        let day = 86_400 * SECOND;
        for (micros, west, text) in [
            (0, 0, "00:00:00+00"),
            (day, -57_599, "24:00:00+15:59:59"),
            (day - 1, 57_599, "23:59:59.999999-15:59:59"),
            (1, 41_400, "00:00:00.000001-11:30"),
            (49_530_500_000, -7200, "13:45:30.5+02"),
        ] {
            let zoned = time(micros, west);
            assert_eq!(ZonedTime::unpack(zoned.pack()), zoned);
            assert_eq!(zoned.to_string(), text);
            assert_eq!(ZonedTime::parse(text), Some(zoned));
        }
    }

    #[test]
    fn the_order_is_that_of_moments_and_then_of_zones() {
        let hour = 3600 * SECOND;
        let ordered = [
            time(0, -57_599),
            time(11 * hour, -3600),
            time(10 * hour, 0),
            time(9 * hour, 3600),
            time(10 * hour + 1, 0),
            time(24 * hour, 57_599),
        ];
        assert!(
            ordered
                .windows(2)
                .all(|pair| pair[0].pack() < pair[1].pack())
        );
    }
}
