//! Values that stand together and are of one type: a column of VALUES, the elements of ARRAY.
//!
//! Texts and NULLs without a type take the type that others are written with; the engine would take such
//! types apart from their texts. Numbers of several scales are exact, so that each keeps its digits.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, UnaryOperator, Value, Values,
};
use tessera_catalog::sql_type::SqlType;

use super::functions::called;
use crate::planner::types::built_in;

/// The call whose number keeps its digits, whatever stands beside it.
const EXACTLY: &str = "numeric_exact";

/// Makes the columns of VALUES be of one type each, as far as it is written.
pub(super) fn columns(values: &mut Values) {
    let places = values.rows.first().map_or(0, |row| row.content.len());
    if values.rows.len() < 2 {
        return;
    }
    for place in 0..places {
        let cells = values.rows.iter_mut();
        let mut cells: Vec<&mut Expr> =
            cells.filter_map(|row| row.content.get_mut(place)).collect();
        become_alike(&mut cells);
    }
}

/// Makes the elements of an array be of one type, as far as it is written.
pub(super) fn elements(items: &mut [Expr]) {
    if items.len() > 1 {
        become_alike(&mut items.iter_mut().collect::<Vec<_>>());
    }
}

fn become_alike(cells: &mut [&mut Expr]) {
    // A length or precision is its own value's alone.
    let plain = |target: &DataType| {
        built_in(target).map_or_else(
            || matches!(target, DataType::Custom(..) | DataType::Array(_)),
            |kind| !is_modified(&kind),
        )
    };
    let untyped = cells.iter().any(|cell| is_untyped(cell));
    let numbers: Vec<Option<Number>> = cells.iter().map(|cell| Number::of(cell)).collect();
    let all_numbers = numbers
        .iter()
        .zip(cells.iter())
        .all(|(number, cell)| number.is_some() || is_untyped(cell));
    if all_numbers && numbers.iter().any(Option::is_some) {
        return become_numbers(cells, &numbers, untyped);
    }
    if !untyped {
        return;
    }
    let written = cells.iter().find_map(|cell| written_type(cell));
    let Some(target) = written.filter(plain) else {
        return;
    };
    // Whole numbers in an array are of its type only once they are told so.
    let deep = matches!(target, DataType::Array(_));
    for cell in cells.iter_mut().filter(|cell| deep || is_untyped(cell)) {
        **cell = cast_to(cell.clone(), target.clone());
    }
}

/// A number as it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Number {
    Integer,
    Bigint,
    /// With so many digits behind the point, or of a type without a precision.
    Exact(usize),
}

impl Number {
    fn of(expr: &Expr) -> Option<Self> {
        match expr {
            Expr::Nested(inner)
            | Expr::UnaryOp {
                op: UnaryOperator::Minus | UnaryOperator::Plus,
                expr: inner,
            } => Self::of(inner),
            Expr::Value(value) => match &value.value {
                Value::Number(digits, _) => Self::of_digits(digits),
                _ => None,
            },
            Expr::Cast {
                expr, data_type, ..
            } => match built_in(data_type)? {
                SqlType::Numeric(None) => match Self::of(expr) {
                    Some(Self::Exact(scale)) => Some(Self::Exact(scale)),
                    Some(_) => Some(Self::Exact(0)),
                    None => Some(Self::Exact(usize::MAX)),
                },
                SqlType::Int2 | SqlType::Int4 => Some(Self::Integer),
                SqlType::Int8 => Some(Self::Bigint),
                _ => None,
            },
            _ => None,
        }
    }

    fn of_digits(digits: &str) -> Option<Self> {
        if digits.parse::<i32>().is_ok() {
            return Some(Self::Integer);
        }
        if digits.parse::<i64>().is_ok() {
            return Some(Self::Bigint);
        }
        if digits.contains(['e', 'E']) {
            return None;
        }
        let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction);
        Some(Self::Exact(fraction.len()))
    }
}

fn become_numbers(cells: &mut [&mut Expr], numbers: &[Option<Number>], untyped: bool) {
    let widest = numbers.iter().flatten().max().copied();
    let target = match widest {
        Some(Number::Integer) => DataType::Integer(None),
        Some(Number::Bigint) => DataType::BigInt(None),
        _ => {
            // A NULL has no digits to keep.
            let texts = cells.iter().any(|cell| is_untyped(cell) && !is_null(cell));
            let mixed = texts || numbers.iter().flatten().any(|n| Some(*n) != widest);
            if mixed {
                for (cell, number) in cells.iter_mut().zip(numbers) {
                    let value = match number {
                        Some(_) => cell.clone(),
                        None => cast_to(cell.clone(), DataType::Numeric(ExactNumberInfo::None)),
                    };
                    **cell = called(EXACTLY, vec![value]);
                }
            }
            return;
        }
    };
    if untyped {
        for cell in cells.iter_mut() {
            **cell = cast_to(cell.clone(), target.clone());
        }
    }
}

/// The type that a value is written with.
fn written_type(expr: &Expr) -> Option<DataType> {
    match expr {
        Expr::Nested(inner) => written_type(inner),
        Expr::Cast { data_type, .. } => Some(data_type.clone()),
        Expr::TypedString(typed) => Some(typed.data_type.clone()),
        Expr::Interval(_) => Some(DataType::Interval {
            fields: None,
            precision: None,
        }),
        Expr::Value(value) => match &value.value {
            Value::Boolean(_) => Some(DataType::Boolean),
            _ => None,
        },
        Expr::Array(array) => {
            let element = array.elem.iter().find_map(|item| {
                written_type(item).or_else(|| match Number::of(item)? {
                    Number::Integer => Some(DataType::Integer(None)),
                    Number::Bigint => Some(DataType::BigInt(None)),
                    Number::Exact(_) => Some(DataType::Numeric(ExactNumberInfo::None)),
                })
            });
            let element = Box::new(element?);
            Some(DataType::Array(ArrayElemTypeDef::SquareBracket(
                element, None,
            )))
        }
        _ => None,
    }
}

fn is_modified(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Varchar(Some(_)) | SqlType::Char(_) | SqlType::Numeric(Some(_))
    )
}

/// Whether a value takes its type from where it stands.
pub(crate) fn is_untyped(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value)
        if matches!(value.value, Value::Null | Value::SingleQuotedString(_)))
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}

/// `CAST(expr AS type)`.
pub(crate) fn cast_to(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}
