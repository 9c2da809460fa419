//! Which operators exist for which types, and what an untyped literal beside an operator means.
//!
//! PostgreSQL gives a literal without a type the other operand's. In a plan such a literal is a
//! `Utf8` constant: every text that has a type is held as `Utf8View`.

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::planner::RawBinaryExpr;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator as Op;

use super::error::PgError;
use super::function::Spec;
use super::json::operators as json;
use super::number::exact::{NumericOperator, is_exact};
use super::text::regexp;
use super::types::{EXACT, SQL_TYPE, is_number, type_name};

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

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    )
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
    is_number(data_type) || data_type.is_temporal() || data_type == &DataType::Boolean
}

/// Gives a parameter beside an operator the type that PostgreSQL takes it for: mostly the other
/// operand's.
pub(super) fn typed_parameters(mut expr: RawBinaryExpr, schema: &DFSchema) -> RawBinaryExpr {
    let op = expr.op.clone();
    let (left, right) = (&expr.left, &expr.right);
    let told = match (is_untyped(left), is_untyped(right)) {
        (true, false) => beside(&op, right, schema, false),
        (false, true) => beside(&op, left, schema, true),
        (true, true) if matches!(op, Op::And | Op::Or) => Some(plain_field(DataType::Boolean)),
        _ => None,
    };
    let Some(told) = told else {
        return expr;
    };
    for side in [&mut expr.left, &mut expr.right] {
        if let Expr::Placeholder(placeholder) = side
            && placeholder.field.is_none()
        {
            placeholder.field = Some(std::sync::Arc::clone(&told));
        }
    }
    expr
}

fn is_untyped(expr: &Expr) -> bool {
    matches!(expr, Expr::Placeholder(placeholder) if placeholder.field.is_none())
}

fn plain_field(data_type: DataType) -> FieldRef {
    std::sync::Arc::new(Field::new("", data_type, true))
}

/// The type of a parameter beside an operand of a known type; `after` if it stands behind it.
fn beside(op: &Op, other: &Expr, schema: &DFSchema, after: bool) -> Option<FieldRef> {
    use DataType as D;
    let interval = || plain_field(D::Interval(arrow::datatypes::IntervalUnit::MonthDayNano));
    let known = field(other, schema)?;
    if matches!(op, Op::And | Op::Or) {
        return Some(plain_field(D::Boolean));
    }
    if let Expr::Literal(ScalarValue::Int64(Some(value)), _) = other {
        let small = i32::try_from(*value).is_ok();
        return Some(plain_field(if small { D::Int32 } else { D::Int64 }));
    }
    let text = D::Utf8View;
    Some(match (op, known.data_type()) {
        (_, D::Null) => return None,
        (Op::Arrow | Op::LongArrow, _) if after => plain_field(text),
        (Op::Plus, D::Timestamp(..) | D::Time64(_) | D::Interval(_)) => interval(),
        (Op::Multiply | Op::Divide, D::Interval(_)) => plain_field(D::Float64),
        (_, D::Utf8 | D::Utf8View) if told(&known) != "jsonb" && told(&known) != "uuid" => {
            plain_field(text)
        }
        (_, D::Decimal128(..)) => plain_field(EXACT),
        _ => {
            let own = known.as_ref().clone().with_name("").with_nullable(true);
            std::sync::Arc::new(own)
        }
    })
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
            kept(left, right, op)
        }
        (false, true) => {
            let right = as_other(right, &left_field);
            kept(left, right, op)
        }
        _ if comparison && are_times(&left_field, &right_field) => {
            let [left, right] = [left, right].map(|side| {
                datafusion::logical_expr::cast(side, DataType::Time64(TimeUnit::Nanosecond))
            });
            kept(left, right, op)
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
            kept(left, right, op)
        }
    }
}

/// Whether one is a time with a zone and the other one without.
fn are_times(left: &FieldRef, right: &FieldRef) -> bool {
    let time = |field: &FieldRef| matches!(field.data_type(), DataType::Time64(_));
    time(left) && time(right) && left.data_type() != right.data_type()
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
    if is_decimal(data_type) || is_exact(data_type) {
        let target = unknown(&literal).and_then(decimal_of).unwrap_or(EXACT);
        return datafusion::logical_expr::cast(literal, target);
    }
    Expr::Cast(Cast::new_from_field(
        Box::new(literal),
        std::sync::Arc::clone(other),
    ))
}

/// The decimal type that holds a number as it is written; `None` for one that none holds.
fn decimal_of(text: &str) -> Option<DataType> {
    let digits = text.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let precision = u8::try_from(whole.len() + fraction.len()).ok()?;
    let scale = i8::try_from(fraction.len()).ok()?;
    (plain && (1..=38).contains(&precision)).then_some(DataType::Decimal128(precision, scale))
}

/// What an operand of arithmetic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Whole,
    Decimal(u8, i8),
    Exact,
    Float,
}

fn number(data_type: &DataType) -> Option<Number> {
    Some(match data_type {
        DataType::Decimal128(precision, scale) => Number::Decimal(*precision, *scale),
        data_type if is_decimal(data_type) || is_exact(data_type) => Number::Exact,
        data_type if data_type.is_floating() => Number::Float,
        data_type if data_type.is_integer() => Number::Whole,
        _ => return None,
    })
}

/// Digits before the point that a decimal must have room for, unless its operands cannot have them.
const ROOM: i16 = 20;
/// Digits of the widest whole number.
const BIGINT_DIGITS: u8 = 19;
const MAX_DIGITS: i16 = 38;

/// Whether the engine's own decimals do an operation as PostgreSQL does, with all digits.
pub fn is_plain_arithmetic(op: Operator, left: &DataType, right: &DataType) -> bool {
    let (Some(left), Some(right)) = (number(left), number(right)) else {
        return true;
    };
    let digits = |number| match number {
        Number::Whole => Some((BIGINT_DIGITS, 0)),
        Number::Decimal(precision, scale) => Some((precision, scale)),
        _ => None,
    };
    if left == Number::Float || right == Number::Float {
        return left != Number::Exact && right != Number::Exact;
    }
    if (left, right) == (Number::Whole, Number::Whole) {
        return true;
    }
    let (Some((left, left_scale)), Some((right, right_scale))) = (digits(left), digits(right))
    else {
        return false;
    };
    let whole = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
    let (before, after) = match op {
        Operator::Divide => return false,
        Operator::Multiply => (
            whole(left, left_scale) + whole(right, right_scale),
            i16::from(left_scale) + i16::from(right_scale),
        ),
        _ => (
            whole(left, left_scale).max(whole(right, right_scale)) + 1,
            i16::from(left_scale.max(right_scale)),
        ),
    };
    left_scale >= 0 && right_scale >= 0 && after + before.min(ROOM) <= MAX_DIGITS
}

/// The call that does arithmetic on exact numbers, where the engine's decimals would lose digits.
pub(super) fn exact(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let op = engine_operator(&expr.op)?;
    if is_placeholder(&expr.left) || is_placeholder(&expr.right) {
        return None;
    }
    let left = field(&expr.left, schema)?;
    let right = field(&expr.right, schema)?;
    let (left, right) = (left.data_type(), right.data_type());
    if is_plain_arithmetic(op, left, right) {
        return None;
    }
    let float = |data_type: &DataType| number(data_type) == Some(Number::Float);
    if float(left) || float(right) {
        let cast = |expr: &Expr| datafusion::logical_expr::cast(expr.clone(), DataType::Float64);
        let (left, right) = (Box::new(cast(&expr.left)), Box::new(cast(&expr.right)));
        return Some(Expr::BinaryExpr(BinaryExpr { left, op, right }));
    }
    let args = vec![expr.left.clone(), expr.right.clone()];
    Some(NumericOperator::of(op)?.call(args))
}

fn engine_operator(op: &Op) -> Option<Operator> {
    Some(match op {
        Op::Plus => Operator::Plus,
        Op::Minus => Operator::Minus,
        Op::Multiply => Operator::Multiply,
        Op::Divide => Operator::Divide,
        Op::Modulo => Operator::Modulo,
        _ => return None,
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

/// The call behind a match with a regular expression that the engine's matcher would read otherwise.
pub(super) fn on_patterns(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let (negated, flags) = match expr.op {
        Op::PGRegexMatch => (false, None),
        Op::PGRegexIMatch => (false, Some("i")),
        Op::PGRegexNotMatch => (true, None),
        Op::PGRegexNotIMatch => (true, Some("i")),
        _ => return None,
    };
    let pattern = match &expr.right {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    };
    if pattern.is_some_and(regexp::is_plain) {
        return None;
    }
    for side in [&expr.left, &expr.right] {
        let known = is_placeholder(side) || unknown(side).is_some();
        if !known && !field(side, schema).is_some_and(|field| is_text(&field)) {
            return None;
        }
    }
    let mut args = vec![expr.left.clone(), expr.right.clone()];
    args.extend(flags.map(datafusion::logical_expr::lit));
    let matched = call(regexp::REGEXP_LIKE, args);
    Some(if negated {
        Expr::Not(Box::new(matched))
    } else {
        matched
    })
}

/// `array || NULL` is the array: the NULL is taken for another array.
pub(super) fn array_and_nothing(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let null = |side: &Expr| matches!(side, Expr::Literal(ScalarValue::Null, _));
    let list = |side: &Expr| {
        field(side, schema).is_some_and(|field| matches!(field.data_type(), DataType::List(_)))
    };
    match (&expr.op, &expr.left, &expr.right) {
        (Op::StringConcat, array, other) | (Op::StringConcat, other, array)
            if list(array) && null(other) =>
        {
            Some(array.clone())
        }
        _ => None,
    }
}

/// The call behind an operator on arrays that the engine has as a function only.
pub(super) fn on_arrays(expr: &RawBinaryExpr) -> Option<Expr> {
    use datafusion::functions_nested::expr_fn::array_has_any;
    matches!(expr.op, Op::PGOverlap).then(|| array_has_any(expr.left.clone(), expr.right.clone()))
}
