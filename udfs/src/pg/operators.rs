//! Which operators exist for which types, and what an untyped literal beside an operator means.
//!
//! PostgreSQL gives a literal without a type the other operand's. In a plan such a literal is a
//! `Utf8` constant: every text that has a type is held as `Utf8View`.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::planner::RawBinaryExpr;
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator as Op;

use super::error::PgError;
use super::function::Spec;
use super::json::operators as json;
use super::number::arithmetic;
use super::types::{SQL_TYPE, type_name};

fn call(spec: Spec, args: Vec<Expr>) -> Expr {
    ScalarUDF::call(&spec.udf(), args)
}

/// The text of a literal that has no type yet.
fn unknown(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text),
        _ => None,
    }
}

fn is_placeholder(expr: &Expr) -> bool {
    matches!(expr, Expr::Placeholder(_))
}

fn field(expr: &Expr, schema: &DFSchema) -> Option<FieldRef> {
    let (_, field) = expr.to_field(schema).ok()?;
    Some(field)
}

/// The SQL type that metadata tells, if it does.
fn told(field: &FieldRef) -> &str {
    field.metadata().get(SQL_TYPE).map_or("", String::as_str)
}

fn is_string(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    )
}

/// `numeric` without a precision, which is held as its text.
fn is_numeric_text(field: &FieldRef) -> bool {
    is_string(field.data_type()) && told(field) == "numeric"
}

/// A text proper, of any of PostgreSQL's character types.
fn is_text(field: &FieldRef) -> bool {
    let told = told(field);
    field.data_type() == &DataType::Utf8View
        && (matches!(told, "" | "text" | "name") || told.contains("char"))
}

/// Numbers and times: what no text becomes by itself.
fn is_scalar(field: &FieldRef) -> bool {
    let data_type = field.data_type();
    data_type.is_numeric() || data_type.is_temporal() || data_type == &DataType::Boolean
}

/// The operator's operands with the types that PostgreSQL gives them.
///
/// # Errors
/// No operator takes such operands.
pub(super) fn typed(expr: RawBinaryExpr, schema: &DFSchema) -> Result<RawBinaryExpr> {
    let RawBinaryExpr { op, left, right } = expr;
    let kept = |left, right, op| Ok(RawBinaryExpr { op, left, right });
    let comparison = matches!(
        op,
        Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq
    );
    let arithmetic = matches!(
        op,
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo
    );
    let logical = matches!(op, Op::And | Op::Or);
    if !(comparison || arithmetic || logical) || is_placeholder(&left) || is_placeholder(&right) {
        return kept(left, right, op);
    }
    let (Some(left_field), Some(right_field)) = (field(&left, schema), field(&right, schema))
    else {
        return kept(left, right, op);
    };
    if logical {
        for (expr, field) in [(&left, &left_field), (&right, &right_field)] {
            let fits = matches!(field.data_type(), DataType::Boolean | DataType::Null);
            if !fits && unknown(expr).is_none() {
                let text = format!(
                    "argument of {op} must be type boolean, not type {}",
                    named(expr, field)
                );
                return Err(PgError::DatatypeMismatch(text).into());
            }
        }
        return kept(left, right, op);
    }
    match (unknown(&left).is_some(), unknown(&right).is_some()) {
        (true, false) => {
            let left = as_other(left, &right_field);
            kept(left, plain_number(right, &right_field), op)
        }
        (false, true) => {
            let right = as_other(right, &left_field);
            kept(plain_number(left, &left_field), right, op)
        }
        _ => {
            let clash = (is_text(&left_field) && (arithmetic || is_scalar(&right_field)))
                || (is_text(&right_field) && (arithmetic || is_scalar(&left_field)));
            let null = |field: &FieldRef| field.data_type().is_null();
            if clash && !null(&left_field) && !null(&right_field) {
                let text = format!(
                    "{} {op} {}",
                    named(&left, &left_field),
                    named(&right, &right_field)
                );
                return Err(PgError::UndefinedOperator(text).into());
            }
            kept(
                plain_number(left, &left_field),
                plain_number(right, &right_field),
                op,
            )
        }
    }
}

/// The error for an operator that is not there for these operands.
pub(super) fn missing(expr: &RawBinaryExpr, schema: &DFSchema) -> DataFusionError {
    let name = |expr: &Expr| match field(expr, schema) {
        Some(field) => named(expr, &field),
        None => "unknown".to_owned(),
    };
    let text = format!("{} {} {}", name(&expr.left), expr.op, name(&expr.right));
    PgError::UndefinedOperator(text).into()
}

fn named(expr: &Expr, field: &FieldRef) -> String {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) if i32::try_from(*value).is_ok() => {
            "integer".to_owned()
        }
        _ => type_name(field),
    }
}

/// A literal cast to the type of the other operand.
fn as_other(literal: Expr, other: &FieldRef) -> Expr {
    let data_type = other.data_type();
    if data_type.is_null() || is_text(other) || data_type == &DataType::Utf8 {
        return literal;
    }
    if is_decimal(data_type) || is_numeric_text(other) {
        let target = unknown(&literal).map_or(DataType::Decimal128(38, 10), decimal_of);
        return datafusion::logical_expr::cast(literal, target);
    }
    Expr::Cast(Cast::new_from_field(
        Box::new(literal),
        std::sync::Arc::clone(other),
    ))
}

/// The decimal type that holds a number as it is written.
fn decimal_of(text: &str) -> DataType {
    let digits = text.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match (
        u8::try_from(whole.len() + fraction.len()),
        i8::try_from(fraction.len()),
    ) {
        (Ok(precision), Ok(scale)) if plain && (1..=38).contains(&precision) => {
            DataType::Decimal128(precision, scale)
        }
        _ => DataType::Decimal128(38, 10),
    }
}

/// `numeric` without a precision as the decimal that is calculated with.
fn plain_number(expr: Expr, field: &FieldRef) -> Expr {
    if is_numeric_text(field) {
        return datafusion::logical_expr::cast(expr, DataType::Decimal128(38, 10));
    }
    expr
}

/// The call that divides decimals.
pub(super) fn quotient(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    if expr.op != Op::Divide || is_placeholder(&expr.left) || is_placeholder(&expr.right) {
        return None;
    }
    let left = field(&expr.left, schema)?;
    let right = field(&expr.right, schema)?;
    let exact = |field: &FieldRef| is_decimal(field.data_type()) || field.data_type().is_integer();
    let decimals = is_decimal(left.data_type()) || is_decimal(right.data_type());
    (decimals && exact(&left) && exact(&right)).then(|| {
        call(
            arithmetic::DIVIDE,
            vec![expr.left.clone(), expr.right.clone()],
        )
    })
}

/// The call behind an operator on json or jsonb.
pub(super) fn on_json(expr: &RawBinaryExpr, schema: &DFSchema) -> Result<Option<Expr>> {
    let kind = |expr: &Expr| field(expr, schema).map(|field| told(&field).to_owned());
    let left = kind(&expr.left).unwrap_or_default();
    let of = |spec: Spec| {
        Ok(Some(call(
            spec,
            vec![expr.left.clone(), expr.right.clone()],
        )))
    };
    let jsonb = left == "jsonb";
    match (&expr.op, left.as_str()) {
        (Op::Arrow, "json") => of(json::JSON_MEMBER),
        (Op::Arrow, "jsonb") => of(json::JSONB_MEMBER),
        (Op::LongArrow, "json") => of(json::MEMBER_TEXT),
        (Op::LongArrow, "jsonb") => of(json::JSONB_MEMBER_TEXT),
        (Op::HashArrow, "json") => of(json::JSON_AT),
        (Op::HashArrow, "jsonb") => of(json::JSONB_AT),
        (Op::HashLongArrow, "json" | "jsonb") => of(json::AT_TEXT),
        (Op::AtArrow, "jsonb") => of(json::CONTAINS),
        (Op::ArrowAt, "jsonb") => Ok(Some(call(
            json::CONTAINS,
            vec![expr.right.clone(), expr.left.clone()],
        ))),
        (Op::Question, "jsonb") => of(json::EXISTS),
        (Op::QuestionPipe, "jsonb") => of(json::EXISTS_ANY),
        (Op::QuestionAnd, "jsonb") => of(json::EXISTS_ALL),
        (Op::StringConcat, _)
            if (jsonb
                && (kind(&expr.right).as_deref() == Some("jsonb")
                    || unknown(&expr.right).is_some()))
                || (unknown(&expr.left).is_some()
                    && kind(&expr.right).as_deref() == Some("jsonb")) =>
        {
            of(json::CONCAT)
        }
        (Op::Minus, "jsonb") => of(json::DELETE),
        (Op::HashMinus, "jsonb") => of(json::DELETE_PATH),
        (Op::Eq, "jsonb") => of(json::EQUAL),
        _ => Ok(None),
    }
}

/// The call behind an operator on arrays that the engine has as a function only.
pub(super) fn on_arrays(expr: &RawBinaryExpr) -> Option<Expr> {
    use datafusion::functions_nested::expr_fn::array_has_any;
    matches!(expr.op, Op::PGOverlap).then(|| array_has_any(expr.left.clone(), expr.right.clone()))
}
