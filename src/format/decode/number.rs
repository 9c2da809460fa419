//! Numbers as text.

use tessera_catalog::sql_type::SqlType;

use super::invalid;
use crate::error::{Error, Result};

/// The most digits that an unlimited numeric has before and after its point, as in PostgreSQL.
const MAX_WHOLE_DIGITS: i64 = 131_072;
const MAX_FRACTION_DIGITS: i64 = 16_383;

/// Powers of ten that an i64 holds.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < 19 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Reads a `smallint`.
pub fn int2(text: &str) -> Result<i16> {
    let value = integer(text, &SqlType::Int2)?;
    i16::try_from(value).map_err(|_| out_of_range(text, &SqlType::Int2))
}

/// Reads an `integer`.
#[inline]
pub fn int4(text: &str) -> Result<i32> {
    let value = integer(text, &SqlType::Int4)?;
    i32::try_from(value).map_err(|_| out_of_range(text, &SqlType::Int4))
}

/// Reads a `bigint`.
#[inline]
pub fn int8(text: &str) -> Result<i64> {
    integer(text, &SqlType::Int8)
}

/// Reads an `oid`; a negative number counts from the top, as in PostgreSQL.
pub fn oid(text: &str) -> Result<u32> {
    let value = integer(text, &SqlType::Oid)?;
    match u32::try_from(value) {
        Ok(oid) => Ok(oid),
        Err(_) => i32::try_from(value)
            .map(|low| low as u32)
            .map_err(|_| out_of_range(text, &SqlType::Oid)),
    }
}

#[inline]
fn integer(text: &str, sql_type: &SqlType) -> Result<i64> {
    let bytes = text.as_bytes();
    // Up to 18 digits fit without a check for each.
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if (1..=18).contains(&digits.len()) {
        let mut value = 0i64;
        let mut wrong = false;
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            wrong |= digit > 9;
            // What is no digit may go beyond the range; its value is not looked at.
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        }
        if !wrong {
            return Ok(if negative { -value } else { value });
        }
    }
    integer_slow(text, sql_type)
}

#[cold]
fn integer_slow(text: &str, sql_type: &SqlType) -> Result<i64> {
    let trimmed = text.trim_matches(is_space);
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(sql_type, text));
    }
    trimmed.parse().map_err(|_| out_of_range(text, sql_type))
}

fn out_of_range(text: &str, sql_type: &SqlType) -> Error {
    Error::OutOfRange(format!(
        "value \"{text}\" is out of range for type {sql_type}"
    ))
}

/// White space as C's `isspace` has it.
pub(super) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

/// Reads a `double precision`.
pub fn float8(text: &str) -> Result<f64> {
    let trimmed = text.trim_matches(is_space);
    let value: f64 = trimmed
        .parse()
        .map_err(|_| invalid(SqlType::Float8, text))?;
    if lost(trimmed, value.is_infinite(), value == 0.0) {
        let message = format!("\"{text}\" is out of range for type double precision");
        return Err(Error::OutOfRange(message));
    }
    Ok(value)
}

/// Reads a `real`.
pub fn float4(text: &str) -> Result<f32> {
    let trimmed = text.trim_matches(is_space);
    let value: f32 = trimmed
        .parse()
        .map_err(|_| invalid(SqlType::Float4, text))?;
    if lost(trimmed, value.is_infinite(), value == 0.0) {
        return Err(Error::OutOfRange(format!(
            "\"{text}\" is out of range for type real"
        )));
    }
    Ok(value)
}

/// Whether a number in digits became infinite or zero for lack of range.
fn lost(text: &str, infinite: bool, zero: bool) -> bool {
    if infinite {
        text.bytes().any(|byte| byte.is_ascii_digit())
    } else if zero {
        let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
        mantissa.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
    } else {
        false
    }
}

/// Reads a `numeric(precision, scale)` as its unscaled integer.
#[inline]
pub fn decimal(text: &str, precision: u8, scale: i8) -> Result<i128> {
    if let Some(value) = decimal_fast(text.as_bytes(), precision, scale) {
        return Ok(value);
    }
    decimal_slow(text, precision, scale)
}

/// Plain digits with at most one point, where neither rounding nor more than 18 digits are needed.
#[inline]
fn decimal_fast(bytes: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 18 || !(0..=18).contains(&scale) {
        return None;
    }
    let mut value = 0i64;
    let mut point = digits.len();
    for (index, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
        } else if *byte == b'.' && point == digits.len() && digits.len() > 1 {
            point = index;
        } else {
            return None;
        }
    }
    let fraction = digits.len().saturating_sub(point + 1);
    let missing = (scale as usize).checked_sub(fraction)?;
    let value = i128::from(value) * i128::from(POWERS[missing]);
    if precision > 18 || value < i128::from(POWERS[usize::from(precision)]) {
        // With more than 18 digits allowed the bound is far: 18 digits and a scale of 18 are 36.
        if precision > 18 && value >= 10i128.pow(u32::from(precision)) {
            return None;
        }
        return Some(if negative { -value } else { value });
    }
    None
}

#[cold]
fn decimal_slow(text: &str, precision: u8, scale: i8) -> Result<i128> {
    let overflow = |detail: String| Error::Function {
        sqlstate: "22003",
        message: "numeric field overflow".to_owned(),
        detail: Some(detail),
        hint: None,
    };
    let number = match parse_numeric(text)? {
        Numeric::Number(number) => number,
        Numeric::NaN | Numeric::Infinity { .. } => {
            let what = if matches!(parse_numeric(text)?, Numeric::NaN) {
                "NaN"
            } else {
                "an infinite value"
            };
            return Err(overflow(format!(
                "A field with precision {precision}, scale {scale} cannot hold {what}."
            )));
        }
    };
    // The digits wanted are those up to `scale` places after the point.
    let wanted = number.point + i64::from(scale);
    let mut value = 0i128;
    let mut fits = true;
    for index in 0..wanted.max(0) {
        let digit = usize::try_from(index)
            .ok()
            .and_then(|index| number.digits.get(index))
            .copied();
        match value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit.unwrap_or(0))))
        {
            Some(next) => value = next,
            None => fits = false,
        }
        if !fits || (value == 0 && index > number.digits.len() as i64) {
            break;
        }
    }
    let next = usize::try_from(wanted)
        .ok()
        .and_then(|index| number.digits.get(index));
    if next.is_some_and(|digit| *digit >= 5) {
        value += 1;
    }
    if !fits || value >= 10i128.pow(u32::from(precision)) {
        let whole = i32::from(precision) - i32::from(scale);
        let bound = if whole == 0 {
            "1".to_owned()
        } else {
            format!("10^{whole}")
        };
        return Err(overflow(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
        )));
    }
    Ok(if number.negative { -value } else { value })
}

/// Reads an unlimited `numeric` as the exact text that PostgreSQL would print.
pub fn numeric_text(text: &str) -> Result<String> {
    let number = match parse_numeric(text)? {
        Numeric::NaN => return Ok("NaN".to_owned()),
        Numeric::Infinity { negative: false } => return Ok("Infinity".to_owned()),
        Numeric::Infinity { negative: true } => return Ok("-Infinity".to_owned()),
        Numeric::Number(number) => number,
    };
    let scale = number.scale as usize;
    let mut out = String::with_capacity(number.digits.len() + scale + 3);
    if number.negative && number.digits.iter().any(|digit| *digit != 0) {
        out.push('-');
    }
    let digit = |index: i64| {
        let digit = usize::try_from(index)
            .ok()
            .and_then(|index| number.digits.get(index));
        char::from(b'0' + digit.copied().unwrap_or(0))
    };
    if number.point <= 0 {
        out.push('0');
    }
    (0..number.point).for_each(|index| out.push(digit(index)));
    if scale > 0 {
        out.push('.');
        (0..number.scale).for_each(|place| out.push(digit(number.point + place)));
    }
    Ok(out)
}

enum Numeric {
    NaN,
    Infinity { negative: bool },
    Number(Number),
}

/// 0.`digits` × 10^`point`, shown with `scale` places; no leading zero digit.
struct Number {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
    scale: i64,
}

fn parse_numeric(text: &str) -> Result<Numeric> {
    let wrong = || invalid("numeric", text);
    let trimmed = text.trim_matches(is_space);
    let (negative, rest) = match trimmed.as_bytes() {
        [b'-', ..] => (true, &trimmed[1..]),
        [b'+', ..] => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    if trimmed.eq_ignore_ascii_case("nan") {
        return Ok(Numeric::NaN);
    }
    if rest.eq_ignore_ascii_case("infinity") || rest.eq_ignore_ascii_case("inf") {
        return Ok(Numeric::Infinity { negative });
    }
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            (mantissa, exponent.parse::<i64>().unwrap_or(i64::MAX / 4))
        }
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let mut digits: Vec<u8> = all().map(|byte| byte - b'0').collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    let point = if digits.is_empty() {
        0
    } else {
        whole.len() as i64 - leading as i64 + exponent
    };
    let scale = (fraction.len() as i64).saturating_sub(exponent).max(0);
    if point > MAX_WHOLE_DIGITS || exponent.abs() > i64::from(i32::MAX / 2) {
        return Err(Error::OutOfRange(
            "value overflows numeric format".to_owned(),
        ));
    }
    Ok(Numeric::Number(Number {
        negative,
        digits,
        point,
        scale: scale.min(MAX_FRACTION_DIGITS),
    }))
}
