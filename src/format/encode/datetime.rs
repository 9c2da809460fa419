//! Dates, times and timestamps as text, in each of `DateStyle`'s forms.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};

use tessera_catalog::zoned_time::ZonedTime;

use super::{DateOrder, DateStyle, Display, number};

const MICROS_PER_DAY: i64 = 86_400_000_000;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A day of the calendar; year 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub year: i32,
    pub month: u32,
    pub day: u32,
}

/// The calendar's day for days since 1970 (proleptic Gregorian, as H. Hinnant's `civil_from_days`).
#[inline]
pub fn day_of(days: i64) -> Day {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    } as u32;
    let year = (year_of_era + era * 400 + i64::from(month <= 2)) as i32;
    Day { year, month, day }
}

/// Days since 1970 of a day of the calendar.
#[inline]
pub fn days_of(day: Day) -> i64 {
    let year = i64::from(day.year) - i64::from(day.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(day.month);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + i64::from(day.day) - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

/// Appends a date: days since 1970, the extremes being the infinities.
#[inline]
pub fn date(days: i32, display: &Display, out: &mut Vec<u8>) {
    if infinite(
        i64::from(days),
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        out,
    ) {
        return;
    }
    let day = day_of(i64::from(days));
    write_day(day, display, true, out);
    era(day, out);
}

/// Appends a time of day: microseconds since midnight.
pub fn time(micros: i64, out: &mut Vec<u8>) {
    two((micros / 3_600_000_000) as u32, out);
    out.push(b':');
    minutes(micros % 3_600_000_000, out);
}

/// Appends a time of day with its zone, as [`ZonedTime`] packs them.
pub fn timetz(packed: i64, out: &mut Vec<u8>) {
    let zoned = ZonedTime::unpack(packed);
    time(zoned.micros, out);
    numeric_offset(-zoned.west, out);
}

/// Appends a timestamp without time zone: microseconds since 1970.
pub fn timestamp(micros: i64, display: &Display, out: &mut Vec<u8>) {
    if infinite(micros, i64::MIN, i64::MAX, out) {
        return;
    }
    moment(micros, display, None, out);
}

/// Appends a timestamp with time zone, as the session's zone shows it.
pub fn timestamptz(micros: i64, display: &Display, out: &mut Vec<u8>) {
    if infinite(micros, i64::MIN, i64::MAX, out) {
        return;
    }
    let (seconds, name) = offset(micros, display.zone);
    moment(
        micros + i64::from(seconds) * 1_000_000,
        display,
        Some((seconds, name)),
        out,
    );
}

/// The zone's distance to UTC in seconds, east positive, and its abbreviation, at a moment.
fn offset(micros: i64, zone: Tz) -> (i32, Option<String>) {
    if zone == Tz::UTC {
        return (0, Some("UTC".to_owned()));
    }
    match DateTime::from_timestamp_micros(micros) {
        Some(utc) => {
            let offset = zone.offset_from_utc_datetime(&utc.naive_utc());
            (
                offset.fix().local_minus_utc(),
                offset.abbreviation().map(str::to_owned),
            )
        }
        // Beyond chrono's years there are no rules of zones either.
        None => (0, None),
    }
}

fn infinite(value: i64, least: i64, most: i64, out: &mut Vec<u8>) -> bool {
    if value == most {
        out.extend_from_slice(b"infinity");
    } else if value == least {
        out.extend_from_slice(b"-infinity");
    } else {
        return false;
    }
    true
}

/// Appends a local moment, with the zone it is in if it has one.
fn moment(micros: i64, display: &Display, zone: Option<(i32, Option<String>)>, out: &mut Vec<u8>) {
    let days = micros.div_euclid(MICROS_PER_DAY);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let day = day_of(days);
    match display.date_style {
        DateStyle::Postgres => {
            out.extend_from_slice(WEEKDAYS[days.rem_euclid(7) as usize].as_bytes());
            out.push(b' ');
            let month = MONTHS[day.month as usize - 1].as_bytes();
            if display.date_order == DateOrder::Dmy {
                two(day.day, out);
                out.push(b' ');
                out.extend_from_slice(month);
            } else {
                out.extend_from_slice(month);
                out.push(b' ');
                two(day.day, out);
            }
            out.push(b' ');
            time(of_day, out);
            out.push(b' ');
            year(day, out);
        }
        _ => {
            write_day(day, display, false, out);
            out.push(b' ');
            time(of_day, out);
        }
    }
    if let Some((seconds, name)) = zone {
        let named = name.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
        match (display.date_style, named) {
            (DateStyle::Iso, _) => numeric_offset(seconds, out),
            (_, Some(name)) => {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
            }
            (DateStyle::Postgres, None) => {
                out.push(b' ');
                numeric_offset(seconds, out);
            }
            (_, None) => numeric_offset(seconds, out),
        }
    }
    era(day, out);
}

/// Appends a day without its era. `date` says whether it is a whole date, since the style Postgres
/// writes a date alone with dashes.
fn write_day(day: Day, display: &Display, date: bool, out: &mut Vec<u8>) {
    let (separator, order) = match display.date_style {
        DateStyle::Iso => (b'-', None),
        DateStyle::German => (b'.', Some(DateOrder::Dmy)),
        DateStyle::Sql => (b'/', Some(display.date_order)),
        DateStyle::Postgres if date => (b'-', Some(display.date_order)),
        DateStyle::Postgres => (b'-', None),
    };
    match order {
        None => {
            year(day, out);
            out.push(separator);
            two(day.month, out);
            out.push(separator);
            two(day.day, out);
        }
        Some(order) => {
            let (first, second) = if order == DateOrder::Dmy {
                (day.day, day.month)
            } else {
                (day.month, day.day)
            };
            two(first, out);
            out.push(separator);
            two(second, out);
            out.push(separator);
            year(day, out);
        }
    }
}

#[inline]
fn year(day: Day, out: &mut Vec<u8>) {
    let year = if day.year > 0 { day.year } else { 1 - day.year } as u32;
    if year < 10_000 {
        two(year / 100, out);
        two(year % 100, out);
    } else {
        number::integer(year, out);
    }
}

fn era(day: Day, out: &mut Vec<u8>) {
    if day.year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// Appends `MM:SS` with as many digits of a fraction as are needed.
fn minutes(micros: i64, out: &mut Vec<u8>) {
    two((micros / 60_000_000) as u32, out);
    out.push(b':');
    two((micros / 1_000_000 % 60) as u32, out);
    fraction(micros % 1_000_000, out);
}

/// Appends `.123456` without trailing zeros; nothing for zero.
pub(super) fn fraction(micros: i64, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    let mut digits = [b'0'; 6];
    let mut rest = micros;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let length = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..length]);
}

fn numeric_offset(seconds: i32, out: &mut Vec<u8>) {
    out.push(if seconds < 0 { b'-' } else { b'+' });
    let magnitude = seconds.unsigned_abs();
    two(magnitude / 3600, out);
    if !magnitude.is_multiple_of(3600) {
        out.push(b':');
        two(magnitude / 60 % 60, out);
    }
    if !magnitude.is_multiple_of(60) {
        out.push(b':');
        two(magnitude % 60, out);
    }
}

#[inline]
pub(super) fn two(value: u32, out: &mut Vec<u8>) {
    if value > 99 {
        number::integer(value, out);
    } else {
        out.extend_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
    }
}
