//! `+ - * / %` of numbers, with the scales that PostgreSQL gives their results.

use arrow::datatypes::i256;
use num_bigint::BigInt;
use num_traits::Signed;

use super::{
    Decimal, Digits, MAX_RESULT_SCALE, MAX_SCALE, MIN_SIGNIFICANT_DIGITS, Numeric, PgError,
    PgResult,
};

impl Decimal {
    pub(crate) fn add(&self, other: &Self) -> PgResult<Self> {
        let (left, right, scale) = self.aligned(other);
        if let (Digits::Small(left), Digits::Small(right)) = (&left, &right)
            && let Some(sum) = left.checked_add(*right)
        {
            return Ok(Self::new(sum, scale));
        }
        Self::from_big(left.big().as_ref() + right.big().as_ref(), scale).checked()
    }

    pub(crate) fn subtract(&self, other: &Self) -> PgResult<Self> {
        self.add(&other.negated())
    }

    pub(crate) fn multiply(&self, other: &Self) -> PgResult<Self> {
        let scale = self.scale + other.scale;
        let product = match (&self.digits, &other.digits) {
            (Digits::Small(left), Digits::Small(right)) => left
                .checked_mul(*right)
                .map(|product| Self::new(product, scale)),
            _ => None,
        };
        let product = match product {
            Some(product) => product,
            None => {
                let digits = self.digits.big().as_ref() * other.digits.big().as_ref();
                Self::from_big(digits, scale).checked()?
            }
        };
        Ok(if scale > MAX_SCALE {
            product.round(MAX_SCALE)
        } else {
            product
        })
    }

    /// The scale of a quotient: at least 16 digits that count, and no less than either operand's.
    pub(crate) fn quotient_scale(&self, other: &Self) -> i32 {
        let ((weight1, first1), (weight2, first2)) = (self.first_group(), other.first_group());
        let mut weight = weight1 - weight2;
        if first1 <= first2 {
            weight -= 1;
        }
        (MIN_SIGNIFICANT_DIGITS - weight * 4)
            .max(self.scale)
            .max(other.scale)
            .clamp(0, MAX_RESULT_SCALE)
    }

    pub(crate) fn divide(&self, other: &Self) -> PgResult<Self> {
        if other.is_zero() {
            return Err(PgError::DivisionByZero);
        }
        self.divide_to(other, self.quotient_scale(other))
    }

    /// The quotient to `scale` digits after the point, rounded half away from zero.
    pub(crate) fn divide_to(&self, other: &Self, scale: i32) -> PgResult<Self> {
        let shift = scale + other.scale - self.scale;
        let (above, below) = if shift >= 0 {
            (self.digits.scaled(shift), other.digits.clone())
        } else {
            (self.digits.clone(), other.digits.scaled(-shift))
        };
        if let (Digits::Small(above), Digits::Small(below)) = (&above, &below) {
            return Ok(Self::new(rounded_quotient(*above, *below), scale));
        }
        if let (Digits::Small(left), Digits::Small(right)) = (&self.digits, &other.digits)
            && let Some(quotient) = wide_quotient(*left, *right, shift)
        {
            return Ok(Self::new(quotient, scale));
        }
        let (above, below) = (above.big(), below.big());
        let (mut quotient, rest) = (
            above.as_ref() / below.as_ref(),
            above.as_ref() % below.as_ref(),
        );
        if rest.magnitude() * 2_u32 >= *below.magnitude() {
            quotient += above.signum() * below.signum();
        }
        Self::from_big(quotient, scale).checked()
    }

    /// The quotient without its fraction.
    pub(crate) fn divide_whole(&self, other: &Self) -> PgResult<Self> {
        if other.is_zero() {
            return Err(PgError::DivisionByZero);
        }
        let (left, right, _) = self.aligned(other);
        if let (Digits::Small(left), Digits::Small(right)) = (&left, &right)
            && let Some(quotient) = left.checked_div(*right)
        {
            return Ok(Self::new(quotient, 0));
        }
        Ok(Self::from_big(
            left.big().as_ref() / right.big().as_ref(),
            0,
        ))
    }

    pub(crate) fn remainder(&self, other: &Self) -> PgResult<Self> {
        if other.is_zero() {
            return Err(PgError::DivisionByZero);
        }
        let (left, right, scale) = self.aligned(other);
        if let (Digits::Small(left), Digits::Small(right)) = (&left, &right) {
            return Ok(Self::new(left.checked_rem(*right).unwrap_or(0), scale));
        }
        let rest: BigInt = left.big().as_ref() % right.big().as_ref();
        Ok(Self::from_big(rest, scale))
    }
}

fn rounded_quotient(above: i128, below: i128) -> i128 {
    let (quotient, rest) = (above.wrapping_div(below), above.wrapping_rem(below));
    if rest.unsigned_abs() >= below.unsigned_abs() - rest.unsigned_abs() {
        quotient + above.signum() * below.signum()
    } else {
        quotient
    }
}

/// `left × 10^shift / right` by way of 256 bits, if these suffice.
fn wide_quotient(left: i128, right: i128, shift: i32) -> Option<i128> {
    let power = i256::from_i128(10).checked_pow(shift.unsigned_abs())?;
    let (mut above, mut below) = (i256::from_i128(left), i256::from_i128(right));
    if shift >= 0 {
        above = above.checked_mul(power)?;
    } else {
        below = below.checked_mul(power)?;
    }
    let negative = (above < i256::ZERO) != (below < i256::ZERO);
    let (above, below) = (above.wrapping_abs(), below.wrapping_abs());
    let whole = above.checked_div(below)?;
    let rest = above.checked_rem(below)?;
    let rounded = if rest >= below.wrapping_sub(rest) {
        whole.checked_add(i256::ONE)?
    } else {
        whole
    };
    let unscaled = rounded.to_i128()?;
    Some(if negative { -unscaled } else { unscaled })
}

impl Numeric {
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Finite(number) => Self::Finite(number.negated()),
            Self::Infinity => Self::NegativeInfinity,
            Self::NegativeInfinity => Self::Infinity,
            Self::NaN => Self::NaN,
        }
    }

    /// -1, 0 or 1; NaN has no sign.
    fn sign(&self) -> i128 {
        match self {
            Self::Finite(number) => number.signum(),
            Self::Infinity => 1,
            Self::NegativeInfinity => -1,
            Self::NaN => 0,
        }
    }

    fn infinite(positive: bool) -> Self {
        if positive {
            Self::Infinity
        } else {
            Self::NegativeInfinity
        }
    }

    pub(crate) fn add(&self, other: &Self) -> PgResult<Self> {
        Ok(match (self, other) {
            (Self::Finite(left), Self::Finite(right)) => Self::Finite(left.add(right)?),
            (Self::NaN, _) | (_, Self::NaN) => Self::NaN,
            (Self::Infinity, Self::NegativeInfinity) | (Self::NegativeInfinity, Self::Infinity) => {
                Self::NaN
            }
            (Self::Finite(_), other) | (other, _) => other.clone(),
        })
    }

    pub(crate) fn subtract(&self, other: &Self) -> PgResult<Self> {
        self.add(&other.clone().negated())
    }

    pub(crate) fn multiply(&self, other: &Self) -> PgResult<Self> {
        Ok(match (self, other) {
            (Self::Finite(left), Self::Finite(right)) => Self::Finite(left.multiply(right)?),
            (Self::NaN, _) | (_, Self::NaN) => Self::NaN,
            _ => match self.sign() * other.sign() {
                0 => Self::NaN,
                sign => Self::infinite(sign > 0),
            },
        })
    }

    pub(crate) fn divide(&self, other: &Self) -> PgResult<Self> {
        Ok(match (self, other) {
            (Self::Finite(left), Self::Finite(right)) => Self::Finite(left.divide(right)?),
            (Self::NaN, _) | (_, Self::NaN) => Self::NaN,
            (_, Self::Finite(right)) => match right.signum() {
                0 => return Err(PgError::DivisionByZero),
                sign => Self::infinite(self.sign() * sign > 0),
            },
            (Self::Finite(_), _) => Self::new(0, 0),
            _ => Self::NaN,
        })
    }

    pub(crate) fn divide_whole(&self, other: &Self) -> PgResult<Self> {
        match (self, other) {
            (Self::Finite(left), Self::Finite(right)) => {
                Ok(Self::Finite(left.divide_whole(right)?))
            }
            _ => self.divide(other),
        }
    }

    pub(crate) fn remainder(&self, other: &Self) -> PgResult<Self> {
        Ok(match (self, other) {
            (Self::Finite(left), Self::Finite(right)) => Self::Finite(left.remainder(right)?),
            (Self::NaN, _) | (_, Self::NaN) => Self::NaN,
            (_, Self::Finite(right)) if right.is_zero() => return Err(PgError::DivisionByZero),
            (Self::Finite(left), _) => Self::Finite(left.clone()),
            _ => Self::NaN,
        })
    }

    /// A whole number of a type with these bounds.
    pub(crate) fn to_whole(&self, name: &str) -> PgResult<i128> {
        match self {
            Self::Finite(number) => number
                .round(0)
                .as_whole()
                .ok_or_else(|| PgError::out_of_range(name)),
            Self::NaN => Err(PgError::NotSupported(format!(
                "cannot convert NaN to {name}"
            ))),
            _ => Err(PgError::NotSupported(format!(
                "cannot convert infinity to {name}"
            ))),
        }
    }
}
