//! The template language of `to_char`, `to_date` and `to_timestamp`, compiled once for a pattern.
//!
//! What a field prints or reads is the business of `to_char` and `to_timestamp`.

/// How a name is cased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Upper,
    Title,
    Lower,
}

/// A pattern of the template language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// `BC` and `AD`; dotted or not.
    Era(Case, bool),
    /// `AM` and `PM`; dotted or not.
    Meridian(Case, bool),
    Century,
    MonthName(Case),
    MonthShort(Case),
    Month,
    RomanMonth(Case),
    DayName(Case),
    DayShort(Case),
    DayOfYear,
    IsoDayOfYear,
    Day,
    Weekday,
    IsoWeekday,
    WeekOfMonth,
    WeekOfYear,
    IsoWeek,
    Quarter,
    Julian,
    Hour12,
    Hour24,
    Minute,
    Second,
    SecondOfDay,
    /// Tenths to microseconds: `FF1` to `FF6`.
    Fraction(u32),
    Millisecond,
    Microsecond,
    /// The year's last digits, four for all of them.
    Year(u32),
    IsoYear(u32),
    YearComma,
    ZoneName(Case),
    ZoneHour,
    ZoneMinute,
    ZoneOffset,
    /// `FX`: no leniency.
    Exact,
}

impl Field {
    /// Whether the field is read as digits.
    pub(crate) fn is_digits(self) -> bool {
        !matches!(
            self,
            Self::Era(..)
                | Self::Meridian(..)
                | Self::MonthName(_)
                | Self::MonthShort(_)
                | Self::RomanMonth(_)
                | Self::DayName(_)
                | Self::DayShort(_)
                | Self::ZoneName(_)
                | Self::ZoneHour
                | Self::ZoneOffset
                | Self::Exact
        )
    }
}

/// One step of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Field {
        field: Field,
        /// The pattern as written, for messages.
        name: &'static str,
        /// `FM`: no padding.
        fill: bool,
        /// `TH` or `th`.
        ordinal: Option<Case>,
    },
    /// A character that stands for itself, quoted or not.
    Char(char),
    Space(char),
    Separator(char),
}

use Case::{Lower, Title, Upper};
use Field as F;

const PATTERNS: &[(&str, Field)] = &[
    ("A.D.", F::Era(Upper, true)),
    ("B.C.", F::Era(Upper, true)),
    ("a.d.", F::Era(Lower, true)),
    ("b.c.", F::Era(Lower, true)),
    ("AD", F::Era(Upper, false)),
    ("BC", F::Era(Upper, false)),
    ("ad", F::Era(Lower, false)),
    ("bc", F::Era(Lower, false)),
    ("A.M.", F::Meridian(Upper, true)),
    ("P.M.", F::Meridian(Upper, true)),
    ("a.m.", F::Meridian(Lower, true)),
    ("p.m.", F::Meridian(Lower, true)),
    ("AM", F::Meridian(Upper, false)),
    ("PM", F::Meridian(Upper, false)),
    ("am", F::Meridian(Lower, false)),
    ("pm", F::Meridian(Lower, false)),
    ("CC", F::Century),
    ("cc", F::Century),
    ("MONTH", F::MonthName(Upper)),
    ("Month", F::MonthName(Title)),
    ("month", F::MonthName(Lower)),
    ("MON", F::MonthShort(Upper)),
    ("Mon", F::MonthShort(Title)),
    ("mon", F::MonthShort(Lower)),
    ("MM", F::Month),
    ("mm", F::Month),
    ("RM", F::RomanMonth(Upper)),
    ("rm", F::RomanMonth(Lower)),
    ("DAY", F::DayName(Upper)),
    ("Day", F::DayName(Title)),
    ("day", F::DayName(Lower)),
    ("DY", F::DayShort(Upper)),
    ("Dy", F::DayShort(Title)),
    ("dy", F::DayShort(Lower)),
    ("DDD", F::DayOfYear),
    ("ddd", F::DayOfYear),
    ("IDDD", F::IsoDayOfYear),
    ("iddd", F::IsoDayOfYear),
    ("DD", F::Day),
    ("dd", F::Day),
    ("D", F::Weekday),
    ("d", F::Weekday),
    ("ID", F::IsoWeekday),
    ("id", F::IsoWeekday),
    ("W", F::WeekOfMonth),
    ("w", F::WeekOfMonth),
    ("WW", F::WeekOfYear),
    ("ww", F::WeekOfYear),
    ("IW", F::IsoWeek),
    ("iw", F::IsoWeek),
    ("Q", F::Quarter),
    ("q", F::Quarter),
    ("J", F::Julian),
    ("j", F::Julian),
    ("HH24", F::Hour24),
    ("hh24", F::Hour24),
    ("HH12", F::Hour12),
    ("hh12", F::Hour12),
    ("HH", F::Hour12),
    ("hh", F::Hour12),
    ("MI", F::Minute),
    ("mi", F::Minute),
    ("SSSSS", F::SecondOfDay),
    ("sssss", F::SecondOfDay),
    ("SSSS", F::SecondOfDay),
    ("ssss", F::SecondOfDay),
    ("SS", F::Second),
    ("ss", F::Second),
    ("FF1", F::Fraction(1)),
    ("ff1", F::Fraction(1)),
    ("FF2", F::Fraction(2)),
    ("ff2", F::Fraction(2)),
    ("FF3", F::Fraction(3)),
    ("ff3", F::Fraction(3)),
    ("FF4", F::Fraction(4)),
    ("ff4", F::Fraction(4)),
    ("FF5", F::Fraction(5)),
    ("ff5", F::Fraction(5)),
    ("FF6", F::Fraction(6)),
    ("ff6", F::Fraction(6)),
    ("MS", F::Millisecond),
    ("ms", F::Millisecond),
    ("US", F::Microsecond),
    ("us", F::Microsecond),
    ("Y,YYY", F::YearComma),
    ("y,yyy", F::YearComma),
    ("YYYY", F::Year(4)),
    ("yyyy", F::Year(4)),
    ("YYY", F::Year(3)),
    ("yyy", F::Year(3)),
    ("YY", F::Year(2)),
    ("yy", F::Year(2)),
    ("Y", F::Year(1)),
    ("y", F::Year(1)),
    ("IYYY", F::IsoYear(4)),
    ("iyyy", F::IsoYear(4)),
    ("IYY", F::IsoYear(3)),
    ("iyy", F::IsoYear(3)),
    ("IY", F::IsoYear(2)),
    ("iy", F::IsoYear(2)),
    ("I", F::IsoYear(1)),
    ("i", F::IsoYear(1)),
    ("TZH", F::ZoneHour),
    ("tzh", F::ZoneHour),
    ("TZM", F::ZoneMinute),
    ("tzm", F::ZoneMinute),
    ("TZ", F::ZoneName(Upper)),
    ("tz", F::ZoneName(Lower)),
    ("OF", F::ZoneOffset),
    ("of", F::ZoneOffset),
    ("FX", F::Exact),
    ("fx", F::Exact),
];

/// Compiles a template.
pub(crate) fn compile(template: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let mut fill = false;
        if let Some(after) = strip_any(rest, &["FM", "fm"]) {
            fill = true;
            rest = after;
        } else if let Some(after) = strip_any(rest, &["TM", "tm"]) {
            // Names of the C locale are English; like FM they are not padded.
            fill = true;
            rest = after;
        }
        let longest = PATTERNS
            .iter()
            .filter(|(name, _)| rest.starts_with(name))
            .max_by_key(|(name, _)| name.len());
        if let Some((name, field)) = longest {
            rest = &rest[name.len()..];
            let mut ordinal = None;
            if let Some(after) = rest.strip_prefix("TH") {
                (ordinal, rest) = (Some(Upper), after);
            } else if let Some(after) = rest.strip_prefix("th") {
                (ordinal, rest) = (Some(Lower), after);
            } else if let Some(after) = rest.strip_prefix("SP") {
                rest = after;
            }
            steps.push(Step::Field {
                field: *field,
                name,
                fill,
                ordinal,
            });
            continue;
        }
        rest = literal(rest, &mut steps);
    }
    steps
}

fn strip_any<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// Takes one literal character, or a quoted run of them, and returns what follows.
fn literal<'a>(text: &'a str, steps: &mut Vec<Step>) -> &'a str {
    let mut chars = text.chars();
    match chars.next() {
        None => "",
        Some('"') => {
            while let Some(c) = chars.next() {
                match c {
                    '"' => break,
                    '\\' => steps.extend(chars.next().map(Step::Char)),
                    c => steps.push(Step::Char(c)),
                }
            }
            chars.as_str()
        }
        Some('\\') if text[1..].starts_with('"') => {
            chars.next();
            steps.push(Step::Char('"'));
            chars.as_str()
        }
        Some(c) => {
            steps.push(match c {
                c if is_separator(c) => Step::Separator(c),
                c if c.is_ascii_whitespace() => Step::Space(c),
                c => Step::Char(c),
            });
            chars.as_str()
        }
    }
}

/// Printable ASCII that is neither letter nor digit.
pub(crate) fn is_separator(c: char) -> bool {
    c.is_ascii_graphic() && !c.is_ascii_alphanumeric()
}

/// English names, as the C locale has them.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// English names, Sunday first.
pub(crate) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Months in Roman numerals.
pub(crate) const ROMAN_MONTHS: [&str; 12] = [
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
];
