//! The binary form of a value.

use tessera_catalog::zoned_time::ZonedTime;

use super::column::{Column, List, Values};
use super::text;
use crate::error::{Error, Result};

/// Days from 1970, where Arrow counts from, to 2000, where PostgreSQL does.
pub const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub const EPOCH_MICROS: i64 = 946_684_800_000_000;

const NUMERIC_POSITIVE: u16 = 0x0000;
const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xC000;
const NUMERIC_INFINITY: u16 = 0xD000;
const NUMERIC_MINUS_INFINITY: u16 = 0xF000;

impl Column {
    /// Appends the binary form of a row's value, which is not NULL.
    ///
    /// # Errors
    ///
    /// When the value has no binary form.
    pub fn binary(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match &self.values {
            Values::AllNull => {}
            Values::Bool(values) => out.push(u8::from(values.value(row))),
            Values::Int2(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int4(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Int8(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Unsigned(values) => {
                let value = i64::try_from(values.value(row))
                    .map_err(|_| Error::OutOfRange("bigint out of range".to_owned()))?;
                out.extend_from_slice(&value.to_be_bytes());
            }
            Values::Object(values, _) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Oid(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Float4(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Float8(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Decimal(values, scale) => decimal(values.value(row), *scale, out),
            Values::WideDecimal(values, scale) => {
                let mut digits = Vec::with_capacity(80);
                super::number::wide_decimal(values.value(row), *scale, &mut digits);
                numeric_text(&digits, out);
            }
            Values::NumericText(values) => numeric_text(values.value(row).as_bytes(), out),
            Values::Words(values, words) => {
                out.extend_from_slice(words.label(values.value(row)).as_bytes());
            }
            Values::Text(values) => out.extend_from_slice(values.value(row).as_bytes()),
            Values::Padded(values, length) => text::padded(values.value(row), *length, out),
            Values::Bytea(values) => out.extend_from_slice(values.value(row)),
            Values::Date(values) => {
                let days = match values.value(row) {
                    infinite @ (i32::MIN | i32::MAX) => infinite,
                    days => days - EPOCH_DAYS,
                };
                out.extend_from_slice(&days.to_be_bytes());
            }
            Values::Time(values) => out.extend_from_slice(&values.value(row).to_be_bytes()),
            Values::Timetz(values) => {
                let time = ZonedTime::unpack(values.value(row));
                out.extend_from_slice(&time.micros.to_be_bytes());
                out.extend_from_slice(&time.west.to_be_bytes());
            }
            Values::Timestamp(values) | Values::Timestamptz(values) => {
                let micros = match values.value(row) {
                    infinite @ (i64::MIN | i64::MAX) => infinite,
                    micros => micros.saturating_sub(EPOCH_MICROS),
                };
                out.extend_from_slice(&micros.to_be_bytes());
            }
            Values::Interval(values) => {
                let value = values.value(row);
                out.extend_from_slice(&(value.nanoseconds / 1000).to_be_bytes());
                out.extend_from_slice(&value.days.to_be_bytes());
                out.extend_from_slice(&value.months.to_be_bytes());
            }
            Values::Uuid(values) => uuid(values.value(row), out)?,
            Values::Jsonb(values) => {
                out.push(1);
                out.extend_from_slice(values.value(row).as_bytes());
            }
            Values::List(list) => array(list, row, 1, out)?,
            Values::Vector(list) => array(list, row, 0, out)?,
            Values::Struct(fields) => {
                out.extend_from_slice(&(fields.len() as u32).to_be_bytes());
                for field in fields {
                    out.extend_from_slice(&field.sql_type.oid().to_be_bytes());
                    sized(&field.column, row, out)?;
                }
            }
        }
        Ok(())
    }
}

/// Appends a value with its length in front, -1 for NULL.
fn sized(column: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    if column.is_null(row) {
        out.extend_from_slice(&(-1i32).to_be_bytes());
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    column.binary(row, out)?;
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

fn uuid(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let uuid = uuid::Uuid::try_parse(text).map_err(|error| Error::Internal(Box::new(error)))?;
    out.extend_from_slice(uuid.as_bytes());
    Ok(())
}

/// Appends an array: its dimensions, whether it has NULLs, its element type and its elements.
fn array(list: &List, row: usize, lower_bound: i32, out: &mut Vec<u8>) -> Result<()> {
    let mut dimensions = Vec::new();
    let mut leaves = Vec::new();
    let items = flatten(list, list.range(row), 0, &mut dimensions, &mut leaves)?;
    // An empty array has no dimensions, an empty vector keeps its one.
    if leaves.is_empty() && lower_bound > 0 {
        dimensions.clear();
    }
    let has_null = leaves.iter().any(|leaf| items.is_null(*leaf));
    out.extend_from_slice(&(dimensions.len() as u32).to_be_bytes());
    out.extend_from_slice(&u32::from(has_null).to_be_bytes());
    out.extend_from_slice(&list.item_type.oid().to_be_bytes());
    for size in &dimensions {
        out.extend_from_slice(&(*size as u32).to_be_bytes());
        out.extend_from_slice(&lower_bound.to_be_bytes());
    }
    for leaf in leaves {
        sized(items, leaf, out)?;
    }
    Ok(())
}

/// Collects the rows of the innermost elements, and the size of each dimension on the way.
fn flatten<'a>(
    list: &'a List,
    range: std::ops::Range<usize>,
    depth: usize,
    dimensions: &mut Vec<usize>,
    leaves: &mut Vec<usize>,
) -> Result<&'a Column> {
    match dimensions.get(depth) {
        None => dimensions.push(range.len()),
        Some(size) if *size == range.len() => {}
        Some(_) => {
            let message = "multidimensional arrays must have sub-arrays with matching dimensions";
            return Err(Error::Function {
                sqlstate: "2202E",
                message: message.to_owned(),
                hint: None,
                detail: None,
            });
        }
    }
    let Values::List(inner) = &list.items.values else {
        leaves.extend(range);
        return Ok(&list.items);
    };
    let mut items = &list.items as &Column;
    if range.is_empty() {
        items = flatten(inner, 0..0, depth + 1, dimensions, leaves)?;
    }
    for row in range {
        items = flatten(inner, inner.range(row), depth + 1, dimensions, leaves)?;
    }
    Ok(items)
}

/// Appends a numeric: groups of four decimal digits aligned at the point.
fn decimal(value: i128, scale: i8, out: &mut Vec<u8>) {
    let shown_scale = scale.max(0) as u16;
    // Aligns the digits so that the point falls between two groups.
    let fraction_groups = usize::from(shown_scale).div_ceil(4);
    let shift = fraction_groups * 4 - usize::from(shown_scale);
    let mut groups = [0u16; 16];
    let mut count = 0;
    let mut rest = value.unsigned_abs();
    if scale < 0 {
        let mut digits = Vec::with_capacity(160);
        super::number::decimal(value, scale, &mut digits);
        return numeric_text(&digits, out);
    }
    // The first group takes fewer digits, the others four each.
    if fraction_groups > 0 && shift > 0 {
        let divisor = 10u128.pow(4 - shift as u32);
        groups[0] = ((rest % divisor) as u16) * 10u16.pow(shift as u32);
        rest /= divisor;
        count = 1;
    }
    while rest > 0 {
        match u64::try_from(rest) {
            Ok(mut small) => {
                while small > 0 {
                    groups[count] = (small % 10_000) as u16;
                    small /= 10_000;
                    count += 1;
                }
                rest = 0;
            }
            Err(_) => {
                groups[count] = (rest % 10_000) as u16;
                rest /= 10_000;
                count += 1;
            }
        }
    }
    let weight = count as i32 - fraction_groups as i32 - 1;
    let sign = if value < 0 {
        NUMERIC_NEGATIVE
    } else {
        NUMERIC_POSITIVE
    };
    let most_first = groups[..count].iter().rev().copied();
    numeric_groups(most_first, count, weight, sign, shown_scale, out);
}

/// Appends a numeric from its text, which is one we wrote or checked.
fn numeric_text(text: &[u8], out: &mut Vec<u8>) {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let special = match digits {
        b"NaN" => Some(NUMERIC_NAN),
        b"Infinity" if negative => Some(NUMERIC_MINUS_INFINITY),
        b"Infinity" => Some(NUMERIC_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        // PostgreSQL 15 gives infinities a scale of 32.
        let scale = if sign == NUMERIC_NAN { 0 } else { 32 };
        return numeric_groups([].into_iter(), 0, 0, sign, scale, out);
    }
    let point = digits
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(digits.len());
    let (whole, fraction) = (
        &digits[..point],
        digits.get(point + 1..).unwrap_or_default(),
    );
    let mut groups: Vec<u16> = Vec::with_capacity(digits.len() / 4 + 2);
    let fold = |group: &[u8]| {
        group
            .iter()
            .fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'))
    };
    let head = whole.len() % 4;
    if head > 0 {
        groups.push(fold(&whole[..head]));
    }
    groups.extend(whole[head..].chunks(4).map(fold));
    let weight = groups.len() as i32 - 1;
    for chunk in fraction.chunks(4) {
        groups.push(fold(chunk) * 10u16.pow(4 - chunk.len() as u32));
    }
    let sign = if negative {
        NUMERIC_NEGATIVE
    } else {
        NUMERIC_POSITIVE
    };
    let count = groups.len();
    numeric_groups(
        groups.into_iter(),
        count,
        weight,
        sign,
        fraction.len() as u16,
        out,
    );
}

/// Appends a numeric's header and its groups, without zero groups at either end.
fn numeric_groups(
    groups: impl Iterator<Item = u16>,
    count: usize,
    mut weight: i32,
    sign: u16,
    scale: u16,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let mut leading = true;
    let mut used = start + 8;
    for group in groups.take(count) {
        if leading && group == 0 {
            weight -= 1;
            continue;
        }
        leading = false;
        out.extend_from_slice(&group.to_be_bytes());
        if group != 0 {
            used = out.len();
        }
    }
    out.truncate(used);
    let length = ((used - start - 8) / 2) as u16;
    let zero = length == 0;
    let weight = if zero { 0 } else { weight as i16 };
    let sign = if zero && sign == NUMERIC_NEGATIVE {
        NUMERIC_POSITIVE
    } else {
        sign
    };
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    out[start + 2..start + 4].copy_from_slice(&weight.to_be_bytes());
    out[start + 4..start + 6].copy_from_slice(&sign.to_be_bytes());
    out[start + 6..start + 8].copy_from_slice(&scale.to_be_bytes());
}
