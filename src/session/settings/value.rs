//! What a setting's value may be, and its normal form.

use super::key;
use super::rows::Kind::{self, Bool, Enum, Float, Integer, Text};
use super::rows::find;
use crate::error::{Error, Result};

/// The setting that shows the role that the session acts as, and what it shows when that is its own.
pub(super) const ROLE: &str = "role";
pub(super) const NO_ROLE: &str = "none";

/// A name's key and the value in its normal form.
pub(super) fn checked(name: &str, value: &str) -> Result<(String, String)> {
    let key = key(name)?;
    let Some(row) = find(&key) else {
        return Ok((key, value.to_owned()));
    };
    // What it shows is what policies may ask for: only a change of the role changes it.
    if key == ROLE && value != NO_ROLE {
        return Err(Error::Unsupported(
            "changing the role by other means than SET ROLE".to_owned(),
        ));
    }
    let invalid = || {
        Error::InvalidParameterValue(format!(
            "invalid value for parameter \"{}\": \"{value}\"",
            row.name
        ))
    };
    let value = match row.kind {
        Bool => match parse_bool(value) {
            Some(true) => "on".to_owned(),
            Some(false) => "off".to_owned(),
            None => {
                return Err(Error::InvalidParameterValue(format!(
                    "parameter \"{}\" requires a Boolean value",
                    row.name
                )));
            }
        },
        Integer(from, to, unit) => {
            let number = if unit == "ms" {
                parse_milliseconds(value).ok_or_else(invalid)?
            } else {
                value.trim().parse::<i64>().map_err(|_| invalid())?
            };
            if !(from..=to).contains(&number) {
                return Err(Error::InvalidParameterValue(format!(
                    "{number} is outside the valid range for parameter \"{}\" ({from} .. {to})",
                    row.name
                )));
            }
            number.to_string()
        }
        Float(from, to) => {
            let number = value.trim().parse::<f64>().map_err(|_| invalid())?;
            if !(from..=to).contains(&number) {
                return Err(invalid());
            }
            value.trim().to_owned()
        }
        Text => value.to_owned(),
        Enum(allowed) => {
            let folded = value.to_lowercase();
            let folded = if allowed.contains(&"on") {
                match parse_bool(&folded) {
                    Some(true) => "on".to_owned(),
                    Some(false) => "off".to_owned(),
                    None => folded,
                }
            } else {
                folded
            };
            if !allowed.contains(&folded.as_str()) {
                return Err(invalid());
            }
            folded
        }
        Kind::TimeZone => time_zone(value).ok_or_else(invalid)?,
        Kind::DateStyle => date_style(value).ok_or_else(invalid)?,
        // Letters and digits alone count, as in PostgreSQL: asyncpg sends quotes with it.
        Kind::Encoding => match alphanumerics(value).as_str() {
            "utf8" | "unicode" | "sqlascii" => "UTF8".to_owned(),
            _ => return Err(invalid()),
        },
        Kind::SearchPath => value.to_owned(),
    };
    Ok((key, value))
}

fn alphanumerics(value: &str) -> String {
    let kept = value.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

fn parse_bool(value: &str) -> Option<bool> {
    match value.trim().to_lowercase().as_str() {
        "on" | "true" | "t" | "yes" | "y" | "1" => Some(true),
        "off" | "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A duration with an optional unit, in milliseconds.
fn parse_milliseconds(value: &str) -> Option<i64> {
    let value = value.trim();
    let split = value.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    let (number, unit) = value.split_at(split.unwrap_or(value.len()));
    let factor = match unit.trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * factor).round() as i64)
}

pub(super) fn with_time_unit(milliseconds: &str) -> String {
    let Ok(number) = milliseconds.parse::<i64>() else {
        return milliseconds.to_owned();
    };
    for (factor, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
    ] {
        if number != 0 && number % factor == 0 {
            return format!("{}{unit}", number / factor);
        }
    }
    if number == 0 {
        "0".to_owned()
    } else {
        format!("{number}ms")
    }
}

/// A zone's canonical name; offsets in POSIX's and ISO's way.
fn time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    if let Ok(zone) = chrono_tz::Tz::from_str_insensitive(value) {
        return Some(zone.name().to_owned());
    }
    // A bare number is whole hours east of UTC; POSIX's names count them westwards, and so does an
    // offset with minutes.
    let hours = match value.parse::<i32>() {
        Ok(hours) => hours,
        Err(_) => -hours_of_offset(value)?,
    };
    Some(match hours {
        0 => "UTC".to_owned(),
        -12..=14 => format!("Etc/GMT{:+}", -hours),
        _ => return None,
    })
}

/// The whole hours of `+02:00`, or of `UTC+2` and `<-02>+2` whose name says nothing.
fn hours_of_offset(value: &str) -> Option<i32> {
    let value = match value.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?.1,
        None => value.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let (hours, minutes) = value.split_once(':').unwrap_or((value, "0"));
    let whole = minutes.bytes().all(|digit| digit == b'0');
    hours.parse().ok().filter(|_| whole)
}

/// `style, order`, with what is not named as it is by default.
fn date_style(value: &str) -> Option<String> {
    let mut style = "ISO";
    let mut order = "MDY";
    for word in value.split(',') {
        match word.trim().to_lowercase().as_str() {
            "iso" => style = "ISO",
            "sql" => style = "SQL",
            "postgres" => style = "Postgres",
            "german" => {
                style = "German";
                order = "DMY";
            }
            "mdy" | "us" | "noneuropean" => order = "MDY",
            "dmy" | "european" | "euro" => order = "DMY",
            "ymd" => order = "YMD",
            "default" => {}
            _ => return None,
        }
    }
    Some(format!("{style}, {order}"))
}

/// Names between commas, quoted or folded.
pub(crate) fn split_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut was_quoted = false;
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                push_name(&mut names, &mut name, was_quoted);
                was_quoted = false;
            }
            c if quoted => name.push(c),
            c if c.is_whitespace() => {}
            c => name.extend(c.to_lowercase()),
        }
    }
    push_name(&mut names, &mut name, was_quoted);
    names
}

fn push_name(names: &mut Vec<String>, name: &mut String, quoted: bool) {
    if !name.is_empty() || quoted {
        names.push(std::mem::take(name));
    }
}

/// A size with PostgreSQL's units, in bytes; without one it is kilobytes, as for `work_mem`.
pub(crate) fn bytes(value: &str) -> Result<usize> {
    let trimmed = value.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor: Option<usize> = match unit.trim() {
        "B" => Some(1),
        "" | "kB" | "KB" => Some(1 << 10),
        "MB" => Some(1 << 20),
        "GB" => Some(1 << 30),
        "TB" => Some(1 << 40),
        _ => None,
    };
    let bytes = number
        .parse::<usize>()
        .ok()
        .zip(factor)
        .and_then(|(n, f)| n.checked_mul(f));
    bytes.ok_or_else(|| {
        Error::InvalidParameterValue(format!(
            "invalid value for parameter \"memory_limit\": \"{value}\""
        ))
    })
}
