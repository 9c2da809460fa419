//! Enums among the operands of operators and the arguments of aggregates.
//!
//! A value of an enum is held as its word, so equal values are equal texts and need nothing. Where
//! values are put in order, the places of the words in the enum's declaration are compared instead.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Cast, InList, Placeholder, ScalarFunction, Sort, WindowFunction,
};
use datafusion::logical_expr::{
    AggregateUDF, BinaryExpr, Expr, ExprSchemable, Operator, WindowFunctionDefinition,
};
use tessera_catalog::enum_type::EnumType;
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::PgError;

use super::common::{become_type, known, named};
use super::enum_calls::{edge_of, place_of};
use super::numbers::is_comparison;
use crate::planner::cast::plainly;

/// No word has a zone.
const ZONE: &str = "UTC";

/// Functions that take values of every type, or enums alone.
const OF_ANYTHING: [&str; 17] = [
    "any_of_array",
    "array_append",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "cast",
    "coalesce",
    "enum_first",
    "enum_last",
    "enum_place",
    "enum_range",
    "pg_typeof",
    "make_array",
    "greatest",
    "least",
];

/// Puts an expression in terms that are right for enums among its operands.
pub(super) fn settle(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(binary) => compared(binary, schema)?,
        Expr::Between(between) => bounded(between, schema)?,
        Expr::InList(list) => listed(list, schema)?,
        Expr::Cast(cast) => check_cast(cast, schema)?,
        Expr::ScalarFunction(call) => called(call, schema)?,
        Expr::Like(like) if is_enum(&like.expr, schema) => {
            let operator = match (like.negated, like.case_insensitive) {
                (false, false) => "~~",
                (true, false) => "!~~",
                (false, true) => "~~*",
                (true, true) => "!~~*",
            };
            return Err(undefined(operator, &like.expr, &like.pattern, schema));
        }
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            let mut changed = false;
            for order in &mut params.order_by {
                changed |= sort_by_place(order, schema);
            }
            let edge = edge(&func, &params.args, schema);
            changed |= edge.is_some();
            let func = edge.unwrap_or(func);
            let expr = Expr::AggregateFunction(AggregateFunction { func, params });
            Transformed::new_transformed(expr, changed)
        }
        Expr::WindowFunction(window) => windowed(*window, schema),
        other => Transformed::no(other),
    })
}

/// The enum that an expression's values are of.
pub(super) fn enum_of(expr: &Expr, schema: &DFSchema) -> Option<Arc<EnumType>> {
    let (_, field) = expr.to_field(schema).ok()?;
    match SqlType::of(&field) {
        SqlType::Enum(enumerated) => Some(enumerated),
        _ => None,
    }
}

fn is_enum(expr: &Expr, schema: &DFSchema) -> bool {
    enum_of(expr, schema).is_some()
}

/// Lets an order be that of an enum's declaration.
pub(super) fn sort_by_place(order: &mut Sort, schema: &DFSchema) -> bool {
    let Some(enumerated) = enum_of(&order.expr, schema) else {
        return false;
    };
    order.expr = place_of(std::mem::take(&mut order.expr), &enumerated);
    true
}

fn windowed(window: WindowFunction, schema: &DFSchema) -> Transformed<Expr> {
    let WindowFunction { fun, mut params } = window;
    let mut changed = false;
    for order in &mut params.order_by {
        changed |= sort_by_place(order, schema);
    }
    let fun = match fun {
        WindowFunctionDefinition::AggregateUDF(func) => {
            let edge = edge(&func, &params.args, schema);
            changed |= edge.is_some();
            WindowFunctionDefinition::AggregateUDF(edge.unwrap_or(func))
        }
        other => other,
    };
    let expr = Expr::WindowFunction(Box::new(WindowFunction { fun, params }));
    Transformed::new_transformed(expr, changed)
}

/// `min` and `max` by the order of declaration.
fn edge(func: &AggregateUDF, args: &[Expr], schema: &DFSchema) -> Option<Arc<AggregateUDF>> {
    let greatest = match func.name() {
        "max" => true,
        "min" => false,
        _ => return None,
    };
    let enumerated = enum_of(args.first()?, schema)?;
    Some(edge_of(&enumerated, greatest))
}

fn undefined(
    operator: &str,
    left: &Expr,
    right: &Expr,
    schema: &DFSchema,
) -> datafusion::error::DataFusionError {
    let name = |expr: &Expr| match known(expr, schema) {
        Ok(Some(sql_type)) => named(&sql_type),
        _ => "unknown".to_owned(),
    };
    PgError::UndefinedOperator(format!("{} {operator} {}", name(left), name(right))).into()
}

fn is_ordering(op: Operator) -> bool {
    matches!(
        op,
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq
    )
}

/// The enum that one of several values is of, all of which must become it.
fn common(exprs: &[&Expr], operator: &str, schema: &DFSchema) -> Result<Option<Arc<EnumType>>> {
    let mut found: Option<Arc<EnumType>> = None;
    for expr in exprs {
        found = found.or_else(|| enum_of(expr, schema));
    }
    let Some(enumerated) = found else {
        return Ok(None);
    };
    for (index, expr) in exprs.iter().enumerate() {
        let other = known(expr, schema)?;
        let fits = match &other {
            None => true,
            Some(SqlType::Enum(own)) => *own == enumerated,
            Some(_) => is_parameter(expr),
        };
        if !fits {
            let (left, right) = match index {
                0 => (exprs[0], exprs[exprs.len() - 1]),
                _ => (exprs[0], *expr),
            };
            return Err(undefined(operator, left, right, schema));
        }
    }
    Ok(Some(enumerated))
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.is_null())
}

/// Whether an expression is a parameter that has no type yet, or the one that the engine gave it: how
/// values beside it are held, which for words is as text.
fn is_parameter(expr: &Expr) -> bool {
    match expr {
        Expr::Placeholder(Placeholder {
            field: Some(field), ..
        }) => SqlType::of(field) == SqlType::Text,
        Expr::Placeholder(_) => true,
        _ => false,
    }
}

fn become_enum(expr: Expr, enumerated: &Arc<EnumType>, schema: &DFSchema) -> Result<Expr> {
    let target = SqlType::Enum(Arc::clone(enumerated));
    let zone = Arc::from(ZONE);
    if let Expr::Placeholder(Placeholder { id, .. }) = &expr
        && is_parameter(&expr)
    {
        return Ok(Expr::Placeholder(Placeholder {
            id: id.clone(),
            field: Some(target.field("", true, &zone)),
        }));
    }
    if is_enum(&expr, schema) {
        return become_type(expr, &target, schema, &zone);
    }
    // Read at once: where an expression is evaluated by itself, nothing else would.
    Ok(plainly(expr, target.field("", true, &zone), &zone))
}

fn compared(binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let BinaryExpr { left, op, right } = binary;
    if op == Operator::StringConcat {
        let (left, a) = shown(*left, schema);
        let (right, b) = shown(*right, schema);
        let joined = BinaryExpr::new(Box::new(left), op, Box::new(right));
        return Ok(Transformed::new_transformed(
            Expr::BinaryExpr(joined),
            a || b,
        ));
    }
    let found = match is_comparison(op) {
        true => common(&[&left, &right], &op.to_string(), schema)?,
        false => None,
    };
    let Some(enumerated) = found else {
        let same = BinaryExpr::new(left, op, right);
        return Ok(Transformed::no(Expr::BinaryExpr(same)));
    };
    let mut sides = [*left, *right];
    for side in &mut sides {
        *side = become_enum(std::mem::take(side), &enumerated, schema)?;
        if is_ordering(op) {
            *side = place_of(std::mem::take(side), &enumerated);
        }
    }
    let [left, right] = sides.map(Box::new);
    Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
        left, op, right,
    ))))
}

fn bounded(between: Between, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let sides: [&Expr; 3] = [&between.expr, &between.low, &between.high];
    let Some(enumerated) = common(&sides, ">=", schema)? else {
        return Ok(Transformed::no(Expr::Between(between)));
    };
    let place = |expr: Box<Expr>| {
        let expr = become_enum(*expr, &enumerated, schema)?;
        Ok::<_, datafusion::error::DataFusionError>(Box::new(place_of(expr, &enumerated)))
    };
    Ok(Transformed::yes(Expr::Between(Between {
        expr: place(between.expr)?,
        negated: between.negated,
        low: place(between.low)?,
        high: place(between.high)?,
    })))
}

fn listed(list: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let all: Vec<&Expr> = std::iter::once(list.expr.as_ref())
        .chain(&list.list)
        .collect();
    let Some(enumerated) = common(&all, "=", schema)? else {
        return Ok(Transformed::no(Expr::InList(list)));
    };
    let items = list.list.into_iter();
    let items = items.map(|item| become_enum(item, &enumerated, schema));
    Ok(Transformed::yes(Expr::InList(InList {
        expr: Box::new(become_enum(*list.expr, &enumerated, schema)?),
        list: items.collect::<Result<Vec<Expr>>>()?,
        negated: list.negated,
    })))
}

/// An enum's value as text, if it is one.
fn shown(expr: Expr, schema: &DFSchema) -> (Expr, bool) {
    if !is_enum(&expr, schema) {
        return (expr, false);
    }
    let zone = Arc::from(ZONE);
    let text = SqlType::Text.field("", true, &zone);
    (plainly(expr, text, &zone), true)
}

/// Enums become texts and texts enums; nothing else does.
fn check_cast(cast: Cast, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let to = SqlType::of(&cast.field);
    let from = known(&cast.expr, schema).ok().flatten();
    let refused = match (&from, &to) {
        (Some(SqlType::Enum(from)), SqlType::Enum(to)) => from != to,
        (Some(SqlType::Enum(_)), to) => !is_text(to),
        (Some(from), SqlType::Enum(_)) => !is_text(from) && !is_parameter(&cast.expr),
        _ => false,
    };
    if refused {
        let from = from.map_or_else(|| "unknown".to_owned(), |from| named(&from));
        let text = format!("cannot cast type {from} to {}", named(&to));
        return Err(PgError::CannotCoerce(text).into());
    }
    let of = from.as_ref().and_then(SqlType::enum_oid);
    let changes = of != to.enum_oid();
    if !changes || is_null(&cast.expr) {
        return Ok(Transformed::no(Expr::Cast(cast)));
    }
    let read = plainly(*cast.expr, cast.field, &Arc::from(ZONE));
    Ok(Transformed::yes(read))
}

fn is_text(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Text
            | SqlType::Varchar(_)
            | SqlType::Char(_)
            | SqlType::Name
            | SqlType::InternalChar
            | SqlType::Unknown
    )
}

/// `x = ANY (list)`: what has no type of its own is of the other's.
fn among(mut call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let [list, value] = call.args.as_mut_slice() else {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    };
    let types = [known(list, schema)?, known(value, schema)?];
    let mut changed = false;
    match types {
        [Some(SqlType::Array(item)), None] => {
            if let SqlType::Enum(enumerated) = item.as_ref() {
                *value = become_enum(std::mem::take(value), enumerated, schema)?;
                changed = true;
            }
        }
        [of_list, Some(SqlType::Enum(enumerated))] if !is_parameter(list) => {
            let item = SqlType::Enum(enumerated);
            let target = SqlType::Array(Box::new(item));
            if of_list.as_ref() != Some(&target) {
                let zone = Arc::from(ZONE);
                *list = plainly(std::mem::take(list), target.field("", true, &zone), &zone);
                changed = true;
            }
        }
        _ => {}
    }
    Ok(Transformed::new_transformed(
        Expr::ScalarFunction(call),
        changed,
    ))
}

/// A function that takes texts is given the word that is shown.
fn called(mut call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = call.name();
    if name == "array_has" {
        return among(call, schema);
    }
    let takes_any = OF_ANYTHING.contains(&name) || name.starts_with('\u{4}');
    if takes_any || !call.args.iter().any(|arg| is_enum(arg, schema)) {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    for arg in &mut call.args {
        *arg = shown(std::mem::take(arg), schema).0;
    }
    Ok(Transformed::yes(Expr::ScalarFunction(call)))
}
