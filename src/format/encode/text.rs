//! The text form of a value.

use super::column::{Column, Values};
use super::{ByteaOutput, Display, array, datetime, interval, number};

impl Column {
    /// Appends the text of a row's value, which is not NULL.
    #[inline]
    pub fn text(&self, row: usize, display: &Display, out: &mut Vec<u8>) {
        match &self.values {
            Values::AllNull => {}
            Values::Bool(values) => out.push(if values.value(row) { b't' } else { b'f' }),
            Values::Int2(values) => number::integer(values.value(row), out),
            Values::Int4(values) => number::integer(values.value(row), out),
            Values::Int8(values) => number::integer(values.value(row), out),
            Values::Unsigned(values) => number::integer(values.value(row), out),
            Values::Object(_, names) => out.extend_from_slice(names.value(row).as_bytes()),
            Values::Oid(values) => number::integer(values.value(row), out),
            Values::Float4(values) => {
                number::float4(values.value(row), display.extra_float_digits, out)
            }
            Values::Float8(values) => {
                number::float8(values.value(row), display.extra_float_digits, out)
            }
            Values::Decimal(values, scale) => number::decimal(values.value(row), *scale, out),
            Values::WideDecimal(values, scale) => {
                number::wide_decimal(values.value(row), *scale, out)
            }
            Values::Text(values)
            | Values::NumericText(values)
            | Values::Uuid(values)
            | Values::Jsonb(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Words(values, words) => {
                out.extend_from_slice(words.label(values.value(row)).as_bytes());
            }
            Values::Padded(values, length) => padded(values.value(row), *length, out),
            Values::Bytea(values) => bytea(values.value(row), display.bytea_output, out),
            Values::Date(values) => datetime::date(values.value(row), display, out),
            Values::Time(values) => datetime::time(values.value(row), out),
            Values::Timetz(values) => datetime::timetz(values.value(row), out),
            Values::Timestamp(values) => datetime::timestamp(values.value(row), display, out),
            Values::Timestamptz(values) => datetime::timestamptz(values.value(row), display, out),
            Values::Interval(values) => {
                interval::interval(&values.value(row), display.interval_style, out)
            }
            Values::List(list) => array::array(list, row, display, out),
            Values::Vector(list) => array::vector(list, row, display, out),
            Values::Struct(fields) => array::record(fields, row, display, out),
        }
    }
}

/// Appends a `char(n)`, filled with spaces to its length in characters.
pub(super) fn padded(text: &str, length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
    let missing = length.saturating_sub(text.chars().count());
    out.extend(std::iter::repeat_n(b' ', missing));
}

fn bytea(bytes: &[u8], form: ByteaOutput, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match form {
        ByteaOutput::Hex => {
            out.extend_from_slice(b"\\x");
            for byte in bytes {
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend_from_slice(&[DIGITS[high], DIGITS[low]]);
            }
        }
        ByteaOutput::Escape => {
            for byte in bytes {
                match byte {
                    b'\\' => out.extend_from_slice(b"\\\\"),
                    0x20..=0x7e => out.push(*byte),
                    other => {
                        let octal =
                            [other >> 6, (other >> 3) & 7, other & 7].map(|digit| b'0' + digit);
                        out.push(b'\\');
                        out.extend_from_slice(&octal);
                    }
                }
            }
        }
    }
}
