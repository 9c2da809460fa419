//! Values as PostgreSQL writes them: what `concat`, `format`, `array_to_string` and the JSON builders put into text.
//!
//! The wire has its own encoder; this one serves functions and follows DateStyle ISO and IntervalStyle postgres.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Field, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::common::Result;

use super::calendar::{HOUR, MINUTE, Parts, SECOND, common_year};
use super::error::PgError;
use super::value::{Interval, Timestamptz, Timetz};
use super::zone::{Zone, write_offset};

/// Writes to a string, which can't fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        let _ = std::fmt::Write::write_fmt(&mut *$out, format_args!($($arg)*));
    }};
}
pub(crate) use put;

pub(crate) fn two_digits(out: &mut String, value: i64) {
    if (0..10).contains(&value) {
        out.push('0');
    }
    put!(out, "{value}");
}

/// A float in the fewest digits that read back the same.
pub(crate) fn write_f64(out: &mut String, value: f64) {
    write_float(out, format_args!("{value:e}"), value, 15);
}

pub(crate) fn write_f32(out: &mut String, value: f32) {
    write_float(out, format_args!("{value:e}"), f64::from(value), 6);
}

fn write_float(out: &mut String, scientific: std::fmt::Arguments<'_>, value: f64, limit: i32) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
        return;
    }
    let text = scientific.to_string();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    out.push_str(sign);
    if exponent < -4 || exponent >= limit {
        put!(
            out,
            "{mantissa}e{}{:02}",
            if exponent < 0 { '-' } else { '+' },
            exponent.abs()
        );
        return;
    }
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
        put!(out, "0.{}{digits}", "0".repeat(zeros));
        return;
    }
    let whole = usize::try_from(exponent + 1).unwrap_or(1);
    if digits.len() <= whole {
        put!(out, "{digits}{}", "0".repeat(whole - digits.len()));
    } else {
        put!(out, "{}.{}", &digits[..whole], &digits[whole..]);
    }
}

/// `12:30:00.5` of microseconds since midnight.
pub(crate) fn write_time(out: &mut String, micros: i64) {
    two_digits(out, micros / HOUR);
    out.push(':');
    two_digits(out, micros / MINUTE % 60);
    out.push(':');
    two_digits(out, micros / SECOND % 60);
    write_fraction(out, micros % SECOND);
}

/// `13:45:30+02`.
fn write_timetz(out: &mut String, time: Timetz) {
    write_time(out, time.micros);
    write_offset(out, -time.west);
}

fn write_fraction(out: &mut String, micros: i64) {
    if micros != 0 {
        let text = format!("{micros:06}");
        put!(out, ".{}", text.trim_end_matches('0'));
    }
}

fn write_date_parts(out: &mut String, parts: &Parts) {
    let year = if parts.year <= 0 {
        1 - parts.year
    } else {
        parts.year
    };
    put!(out, "{year:04}-{:02}-{:02}", parts.month, parts.day);
}

fn write_era(out: &mut String, parts: &Parts) {
    if common_year(parts.year) < 0 {
        out.push_str(" BC");
    }
}

pub(crate) fn write_date(out: &mut String, days: i32) {
    match days {
        i32::MAX => out.push_str("infinity"),
        i32::MIN => out.push_str("-infinity"),
        days => {
            let parts = Parts::of_days(i64::from(days));
            write_date_parts(out, &parts);
            write_era(out, &parts);
        }
    }
}

/// A timestamp; `separator` is a space in text and `T` in JSON.
pub(crate) fn write_timestamp(out: &mut String, micros: i64, separator: char, offset: Option<i32>) {
    match micros {
        i64::MAX => out.push_str("infinity"),
        i64::MIN => out.push_str("-infinity"),
        micros => {
            let parts = Parts::of(micros + offset.map_or(0, |offset| i64::from(offset) * SECOND));
            write_date_parts(out, &parts);
            out.push(separator);
            write_time(out, parts.time);
            if let Some(offset) = offset {
                write_offset(out, offset);
            }
            write_era(out, &parts);
        }
    }
}

/// `1 year 2 mons -3 days +04:05:06`.
pub(crate) fn write_interval(out: &mut String, span: Interval) {
    let start = out.len();
    let mut negative = false;
    let mut field = |out: &mut String, value: i32, unit: &str| {
        if value == 0 {
            return;
        }
        if out.len() > start {
            out.push(' ');
        }
        put!(
            out,
            "{}{value} {unit}{}",
            if negative && value > 0 { "+" } else { "" },
            if value == 1 { "" } else { "s" }
        );
        negative = value < 0;
    };
    field(out, span.months / 12, "year");
    field(out, span.months % 12, "mon");
    field(out, span.days, "day");
    if span.micros != 0 || out.len() == start {
        if out.len() > start {
            out.push(' ');
        }
        if span.micros < 0 {
            out.push('-');
        } else if negative {
            out.push('+');
        }
        let micros = i64::try_from(span.micros.unsigned_abs()).unwrap_or(i64::MAX);
        write_time(out, micros);
    }
}

pub(crate) fn write_bytea(out: &mut String, bytes: &[u8]) {
    out.push_str("\\x");
    for byte in bytes {
        put!(out, "{byte:02x}");
    }
}

/// Writes the value at `row`, which is not NULL.
pub(crate) fn write_value(out: &mut String, array: &ArrayRef, row: usize) -> Result<()> {
    match array.data_type() {
        DataType::Boolean => out.push(if array.as_boolean().value(row) {
            't'
        } else {
            'f'
        }),
        DataType::Float32 => write_f32(out, array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => write_f64(out, array.as_primitive::<Float64Type>().value(row)),
        DataType::Binary => write_bytea(out, array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => write_bytea(out, array.as_binary::<i64>().value(row)),
        DataType::BinaryView => write_bytea(out, array.as_binary_view().value(row)),
        DataType::Utf8View => out.push_str(array.as_string_view().value(row)),
        DataType::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => out.push_str(array.as_string::<i64>().value(row)),
        DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano) => {
            write_interval(
                out,
                Interval::from_arrow(array.as_primitive::<IntervalMonthDayNanoType>().value(row)),
            );
        }
        DataType::List(_) => write_array(out, &array.as_list::<i32>().value(row))?,
        DataType::Struct(_) => write_record(out, array, row)?,
        _ if write_number(out, array, row) || write_moment(out, array, row, ' ')? => {}
        other => {
            return Err(
                PgError::NotSupported(format!("values of type {other} have no text here")).into(),
            );
        }
    }
    Ok(())
}

/// Writes a whole or decimal number; says whether it is one.
pub(crate) fn write_number(out: &mut String, array: &ArrayRef, row: usize) -> bool {
    match array.data_type() {
        DataType::Int8 => put!(out, "{}", array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => put!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => put!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => put!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => put!(out, "{}", array.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => put!(out, "{}", array.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => put!(out, "{}", array.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => put!(out, "{}", array.as_primitive::<UInt64Type>().value(row)),
        DataType::Decimal128(..) => {
            out.push_str(&array.as_primitive::<Decimal128Type>().value_as_string(row))
        }
        DataType::Decimal256(..) => {
            out.push_str(&array.as_primitive::<Decimal256Type>().value_as_string(row))
        }
        _ => return false,
    }
    true
}

/// Writes a date, time or timestamp; says whether it is one.
pub(crate) fn write_moment(
    out: &mut String,
    array: &ArrayRef,
    row: usize,
    separator: char,
) -> Result<bool> {
    use arrow::datatypes::TimeUnit;
    match array.data_type() {
        DataType::Date32 => write_date(out, array.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(TimeUnit::Microsecond) => write_time(
            out,
            array.as_primitive::<Time64MicrosecondType>().value(row),
        ),
        DataType::Time64(TimeUnit::Nanosecond) => write_timetz(
            out,
            Timetz::unpack(array.as_primitive::<Time64NanosecondType>().value(row)),
        ),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let offset = match zone {
                Some(zone) => Some(Zone::of_type(zone)?.offset_at(Timestamptz(micros))),
                None => None,
            };
            write_timestamp(out, micros, separator, offset);
        }
        DataType::Timestamp(_, zone) => {
            let target = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let cast = arrow::compute::cast(&array.slice(row, 1), &target)?;
            return write_moment(out, &cast, 0, separator);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// `{1,NULL,"a b"}`.
fn write_array(out: &mut String, items: &ArrayRef) -> Result<()> {
    out.push('{');
    let nested = matches!(items.data_type(), DataType::List(_));
    for row in 0..items.len() {
        if row > 0 {
            out.push(',');
        }
        if items.is_null(row) {
            out.push_str("NULL");
            continue;
        }
        let start = out.len();
        write_value(out, items, row)?;
        if !nested {
            quote_element(out, start);
        }
    }
    out.push('}');
    Ok(())
}

/// Quotes what was written since `start`, if an array's notation needs it.
fn quote_element(out: &mut String, start: usize) {
    let item = &out[start..];
    let special = |c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_ascii_whitespace();
    if !item.is_empty() && !item.contains(special) && !item.eq_ignore_ascii_case("null") {
        return;
    }
    let quoted = item.replace('\\', "\\\\").replace('"', "\\\"");
    out.truncate(start);
    put!(out, "\"{quoted}\"");
}

/// `(1,,"a b")`.
fn write_record(out: &mut String, array: &ArrayRef, row: usize) -> Result<()> {
    out.push('(');
    for (index, column) in array.as_struct().columns().iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if column.is_null(row) {
            continue;
        }
        let start = out.len();
        write_value(out, column, row)?;
        let item = &out[start..];
        if item.is_empty()
            || item.contains(|c: char| {
                matches!(c, '(' | ')' | ',' | '"' | '\\') || c.is_ascii_whitespace()
            })
        {
            let quoted = item.replace('\\', "\\\\").replace('"', "\"\"");
            out.truncate(start);
            put!(out, "\"{quoted}\"");
        }
    }
    out.push(')');
    Ok(())
}

/// Whether the field holds JSON text.
pub(crate) fn is_json(field: &Field) -> bool {
    matches!(
        field
            .metadata()
            .get(super::types::SQL_TYPE)
            .map(String::as_str),
        Some("json" | "jsonb")
    )
}
