//! Roots, powers, exponentials and logarithms of exact numbers, to the digits that PostgreSQL gives.
//!
//! They are calculated in fixed point with digits to spare and rounded once, half away from zero.
//! Formulas: ln x = 2 artanh((x - 1)/(x + 1)) after square roots have brought x near 1, and Taylor's
//! series of e^x after halving has brought x near 0. PostgreSQL's `numeric.c` gives the scales.

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::{
    Decimal, Digits, MAX_RESULT_SCALE, MIN_SIGNIFICANT_DIGITS, Numeric, PgError, PgResult,
    big_power, overflow,
};

/// Decimal digits calculated beyond those that are shown.
const SPARE_DIGITS: i32 = 12;
/// log₁₀ e.
const LOG10_E: f64 = std::f64::consts::LOG10_E;
/// The most digits of a power that is calculated by multiplication.
const MAX_EXACT_POWER_DIGITS: i64 = 4000;
/// Powers of ten beyond which a result is no number any more.
const MAX_EXPONENT: f64 = 131_082.0;

fn result_scale(digits_before: i32, scales: &[i32]) -> i32 {
    let least = scales.iter().copied().max().unwrap_or(0);
    (MIN_SIGNIFICANT_DIGITS - digits_before)
        .max(least)
        .clamp(0, MAX_RESULT_SCALE)
}

/// A number in fixed point, with so many bits behind the point.
fn fixed(number: &Decimal, bits: u32) -> BigInt {
    (number.digits.big().as_ref() << bits) / big_power(number.scale)
}

/// A fixed-point number as a decimal of this scale.
fn decimal(value: &BigInt, bits: u32, scale: i32) -> Decimal {
    let scaled = value * big_power(scale);
    let half = BigInt::one() << (bits.saturating_sub(1));
    let magnitude: BigInt = (scaled.abs() + half) >> bits;
    let digits = if scaled.is_negative() {
        -magnitude
    } else {
        magnitude
    };
    Decimal::from_big(digits, scale)
}

/// Bits that hold so many decimal digits.
fn bits_of(digits: i32) -> u32 {
    (f64::from(digits.max(1)) * std::f64::consts::LOG2_10) as u32 + 64
}

fn multiply(left: &BigInt, right: &BigInt, bits: u32) -> BigInt {
    (left * right) >> bits
}

/// 2 artanh(z) by its series; |z| is well below 1.
fn double_artanh(z: &BigInt, bits: u32) -> BigInt {
    let square = multiply(z, z, bits);
    let (mut power, mut sum) = (z.clone(), z.clone());
    let mut odd = 3_u32;
    while !power.is_zero() && power != BigInt::from(-1) {
        power = multiply(&power, &square, bits);
        sum += &power / odd;
        odd += 2;
    }
    sum << 1
}

fn ln_two(bits: u32) -> BigInt {
    double_artanh(&((BigInt::one() << bits) / 3_u32), bits)
}

/// The natural logarithm of a positive number, in fixed point.
fn ln_fixed(number: &Decimal, bits: u32) -> BigInt {
    // x = f · 2^k with f near 1.
    let numerator = number.digits.big();
    let below = big_power(number.scale);
    let twos = numerator.bits() as i64 - below.bits() as i64;
    let mut f = if twos >= 0 {
        (numerator.as_ref() << bits) / (below << twos.unsigned_abs())
    } else {
        (numerator.as_ref() << (u64::from(bits) + twos.unsigned_abs())) / below
    };
    let one = BigInt::one() << bits;
    let roots = (bits / 32).clamp(4, 40);
    for _ in 0..roots {
        f = (f << bits).sqrt();
    }
    let z = ((&f - &one) << bits) / (&f + &one);
    (double_artanh(&z, bits) << roots) + ln_two(bits) * twos
}

/// Bits that the square roots of [`ln_fixed`] lose.
fn ln_bits(digits: i32) -> u32 {
    let bits = bits_of(digits);
    bits + (bits / 32).clamp(4, 40) + 16
}

/// e to the power of a fixed-point number, in fixed point.
fn exp_fixed(value: &BigInt, bits: u32) -> BigInt {
    let two = ln_two(bits);
    let twos: BigInt = value / &two;
    let rest = value - &twos * &two;
    let halvings = (bits / 32).clamp(4, 40);
    let part = rest >> halvings;
    let one = BigInt::one() << bits;
    let (mut term, mut sum) = (one.clone(), one);
    let mut n = 1_u32;
    loop {
        term = multiply(&term, &part, bits) / n;
        if term.is_zero() || term == BigInt::from(-1) {
            break;
        }
        sum += &term;
        n += 1;
    }
    for _ in 0..halvings {
        sum = multiply(&sum, &sum, bits);
    }
    match twos.to_i64() {
        Some(twos) if twos >= 0 => sum << twos,
        Some(twos) => sum >> twos.unsigned_abs(),
        None => sum,
    }
}

impl Decimal {
    /// The decimal weight of this number's logarithm, estimated as PostgreSQL does.
    fn ln_weight(&self) -> i32 {
        if self.signum() <= 0 {
            return 0;
        }
        let value = self.to_f64();
        if (0.9..=1.1).contains(&value) {
            let rest = match self.subtract(&Self::new(1, 0)) {
                Ok(rest) => rest,
                Err(_) => return 0,
            };
            if rest.is_zero() {
                return 0;
            }
            let (weight, first) = rest.first_group();
            return weight * 4 + f64::from(first.max(1)).log10() as i32;
        }
        // Beyond a float's range the leading digits and the power of ten tell enough.
        let exponent = self.exponent().unwrap_or(0);
        let leading = self.digits.without((self.digits.count() - 8).max(0), false);
        let leading = match leading {
            Digits::Small(value) => value.unsigned_abs() as f64,
            Digits::Big(_) => 1.0,
        };
        let mantissa = leading.log10().fract().max(0.0);
        let ln = (f64::from(exponent) + mantissa) * std::f64::consts::LN_10;
        ln.abs().log10() as i32
    }

    fn sqrt(&self) -> Self {
        let (weight, _) = self.first_group();
        let before = (weight + 1) * 4 / 2 - 1;
        self.root_to(result_scale(before, &[self.scale]))
    }

    /// The root of a number that is not negative, to `scale` digits after the point.
    pub(crate) fn root_to(&self, scale: i32) -> Self {
        let shift = 2 * scale - self.scale;
        let value = if shift >= 0 {
            self.digits.big().as_ref() * big_power(shift)
        } else {
            self.digits.big().as_ref() / big_power(-shift)
        };
        let doubled = (value << 2_u32).sqrt();
        Self::from_big((doubled + 1_u32) >> 1_u32, scale)
    }

    fn ln(&self) -> Self {
        let scale = result_scale(self.ln_weight(), &[self.scale]);
        let bits = ln_bits(scale + SPARE_DIGITS);
        decimal(&ln_fixed(self, bits), bits, scale)
    }

    fn log(&self, base: &Self) -> PgResult<Self> {
        let before = self.ln_weight() - base.ln_weight();
        let scale = result_scale(before, &[self.scale, base.scale]);
        let spare = before.abs() + base.ln_weight().abs() + SPARE_DIGITS;
        let bits = ln_bits(scale + 2 * spare);
        let below = ln_fixed(base, bits);
        if below.is_zero() {
            return Err(PgError::DivisionByZero);
        }
        let quotient = (ln_fixed(self, bits) << bits) / below;
        Ok(decimal(&quotient, bits, scale))
    }

    fn exp(&self) -> PgResult<Self> {
        let weight = self.to_f64() * LOG10_E;
        if weight > MAX_EXPONENT {
            return Err(overflow());
        }
        let before = weight.max(-f64::from(MAX_RESULT_SCALE)) as i32;
        let scale = result_scale(before, &[self.scale]);
        if weight < -f64::from(MAX_RESULT_SCALE) - 1.0 {
            return Ok(Self::new(0, scale));
        }
        let bits = bits_of(scale + before.max(0) + SPARE_DIGITS) + 48;
        decimal(&exp_fixed(&fixed(self, bits), bits), bits, scale).checked()
    }

    /// A power with a whole exponent, to 16 digits after the point at least.
    fn power_whole(&self, exponent: i64) -> PgResult<Self> {
        let scale = result_scale(0, &[self.scale]);
        if self.is_zero() {
            return Ok(Self::new(i128::from(exponent == 0), 0).with_scale(scale));
        }
        let log10 = self.absolute().log10_estimate();
        let weight = exponent as f64 * log10;
        if weight > MAX_EXPONENT {
            return Err(overflow());
        }
        if weight + 1.0 < -f64::from(MAX_RESULT_SCALE) {
            return Ok(Self::new(0, MAX_RESULT_SCALE));
        }
        let magnitude = exponent.unsigned_abs();
        let digits = i64::from(self.digits.count()).saturating_mul(magnitude as i64);
        let power = if digits <= MAX_EXACT_POWER_DIGITS {
            let digits = self.digits.big().pow(u32::try_from(magnitude).unwrap_or(0));
            let scale_of_power = i64::from(self.scale) * magnitude as i64;
            Self::from_big(digits, i32::try_from(scale_of_power).unwrap_or(i32::MAX))
        } else {
            return self.power_by_logarithm(&Self::new(i128::from(exponent), 0), weight, scale);
        };
        if exponent >= 0 {
            return Ok(power.round(scale));
        }
        Self::new(1, 0).divide_to(&power, scale)
    }

    fn log10_estimate(&self) -> f64 {
        let exponent = self.exponent().unwrap_or(0);
        let kept = (self.digits.count() - 16).max(0);
        let leading = match self.digits.without(kept, false) {
            Digits::Small(value) => value.unsigned_abs() as f64,
            Digits::Big(_) => 1.0,
        };
        let digits = f64::from(self.digits.count() - kept - 1);
        f64::from(exponent) + leading.log10() - digits
    }

    /// |self|^exponent = e^(exponent · ln |self|), with the sign of a whole odd power.
    fn power_by_logarithm(&self, exponent: &Self, weight: f64, scale: i32) -> PgResult<Self> {
        let digits = scale + (weight.max(0.0) as i32) + SPARE_DIGITS;
        let product_digits = exponent.exponent().unwrap_or(0).max(0) + 8;
        let bits = ln_bits(digits + product_digits);
        let ln = ln_fixed(&self.absolute(), bits);
        let product = ln * exponent.digits.big().as_ref() / big_power(exponent.scale);
        let power = decimal(&exp_fixed(&product, bits), bits, scale).checked()?;
        let odd = exponent.as_whole().is_some_and(|whole| whole % 2 != 0);
        Ok(if self.signum() < 0 && odd {
            power.negated()
        } else {
            power
        })
    }

    fn power(&self, exponent: &Self) -> PgResult<Self> {
        if self.is_zero() && exponent.signum() < 0 {
            return Err(PgError::InvalidPower(
                "zero raised to a negative power is undefined",
            ));
        }
        let whole = exponent.as_whole();
        if let Some(whole) = whole.and_then(|whole| i32::try_from(whole).ok()) {
            return self.power_whole(i64::from(whole));
        }
        if self.is_zero() {
            return Ok(Self::new(0, MIN_SIGNIFICANT_DIGITS));
        }
        if self.signum() < 0 && exponent.trimmed(0).scale > 0 {
            return Err(PgError::InvalidPower(
                "a negative number raised to a non-integer power yields a complex result",
            ));
        }
        let weight = self.absolute().log10_estimate() * exponent.to_f64();
        if weight > MAX_EXPONENT {
            return Err(overflow());
        }
        if weight < -f64::from(MAX_RESULT_SCALE) - 1.0 {
            return Ok(Self::new(0, MAX_RESULT_SCALE));
        }
        let scale = result_scale(weight as i32, &[self.scale, exponent.scale]);
        self.power_by_logarithm(exponent, weight, scale)
    }
}

impl Numeric {
    /// # Errors
    /// The root of a negative number.
    pub(crate) fn sqrt(&self) -> PgResult<Self> {
        let negative = || PgError::InvalidPower("cannot take square root of a negative number");
        Ok(match self {
            Self::Finite(number) if number.signum() < 0 => return Err(negative()),
            Self::NegativeInfinity => return Err(negative()),
            Self::Finite(number) => Self::Finite(number.sqrt()),
            other => other.clone(),
        })
    }

    /// # Errors
    /// A result that has too many digits.
    pub(crate) fn exp(&self) -> PgResult<Self> {
        Ok(match self {
            Self::Finite(number) => Self::Finite(number.exp()?),
            Self::NegativeInfinity => Self::new(0, 0),
            other => other.clone(),
        })
    }

    fn check_logarithm(&self) -> PgResult<()> {
        match self {
            Self::Finite(number) if number.is_zero() => {
                Err(PgError::InvalidLogarithm("cannot take logarithm of zero"))
            }
            Self::NegativeInfinity => Err(PgError::InvalidLogarithm(
                "cannot take logarithm of a negative number",
            )),
            Self::Finite(number) if number.signum() < 0 => Err(PgError::InvalidLogarithm(
                "cannot take logarithm of a negative number",
            )),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// The logarithm of zero or of a negative number.
    pub(crate) fn ln(&self) -> PgResult<Self> {
        self.check_logarithm()?;
        Ok(self.clone().map(|number| number.ln()))
    }

    /// # Errors
    /// As [`Numeric::ln`], and a base of 1.
    pub(crate) fn log(&self, base: &Self) -> PgResult<Self> {
        if matches!(self, Self::NaN) || matches!(base, Self::NaN) {
            return Ok(Self::NaN);
        }
        base.check_logarithm()?;
        self.check_logarithm()?;
        Ok(match (self, base) {
            (Self::Finite(number), Self::Finite(base)) => Self::Finite(number.log(base)?),
            (Self::Finite(_), _) => Self::new(0, 0),
            (_, Self::Finite(_)) => Self::Infinity,
            _ => Self::NaN,
        })
    }

    /// # Errors
    /// Powers that are no real number, and results that have too many digits.
    pub(crate) fn power(&self, exponent: &Self) -> PgResult<Self> {
        if let (Self::Finite(base), Self::Finite(exponent)) = (self, exponent) {
            return Ok(Self::Finite(base.power(exponent)?));
        }
        let one = |number: &Self| number.compare(&Self::new(1, 0)).is_eq();
        let zero = |number: &Self| number.compare(&Self::new(0, 0)).is_eq();
        if matches!(self, Self::NaN) || matches!(exponent, Self::NaN) {
            // NaN ^ 0 and 1 ^ NaN are 1, as POSIX has it.
            return Ok(if zero(exponent) || one(self) {
                Self::new(1, 0)
            } else {
                Self::NaN
            });
        }
        if one(self) || zero(exponent) {
            return Ok(Self::new(1, 0));
        }
        let value = self.to_f64().powf(exponent.to_f64());
        if zero(self) && exponent.to_f64() < 0.0 {
            return Err(PgError::InvalidPower(
                "zero raised to a negative power is undefined",
            ));
        }
        Ok(match value {
            value if value == f64::INFINITY => Self::Infinity,
            value if value == f64::NEG_INFINITY => Self::NegativeInfinity,
            value if value.is_nan() => Self::NaN,
            value => Self::new(value as i128, 0),
        })
    }
}
