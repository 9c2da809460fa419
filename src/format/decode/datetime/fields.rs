//! What a text says of a moment, and what is said of a text that says none.

use chrono_tz::Tz;

use super::iso::is_day;
use super::{FIRST_DAY, LAST_TIMESTAMP_DAY, MICROS_PER_DAY};
use crate::error::{Error, Result};
use crate::format::encode::datetime::{Day, days_of};

/// What is being read, for messages.
pub(super) struct Kind<'a> {
    pub(super) name: &'static str,
    pub(super) text: &'a str,
    /// The year is one before Christ, so two digits of it are all of it.
    pub(super) before_christ: bool,
}

impl Kind<'_> {
    pub(super) fn invalid(&self) -> Error {
        let Self { name, text, .. } = self;
        Error::InvalidDatetime(format!("invalid input syntax for type {name}: \"{text}\""))
    }

    pub(super) fn overflow(&self) -> Error {
        Error::DatetimeOverflow(format!(
            "date/time field value out of range: \"{}\"",
            self.text
        ))
    }

    /// A month or day out of range, which may be one the other in another order.
    pub(super) fn misordered(&self) -> Error {
        Error::Function {
            sqlstate: "22008",
            message: self.overflow().to_string(),
            detail: None,
            hint: Some("Perhaps you need a different \"datestyle\" setting.".to_owned()),
        }
    }

    pub(super) fn timestamp_out_of_range(&self) -> Error {
        Error::DatetimeOverflow(format!("timestamp out of range: \"{}\"", self.text))
    }

    pub(super) fn zone_out_of_range(&self) -> Error {
        let message = format!("time zone displacement out of range: \"{}\"", self.text);
        Error::Function {
            sqlstate: "22009",
            message,
            detail: None,
            hint: None,
        }
    }

    /// Whether a time of day is read, with or without a zone.
    pub(super) fn is_time(&self) -> bool {
        self.name.starts_with("time ") || self.name == "time"
    }

    pub(super) fn is_now(&self) -> bool {
        self.text.trim().eq_ignore_ascii_case("now")
    }
}

/// What a text says.
pub(super) enum Read {
    Infinite {
        negative: bool,
    },
    /// A moment that is not written in fields, local unless it is `now` with a zone.
    Moment(i64),
    Fields(Fields),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Zone {
    /// Seconds east of UTC.
    Offset(i32),
    Named(Tz),
}

#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) day: Option<Day>,
    /// Days since 1970, where the text gives no calendar day.
    pub(super) day_number: Option<i64>,
    pub(super) time: Option<i64>,
    pub(super) zone: Option<Zone>,
    pub(super) before_christ: bool,
    /// A word that stands for midnight.
    pub(super) midnight_words: bool,
}

impl Fields {
    pub(super) fn days(&self, kind: &Kind<'_>) -> Result<i64> {
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

    pub(super) fn local(&self, kind: &Kind<'_>) -> Result<i64> {
        let days = self.days(kind)?;
        if !(FIRST_DAY..=LAST_TIMESTAMP_DAY).contains(&days) {
            return Err(kind.timestamp_out_of_range());
        }
        days.checked_mul(MICROS_PER_DAY)
            .and_then(|micros| micros.checked_add(self.time.unwrap_or(0)))
            .ok_or_else(|| kind.timestamp_out_of_range())
    }
}
