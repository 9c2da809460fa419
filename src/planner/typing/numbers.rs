//! Arithmetic, comparisons and aggregates of `numeric`.
//!
//! A number with a precision is a decimal of the engine's as long as that gives PostgreSQL's digits;
//! beyond that it is exact, and what the engine would do with its text is put in terms of functions
//! that know numbers. Exact numbers are compared by their keys.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Between, Cast, InList, InSubquery, ScalarFunction,
    Sort, WindowFunction,
};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator,
    WindowFunctionDefinition, cast,
};
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::{
    NumericOperator, PgError, compared_as, is_exact, is_plain_arithmetic, plain_aggregate,
};

use super::common::{become_type, known, named};
use super::decimals::as_decimal;
use super::enums::sort_by_place;

/// Digits that an `integer` and a `bigint` have.
const INTEGER_DIGITS: u8 = 10;
const BIGINT_DIGITS: u8 = 19;
/// The most digits of a decimal.
const MAX_DIGITS: u8 = 38;

/// Puts an expression in terms that are right for its operands' types, which are settled.
pub(super) fn settle(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Cast(cast) => to_number(cast, schema)?,
        Expr::ScalarFunction(call) => called(call, schema),
        Expr::BinaryExpr(binary) => operated(binary, schema),
        Expr::Negative(inner) => {
            if type_of(&inner, schema).is_some_and(|data_type| is_exact(&data_type)) {
                Transformed::yes(NumericOperator::Negate.call(vec![*inner]))
            } else {
                Transformed::no(Expr::Negative(inner))
            }
        }
        Expr::Between(between) => bounded(between, schema),
        Expr::InList(list) => listed(list, schema),
        Expr::InSubquery(list) => among_rows(list, schema)?,
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            aggregated(func, params, schema)
        }
        Expr::WindowFunction(window) => windowed(*window, schema),
        other => Transformed::no(other),
    })
}

/// The columns that a node's expressions may name.
pub(super) fn visible_schema(node: &LogicalPlan) -> Result<DFSchema> {
    let mut schema = merge_schema(&node.inputs());
    if let LogicalPlan::TableScan(scan) = node {
        let own =
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?;
        schema.merge(&own);
    }
    Ok(schema)
}

/// A comparison of keys as one of decimals, now that parameters are literals.
pub(super) fn compare_bound(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::BinaryExpr(binary) = &expr else {
        return Transformed::no(expr);
    };
    let number = |side: &Expr| match side {
        Expr::ScalarFunction(call) if call.name() == "numeric_key" => call.args.first().cloned(),
        _ => None,
    };
    let (Some(left), Some(right)) = (number(&binary.left), number(&binary.right)) else {
        return Transformed::no(expr);
    };
    let op = binary.op;
    match plainly_compared([&left, &right], schema) {
        Some([left, right]) => {
            let binary = BinaryExpr::new(Box::new(left), op, Box::new(right));
            Transformed::yes(Expr::BinaryExpr(binary))
        }
        None => Transformed::no(expr),
    }
}

pub(super) fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    expr.get_type(schema).ok()
}

pub(super) fn is_exact_expr(expr: &Expr, schema: &DFSchema) -> bool {
    type_of(expr, schema).is_some_and(|data_type| is_exact(&data_type))
}

/// The key of an exact number; anything else as it is.
pub(super) fn key_of(expr: Expr, schema: &DFSchema) -> Expr {
    if is_exact_expr(&expr, schema) {
        compared_as(expr)
    } else {
        expr
    }
}

/// A cast to `numeric` keeps the digits that there are, in a decimal where these are known.
fn to_number(cast: Cast, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let wanted = SqlType::of(&cast.field);
    if let Some(Some(from)) = known(&cast.expr, schema).ok()
        && (is_moment(&from) && is_number_type(&wanted)
            || is_number_type(&from) && is_moment(&wanted))
    {
        let text = format!("cannot cast type {} to {}", named(&from), named(&wanted));
        return Err(PgError::CannotCoerce(text).into());
    }
    if !is_exact(cast.field.data_type()) {
        return Ok(Transformed::no(Expr::Cast(cast)));
    }
    Ok(exact_cast(cast, schema))
}

fn is_moment(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Date
            | SqlType::Time
            | SqlType::Timetz
            | SqlType::Timestamp
            | SqlType::Timestamptz
            | SqlType::Interval
    )
}

fn is_number_type(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Int2
            | SqlType::Int4
            | SqlType::Int8
            | SqlType::Float4
            | SqlType::Float8
            | SqlType::Numeric(_)
    )
}

/// A cast to a number without a precision.
fn exact_cast(cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
    let from = type_of(&cast.expr, schema);
    let digits = match (cast.expr.as_ref(), from) {
        (_, Some(DataType::Decimal128(..) | DataType::LargeUtf8)) => {
            return Transformed::yes(*cast.expr);
        }
        (Expr::Literal(ScalarValue::Utf8(Some(text)), _), _) => written_digits(text),
        (_, Some(DataType::Int16 | DataType::Int32)) => Some((INTEGER_DIGITS, 0)),
        (_, Some(DataType::Int64)) => Some((BIGINT_DIGITS, 0)),
        _ => None,
    };
    match digits {
        Some((precision, scale)) => {
            // The name tells a precision that nobody wrote from one of the statement's.
            let field = Field::new("numeric", DataType::Decimal128(precision, scale), true);
            Transformed::yes(Expr::Cast(Cast::new_from_field(cast.expr, Arc::new(field))))
        }
        None => Transformed::no(Expr::Cast(cast)),
    }
}

/// Precision and scale of a number as it is written.
pub(super) fn written_digits(text: &str) -> Option<(u8, i8)> {
    let digits = text.trim().trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let precision = u8::try_from(whole.len() + fraction.len()).ok()?;
    let scale = i8::try_from(fraction.len()).ok()?;
    (plain(whole) && plain(fraction) && (1..=MAX_DIGITS).contains(&precision))
        .then_some((precision, scale))
}

/// A call that planning made of an operator is the engine's own again where the types allow it.
fn called(call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let op = NumericOperator::of_call(call.func.name());
    let (Some(op), [left, right]) = (op, call.args.as_slice()) else {
        return Transformed::no(Expr::ScalarFunction(call));
    };
    let binary = BinaryExpr::new(Box::new(left.clone()), op, Box::new(right.clone()));
    match exact_arithmetic(&binary, schema) {
        Some(Expr::ScalarFunction(_)) => Transformed::no(Expr::ScalarFunction(call)),
        Some(other) => Transformed::yes(other),
        None => Transformed::yes(Expr::BinaryExpr(binary)),
    }
}

/// Arithmetic that the engine's own decimals would do wrongly.
fn exact_arithmetic(binary: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let operator = NumericOperator::of(binary.op)?;
    let left = type_of(&binary.left, schema)?;
    let right = type_of(&binary.right, schema)?;
    if is_plain_arithmetic(binary.op, &left, &right) {
        return None;
    }
    let args = [binary.left.as_ref().clone(), binary.right.as_ref().clone()];
    if left.is_floating() || right.is_floating() {
        let [left, right] = args.map(|arg| Box::new(cast(arg, DataType::Float64)));
        return Some(Expr::BinaryExpr(BinaryExpr::new(left, binary.op, right)));
    }
    Some(operator.call(args.to_vec()))
}

pub(super) fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || is_exact(data_type)
}

/// How two types that differ are compared as numbers.
enum Comparison {
    /// As the engine does.
    Plain,
    AsFloats,
    ByKey,
}

fn comparison(types: &[DataType]) -> Comparison {
    let exact = types.iter().any(is_exact);
    if !types.iter().all(|t| is_number(t) || t.is_null()) {
        return Comparison::Plain;
    }
    if types.iter().any(DataType::is_floating) {
        return if exact {
            Comparison::AsFloats
        } else {
            Comparison::Plain
        };
    }
    if exact || !one_decimal_holds(types) {
        return Comparison::ByKey;
    }
    Comparison::Plain
}

/// Whether there is a decimal type for all digits of these types.
fn one_decimal_holds(types: &[DataType]) -> bool {
    let (mut whole, mut fraction, mut decimals) = (0_i16, 0_i16, 0);
    for data_type in types {
        let (precision, scale) = match data_type {
            DataType::Decimal128(precision, scale) => (*precision, *scale),
            DataType::Decimal256(..) => return false,
            _ => continue,
        };
        decimals += 1;
        whole = whole.max(i16::from(precision) - i16::from(scale));
        fraction = fraction.max(i16::from(scale));
    }
    // Digits that a column has room for are rarely all there.
    decimals < 2 || fraction + whole.min(20) <= i16::from(MAX_DIGITS)
}

fn as_compared(expr: Expr, how: &Comparison, schema: &DFSchema) -> Expr {
    let null = type_of(&expr, schema).is_none_or(|data_type| data_type.is_null());
    match how {
        Comparison::Plain => expr,
        _ if null => expr,
        Comparison::AsFloats => cast(expr, DataType::Float64),
        Comparison::ByKey => compared_as(expr),
    }
}

/// The sides of a comparison as decimals, if that makes it the engine's own.
fn plainly_compared<const N: usize>(sides: [&Expr; N], schema: &DFSchema) -> Option<[Expr; N]> {
    let exact = sides.iter().any(|side| is_exact_expr(side, schema));
    let plain: Option<Vec<Expr>> = sides.iter().map(|side| as_decimal(side, schema)).collect();
    let plain = plain.filter(|_| exact)?;
    let types: Option<Vec<DataType>> = plain.iter().map(|side| type_of(side, schema)).collect();
    matches!(comparison(&types?), Comparison::Plain)
        .then(|| plain.try_into().ok())
        .flatten()
}

/// A `real` beside a number of another type: both are `double precision`, which PostgreSQL prefers.
fn as_doubles(binary: &BinaryExpr, schema: &DFSchema) -> Option<BinaryExpr> {
    let known = is_comparison(binary.op) || NumericOperator::of(binary.op).is_some();
    let left = type_of(&binary.left, schema).filter(|_| known)?;
    let right = type_of(&binary.right, schema)?;
    let other = match (&left, &right) {
        (DataType::Float32, other) | (other, DataType::Float32) => other,
        _ => return None,
    };
    let wider = is_number(other) && !other.is_floating();
    wider.then(|| {
        let [left, right] = [&binary.left, &binary.right]
            .map(|side| Box::new(cast(side.as_ref().clone(), DataType::Float64)));
        BinaryExpr::new(left, binary.op, right)
    })
}

fn operated(binary: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
    if let Some(doubles) = as_doubles(&binary, schema) {
        return Transformed::yes(Expr::BinaryExpr(doubles));
    }
    if is_comparison(binary.op) {
        if let Some([left, right]) = plainly_compared([&binary.left, &binary.right], schema) {
            let binary = BinaryExpr::new(Box::new(left), binary.op, Box::new(right));
            return Transformed::yes(Expr::BinaryExpr(binary));
        }
        let types = [&binary.left, &binary.right].map(|side| type_of(side, schema));
        let [Some(left), Some(right)] = types else {
            return Transformed::no(Expr::BinaryExpr(binary));
        };
        let how = comparison(&[left, right]);
        if matches!(how, Comparison::Plain) {
            return Transformed::no(Expr::BinaryExpr(binary));
        }
        let left = as_compared(*binary.left, &how, schema);
        let right = as_compared(*binary.right, &how, schema);
        let binary = BinaryExpr::new(Box::new(left), binary.op, Box::new(right));
        return Transformed::yes(Expr::BinaryExpr(binary));
    }
    match exact_arithmetic(&binary, schema) {
        Some(exact) => Transformed::yes(exact),
        None => Transformed::no(Expr::BinaryExpr(binary)),
    }
}

fn bounded(between: Between, schema: &DFSchema) -> Transformed<Expr> {
    let sides: [&Expr; 3] = [&between.expr, &between.low, &between.high];
    if let Some(plain) = plainly_compared(sides, schema) {
        let [expr, low, high] = plain.map(Box::new);
        return Transformed::yes(Expr::Between(Between {
            expr,
            negated: between.negated,
            low,
            high,
        }));
    }
    let types: Option<Vec<DataType>> = sides.iter().map(|e| type_of(e, schema)).collect();
    let how = types.map_or(Comparison::Plain, |types| comparison(&types));
    if matches!(how, Comparison::Plain) {
        return Transformed::no(Expr::Between(between));
    }
    let compared = |expr: Box<Expr>| Box::new(as_compared(*expr, &how, schema));
    Transformed::yes(Expr::Between(Between {
        expr: compared(between.expr),
        negated: between.negated,
        low: compared(between.low),
        high: compared(between.high),
    }))
}

fn listed(list: InList, schema: &DFSchema) -> Transformed<Expr> {
    let mut list = list;
    let changed = type_list(&mut list, schema);
    let all = std::iter::once(list.expr.as_ref()).chain(&list.list);
    let types: Option<Vec<DataType>> = all.map(|e| type_of(e, schema)).collect();
    let how = types.map_or(Comparison::Plain, |types| comparison(&types));
    if matches!(how, Comparison::Plain) {
        return Transformed::new_transformed(Expr::InList(list), changed);
    }
    let compared = |expr: Expr| as_compared(expr, &how, schema);
    Transformed::yes(Expr::InList(InList {
        expr: Box::new(compared(*list.expr)),
        list: list.list.into_iter().map(compared).collect(),
        negated: list.negated,
    }))
}

/// Literals and parameters of a list are of the type of what is looked for.
fn type_list(list: &mut InList, schema: &DFSchema) -> bool {
    let Ok(Some(wanted)) = known(&list.expr, schema) else {
        return false;
    };
    if wanted == SqlType::Text {
        return false;
    }
    let zone: Arc<str> = match type_of(&list.expr, schema) {
        Some(DataType::Timestamp(_, Some(zone))) => zone,
        _ => Arc::from("UTC"),
    };
    let mut changed = false;
    for item in &mut list.list {
        let untyped = matches!(item, Expr::Literal(ScalarValue::Utf8(_), _))
            || matches!(item, Expr::Placeholder(placeholder) if placeholder.field.is_none());
        if untyped && let Ok(typed) = become_type(item.clone(), &wanted, schema, &zone) {
            *item = typed;
            changed = true;
        }
    }
    changed
}

/// `x IN (SELECT y …)`: both by key if one is exact.
fn among_rows(list: InSubquery, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let column = Arc::clone(list.subquery.subquery.schema());
    let types = [
        type_of(&list.expr, schema),
        column
            .fields()
            .first()
            .map(|field| field.data_type().clone()),
    ];
    let [Some(left), Some(right)] = types else {
        return Ok(Transformed::no(Expr::InSubquery(list)));
    };
    let how = comparison(&[left, right]);
    if matches!(how, Comparison::Plain) {
        return Ok(Transformed::no(Expr::InSubquery(list)));
    }
    let mut list = list;
    let (qualifier, field) = column.qualified_field(0);
    let output = Expr::Column((qualifier, field).into());
    let compared = as_compared(output, &how, &column).alias(field.name());
    let rows = list.subquery.subquery.as_ref().clone();
    let rows = LogicalPlanBuilder::from(rows)
        .project([compared])?
        .build()?;
    list.subquery = list.subquery.with_plan(Arc::new(rows));
    list.expr = Box::new(as_compared(*list.expr, &how, schema));
    Ok(Transformed::yes(Expr::InSubquery(list)))
}

type Aggregate = Arc<datafusion::logical_expr::AggregateUDF>;

fn aggregated(
    func: Aggregate,
    mut params: AggregateFunctionParams,
    schema: &DFSchema,
) -> Transformed<Expr> {
    let distinct = params.distinct;
    let (func, mut changed) = settle_aggregate(func, &mut params.args, distinct, schema);
    for order in &mut params.order_by {
        changed |= sort_by_key(order, schema);
    }
    let expr = Expr::AggregateFunction(AggregateFunction { func, params });
    Transformed::new_transformed(expr, changed)
}

fn windowed(window: WindowFunction, schema: &DFSchema) -> Transformed<Expr> {
    let WindowFunction { fun, mut params } = window;
    let distinct = params.distinct;
    let (fun, mut changed) = match fun {
        WindowFunctionDefinition::AggregateUDF(func) => {
            let (func, changed) = settle_aggregate(func, &mut params.args, distinct, schema);
            (WindowFunctionDefinition::AggregateUDF(func), changed)
        }
        other => (other, false),
    };
    for part in &mut params.partition_by {
        if is_exact_expr(part, schema) {
            *part = compared_as(std::mem::take(part));
            changed = true;
        }
    }
    for order in &mut params.order_by {
        changed |= sort_by_key(order, schema);
    }
    let expr = Expr::WindowFunction(Box::new(WindowFunction { fun, params }));
    Transformed::new_transformed(expr, changed)
}

pub(super) fn sort_by_key(order: &mut Sort, schema: &DFSchema) -> bool {
    if sort_by_place(order, schema) {
        return true;
    }
    let exact = is_exact_expr(&order.expr, schema);
    if exact {
        order.expr = compared_as(std::mem::take(&mut order.expr));
    }
    exact
}

/// The aggregate for arguments of these types: sums of `bigint` do not overflow, those of plain types
/// are the engine's own, and equal numbers are one under DISTINCT.
fn settle_aggregate(
    func: Aggregate,
    args: &mut [Expr],
    distinct: bool,
    schema: &DFSchema,
) -> (Aggregate, bool) {
    let [argument] = args else {
        return (func, false);
    };
    let Some(data_type) = type_of(argument, schema) else {
        return (func, false);
    };
    let mut changed = false;
    if distinct && is_exact(&data_type) {
        let inner = std::mem::take(argument);
        *argument = if func.name() == "count" {
            compared_as(inner)
        } else {
            NumericOperator::TrimScale.call(vec![inner])
        };
        changed = true;
    }
    if func.name() == "sum" && data_type == DataType::Int64 {
        let inner = std::mem::take(argument);
        *argument = cast(inner, DataType::Decimal128(BIGINT_DIGITS, 0));
        changed = true;
    }
    let summed = !matches!(func.name(), "min" | "max" | "count");
    if summed
        && !distinct
        && is_exact(&data_type)
        && tessera_udfs::pg::is_numeric_aggregate(&func)
        && let Some(decimal) = as_decimal(argument, schema)
    {
        *argument = decimal;
        changed = true;
    }
    let settled = type_of(argument, schema).unwrap_or(data_type);
    match plain_aggregate(&func, &settled) {
        Some(plain) => (plain, true),
        None => (func, changed),
    }
}
