//! `div`, `mod`, `gcd`, `lcm`, `factorial`, `width_bucket`, `scale`, `trim_scale` and `min_scale`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::numeric::Numeric;
use super::super::types::Ty;
use super::super::value::{map1, map2, map4};

fn whole_numeric(_: &Planned<'_>) -> Result<Field> {
    Ok(Field::new("numeric", DataType::Decimal128(38, 0), true))
}

/// The larger scale of two numerics.
fn common_scale(planned: &Planned<'_>) -> Result<Field> {
    let scales = planned
        .fields
        .iter()
        .take(2)
        .map(|field| match field.data_type() {
            DataType::Decimal128(_, scale) => *scale,
            _ => 10,
        });
    Ok(Field::new(
        "numeric",
        DataType::Decimal128(38, scales.max().unwrap_or(0)),
        true,
    ))
}

fn div(left: Numeric, right: Numeric) -> PgResult<Numeric> {
    let (left, right, _) = left.aligned(right)?;
    left.checked_div(right)
        .map(|quotient| Numeric::new(quotient, 0))
        .ok_or(PgError::DivisionByZero)
}

fn modulo(left: Numeric, right: Numeric) -> PgResult<Numeric> {
    let (left, right, scale) = left.aligned(right)?;
    left.checked_rem(right)
        .map(|rest| Numeric::new(rest, scale))
        .ok_or(PgError::DivisionByZero)
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

/// The largest argument whose factorial has 38 digits at most.
const MAX_FACTORIAL: i64 = 33;

fn factorial(value: i64) -> PgResult<Numeric> {
    if value < 0 {
        return Err(PgError::NumberOutOfRange(
            "factorial of a negative number is undefined".to_owned(),
        ));
    }
    if value > MAX_FACTORIAL {
        return Err(PgError::NumberOutOfRange(
            "value overflows numeric format".to_owned(),
        ));
    }
    Ok(Numeric::new((1..=i128::from(value)).product(), 0))
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
    if count <= 0 || low.compare(high)?.is_eq() {
        return bucket(0.0, low.to_f64(), high.to_f64(), count);
    }
    let ascending = low.compare(high)?.is_lt();
    let (from_low, from_high) = (operand.compare(low)?, operand.compare(high)?);
    if (ascending && from_low.is_lt()) || (!ascending && from_low.is_gt()) {
        return Ok(0);
    }
    if (ascending && from_high.is_ge()) || (!ascending && from_high.is_le()) {
        return count
            .checked_add(1)
            .ok_or_else(|| PgError::out_of_range("integer"));
    }
    let negate = |value: Numeric| Numeric {
        unscaled: -value.unscaled,
        ..value
    };
    let (part, whole, _) = operand.add(negate(low))?.aligned(high.add(negate(low))?)?;
    let index = part
        .checked_mul(i128::from(count))
        .and_then(|part| part.checked_div(whole));
    let index = index.ok_or_else(|| PgError::out_of_range("integer"))?;
    i32::try_from(index + 1).map_err(|_| PgError::out_of_range("integer"))
}

fn scale(call: &Call<'_>) -> Result<ArrayRef> {
    map1(call, |value: Numeric| Ok(value.scale))
}

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "div",
        &[Overload::returning(
            &[Ty::Numeric, Ty::Numeric],
            Ret::By(whole_numeric),
            |call| map2(call, div),
        )],
    ),
    Spec::immutable(
        "mod",
        &[
            whole!(Ty::Int2, i16, "smallint", int_mod),
            whole!(Ty::Int4, i32, "integer", int_mod),
            whole!(Ty::Int8, i64, "bigint", int_mod),
            Overload::returning(&[Ty::Numeric, Ty::Numeric], Ret::By(common_scale), |call| {
                map2(call, modulo)
            }),
        ],
    ),
    Spec::immutable(
        "gcd",
        &[
            whole!(Ty::Int4, i32, "integer", int_gcd),
            whole!(Ty::Int8, i64, "bigint", int_gcd),
        ],
    ),
    Spec::immutable(
        "lcm",
        &[
            whole!(Ty::Int4, i32, "integer", int_lcm),
            whole!(Ty::Int8, i64, "bigint", int_lcm),
        ],
    ),
    Spec::immutable(
        "factorial",
        &[Overload::returning(
            &[Ty::Int8],
            Ret::By(whole_numeric),
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
        &[Overload::new(&[Ty::Numeric], Ty::Int4, |call| {
            map1(call, |value: Numeric| Ok(value.trimmed(0).scale))
        })],
    ),
];
