//! Whole numbers are `integer` where they fit, as in PostgreSQL; the engine reads them as `bigint`.
//! Numbers of more digits than a decimal holds are exact.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::logical_plan::RecursiveQuery;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::scalar::ScalarValue;

/// Digits of the largest number that the engine reads as a whole one without a sign.
const UNSIGNED_DIGITS: u8 = 20;

/// Gives a literal the type that PostgreSQL gives it.
pub(super) fn narrow(expr: Expr) -> Transformed<Expr> {
    let Expr::Literal(value, metadata) = expr else {
        return Transformed::no(expr);
    };
    let narrowed = match &value {
        ScalarValue::Int64(Some(whole)) => match i32::try_from(*whole) {
            Ok(whole) => ScalarValue::Int32(Some(whole)),
            Err(_) => return Transformed::no(Expr::Literal(value, metadata)),
        },
        ScalarValue::UInt64(Some(whole)) => {
            ScalarValue::Decimal128(Some(i128::from(*whole)), UNSIGNED_DIGITS, 0)
        }
        ScalarValue::Decimal256(Some(_), _, scale) => {
            ScalarValue::LargeUtf8(Some(wide_text(&value, *scale)))
        }
        _ => return Transformed::no(Expr::Literal(value, metadata)),
    };
    Transformed::yes(Expr::Literal(narrowed, metadata))
}

fn wide_text(value: &ScalarValue, scale: i8) -> String {
    let mut out = Vec::new();
    if let ScalarValue::Decimal256(Some(digits), ..) = value {
        crate::format::encode::number::wide_decimal(*digits, scale, &mut out);
    }
    String::from_utf8(out).unwrap_or_default()
}

/// The first rows of a recursion keep the types that the recursion was planned with.
pub(super) fn widened(query: RecursiveQuery) -> Result<LogicalPlan> {
    let query = RecursiveQuery {
        static_term: Arc::new(recomputed(&query.static_term)?),
        recursive_term: Arc::new(recomputed(&query.recursive_term)?),
        ..query
    };
    let (first, next) = (query.static_term.schema(), query.recursive_term.schema());
    let types = first.fields().iter().zip(next.fields());
    if types.clone().all(|(a, b)| a.data_type() == b.data_type()) {
        return LogicalPlan::RecursiveQuery(query).recompute_schema();
    }
    let outputs: Vec<Expr> = first
        .iter()
        .zip(next.fields())
        .map(|((qualifier, field), wanted)| {
            let column = Expr::Column((qualifier, field).into());
            match (field.data_type(), wanted.data_type()) {
                (DataType::Int32, DataType::Int64) => {
                    cast(column, DataType::Int64).alias_qualified(qualifier.cloned(), field.name())
                }
                _ => column,
            }
        })
        .collect();
    let first = LogicalPlanBuilder::from(query.static_term.as_ref().clone())
        .project(outputs)?
        .build()?;
    let query = RecursiveQuery {
        static_term: Arc::new(first),
        ..query
    };
    LogicalPlan::RecursiveQuery(query).recompute_schema()
}

/// A plan whose nodes know the types below them.
fn recomputed(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan
        .clone()
        .transform_up(|node| Ok(Transformed::yes(node.recompute_schema()?)))?;
    Ok(plan.data)
}
