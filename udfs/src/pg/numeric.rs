//! An exact decimal number, as PostgreSQL's numeric: digits and a scale.
//!
//! Up to 38 digits; NaN and infinity are not held.

use std::cmp::Ordering;
use std::fmt;

use super::error::{PgError, PgResult};

/// The most digits after the point that a result keeps.
pub(crate) const MAX_SCALE: i32 = 38;

/// `unscaled / 10^scale`; the scale is never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numeric {
    pub(crate) unscaled: i128,
    pub(crate) scale: i32,
}

fn overflow() -> PgError {
    PgError::NumberOutOfRange("value overflows numeric format".to_owned())
}

/// Ten to this power, if it fits.
pub(crate) fn power_of_ten(exponent: i32) -> PgResult<i128> {
    u32::try_from(exponent)
        .ok()
        .and_then(|exponent| 10_i128.checked_pow(exponent))
        .ok_or_else(overflow)
}

/// Division rounded half away from zero.
fn divide_rounded(value: i128, by: i128) -> i128 {
    let (quotient, rest) = (value / by, value % by);
    let half_up = rest.unsigned_abs() >= by.unsigned_abs() - rest.unsigned_abs();
    if half_up {
        quotient + value.signum() * by.signum()
    } else {
        quotient
    }
}

impl Numeric {
    pub(crate) fn new(unscaled: i128, scale: i32) -> Self {
        if scale >= 0 {
            return Self { unscaled, scale };
        }
        let factor = 10_i128.saturating_pow(scale.unsigned_abs());
        Self {
            unscaled: unscaled.saturating_mul(factor),
            scale: 0,
        }
    }

    /// Reads `-12.50`, `1e3` and the like.
    pub(crate) fn parse(text: &str) -> PgResult<Self> {
        let invalid =
            || PgError::InvalidText(format!("invalid input syntax for type numeric: \"{text}\""));
        let body = text.trim();
        if body.eq_ignore_ascii_case("nan")
            || body
                .to_ascii_lowercase()
                .trim_start_matches(['-', '+'])
                .starts_with("inf")
        {
            return Err(PgError::NotSupported(format!(
                "numeric {body} is not supported here"
            )));
        }
        let (mantissa, exponent) = match body.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| invalid())?)
            }
            None => (body, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let mut unscaled: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(invalid());
            }
            let next = unscaled
                .checked_mul(10)
                .and_then(|value| value.checked_add(i128::from(byte - b'0')));
            unscaled = next.ok_or_else(overflow)?;
        }
        let scale = i32::try_from(fraction.len())
            .map_err(|_| overflow())?
            .saturating_sub(exponent);
        if negative {
            unscaled = -unscaled;
        }
        if scale > MAX_SCALE {
            return Self::new(unscaled, scale).round(MAX_SCALE);
        }
        if scale < 0 {
            let unscaled = unscaled
                .checked_mul(power_of_ten(-scale)?)
                .ok_or_else(overflow)?;
            return Ok(Self { unscaled, scale: 0 });
        }
        Ok(Self { unscaled, scale })
    }

    /// Without zeros at the end, but with at least this scale.
    pub(crate) fn trimmed(self, least: i32) -> Self {
        let mut number = self;
        while number.scale > least && number.unscaled % 10 == 0 {
            number.unscaled /= 10;
            number.scale -= 1;
        }
        number
    }

    /// Rounded half away from zero to `scale` digits after the point, which may be negative.
    pub(crate) fn round(self, scale: i32) -> PgResult<Self> {
        self.reduce(scale, divide_rounded)
    }

    /// Cut to `scale` digits after the point, which may be negative.
    pub(crate) fn truncate(self, scale: i32) -> PgResult<Self> {
        self.reduce(scale, |value, by| value / by)
    }

    fn reduce(self, scale: i32, divide: fn(i128, i128) -> i128) -> PgResult<Self> {
        if scale >= self.scale {
            return self.with_scale(scale.min(MAX_SCALE));
        }
        let dropped = self.scale - scale;
        let unscaled = if dropped > 38 {
            0
        } else {
            divide(self.unscaled, power_of_ten(dropped)?)
        };
        if scale < 0 {
            let unscaled = if unscaled == 0 {
                0
            } else {
                unscaled
                    .checked_mul(power_of_ten(-scale)?)
                    .ok_or_else(overflow)?
            };
            return Ok(Self { unscaled, scale: 0 });
        }
        Ok(Self { unscaled, scale })
    }

    /// The same number with more digits after the point.
    pub(crate) fn with_scale(self, scale: i32) -> PgResult<Self> {
        if scale <= self.scale {
            return Ok(self);
        }
        let unscaled = self
            .unscaled
            .checked_mul(power_of_ten(scale - self.scale)?)
            .ok_or_else(overflow)?;
        Ok(Self { unscaled, scale })
    }

    /// The unscaled value in a column of this precision and scale.
    pub(crate) fn fit(self, precision: u8, scale: i8) -> PgResult<i128> {
        let value = if i32::from(scale) < 0 {
            self
        } else {
            self.round(i32::from(scale))?
        };
        let unscaled = if scale < 0 {
            value.unscaled / power_of_ten(-i32::from(scale))?
        } else {
            value.unscaled
        };
        if unscaled.unsigned_abs() >= power_of_ten(i32::from(precision))?.unsigned_abs() {
            return Err(PgError::NumberOutOfRange(
                "numeric field overflow".to_owned(),
            ));
        }
        Ok(unscaled)
    }

    pub(crate) fn to_f64(self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Both with the larger of the two scales.
    pub(crate) fn aligned(self, other: Self) -> PgResult<(i128, i128, i32)> {
        let scale = self.scale.max(other.scale);
        Ok((
            self.with_scale(scale)?.unscaled,
            other.with_scale(scale)?.unscaled,
            scale,
        ))
    }

    pub(crate) fn compare(self, other: Self) -> PgResult<Ordering> {
        let (left, right, _) = self.aligned(other)?;
        Ok(left.cmp(&right))
    }

    pub(crate) fn add(self, other: Self) -> PgResult<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Ok(Self {
            unscaled: left.checked_add(right).ok_or_else(overflow)?,
            scale,
        })
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = self.unscaled.unsigned_abs().to_string();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}
