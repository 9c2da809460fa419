//! The one type of several values: of the branches of CASE, the arguments of COALESCE, the columns
//! of UNION. As `select_common_type` of PostgreSQL has it.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::{Expr, ExprSchemable};
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::{NumericOperator, PgError, is_exact};

/// A value's type; `None` for a literal or parameter that has none of its own yet.
pub(super) type Known = Option<SqlType>;

/// The type of an expression among several.
pub(super) fn known(expr: &Expr, schema: &DFSchema) -> Result<Known> {
    let (_, field) = expr.to_field(schema)?;
    Ok(known_field(&field, literal(expr)))
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// The type of a field, and of the literal that it may be.
pub(super) fn known_field(field: &FieldRef, literal: Option<&ScalarValue>) -> Known {
    match (field.data_type(), literal) {
        (DataType::Null, _) | (DataType::Utf8, Some(_)) => None,
        (DataType::Int64, Some(ScalarValue::Int64(Some(value))))
            if i32::try_from(*value).is_ok() =>
        {
            Some(SqlType::Int4)
        }
        _ => Some(SqlType::of(field)),
    }
}

/// What PostgreSQL calls a family of types that may become one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Bool,
    Number,
    Text,
    Moment,
    Interval,
    Array,
    Other(u32),
}

fn category(sql_type: &SqlType) -> Category {
    match sql_type {
        SqlType::Bool => Category::Bool,
        SqlType::Int2
        | SqlType::Int4
        | SqlType::Int8
        | SqlType::Float4
        | SqlType::Float8
        | SqlType::Numeric(_)
        | SqlType::Oid
        | SqlType::Reg(_) => Category::Number,
        SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_) | SqlType::Name => Category::Text,
        SqlType::Date
        | SqlType::Time
        | SqlType::Timetz
        | SqlType::Timestamp
        | SqlType::Timestamptz => Category::Moment,
        SqlType::Interval => Category::Interval,
        SqlType::Array(_) => Category::Array,
        other => Category::Other(other.oid()),
    }
}

/// The place of a type in its family: a type becomes those of higher places by itself.
fn place(sql_type: &SqlType) -> Option<u8> {
    Some(match sql_type {
        SqlType::Int2 => 0,
        SqlType::Int4 => 1,
        SqlType::Int8 => 2,
        SqlType::Numeric(_) => 3,
        SqlType::Float4 => 4,
        SqlType::Float8 => 5,
        SqlType::Date => 10,
        SqlType::Timestamp => 11,
        SqlType::Timestamptz => 12,
        SqlType::Time => 15,
        SqlType::Timetz => 16,
        SqlType::Name => 20,
        SqlType::Char(_) => 21,
        SqlType::Varchar(_) => 22,
        SqlType::Text => 23,
        _ => return None,
    })
}

/// A type without its modifier.
pub(super) fn unmodified(sql_type: &SqlType) -> SqlType {
    match sql_type {
        SqlType::Numeric(_) => SqlType::Numeric(None),
        SqlType::Varchar(_) => SqlType::Varchar(None),
        SqlType::Char(_) => SqlType::Char(0),
        SqlType::Array(element) => SqlType::Array(Box::new(unmodified(element))),
        other => other.clone(),
    }
}

/// The type that all of `types` become; `None` if none of them has one.
///
/// # Errors
/// 42804 with the two types that do not go together; `what` names the place.
pub(super) fn common_type(types: &[Known], what: &str) -> Result<Known> {
    let mut all = types.iter().flatten();
    let Some(first) = all.next() else {
        return Ok(None);
    };
    let mut chosen = first.clone();
    for next in all {
        if *next == chosen {
            continue;
        }
        if unmodified(next) == unmodified(&chosen) {
            chosen = unmodified(&chosen);
            continue;
        }
        if category(next) != category(&chosen) {
            let text = format!(
                "{what} types {} and {} cannot be matched",
                named(&chosen),
                named(next)
            );
            return Err(PgError::DatatypeMismatch(text).into());
        }
        if let Some(object) = object(&chosen, next) {
            chosen = object;
            continue;
        }
        let (SqlType::Array(from), SqlType::Array(to)) = (&chosen, next) else {
            match (place(&chosen), place(next)) {
                (Some(from), Some(to)) if is_time(from) != is_time(to) => {
                    return Err(unconverted(next, &chosen, what));
                }
                (Some(from), Some(to)) if from < to => chosen = unmodified(next),
                (Some(_), Some(_)) => chosen = unmodified(&chosen),
                _ => return Err(unconverted(next, &chosen, what)),
            }
            continue;
        };
        let elements = [Some(from.as_ref().clone()), Some(to.as_ref().clone())];
        if let Some(element) = common_type(&elements, what)? {
            chosen = SqlType::Array(Box::new(element));
        }
    }
    Ok(Some(chosen))
}

/// Whether a place is that of a time of day, which becomes no date.
fn is_time(place: u8) -> bool {
    matches!(place, 15 | 16)
}

fn unconverted(from: &SqlType, to: &SqlType, what: &str) -> DataFusionError {
    let text = format!(
        "{what} could not convert type {} to {}",
        named(from),
        named(to)
    );
    PgError::CannotCoerce(text).into()
}

/// Whole numbers become numbers of objects by themselves, and those of one kind become plain ones.
fn object(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    let is_object = |sql_type: &SqlType| matches!(sql_type, SqlType::Oid | SqlType::Reg(_));
    let is_whole = |sql_type: &SqlType| place(sql_type).is_some_and(|place| place <= 2);
    match (is_object(a), is_object(b)) {
        (true, true) => Some(SqlType::Oid),
        (true, false) if is_whole(b) => Some(a.clone()),
        (false, true) if is_whole(a) => Some(b.clone()),
        _ => None,
    }
}

/// A type as messages name it.
pub(super) fn named(sql_type: &SqlType) -> String {
    match unmodified(sql_type) {
        SqlType::Char(_) => "character".to_owned(),
        other => other.to_string(),
    }
}

/// A value as one of the common type.
pub(super) fn become_type(
    expr: Expr,
    target: &SqlType,
    schema: &DFSchema,
    zone: &Arc<str>,
) -> Result<Expr> {
    let field = target.field("", true, zone);
    if let Expr::Placeholder(Placeholder { id, field: None }) = expr {
        let field = Some(field);
        return Ok(Expr::Placeholder(Placeholder { id, field }));
    }
    let (_, from) = expr.to_field(schema)?;
    let same_type = from.data_type() == field.data_type();
    if same_type && SqlType::of(&from) == *target {
        return Ok(expr);
    }
    let number =
        from.data_type().is_integer() || matches!(from.data_type(), DataType::Decimal128(..));
    if is_exact(field.data_type()) && number {
        return Ok(NumericOperator::Exactly.call(vec![expr]));
    }
    // A field without a name would let the former type's name stand beside the new type.
    let field = target.field(&target.typname(), from.is_nullable(), zone);
    Ok(Expr::Cast(Cast::new_from_field(Box::new(expr), field)))
}
