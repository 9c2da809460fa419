//! Angles and hyperbolic functions in double precision, to which exact and whole numbers become by themselves.
//!
//! Functions of degrees are exact where their values are: they are computed within the first eighth of the
//! circle and divided by their own value at its end, as `float.c` of PostgreSQL 15 does.

use super::super::error::{PgError, PgResult};
use super::super::function::{Overload, Spec};
use super::super::types::Ty;
use super::super::value::{map1, map2};

fn out_of_range() -> PgError {
    PgError::NumberOutOfRange("input is out of range".to_owned())
}

/// A function of an angle; infinity is none.
fn of_angle(value: f64, f: impl Fn(f64) -> f64) -> PgResult<f64> {
    if value.is_infinite() {
        return Err(out_of_range());
    }
    Ok(f(value))
}

/// A function of numbers between two others.
fn within(value: f64, low: f64, high: f64, f: impl Fn(f64) -> f64) -> PgResult<f64> {
    if value < low || value > high {
        return Err(out_of_range());
    }
    Ok(f(value))
}

/// A result that may be too large for a finite argument.
fn finite(value: f64, result: f64) -> PgResult<f64> {
    if result.is_infinite() && value.is_finite() {
        return Err(PgError::NumberOutOfRange(
            "value out of range: overflow".to_owned(),
        ));
    }
    Ok(result)
}

/// The sine of up to 30 degrees.
fn small_sine(degrees: f64) -> f64 {
    degrees.to_radians().sin() / 30_f64.to_radians().sin() / 2.0
}

/// The cosine of up to 60 degrees.
fn small_cosine(degrees: f64) -> f64 {
    let whole = 1.0 - 60_f64.to_radians().cos();
    1.0 - (1.0 - degrees.to_radians().cos()) / whole / 2.0
}

/// The sine of up to 90 degrees.
fn sine_of_quarter(degrees: f64) -> f64 {
    if degrees <= 30.0 {
        small_sine(degrees)
    } else {
        small_cosine(90.0 - degrees)
    }
}

/// The cosine of up to 90 degrees.
fn cosine_of_quarter(degrees: f64) -> f64 {
    if degrees <= 60.0 {
        small_cosine(degrees)
    } else {
        small_sine(90.0 - degrees)
    }
}

/// An angle folded into the first quarter: it, whether it was below zero or beyond half a circle an odd
/// number of times, and whether it was beyond a quarter.
fn folded(degrees: f64) -> (f64, bool, bool) {
    let turned = degrees % 360.0;
    let (mut angle, mut mirrored) = (turned.abs(), turned < 0.0);
    if angle > 180.0 {
        (angle, mirrored) = (360.0 - angle, !mirrored);
    }
    let beyond = angle > 90.0;
    (if beyond { 180.0 - angle } else { angle }, mirrored, beyond)
}

fn signed(negative: bool, value: f64) -> f64 {
    if negative { -value } else { value }
}

fn sine(degrees: f64) -> f64 {
    let (angle, mirrored, _) = folded(degrees);
    signed(mirrored, sine_of_quarter(angle))
}

fn cosine(degrees: f64) -> f64 {
    let (angle, _, beyond) = folded(degrees);
    signed(beyond, cosine_of_quarter(angle))
}

fn tangent(degrees: f64) -> f64 {
    let (angle, mirrored, beyond) = folded(degrees);
    let ratio = sine_of_quarter(angle) / cosine_of_quarter(angle);
    let whole = sine_of_quarter(45.0) / cosine_of_quarter(45.0);
    // Adds 0 to make -0 what it equals.
    signed(mirrored != beyond, ratio / whole) + 0.0
}

fn cotangent(degrees: f64) -> f64 {
    let (angle, mirrored, beyond) = folded(degrees);
    let ratio = cosine_of_quarter(angle) / sine_of_quarter(angle);
    let whole = cosine_of_quarter(45.0) / sine_of_quarter(45.0);
    signed(mirrored != beyond, ratio / whole) + 0.0
}

fn arc_sine_of_quarter(value: f64) -> f64 {
    if value <= 0.5 {
        value.asin() / 0.5_f64.asin() * 30.0
    } else {
        90.0 - value.acos() / 0.5_f64.acos() * 60.0
    }
}

fn arc_cosine_of_quarter(value: f64) -> f64 {
    if value <= 0.5 {
        90.0 - value.asin() / 0.5_f64.asin() * 30.0
    } else {
        value.acos() / 0.5_f64.acos() * 60.0
    }
}

fn arc_sine(value: f64) -> f64 {
    signed(value < 0.0, arc_sine_of_quarter(value.abs()))
}

fn arc_cosine(value: f64) -> f64 {
    if value >= 0.0 {
        arc_cosine_of_quarter(value)
    } else {
        90.0 + arc_sine_of_quarter(-value)
    }
}

fn arc_tangent(radians: f64) -> f64 {
    radians / 1_f64.atan() * 45.0
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

macro_rules! float_of_two {
    ($name:literal, $f:expr) => {
        Spec::immutable(
            $name,
            &[Overload::new(
                &[Ty::Float8, Ty::Float8],
                Ty::Float8,
                |call| map2(call, |a: f64, b: f64| Ok($f(a, b))),
            )],
        )
    };
}

pub(super) const SPECS: &[Spec] = &[
    float!("sin", |value| of_angle(value, f64::sin)),
    float!("cos", |value| of_angle(value, f64::cos)),
    float!("tan", |value| of_angle(value, f64::tan)),
    float!("cot", |value| of_angle(value, |value| 1.0 / value.tan())),
    float!("asin", |value| within(value, -1.0, 1.0, f64::asin)),
    float!("acos", |value| within(value, -1.0, 1.0, f64::acos)),
    float!("atan", |value: f64| Ok(value.atan())),
    float_of_two!("atan2", f64::atan2),
    float!("sind", |value| of_angle(value, sine)),
    float!("cosd", |value| of_angle(value, cosine)),
    float!("tand", |value| of_angle(value, tangent)),
    float!("cotd", |value| of_angle(value, cotangent)),
    float!("asind", |value| within(value, -1.0, 1.0, arc_sine)),
    float!("acosd", |value| within(value, -1.0, 1.0, arc_cosine)),
    float!("atand", |value: f64| Ok(arc_tangent(value.atan()))),
    float_of_two!("atan2d", |y: f64, x: f64| arc_tangent(y.atan2(x))),
    float!("sinh", |value: f64| Ok(value.sinh())),
    float!("cosh", |value: f64| Ok(value.cosh())),
    float!("tanh", |value: f64| Ok(value.tanh())),
    float!("asinh", |value: f64| Ok(value.asinh())),
    float!("acosh", |value| within(
        value,
        1.0,
        f64::INFINITY,
        f64::acosh
    )),
    float!("atanh", |value| within(value, -1.0, 1.0, f64::atanh)),
    float!("degrees", |value: f64| finite(
        value,
        value / (std::f64::consts::PI / 180.0)
    )),
    float!("radians", |value: f64| Ok(value.to_radians())),
];
