//! Sums and averages of exact numbers are exact: `sum(bigint)` and `avg(integer)` are `numeric`.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, WindowFunctionDefinition, cast};
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::QUOTIENT_SCALE;

/// The engine's average has this many more digits after the point than its argument.
const AVERAGE_DIGITS: i8 = 4;

/// Gives the arguments of sums and averages the types that make the results PostgreSQL's.
pub(super) fn exact(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    expr.transform_up(|expr| widen(expr, schema))
}

/// A cast to `numeric` keeps the digits that there are; only where they are not known it is to a wide
/// decimal.
pub(super) fn exact_cast(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::Cast(cast) = expr else {
        return Transformed::no(expr);
    };
    let unlimited = SqlType::of(&cast.field) == SqlType::Numeric(None)
        && matches!(cast.field.data_type(), DataType::Decimal128(..));
    let Some((_, from)) = unlimited.then(|| cast.expr.to_field(schema).ok()).flatten() else {
        return Transformed::no(Expr::Cast(cast));
    };
    let digits = match (cast.expr.as_ref(), from.data_type()) {
        (_, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            return Transformed::yes(*cast.expr);
        }
        (Expr::Literal(ScalarValue::Utf8(Some(text)), _), _) => written_digits(text),
        (_, DataType::Int16 | DataType::Int32) => Some((10, 0)),
        (_, DataType::Int64) => Some((19, 0)),
        (_, DataType::Float32 | DataType::Float64) => Some((38, 15)),
        _ => None,
    };
    match digits {
        Some((precision, scale)) => Transformed::yes(cast_to(*cast.expr, precision, scale)),
        None => Transformed::no(Expr::Cast(cast)),
    }
}

fn cast_to(expr: Expr, precision: u8, scale: i8) -> Expr {
    cast(expr, DataType::Decimal128(precision, scale))
}

/// Precision and scale of a number as it is written.
fn written_digits(text: &str) -> Option<(u8, i8)> {
    let digits = text.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let precision = u8::try_from(whole.len() + fraction.len()).ok()?;
    let scale = i8::try_from(fraction.len()).ok()?;
    (plain(whole) && plain(fraction) && (1..=38).contains(&precision)).then_some((precision, scale))
}

fn widen(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            let changed = widen_argument(func.name(), &mut params.args, schema);
            let expr = Expr::AggregateFunction(AggregateFunction { func, params });
            Transformed::new_transformed(expr, changed)
        }
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, mut params } = *window;
            let changed = match &fun {
                WindowFunctionDefinition::AggregateUDF(func) => {
                    widen_argument(func.name(), &mut params.args, schema)
                }
                WindowFunctionDefinition::WindowUDF(_) => false,
            };
            let expr = Expr::WindowFunction(Box::new(WindowFunction { fun, params }));
            Transformed::new_transformed(expr, changed)
        }
        other => Transformed::no(other),
    })
}

fn widen_argument(function: &str, args: &mut [Expr], schema: &DFSchema) -> bool {
    let [argument] = args else {
        return false;
    };
    let Ok((_, field)) = argument.to_field(schema) else {
        return false;
    };
    let exact_text = SqlType::of(&field) == SqlType::Numeric(None)
        && matches!(field.data_type(), DataType::Utf8View | DataType::Utf8);
    let wanted = match (function, field.data_type()) {
        ("sum" | "min" | "max", _) if exact_text => DataType::Decimal128(38, 10),
        ("sum", DataType::Int64) => DataType::Decimal128(19, 0),
        ("sum", DataType::Int32 | DataType::Int16) | ("min" | "max", _) => return false,
        ("avg", DataType::Int16 | DataType::Int32 | DataType::Int64) => average(),
        ("avg", DataType::Decimal128(_, scale)) if *scale <= QUOTIENT_SCALE - AVERAGE_DIGITS => {
            average()
        }
        ("avg", _) if exact_text => average(),
        _ => return false,
    };
    let inner = std::mem::replace(argument, Expr::Literal(ScalarValue::Null, None));
    *argument = cast(inner, wanted);
    true
}

fn average() -> DataType {
    let digits = u8::try_from(AVERAGE_DIGITS).unwrap_or_default();
    DataType::Decimal128(38 - digits, QUOTIENT_SCALE - AVERAGE_DIGITS)
}
