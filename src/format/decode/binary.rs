//! The binary form of values, read.

use std::borrow::Cow;

use arrow::datatypes::IntervalMonthDayNano;
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::zoned_time::ZonedTime;

use crate::error::{Error, Result};
use crate::format::encode::binary::{EPOCH_DAYS, EPOCH_MICROS};
use crate::format::utf8;

/// Zones are less than 16 hours from Greenwich.
const ZONE_LIMIT: u32 = 16 * 3600;

/// Exactly so many bytes.
pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| malformed())
}

pub(super) fn date(bytes: &[u8]) -> Result<i32> {
    match i32::from_be_bytes(fixed(bytes)?) {
        infinite @ (i32::MIN | i32::MAX) => Ok(infinite),
        days => days
            .checked_add(EPOCH_DAYS)
            .ok_or_else(|| Error::DatetimeOverflow("date out of range".to_owned())),
    }
}

pub(super) fn time(bytes: &[u8]) -> Result<i64> {
    let micros = i64::from_be_bytes(fixed(bytes)?);
    if !(0..=86_400_000_000).contains(&micros) {
        return Err(Error::DatetimeOverflow("time out of range".to_owned()));
    }
    Ok(micros)
}

pub(super) fn timetz(bytes: &[u8]) -> Result<ZonedTime> {
    let bytes: [u8; 12] = fixed(bytes)?;
    let (micros, zone) = bytes.split_at(8);
    let micros = time(micros)?;
    let west = i32::from_be_bytes(fixed(zone)?);
    if west.unsigned_abs() >= ZONE_LIMIT {
        return Err(Error::Function {
            sqlstate: "22009",
            message: "time zone displacement out of range".to_owned(),
            detail: None,
            hint: None,
        });
    }
    Ok(ZonedTime { micros, west })
}

pub(super) fn timestamp(bytes: &[u8]) -> Result<i64> {
    match i64::from_be_bytes(fixed(bytes)?) {
        infinite @ (i64::MIN | i64::MAX) => Ok(infinite),
        micros => micros
            .checked_add(EPOCH_MICROS)
            .filter(|micros| *micros < i64::MAX)
            .ok_or_else(|| Error::DatetimeOverflow("timestamp out of range".to_owned())),
    }
}

pub(super) fn interval(bytes: &[u8]) -> Result<IntervalMonthDayNano> {
    let bytes: [u8; 16] = fixed(bytes)?;
    let (micros, rest) = bytes.split_at(8);
    let (days, months) = rest.split_at(4);
    let nanos = i64::from_be_bytes(fixed(micros)?)
        .checked_mul(1000)
        .ok_or_else(|| Error::DatetimeOverflow("interval out of range".to_owned()))?;
    let (days, months) = (
        i32::from_be_bytes(fixed(days)?),
        i32::from_be_bytes(fixed(months)?),
    );
    Ok(IntervalMonthDayNano::new(months, days, nanos))
}

/// The text of a value whose type is kept as a string.
pub(super) fn string<'a>(bytes: &'a [u8], sql_type: &SqlType) -> Result<Cow<'a, str>> {
    match sql_type {
        SqlType::Uuid => {
            let uuid = uuid::Uuid::from_bytes(fixed(bytes)?);
            Ok(Cow::Owned(uuid.to_string()))
        }
        SqlType::Jsonb => match bytes {
            [1, text @ ..] => utf8(text).map(Cow::Borrowed),
            [version, ..] => Err(Error::InvalidBinary(format!(
                "unsupported jsonb version number {version}"
            ))),
            [] => Err(malformed()),
        },
        SqlType::Numeric(_) => numeric(bytes).map(Cow::Owned),
        _ => utf8(bytes).map(Cow::Borrowed),
    }
}

/// The text of a numeric.
pub(super) fn numeric(bytes: &[u8]) -> Result<String> {
    let words: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else {
        return Err(malformed());
    };
    if !bytes.len().is_multiple_of(2) || groups.len() != usize::from(*count) {
        return Err(malformed());
    }
    let negative = match sign {
        0x0000 => false,
        0x4000 => true,
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => {
            return Err(Error::InvalidBinary(
                "invalid sign in external \"numeric\" value".to_owned(),
            ));
        }
    };
    if *scale > 0x3fff {
        return Err(Error::InvalidBinary(
            "invalid scale in external \"numeric\" value".to_owned(),
        ));
    }
    if groups.iter().any(|group| *group > 9999) {
        return Err(Error::InvalidBinary(
            "invalid digit in external \"numeric\" value".to_owned(),
        ));
    }
    let weight = i32::from(*weight as i16);
    let group = |place: i32| {
        usize::try_from(weight - place)
            .ok()
            .and_then(|index| groups.get(index))
            .copied()
            .unwrap_or(0)
    };
    let mut text = String::new();
    if negative {
        text.push('-');
    }
    match weight {
        0.. => (0..=weight)
            .rev()
            .for_each(|place| text.push_str(&format!("{:04}", group(place)))),
        _ => text.push('0'),
    }
    if *scale > 0 {
        text.push('.');
        let start = text.len();
        let mut place = -1;
        while text.len() - start < usize::from(*scale) {
            text.push_str(&format!("{:04}", group(place)));
            place -= 1;
        }
        text.truncate(start + usize::from(*scale));
    }
    Ok(text)
}

/// The elements of an array of at most one dimension; `None` is NULL.
pub(super) fn array(bytes: &[u8]) -> Result<Vec<Option<&[u8]>>> {
    let (dimensions, rest) = word(bytes)?;
    let (flags, rest) = word(rest)?;
    let (_element, mut rest) = word(rest)?;
    if flags > 1 {
        return Err(Error::InvalidBinary(format!(
            "invalid array flags: {flags}"
        )));
    }
    match dimensions {
        0 => return Ok(Vec::new()),
        1 => {}
        2..=6 => {
            return Err(Error::Unsupported(
                "an array of several dimensions as input".to_owned(),
            ));
        }
        other => {
            return Err(Error::InvalidBinary(format!(
                "invalid number of dimensions: {other}"
            )));
        }
    }
    let (size, after) = word(rest)?;
    let (_lower_bound, after) = word(after)?;
    rest = after;
    let size = usize::try_from(size).map_err(|_| malformed())?;
    // Each element takes at least its length.
    if size > rest.len() / 4 {
        return Err(malformed());
    }
    let mut elements = Vec::with_capacity(size);
    for _ in 0..size {
        let (length, after) = word(rest)?;
        rest = after;
        if length == -1 {
            elements.push(None);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let (element, after) = rest.split_at_checked(length).ok_or_else(malformed)?;
        elements.push(Some(element));
        rest = after;
    }
    if rest.is_empty() {
        Ok(elements)
    } else {
        Err(malformed())
    }
}

fn word(bytes: &[u8]) -> Result<(i32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
    Ok((i32::from_be_bytes(*word), rest))
}

fn malformed() -> Error {
    Error::InvalidBinary("incorrect binary data format".to_owned())
}
