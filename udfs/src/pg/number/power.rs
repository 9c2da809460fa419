//! Powers, roots and logarithms with PostgreSQL's errors.
//!
//! Numbers that are exact have exact results, floats those of double precision.

use super::super::error::{PgError, PgResult};
use super::super::function::{Overload, Spec};
use super::super::numeric::Numeric;
use super::super::types::Ty;
use super::super::value::{map1, map2};

/// Overflow to infinity and underflow to zero are errors, unless an argument was infinite or zero already.
fn checked(result: f64, inputs_finite: bool, may_be_zero: bool) -> PgResult<f64> {
    if result.is_infinite() && inputs_finite {
        return Err(PgError::NumberOutOfRange(
            "value out of range: overflow".to_owned(),
        ));
    }
    if result == 0.0 && !may_be_zero {
        return Err(PgError::NumberOutOfRange(
            "value out of range: underflow".to_owned(),
        ));
    }
    Ok(result)
}

fn power(base: f64, exponent: f64) -> PgResult<f64> {
    if base == 0.0 && exponent < 0.0 {
        return Err(PgError::InvalidPower(
            "zero raised to a negative power is undefined",
        ));
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        return Err(PgError::InvalidPower(
            "a negative number raised to a non-integer power yields a complex result",
        ));
    }
    let finite = base.is_finite() && exponent.is_finite();
    checked(base.powf(exponent), finite, base == 0.0 || !finite)
}

fn logarithm(value: f64, log: fn(f64) -> f64) -> PgResult<f64> {
    if value == 0.0 {
        return Err(PgError::InvalidLogarithm("cannot take logarithm of zero"));
    }
    if value < 0.0 {
        return Err(PgError::InvalidLogarithm(
            "cannot take logarithm of a negative number",
        ));
    }
    Ok(log(value))
}

macro_rules! float {
    ($name:literal, $f:expr) => {
        Spec::immutable(
            $name,
            &[Overload::new(&[Ty::Float8], Ty::Float8, |call| {
                map1(call, |value: f64| $f(value))
            })],
        )
    };
}

/// `power(a, b)`, of which `a ^ b` is another spelling.
pub(super) const POWER: Spec = Spec::immutable(
    "power",
    &[
        Overload::new(&[Ty::Float8, Ty::Float8], Ty::Float8, |call| {
            map2(call, power)
        }),
        Overload::new(&[Ty::Numeric, Ty::Numeric], Ty::Numeric, |call| {
            map2(call, |base: Numeric, exponent: Numeric| {
                base.power(&exponent)
            })
        }),
    ],
)
.also(&["pow"]);

fn square_root(value: f64) -> PgResult<f64> {
    if value < 0.0 {
        return Err(PgError::InvalidPower(
            "cannot take square root of a negative number",
        ));
    }
    Ok(value.sqrt())
}

macro_rules! exact {
    ($name:literal, $float:expr, $exact:expr) => {
        Spec::immutable(
            $name,
            &[
                Overload::new(&[Ty::Float8], Ty::Float8, |call| {
                    map1(call, |value: f64| $float(value))
                }),
                Overload::new(&[Ty::Numeric], Ty::Numeric, |call| {
                    map1(call, |value: Numeric| $exact(value))
                }),
            ],
        )
    };
}

fn common_logarithm(value: Numeric) -> PgResult<Numeric> {
    value.log(&Numeric::new(10, 0))
}

pub(super) const SPECS: &[Spec] = &[
    POWER,
    exact!("sqrt", square_root, |value: Numeric| value.sqrt()),
    float!("cbrt", |value: f64| Ok(value.cbrt())),
    exact!(
        "exp",
        |value: f64| checked(value.exp(), value.is_finite(), value == f64::NEG_INFINITY),
        |value: Numeric| value.exp()
    ),
    exact!("ln", |value| logarithm(value, f64::ln), |value: Numeric| {
        value.ln()
    }),
    exact!(
        "log10",
        |value| logarithm(value, f64::log10),
        common_logarithm
    ),
    Spec::immutable(
        "log",
        &[
            Overload::new(&[Ty::Float8], Ty::Float8, |call| {
                map1(call, |value: f64| logarithm(value, f64::log10))
            }),
            Overload::new(&[Ty::Numeric], Ty::Numeric, |call| {
                map1(call, common_logarithm)
            }),
            // PostgreSQL has it for exact numbers alone, and whole ones become such.
            Overload::new(&[Ty::Numeric, Ty::Numeric], Ty::Numeric, |call| {
                map2(call, |base: Numeric, value: Numeric| value.log(&base))
            }),
        ],
    ),
];
