//! Zones: offsets, PostgreSQL's abbreviations, and names with rules.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::fields::{Kind, Zone};
use crate::error::{Error, Result};

/// The zone's distance to UTC in seconds at a local moment. Within a gap the time before it goes on,
/// and of two meanings the later is taken, as in PostgreSQL.
pub fn offset_of_local(local: i64, zone: Tz) -> i64 {
    const THREE_HOURS: i64 = 3 * 3_600_000_000;
    let at = |micros: i64| DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc());
    let Some(moment) = at(local) else { return 0 };
    let offset = zone
        .offset_from_local_datetime(&moment)
        .latest()
        .or_else(|| {
            zone.offset_from_local_datetime(&at(local - THREE_HOURS)?)
                .latest()
        });
    offset.map_or(0, |offset| i64::from(offset.fix().local_minus_utc()))
}

/// The offset of a zone that never changes its clocks nor has.
pub(super) fn steady_offset(zone: Tz) -> Option<i64> {
    let name = zone.name();
    let fixed = name.starts_with("Etc/") || matches!(name, "UTC" | "UCT" | "GMT" | "Zulu");
    fixed.then(|| offset_of_local(0, zone))
}

/// `+HH`, `+HHMM`, `+HH:MM` and `+HH:MM:SS`, as seconds east of UTC.
pub(super) fn offset(text: &str, kind: &Kind<'_>) -> Result<i32> {
    let negative = text.starts_with('-');
    let digits = text[1..].trim_start();
    let parts: Vec<&str> = digits.split(':').collect();
    let number = |text: &str| text.parse::<i32>().map_err(|_| kind.invalid());
    let (hours, minutes, seconds) = match parts.as_slice() {
        [all] if all.len() > 2 => {
            let (hours, minutes) = all.split_at(all.len() - 2);
            (number(hours)?, number(minutes)?, 0)
        }
        [hours] => (number(hours)?, 0, 0),
        [hours, minutes] => (number(hours)?, number(minutes)?, 0),
        [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
        _ => return Err(kind.invalid()),
    };
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(kind.zone_out_of_range());
    }
    let total = hours * 3600 + minutes * 60 + seconds;
    Ok(if negative { -total } else { total })
}

/// Abbreviations of PostgreSQL's default set, in hours east of UTC.
pub(super) const ABBREVIATIONS: [(&str, f32); 42] = [
    ("utc", 0.0),
    ("gmt", 0.0),
    ("z", 0.0),
    ("zulu", 0.0),
    ("ut", 0.0),
    ("wet", 0.0),
    ("west", 1.0),
    ("bst", 1.0),
    ("cet", 1.0),
    ("cest", 2.0),
    ("met", 1.0),
    ("mest", 2.0),
    ("eet", 2.0),
    ("eest", 3.0),
    ("msk", 3.0),
    ("ist", 2.0),
    ("idt", 3.0),
    ("sast", 2.0),
    ("pkt", 5.0),
    ("npt", 5.75),
    ("ict", 7.0),
    ("hkt", 8.0),
    ("sgt", 8.0),
    ("awst", 8.0),
    ("jst", 9.0),
    ("kst", 9.0),
    ("acst", 9.5),
    ("acdt", 10.5),
    ("aest", 10.0),
    ("aedt", 11.0),
    ("nzst", 12.0),
    ("nzdt", 13.0),
    ("est", -5.0),
    ("edt", -4.0),
    ("cst", -6.0),
    ("cdt", -5.0),
    ("mst", -7.0),
    ("mdt", -6.0),
    ("pst", -8.0),
    ("pdt", -7.0),
    ("akst", -9.0),
    ("hst", -10.0),
];

pub(super) fn zone(name: &str, kind: &Kind<'_>) -> Result<Zone> {
    let lower = name.to_ascii_lowercase();
    if let Some(sign) = name.find(['+', '-']).filter(|_| !name.contains('/')) {
        // POSIX counts westwards.
        return Ok(Zone::Offset(-offset(&name[sign..], kind)?));
    }
    if let Some((_, hours)) = ABBREVIATIONS.iter().find(|(short, _)| *short == lower) {
        return Ok(Zone::Offset((hours * 3600.0) as i32));
    }
    if let Ok(zone) = Tz::from_str_insensitive(name) {
        return Ok(Zone::Named(zone));
    }
    if name.contains('/') {
        let message = format!("time zone \"{lower}\" not recognized");
        return Err(Error::InvalidParameterValue(message));
    }
    Err(kind.invalid())
}
