//! Dates, times and timestamps as text, in the many ways in which PostgreSQL reads them.
//!
//! ISO dates take a short way; all else is cut into words ([`words`]) that are read one after the
//! other into [`Fields`].

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::interval::fraction_micros;
use tessera_catalog::zoned_time::ZonedTime;

use crate::error::{Error, Result};
use crate::format::encode::datetime::{Day, day_of, days_of};
use crate::format::encode::{DateOrder, Display};

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

/// The offset of a zone that never changes its clocks nor has.
fn steady_offset(zone: Tz) -> Option<i64> {
    let name = zone.name();
    let fixed = name.starts_with("Etc/") || matches!(name, "UTC" | "UCT" | "GMT" | "Zulu");
    fixed.then(|| offset_of_local(0, zone))
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

/// `YYYY-MM-DD` and nothing else.
#[inline]
fn iso_date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let digit = |at: usize| {
        let digit = text[at].wrapping_sub(b'0');
        (digit <= 9).then_some(u32::from(digit))
    };
    let two = |at: usize| Some(digit(at)? * 10 + digit(at + 1)?);
    let day = Day {
        year: (two(0)? * 100 + two(2)?) as i32,
        month: two(5)?,
        day: two(8)?,
    };
    is_day(day)
        .then(|| days_of(day) as i32)
        .filter(|_| day.year > 0)
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]` and nothing else.
fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let days = iso_date(date)?;
    let [
        b' ' | b'T',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        fraction @ ..,
    ] = rest
    else {
        return None;
    };
    let two = |a: &u8, b: &u8| {
        (a.is_ascii_digit() && b.is_ascii_digit())
            .then(|| i64::from(a - b'0') * 10 + i64::from(b - b'0'))
    };
    let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if !digits.is_empty() && digits.len() <= 6 => {
            let value = digits.iter().try_fold(0i64, |sum, digit| {
                digit
                    .is_ascii_digit()
                    .then(|| sum * 10 + i64::from(digit - b'0'))
            })?;
            value * 10i64.pow(6 - digits.len() as u32)
        }
        _ => return None,
    };
    let of_day = (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros;
    Some(i64::from(days) * MICROS_PER_DAY + of_day)
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[inline]
fn is_day(day: Day) -> bool {
    let last = match day.month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(is_leap(day.year)),
        _ => return false,
    };
    (1..=last).contains(&day.day)
}

/// What is being read, for messages.
struct Kind<'a> {
    name: &'static str,
    text: &'a str,
    /// The year is one before Christ, so two digits of it are all of it.
    before_christ: bool,
}

impl Kind<'_> {
    fn invalid(&self) -> Error {
        let Self { name, text, .. } = self;
        Error::InvalidDatetime(format!("invalid input syntax for type {name}: \"{text}\""))
    }

    fn overflow(&self) -> Error {
        Error::DatetimeOverflow(format!(
            "date/time field value out of range: \"{}\"",
            self.text
        ))
    }

    /// A month or day out of range, which may be one the other in another order.
    fn misordered(&self) -> Error {
        Error::Function {
            sqlstate: "22008",
            message: self.overflow().to_string(),
            detail: None,
            hint: Some("Perhaps you need a different \"datestyle\" setting.".to_owned()),
        }
    }

    fn timestamp_out_of_range(&self) -> Error {
        Error::DatetimeOverflow(format!("timestamp out of range: \"{}\"", self.text))
    }

    fn zone_out_of_range(&self) -> Error {
        let message = format!("time zone displacement out of range: \"{}\"", self.text);
        Error::Function {
            sqlstate: "22009",
            message,
            detail: None,
            hint: None,
        }
    }

    /// Whether a time of day is read, with or without a zone.
    fn is_time(&self) -> bool {
        self.name.starts_with("time ") || self.name == "time"
    }

    fn is_now(&self) -> bool {
        self.text.trim().eq_ignore_ascii_case("now")
    }
}

/// What a text says.
enum Read {
    Infinite {
        negative: bool,
    },
    /// A moment that is not written in fields, local unless it is `now` with a zone.
    Moment(i64),
    Fields(Fields),
}

#[derive(Debug, Clone, Copy)]
enum Zone {
    /// Seconds east of UTC.
    Offset(i32),
    Named(Tz),
}

#[derive(Debug, Default)]
struct Fields {
    day: Option<Day>,
    /// Days since 1970, where the text gives no calendar day.
    day_number: Option<i64>,
    time: Option<i64>,
    zone: Option<Zone>,
    before_christ: bool,
    /// A word that stands for midnight.
    midnight_words: bool,
}

impl Fields {
    fn days(&self, kind: &Kind<'_>) -> Result<i64> {
        if let Some(number) = self.day_number {
            return Ok(number);
        }
        let mut day = self.day.ok_or_else(|| kind.invalid())?;
        if self.before_christ {
            if day.year <= 0 {
                return Err(kind.overflow());
            }
            day.year = 1 - day.year;
        } else if day.year <= 0 {
            return Err(kind.overflow());
        }
        if !(1..=12).contains(&day.month) || !(1..=31).contains(&day.day) {
            return Err(kind.misordered());
        }
        if !is_day(day) {
            return Err(kind.overflow());
        }
        Ok(days_of(day))
    }

    fn local(&self, kind: &Kind<'_>) -> Result<i64> {
        let days = self.days(kind)?;
        if !(FIRST_DAY..=LAST_TIMESTAMP_DAY).contains(&days) {
            return Err(kind.timestamp_out_of_range());
        }
        days.checked_mul(MICROS_PER_DAY)
            .and_then(|micros| micros.checked_add(self.time.unwrap_or(0)))
            .ok_or_else(|| kind.timestamp_out_of_range())
    }
}

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
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

fn words<'a>(kind: &Kind<'a>) -> Result<Vec<Word<'a>>> {
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

fn read(kind: &Kind<'_>, display: &Display) -> Result<Read> {
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

fn meridiem_follows(words: &[Word<'_>], index: usize) -> bool {
    matches!(words.get(index + 1), Some(Word::Name(name))
        if name.eq_ignore_ascii_case("am") || name.eq_ignore_ascii_case("pm"))
}

/// The words that stand for a moment by themselves.
fn special(word: &str, kind: &Kind<'_>, display: &Display) -> Option<Read> {
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

/// A date with separators.
fn written_date(text: &str, kind: &Kind<'_>, display: &Display) -> Result<Day> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    match parts.as_slice() {
        [year, day_of_year] if year.len() >= 3 && day_of_year.len() == 3 => {
            let year: i32 = year.parse().map_err(|_| kind.invalid())?;
            let of_year: i64 = day_of_year.parse().map_err(|_| kind.invalid())?;
            if !(1..=365 + i64::from(is_leap(year))).contains(&of_year) {
                return Err(kind.overflow());
            }
            Ok(day_of(
                days_of(Day {
                    year,
                    month: 1,
                    day: 1,
                }) + of_year
                    - 1,
            ))
        }
        [a, b, c] => {
            let named = [a, b, c]
                .iter()
                .position(|part| part.starts_with(|c: char| c.is_alphabetic()));
            match named {
                None => numbers_date(&[a, b, c], None, kind, display),
                Some(at) => {
                    let month = month(parts[at]).ok_or_else(|| kind.invalid())?;
                    let mut others = parts.clone();
                    others.remove(at);
                    loose_date(&others, Some(month), kind, display)
                }
            }
        }
        _ => Err(kind.invalid()),
    }
}

/// A date of numbers, or of a named month and two numbers.
fn loose_date(
    numbers: &[&str],
    month: Option<u32>,
    kind: &Kind<'_>,
    display: &Display,
) -> Result<Day> {
    match (numbers, month) {
        ([_, _], Some(_)) | ([_, _, _], None) => numbers_date(numbers, month, kind, display),
        _ => Err(kind.invalid()),
    }
}

fn numbers_date(
    parts: &[&str],
    named: Option<u32>,
    kind: &Kind<'_>,
    display: &Display,
) -> Result<Day> {
    let number = |text: &str| -> Result<u32> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(kind.invalid());
        }
        text.parse().map_err(|_| kind.overflow())
    };
    let year_first = parts[0].len() >= 3;
    let (year, month, day) = match (parts, named) {
        ([a, b], Some(month)) => {
            let second_is_year =
                b.len() >= 3 || (!year_first && display.date_order != DateOrder::Ymd);
            let (year, day) = if second_is_year { (*b, *a) } else { (*a, *b) };
            (year, month, number(day)?)
        }
        ([a, b, c], _) => match display.date_order {
            _ if year_first => (*a, number(b)?, number(c)?),
            DateOrder::Ymd => (*a, number(b)?, number(c)?),
            DateOrder::Mdy => (*c, number(a)?, number(b)?),
            DateOrder::Dmy => (*c, number(b)?, number(a)?),
        },
        _ => return Err(kind.invalid()),
    };
    let value = number(year)? as i32;
    let year = match (year.len(), value) {
        _ if kind.before_christ => value,
        (..=2, ..70) => 2000 + value,
        (..=2, _) => 1900 + value,
        _ => value,
    };
    Ok(Day { year, month, day })
}

/// `YYYYMMDD` or `YYMMDD`.
fn digits_date(text: &str, kind: &Kind<'_>) -> Result<Day> {
    let (year, rest) = text.split_at(text.len() - 4);
    let number = |text: &str| text.parse::<u32>().map_err(|_| kind.invalid());
    let value = number(year)? as i32;
    let year = match (year.len(), value) {
        (2, ..70) => 2000 + value,
        (2, _) => 1900 + value,
        _ => value,
    };
    Ok(Day {
        year,
        month: number(&rest[..2])?,
        day: number(&rest[2..])?,
    })
}

/// `HHMM`, `HHMMSS` and `HHMMSS.ffffff`.
fn digits_time(text: &str, kind: &Kind<'_>) -> Result<i64> {
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
fn clock(text: &str, kind: &Kind<'_>) -> Result<i64> {
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

fn time_of(hours: i64, minutes: i64, seconds: i64, micros: i64, kind: &Kind<'_>) -> Result<i64> {
    if hours > 24 || minutes > 59 || seconds > 60 {
        return Err(kind.overflow());
    }
    Ok((hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros)
}

/// `+HH`, `+HHMM`, `+HH:MM` and `+HH:MM:SS`, as seconds east of UTC.
fn offset(text: &str, kind: &Kind<'_>) -> Result<i32> {
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

fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = name.to_ascii_lowercase();
    let found = NAMES.iter().position(|whole| {
        *whole == lower || lower == whole[..3] || (lower == "sept" && *whole == "september")
    });
    found.map(|index| index as u32 + 1)
}

fn is_weekday(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    const SHORT: [&str; 4] = ["tues", "weds", "thur", "thurs"];
    NAMES
        .iter()
        .any(|whole| *whole == name || name == &whole[..3])
        || SHORT.contains(&name)
}

/// Abbreviations of PostgreSQL's default set, in hours east of UTC.
const ABBREVIATIONS: [(&str, f32); 42] = [
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

fn zone(name: &str, kind: &Kind<'_>) -> Result<Zone> {
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
