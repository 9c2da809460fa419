//! PostgreSQL's `numeric`: an exact decimal number with a scale of its own, NaN and both infinities.
//!
//! ```text
//! mod          the value, its text, rounding and comparison
//! arithmetic   + - * / % with PostgreSQL's scales
//! functions    roots, powers, logarithms
//! key          bytes that compare as the numbers do
//! ```
//!
//! Up to 38 digits are kept in one machine integer, more in one that grows. Source of the scales:
//! `src/backend/utils/adt/numeric.c` of PostgreSQL 15. Knows no Arrow and no engine.

mod arithmetic;
mod functions;
pub(crate) mod key;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive};

use super::error::{PgError, PgResult};

pub(crate) use key::key_of_text;

/// The most digits after the point that a result of a division or a function is given.
pub(crate) const MAX_RESULT_SCALE: i32 = 1000;
/// The most digits after the point that any number has.
pub(crate) const MAX_SCALE: i32 = 16_383;
/// The most digits before the point that any number has.
const MAX_WHOLE_DIGITS: i64 = 131_072;
/// The digits that count in a quotient, a root or a logarithm, at least.
pub(crate) const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// The largest power of ten that a machine integer holds.
const MAX_SMALL_POWER: u32 = 38;

/// A number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Numeric {
    NegativeInfinity,
    Finite(Decimal),
    Infinity,
    NaN,
}

/// `digits / 10^scale`; the scale is never negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    digits: Digits,
    scale: i32,
}

/// A whole number, in the smaller form that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Digits {
    Small(i128),
    Big(BigInt),
}

pub(crate) fn overflow() -> PgError {
    PgError::NumberOutOfRange("value overflows numeric format".to_owned())
}

fn small_power(exponent: i32) -> Option<i128> {
    let exponent = u32::try_from(exponent).ok()?;
    (exponent <= MAX_SMALL_POWER).then(|| 10_i128.pow(exponent))
}

fn big_power(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.max(0).unsigned_abs())
}

/// Ten to this power, if a machine integer holds it.
pub(crate) fn power_of_ten(exponent: i32) -> PgResult<i128> {
    small_power(exponent).ok_or_else(overflow)
}

impl Digits {
    fn of(value: BigInt) -> Self {
        match value.to_i128() {
            Some(small) => Self::Small(small),
            None => Self::Big(value),
        }
    }

    fn big(&self) -> Cow<'_, BigInt> {
        match self {
            Self::Small(value) => Cow::Owned(BigInt::from(*value)),
            Self::Big(value) => Cow::Borrowed(value),
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self, Self::Small(0))
    }

    fn signum(&self) -> i128 {
        match self {
            Self::Small(value) => value.signum(),
            Self::Big(value) if value.is_negative() => -1,
            Self::Big(_) => 1,
        }
    }

    fn negated(&self) -> Self {
        match self {
            Self::Small(value) => match value.checked_neg() {
                Some(value) => Self::Small(value),
                None => Self::of(-BigInt::from(*value)),
            },
            Self::Big(value) => Self::of(-value),
        }
    }

    /// How many decimal digits there are; zero has none.
    fn count(&self) -> i32 {
        match self {
            Self::Small(0) => 0,
            Self::Small(value) => value.unsigned_abs().ilog10() as i32 + 1,
            Self::Big(value) => value.magnitude().to_string().len() as i32,
        }
    }

    /// Times ten to this power.
    fn scaled(&self, exponent: i32) -> Self {
        if exponent <= 0 || self.is_zero() {
            return self.clone();
        }
        if let Self::Small(value) = self
            && let Some(product) = small_power(exponent).and_then(|p| value.checked_mul(p))
        {
            return Self::Small(product);
        }
        Self::of(self.big().as_ref() * big_power(exponent))
    }

    /// Without the last `dropped` digits: cut, or rounded half away from zero.
    fn without(&self, dropped: i32, round: bool) -> Self {
        match self {
            Self::Small(value) => {
                let Some(power) = small_power(dropped) else {
                    return Self::Small(0);
                };
                let (mut quotient, rest) = (value / power, value % power);
                if round && rest.unsigned_abs() >= power.unsigned_abs() - rest.unsigned_abs() {
                    quotient += value.signum();
                }
                Self::Small(quotient)
            }
            Self::Big(value) => {
                let power = big_power(dropped);
                let (mut quotient, rest) = (value / &power, value % &power);
                if round && rest.magnitude() * 2_u32 >= *power.magnitude() {
                    quotient += value.signum();
                }
                Self::of(quotient)
            }
        }
    }
}

impl Decimal {
    pub(crate) fn new(unscaled: i128, scale: i32) -> Self {
        Self::from_digits(Digits::Small(unscaled), scale)
    }

    fn from_big(unscaled: BigInt, scale: i32) -> Self {
        Self::from_digits(Digits::of(unscaled), scale)
    }

    fn from_digits(digits: Digits, scale: i32) -> Self {
        if scale >= 0 {
            return Self { digits, scale };
        }
        let digits = digits.scaled(scale.saturating_neg());
        Self { digits, scale: 0 }
    }

    pub(crate) fn scale(&self) -> i32 {
        self.scale
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_zero()
    }

    pub(crate) fn signum(&self) -> i128 {
        self.digits.signum()
    }

    pub(crate) fn negated(&self) -> Self {
        Self {
            digits: self.digits.negated(),
            scale: self.scale,
        }
    }

    pub(crate) fn absolute(&self) -> Self {
        if self.signum() < 0 {
            self.negated()
        } else {
            self.clone()
        }
    }

    /// The whole number, where it has no fraction and a machine integer holds it.
    pub(crate) fn as_whole(&self) -> Option<i128> {
        let trimmed = self.trimmed(0);
        match (trimmed.scale, trimmed.digits) {
            (0, Digits::Small(value)) => Some(value),
            _ => None,
        }
    }

    /// The power of ten of the leading digit; `None` for zero.
    fn exponent(&self) -> Option<i32> {
        (!self.is_zero()).then(|| self.digits.count() - 1 - self.scale)
    }

    /// Weight and value of the first group of four digits, as PostgreSQL keeps them.
    fn first_group(&self) -> (i32, i32) {
        let Some(exponent) = self.exponent() else {
            return (0, 0);
        };
        let weight = exponent.div_euclid(4);
        let wanted = exponent.rem_euclid(4) + 1;
        let count = exponent + 1 + self.scale;
        let group = if count >= wanted {
            self.digits.without(count - wanted, false)
        } else {
            self.digits.scaled(wanted - count)
        };
        let Digits::Small(group) = group else {
            return (weight, 0);
        };
        (weight, group.unsigned_abs() as i32)
    }

    /// The digits without sign and point.
    pub(crate) fn whole_digits(&self) -> String {
        match &self.digits {
            Digits::Small(value) => value.unsigned_abs().to_string(),
            Digits::Big(value) => value.magnitude().to_string(),
        }
    }

    /// Without zeros at the end, but with at least this scale.
    pub(crate) fn trimmed(&self, least: i32) -> Self {
        let mut number = self.clone();
        if number.is_zero() {
            number.scale = number.scale.min(least);
            return number;
        }
        if let Digits::Big(value) = &number.digits {
            let text = value.magnitude().to_string();
            let zeros = text
                .bytes()
                .rev()
                .take_while(|digit| *digit == b'0')
                .count();
            let dropped = i32::try_from(zeros)
                .unwrap_or(i32::MAX)
                .min(number.scale - least);
            if dropped > 0 {
                number.digits = number.digits.without(dropped, false);
                number.scale -= dropped;
            }
            return number;
        }
        while number.scale > least
            && let Digits::Small(value) = number.digits
            && value % 10 == 0
        {
            number.digits = Digits::Small(value / 10);
            number.scale -= 1;
        }
        number
    }

    /// Rounded half away from zero to `scale` digits after the point, which may be negative.
    pub(crate) fn round(&self, scale: i32) -> Self {
        self.reduced(scale, true)
    }

    /// Cut to `scale` digits after the point, which may be negative.
    pub(crate) fn truncate(&self, scale: i32) -> Self {
        self.reduced(scale, false)
    }

    fn reduced(&self, scale: i32, round: bool) -> Self {
        if scale >= self.scale {
            return self.with_scale(scale.min(MAX_SCALE));
        }
        let digits = self.digits.without(self.scale - scale, round);
        Self::from_digits(digits, scale)
    }

    /// The same number with at least so many digits after the point.
    pub(crate) fn with_scale(&self, scale: i32) -> Self {
        if scale <= self.scale {
            return self.clone();
        }
        Self {
            digits: self.digits.scaled(scale - self.scale),
            scale,
        }
    }

    /// The unscaled value in a column of this precision and scale.
    pub(crate) fn fit(&self, precision: u8, scale: i8) -> PgResult<i128> {
        let scale = i32::from(scale);
        let digits = if scale >= self.scale {
            self.digits.scaled(scale - self.scale)
        } else {
            self.digits.without(self.scale - scale, true)
        };
        let bound = power_of_ten(i32::from(precision))?.unsigned_abs();
        match digits {
            Digits::Small(value) if value.unsigned_abs() < bound => Ok(value),
            _ => Err(PgError::NumberOutOfRange(
                "numeric field overflow".to_owned(),
            )),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let signs = self.signum().cmp(&other.signum());
        if signs.is_ne() {
            return signs;
        }
        let (left, right, _) = self.aligned(other);
        match (&left, &right) {
            (Digits::Small(left), Digits::Small(right)) => left.cmp(right),
            _ => left.big().cmp(&right.big()),
        }
    }

    /// Both with the larger of the two scales.
    fn aligned(&self, other: &Self) -> (Digits, Digits, i32) {
        let scale = self.scale.max(other.scale);
        let left = self.digits.scaled(scale - self.scale);
        let right = other.digits.scaled(scale - other.scale);
        (left, right, scale)
    }

    /// A number beyond what the format holds is an error.
    fn checked(self) -> PgResult<Self> {
        if let Digits::Big(value) = &self.digits {
            // A digit is 3.32 bits; only numbers that come near are counted.
            let bits = value.bits() as f64;
            let whole = bits / std::f64::consts::LOG2_10 - f64::from(self.scale);
            if whole > MAX_WHOLE_DIGITS as f64 {
                return Err(overflow());
            }
        }
        Ok(self)
    }

    pub(crate) fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Appends the text.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let mut buffer = itoa::Buffer::new();
        let long;
        let (negative, digits) = match &self.digits {
            Digits::Small(value) => {
                let magnitude = value.unsigned_abs();
                let digits = match u64::try_from(magnitude) {
                    Ok(short) => buffer.format(short),
                    Err(_) => buffer.format(magnitude),
                };
                (*value < 0, digits)
            }
            Digits::Big(value) => {
                long = value.magnitude().to_string();
                (value.sign() == Sign::Minus, long.as_str())
            }
        };
        if negative {
            out.push(b'-');
        }
        let digits = digits.as_bytes();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        if scale == 0 {
            out.extend_from_slice(digits);
        } else if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        } else {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', scale - digits.len()));
            out.extend_from_slice(digits);
        }
    }
}

impl Numeric {
    pub(crate) fn new(unscaled: i128, scale: i32) -> Self {
        Self::Finite(Decimal::new(unscaled, scale))
    }

    /// The finite number, or `None` for NaN and the infinities.
    pub(crate) fn finite(&self) -> Option<&Decimal> {
        match self {
            Self::Finite(number) => Some(number),
            _ => None,
        }
    }

    /// Reads `-12.50`, `1e3`, `NaN`, `inf` and the like.
    pub(crate) fn parse(text: &str) -> PgResult<Self> {
        if let Some(number) = plain(text.as_bytes()) {
            return Ok(Self::Finite(number));
        }
        let body = text.trim_matches(|c: char| matches!(c, ' ' | '\t'..='\r'));
        let (negative, rest) = match body.as_bytes() {
            [b'-', ..] => (true, &body[1..]),
            [b'+', ..] => (false, &body[1..]),
            _ => (false, body),
        };
        if body.eq_ignore_ascii_case("nan") {
            return Ok(Self::NaN);
        }
        if rest.eq_ignore_ascii_case("infinity") || rest.eq_ignore_ascii_case("inf") {
            return Ok(if negative {
                Self::NegativeInfinity
            } else {
                Self::Infinity
            });
        }
        let invalid =
            || PgError::InvalidText(format!("invalid input syntax for type numeric: \"{text}\""));
        let number = written(rest).ok_or_else(invalid)??;
        Ok(Self::Finite(if negative {
            number.negated()
        } else {
            number
        }))
    }

    /// A float's value to as many digits as count, without zeros at the end: 15 of a
    /// `double precision`, 6 of a `real`.
    pub(crate) fn of_float(value: f64, digits: usize) -> Self {
        if value.is_nan() {
            return Self::NaN;
        }
        if value.is_infinite() {
            return if value > 0.0 {
                Self::Infinity
            } else {
                Self::NegativeInfinity
            };
        }
        let text = format!("{value:.*e}", digits.saturating_sub(1));
        match Self::parse(&text) {
            Ok(Self::Finite(number)) => Self::Finite(number.trimmed(0)),
            Ok(other) => other,
            Err(_) => Self::NaN,
        }
    }

    pub(crate) fn to_f64(&self) -> f64 {
        match self {
            Self::Finite(number) => number.to_f64(),
            Self::NaN => f64::NAN,
            Self::Infinity => f64::INFINITY,
            Self::NegativeInfinity => f64::NEG_INFINITY,
        }
    }

    /// The order of numbers: NaN is equal to itself and above all others.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let rank = |number: &Self| match number {
            Self::NegativeInfinity => 0,
            Self::Finite(_) => 1,
            Self::Infinity => 2,
            Self::NaN => 3,
        };
        match (self, other) {
            (Self::Finite(left), Self::Finite(right)) => left.compare(right),
            _ => rank(self).cmp(&rank(other)),
        }
    }

    /// Maps the finite number; NaN and the infinities stay.
    pub(crate) fn map(self, f: impl FnOnce(Decimal) -> Decimal) -> Self {
        match self {
            Self::Finite(number) => Self::Finite(f(number)),
            other => other,
        }
    }

    /// The unscaled value in a column of this precision and scale.
    pub(crate) fn fit(&self, precision: u8, scale: i8) -> PgResult<i128> {
        match self {
            Self::Finite(number) => number.fit(precision, scale),
            _ => Err(PgError::NumberOutOfRange(
                "numeric field overflow".to_owned(),
            )),
        }
    }

    /// Appends the text.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Finite(number) => number.write(out),
            Self::NaN => out.extend_from_slice(b"NaN"),
            Self::Infinity => out.extend_from_slice(b"Infinity"),
            Self::NegativeInfinity => out.extend_from_slice(b"-Infinity"),
        }
    }
}

/// Plain digits with at most one point, which a machine integer holds.
#[inline]
fn plain(text: &[u8]) -> Option<Decimal> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > MAX_SMALL_POWER as usize {
        return None;
    }
    let point = digits.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point {
        Some(point) if digits.len() > 1 => (&digits[..point], &digits[point + 1..]),
        Some(_) => return None,
        None => (digits, &[][..]),
    };
    let value = append(append(0, whole)?, fraction)?;
    let value = if negative { -value } else { value };
    Some(Decimal::new(value, fraction.len() as i32))
}

/// The number with these digits behind its own; `None` if one is no digit.
#[inline]
fn append(value: i128, digits: &[u8]) -> Option<i128> {
    let mut value = value;
    // Eighteen digits at a time fit into the integers that machines are fast with.
    for part in digits.chunks(18) {
        let mut short: u64 = 0;
        for byte in part {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            short = short * 10 + u64::from(digit);
        }
        value = value * 10_i128.pow(part.len() as u32) + i128::from(short);
    }
    Some(value)
}

/// Reads digits with a point and an exponent; `None` if it is something else.
fn written(text: &str) -> Option<PgResult<Decimal>> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            (mantissa, exponent.parse::<i64>().unwrap_or(i64::MAX / 4))
        }
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = all.trim_start_matches('0');
    let whole_digits = significant.len() as i64 - fraction.len() as i64 + exponent;
    if exponent.abs() > i64::from(i32::MAX / 2)
        || (!significant.is_empty() && whole_digits > MAX_WHOLE_DIGITS)
    {
        return Some(Err(overflow()));
    }
    let digits = match significant {
        "" => Digits::Small(0),
        digits => Digits::of(BigInt::parse_bytes(digits.as_bytes(), 10).unwrap_or_default()),
    };
    let scale = (fraction.len() as i64 - exponent).clamp(-MAX_WHOLE_DIGITS, i64::from(i32::MAX));
    let number = Decimal::from_digits(digits, scale as i32);
    Some(Ok(if number.scale > MAX_SCALE {
        number.round(MAX_SCALE)
    } else {
        number
    }))
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(48);
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(48);
        self.write(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}
