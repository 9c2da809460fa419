//! How a session wants values written and read: the settings that change text.

use chrono_tz::Tz;

/// The settings of a session that change the text form of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Display {
    pub date_style: DateStyle,
    /// How `1/2/2003` is read, and written where the style has no order of its own.
    pub date_order: DateOrder,
    pub interval_style: IntervalStyle,
    pub zone: Tz,
    pub extra_float_digits: i32,
    pub bytea_output: ByteaOutput,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            date_style: DateStyle::Iso,
            date_order: DateOrder::Mdy,
            interval_style: IntervalStyle::Postgres,
            zone: Tz::UTC,
            extra_float_digits: 1,
            bytea_output: ByteaOutput::Hex,
        }
    }
}

/// The first half of `DateStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateStyle {
    Iso,
    Sql,
    Postgres,
    German,
}

/// The second half of `DateStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateOrder {
    Mdy,
    Dmy,
    Ymd,
}

/// `IntervalStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IntervalStyle {
    Postgres,
    PostgresVerbose,
    SqlStandard,
    Iso8601,
}

/// `bytea_output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteaOutput {
    Hex,
    Escape,
}
