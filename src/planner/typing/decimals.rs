//! Exact numbers as decimals of the engine's, where only their values count and not their digits.
//!
//! `coalesce(price, 0)` has the digits of either, so it is exact where it is shown. Inside a sum or a
//! comparison nobody sees them, and there it is a decimal, which the engine is quick with.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, cast};
use tessera_udfs::pg::{NumericOperator, is_exact, is_plain_arithmetic};

use super::numbers::{type_of, written_digits};

/// Digits that whole numbers have in a decimal.
const BIGINT_DIGITS: u8 = 19;
const INTEGER_DIGITS: u8 = 10;
const MAX_DIGITS: i16 = 38;
/// Digits before the point that a decimal must have room for.
const ROOM: i16 = 20;

/// The same value as a decimal, if it is made of decimals and whole numbers.
pub(super) fn as_decimal(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let data_type = type_of(expr, schema)?;
    if matches!(data_type, DataType::Decimal128(..)) || data_type.is_integer() {
        return Some(expr.clone());
    }
    if !is_exact(&data_type) {
        return None;
    }
    match expr {
        Expr::ScalarFunction(call) => of_call(call, schema),
        Expr::Case(case) => of_case(case, schema),
        Expr::Literal(ScalarValue::LargeUtf8(Some(text)), _) => {
            let (precision, scale) = written_digits(text)?;
            let digits: String = text.chars().filter(|c| *c != '.').collect();
            let value = ScalarValue::Decimal128(Some(digits.parse().ok()?), precision, scale);
            Some(Expr::Literal(value, None))
        }
        Expr::Cast(cast) if type_of(&cast.expr, schema)?.is_null() => {
            Some(cast.expr.as_ref().clone())
        }
        _ => None,
    }
}

fn of_call(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let args = |call: &ScalarFunction| -> Option<Vec<Expr>> {
        call.args
            .iter()
            .map(|arg| as_decimal(arg, schema))
            .collect()
    };
    match (call.func.name(), call.args.as_slice()) {
        ("numeric_exact", [inner]) => as_decimal(inner, schema),
        ("coalesce", _) => {
            let args = of_one_type(args(call)?, schema)?;
            Some(Expr::ScalarFunction(ScalarFunction::new_udf(
                std::sync::Arc::clone(&call.func),
                args,
            )))
        }
        (name, [_, _]) => {
            let op = NumericOperator::of_call(name)?;
            let [left, right] = args(call)?.try_into().ok()?;
            let types = (type_of(&left, schema)?, type_of(&right, schema)?);
            is_plain_arithmetic(op, &types.0, &types.1)
                .then(|| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        _ => None,
    }
}

fn of_case(case: &Case, schema: &DFSchema) -> Option<Expr> {
    let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    let all: Option<Vec<Expr>> = results
        .chain(case.else_expr.as_deref())
        .map(|expr| as_decimal(expr, schema))
        .collect();
    let mut all = of_one_type(all?, schema)?.into_iter();
    let branches = case
        .when_then_expr
        .iter()
        .map(|(when, _)| Some((when.clone(), Box::new(all.next()?))))
        .collect::<Option<Vec<_>>>()?;
    Some(Expr::Case(Case::new(
        case.expr.clone(),
        branches,
        all.next().map(Box::new),
    )))
}

/// All as decimals of one type, if there is one with room for them.
fn of_one_type(values: Vec<Expr>, schema: &DFSchema) -> Option<Vec<Expr>> {
    let (mut whole, mut fraction) = (0_i16, 0_i16);
    for value in &values {
        let (precision, scale) = match type_of(value, schema)? {
            DataType::Decimal128(precision, scale) => (precision, scale),
            DataType::Int64 | DataType::UInt64 => (BIGINT_DIGITS, 0),
            DataType::Null => continue,
            _ => (INTEGER_DIGITS, 0),
        };
        whole = whole.max(i16::from(precision) - i16::from(scale));
        fraction = fraction.max(i16::from(scale));
    }
    if fraction + whole.min(ROOM) > MAX_DIGITS {
        return None;
    }
    let precision = u8::try_from((whole + fraction).min(MAX_DIGITS)).ok()?;
    let common = DataType::Decimal128(precision.max(1), i8::try_from(fraction).ok()?);
    let cast = |value: Expr| match type_of(&value, schema) {
        Some(own) if own == common => value,
        _ => cast(value, common.clone()),
    };
    Some(values.into_iter().map(cast).collect())
}
