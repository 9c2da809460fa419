//! Arithmetic that refuses what PostgreSQL refuses: overflow of whole numbers, division by zero.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Datum, Scalar};
use arrow::compute::kernels::numeric;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::Result;
use datafusion::logical_expr::{Operator, ScalarUDF};

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::map2;

type Kernel = fn(&dyn Datum, &dyn Datum) -> std::result::Result<ArrayRef, ArrowError>;

fn checked(call: &Call<'_>, kernel: Kernel) -> Result<ArrayRef> {
    let (left, right) = (&call.args[0], &call.args[1]);
    let result = match (left.stride, right.stride) {
        (0, 1) => kernel(&Scalar::new(Arc::clone(&left.array)), &right.array),
        (1, 0) => kernel(&left.array, &Scalar::new(Arc::clone(&right.array))),
        _ => kernel(&left.array, &right.array),
    };
    result.map_err(|_| {
        let name = match left.array.data_type() {
            DataType::Int16 => "smallint",
            DataType::Int64 => "bigint",
            _ => "integer",
        };
        PgError::out_of_range(name).into()
    })
}

macro_rules! integers {
    ($name:literal, $kernel:path) => {
        Spec::immutable(
            $name,
            &[
                Overload::new(&[Ty::Int2, Ty::Int2], Ty::Int2, |call| {
                    checked(call, $kernel)
                }),
                Overload::new(&[Ty::Int4, Ty::Int4], Ty::Int4, |call| {
                    checked(call, $kernel)
                }),
                Overload::new(&[Ty::Int8, Ty::Int8], Ty::Int8, |call| {
                    checked(call, $kernel)
                }),
            ],
        )
    };
}

const PLUS: Spec = integers!("integer_pl", numeric::add);
const MINUS: Spec = integers!("integer_mi", numeric::sub);
const TIMES: Spec = integers!("integer_mul", numeric::mul);

fn float_quotient(left: f64, right: f64) -> PgResult<f64> {
    if right == 0.0 && !left.is_nan() {
        return Err(PgError::DivisionByZero);
    }
    Ok(left / right)
}

const FLOAT_DIVIDE: Spec = Spec::immutable(
    "float_div",
    &[
        Overload::new(&[Ty::Float4, Ty::Float4], Ty::Float4, |call| {
            map2(call, |left: f32, right: f32| {
                float_quotient(f64::from(left), f64::from(right)).map(|value| value as f32)
            })
        }),
        Overload::new(&[Ty::Float8, Ty::Float8], Ty::Float8, |call| {
            map2(call, float_quotient)
        }),
    ],
);

/// The function that does an operator on two values of one type as PostgreSQL does, where the
/// engine's own would wrap or give infinity.
pub fn checked_operator(op: Operator, data_type: &DataType) -> Option<ScalarUDF> {
    let integer = matches!(
        data_type,
        DataType::Int16 | DataType::Int32 | DataType::Int64
    );
    let spec = match op {
        Operator::Plus if integer => PLUS,
        Operator::Minus if integer => MINUS,
        Operator::Multiply if integer => TIMES,
        Operator::Divide if matches!(data_type, DataType::Float32 | DataType::Float64) => {
            FLOAT_DIVIDE
        }
        _ => return None,
    };
    Some(spec.udf())
}

pub(super) const SPECS: &[Spec] = &[PLUS, MINUS, TIMES, FLOAT_DIVIDE];
