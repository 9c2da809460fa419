//! `div`, `mod`, `gcd`, `lcm`, `factorial`, `width_bucket`, `scale` and `min_scale`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::numeric::{Decimal, Numeric};
use super::super::types::{EXACT, Ty};
use super::super::value::{map1, map2, map4};

/// The larger scale of two decimals; exact if one is.
fn common_scale(planned: &Planned<'_>) -> Result<Field> {
    let mut scale = Some(0);
    for field in planned.fields.iter().take(2) {
        scale = match (field.data_type(), scale) {
            (DataType::Decimal128(_, own), Some(scale)) => Some(scale.max(*own)),
            _ => None,
        };
    }
    let data_type = scale.map_or(EXACT, |scale| DataType::Decimal128(38, scale));
    Ok(Field::new("numeric", data_type, true))
}

fn gcd(left: u128, right: u128) -> u128 {
    let (mut a, mut b) = (left, right);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(left: i128, right: i128) -> Option<u128> {
    let (a, b) = (left.unsigned_abs(), right.unsigned_abs());
    if a == 0 || b == 0 {
        Some(0)
    } else {
        (a / gcd(a, b)).checked_mul(b)
    }
}

macro_rules! whole {
    ($ty:expr, $rust:ty, $name:literal, $f:expr) => {
        Overload::new(&[$ty, $ty], $ty, |call| {
            map2(call, |left: $rust, right: $rust| {
                let result: PgResult<i128> = $f(i128::from(left), i128::from(right));
                <$rust>::try_from(result?).map_err(|_| PgError::out_of_range($name))
            })
        })
    };
}

fn int_mod(left: i128, right: i128) -> PgResult<i128> {
    left.checked_rem(right).ok_or(PgError::DivisionByZero)
}

fn int_gcd(left: i128, right: i128) -> PgResult<i128> {
    Ok(gcd(left.unsigned_abs(), right.unsigned_abs()) as i128)
}

fn int_lcm(left: i128, right: i128) -> PgResult<i128> {
    lcm(left, right)
        .and_then(|value| i128::try_from(value).ok())
        .ok_or_else(|| PgError::out_of_range("bigint"))
}

/// The largest argument whose factorial a numeric holds.
const MAX_FACTORIAL: i64 = 32_177;

fn factorial(value: i64) -> PgResult<Numeric> {
    if value < 0 {
        return Err(PgError::NumberOutOfRange(
            "factorial of a negative number is undefined".to_owned(),
        ));
    }
    if value > MAX_FACTORIAL {
        return Err(super::super::numeric::overflow());
    }
    let mut product = Decimal::new(1, 0);
    for factor in 2..=i128::from(value) {
        product = product.multiply(&Decimal::new(factor, 0))?;
    }
    Ok(Numeric::Finite(product))
}

fn bucket(operand: f64, low: f64, high: f64, count: i32) -> PgResult<i32> {
    if count <= 0 {
        return Err(PgError::InvalidBucket("count must be greater than zero"));
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return Err(PgError::InvalidBucket(
            "operand, lower bound, and upper bound cannot be NaN",
        ));
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(PgError::InvalidBucket(
            "lower and upper bounds must be finite",
        ));
    }
    if low == high {
        return Err(PgError::InvalidBucket(
            "lower bound cannot equal upper bound",
        ));
    }
    let (before, after) = if low < high {
        (operand < low, operand >= high)
    } else {
        (operand > low, operand <= high)
    };
    if before {
        return Ok(0);
    }
    if after {
        return count
            .checked_add(1)
            .ok_or_else(|| PgError::out_of_range("integer"));
    }
    let share = (operand - low) / (high - low);
    Ok(((f64::from(count) * share) as i32).min(count - 1) + 1)
}

fn numeric_bucket(operand: Numeric, low: Numeric, high: Numeric, count: i32) -> PgResult<i32> {
    let bounds = (low.finite().is_some(), high.finite().is_some());
    if count <= 0 || low.compare(&high).is_eq() || bounds != (true, true) || operand == Numeric::NaN
    {
        return bucket(operand.to_f64(), low.to_f64(), high.to_f64(), count);
    }
    let ascending = low.compare(&high).is_lt();
    let (from_low, from_high) = (operand.compare(&low), operand.compare(&high));
    if (ascending && from_low.is_lt()) || (!ascending && from_low.is_gt()) {
        return Ok(0);
    }
    if (ascending && from_high.is_ge()) || (!ascending && from_high.is_le()) {
        return count
            .checked_add(1)
            .ok_or_else(|| PgError::out_of_range("integer"));
    }
    let part = operand.subtract(&low)?;
    let share = part.multiply(&Numeric::new(i128::from(count), 0))?;
    let index = share.divide_whole(&high.subtract(&low)?)?;
    let index = index.to_whole("integer")? + 1;
    i32::try_from(index).map_err(|_| PgError::out_of_range("integer"))
}

/// The digits after the point; NaN and the infinities have none.
fn scale(call: &Call<'_>) -> Result<ArrayRef> {
    map1(call, |value: Numeric| {
        Ok(value.finite().map(Decimal::scale))
    })
}

fn least_scale(call: &Call<'_>) -> Result<ArrayRef> {
    map1(call, |value: Numeric| {
        Ok(value.finite().map(|value| value.trimmed(0).scale()))
    })
}

/// The greatest common divisor of numbers with fractions.
fn numeric_gcd(left: Numeric, right: Numeric) -> PgResult<Numeric> {
    let magnitude = |value: Numeric| value.map(|number| number.absolute());
    let (mut a, mut b) = (magnitude(left), magnitude(right));
    if a.finite().is_none() || b.finite().is_none() {
        return Ok(Numeric::NaN);
    }
    let zero = Numeric::new(0, 0);
    let scale = |value: &Numeric| value.finite().map_or(0, Decimal::scale);
    let wanted = scale(&a).max(scale(&b));
    while b.compare(&zero).is_ne() {
        let rest = a.remainder(&b)?;
        (a, b) = (b, rest);
    }
    Ok(a.map(|number| number.with_scale(wanted)))
}

fn numeric_lcm(left: Numeric, right: Numeric) -> PgResult<Numeric> {
    let divisor = numeric_gcd(left.clone(), right.clone())?;
    let product = left.multiply(&right)?.map(|number| number.absolute());
    let (Some(known), Some(number)) = (divisor.finite(), product.finite()) else {
        return Ok(Numeric::NaN);
    };
    let scale = known.scale();
    if number.is_zero() {
        return Ok(Numeric::Finite(Decimal::new(0, 0).with_scale(scale)));
    }
    Ok(product.divide(&divisor)?.map(|number| number.round(scale)))
}

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "div",
        &[Overload::returning(
            &[Ty::Numeric, Ty::Numeric],
            Ret::Is(Ty::Numeric),
            |call| {
                map2(call, |left: Numeric, right: Numeric| {
                    left.divide_whole(&right)
                })
            },
        )],
    ),
    Spec::immutable(
        "mod",
        &[
            whole!(Ty::Int2, i16, "smallint", int_mod),
            whole!(Ty::Int4, i32, "integer", int_mod),
            whole!(Ty::Int8, i64, "bigint", int_mod),
            Overload::returning(&[Ty::Numeric, Ty::Numeric], Ret::By(common_scale), |call| {
                map2(call, |left: Numeric, right: Numeric| left.remainder(&right))
            }),
        ],
    ),
    Spec::immutable(
        "gcd",
        &[
            whole!(Ty::Int4, i32, "integer", int_gcd),
            whole!(Ty::Int8, i64, "bigint", int_gcd),
            Overload::new(&[Ty::Numeric, Ty::Numeric], Ty::Numeric, |call| {
                map2(call, numeric_gcd)
            }),
        ],
    ),
    Spec::immutable(
        "lcm",
        &[
            whole!(Ty::Int4, i32, "integer", int_lcm),
            whole!(Ty::Int8, i64, "bigint", int_lcm),
            Overload::new(&[Ty::Numeric, Ty::Numeric], Ty::Numeric, |call| {
                map2(call, numeric_lcm)
            }),
        ],
    ),
    Spec::immutable(
        "factorial",
        &[Overload::returning(
            &[Ty::Int8],
            Ret::Is(Ty::Numeric),
            |call| map1(call, factorial),
        )],
    ),
    Spec::immutable(
        "width_bucket",
        &[
            Overload::new(
                &[Ty::Float8, Ty::Float8, Ty::Float8, Ty::Int4],
                Ty::Int4,
                |call| map4(call, bucket),
            ),
            Overload::new(
                &[Ty::Numeric, Ty::Numeric, Ty::Numeric, Ty::Int4],
                Ty::Int4,
                |call| map4(call, numeric_bucket),
            ),
        ],
    ),
    Spec::immutable("scale", &[Overload::new(&[Ty::Numeric], Ty::Int4, scale)]),
    Spec::immutable(
        "min_scale",
        &[Overload::new(&[Ty::Numeric], Ty::Int4, least_scale)],
    ),
];
