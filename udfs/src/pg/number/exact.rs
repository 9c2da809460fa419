//! Operators on `numeric` without a precision: exact, with the scales that PostgreSQL gives.
//!
//! Each takes decimals of any scale and exact numbers alike and gives an exact one. The planner puts
//! them where a plain decimal would lose digits or show others than PostgreSQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Field};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{Expr, Operator, ScalarUDF};

use super::super::error::PgError;
use super::super::function::{Call, Overload, Ret, Spec};
use super::super::numeric::{Numeric, key_of_text};
use super::super::types::{EXACT, Ty};
use super::super::value::{Reader, map1, map2, rows};

macro_rules! operator {
    ($name:literal, $method:ident) => {
        Spec::immutable(
            $name,
            &[Overload::new(
                &[Ty::Numeric, Ty::Numeric],
                Ty::Numeric,
                |call| map2(call, |left: Numeric, right: Numeric| left.$method(&right)),
            )],
        )
    };
}

const ADD: Spec = operator!("numeric_add", add);
const SUBTRACT: Spec = operator!("numeric_sub", subtract);
const MULTIPLY: Spec = operator!("numeric_mul", multiply);
const DIVIDE: Spec = operator!("numeric_div", divide);
const REMAINDER: Spec = operator!("numeric_mod", remainder);

const NEGATE: Spec = Spec::immutable(
    "numeric_uminus",
    &[Overload::new(&[Ty::Numeric], Ty::Numeric, |call| {
        map1(call, |value: Numeric| Ok(value.negated()))
    })],
);

/// A number of any kind as an exact one, with the digits that it has.
const EXACTLY: Spec = Spec::immutable(
    "numeric_exact",
    &[Overload::new(&[Ty::Numeric], Ty::Numeric, |call| {
        map1(call, |value: Numeric| Ok(value))
    })],
);

macro_rules! extreme {
    ($name:literal, $better:ident) => {
        Spec::immutable(
            $name,
            &[Overload::new(&[Ty::Numeric], Ty::Numeric, |call| {
                let readers: Vec<Reader<'_, Numeric>> = (0..call.args.len())
                    .map(|index| Reader::of(call, index))
                    .collect::<Result<_>>()?;
                rows(call, |row| {
                    let mut best: Option<Numeric> = None;
                    for reader in &readers {
                        let Some(value) = reader.get(row)? else {
                            continue;
                        };
                        if best
                            .as_ref()
                            .is_none_or(|best| value.compare(best).$better())
                        {
                            best = Some(value);
                        }
                    }
                    Ok(best)
                })
            })
            .variadic()],
        )
    };
}

const GREATEST: Spec = extreme!("numeric_greatest", is_gt);
const LEAST: Spec = extreme!("numeric_least", is_lt);

/// Without zeros at the end: one text for each number.
const TRIM_SCALE: Spec = Spec::immutable(
    "trim_scale",
    &[Overload::new(&[Ty::Numeric], Ty::Numeric, |call| {
        map1(call, |value: Numeric| {
            Ok(value.map(|value| value.trimmed(0)))
        })
    })],
);

/// Bytes that compare as the numbers do.
const KEY: Spec = Spec::immutable(
    "numeric_key",
    &[Overload::returning(
        &[Ty::Numeric],
        Ret::By(|_| Ok(Field::new("numeric_key", DataType::Binary, true))),
        keys,
    )],
);

fn keys(call: &Call<'_>) -> Result<ArrayRef> {
    let array = &call.args[0].array;
    let mut builder = BinaryBuilder::with_capacity(call.rows, call.rows * 12);
    let mut key = Vec::with_capacity(32);
    match array.data_type() {
        DataType::LargeUtf8 => {
            for text in array.as_string::<i64>() {
                let Some(text) = text else {
                    builder.append_null();
                    continue;
                };
                key.clear();
                key_of_text(text.as_bytes(), &mut key);
                builder.append_value(&key);
            }
        }
        DataType::Decimal128(_, scale) => {
            let mut text = Vec::with_capacity(48);
            for value in array.as_primitive::<Decimal128Type>() {
                let Some(value) = value else {
                    builder.append_null();
                    continue;
                };
                text.clear();
                key.clear();
                Numeric::new(value, i32::from(*scale)).write(&mut text);
                key_of_text(&text, &mut key);
                builder.append_value(&key);
            }
        }
        other => return internal_err!("no numbers are held as {other}"),
    }
    Ok(Arc::new(builder.finish()))
}

/// An operator on numbers whose result is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumericOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Negate,
    /// Without zeros at the end, so that equal numbers have equal texts.
    TrimScale,
    /// A number of any kind, exactly.
    Exactly,
    Greatest,
    Least,
}

impl NumericOperator {
    /// The operator behind one of the engine's.
    pub fn of(op: Operator) -> Option<Self> {
        Some(match op {
            Operator::Plus => Self::Add,
            Operator::Minus => Self::Subtract,
            Operator::Multiply => Self::Multiply,
            Operator::Divide => Self::Divide,
            Operator::Modulo => Self::Remainder,
            _ => return None,
        })
    }

    /// The engine's operator of a call that [`NumericOperator::call`] made.
    pub fn of_call(name: &str) -> Option<Operator> {
        Some(match name {
            "numeric_add" => Operator::Plus,
            "numeric_sub" => Operator::Minus,
            "numeric_mul" => Operator::Multiply,
            "numeric_div" => Operator::Divide,
            "numeric_mod" => Operator::Modulo,
            _ => return None,
        })
    }

    /// A call of it.
    pub fn call(self, args: Vec<Expr>) -> Expr {
        let spec = match self {
            Self::Add => ADD,
            Self::Subtract => SUBTRACT,
            Self::Multiply => MULTIPLY,
            Self::Divide => DIVIDE,
            Self::Remainder => REMAINDER,
            Self::Power => super::power::POWER,
            Self::Negate => NEGATE,
            Self::TrimScale => TRIM_SCALE,
            Self::Exactly => EXACTLY,
            Self::Greatest => GREATEST,
            Self::Least => LEAST,
        };
        ScalarUDF::call(&spec.udf(), args)
    }
}

/// The exact number of a float's shortest text, to so many digits that count.
pub fn number_of_float(text: &str, digits: usize) -> String {
    let value = text.parse().unwrap_or(f64::NAN);
    Numeric::of_float(value, digits).to_string()
}

/// The whole number that an exact one is rounded to, half away from zero.
///
/// # Errors
/// NaN and the infinities, which no whole number stands for, and numbers beyond 38 digits.
pub fn whole_number_of(text: &str, type_name: &str) -> std::result::Result<String, PgError> {
    Ok(Numeric::parse(text)?.to_whole(type_name)?.to_string())
}

/// Whether values of this type are exact numbers without a precision.
pub fn is_exact(data_type: &DataType) -> bool {
    *data_type == EXACT
}

/// What an exact number is compared, sorted and grouped by.
pub fn compared_as(number: Expr) -> Expr {
    ScalarUDF::call(&KEY.udf(), vec![number])
}

pub(super) fn specs() -> Vec<Spec> {
    vec![
        ADD, SUBTRACT, MULTIPLY, DIVIDE, REMAINDER, NEGATE, TRIM_SCALE, KEY, EXACTLY, GREATEST,
        LEAST,
    ]
}
