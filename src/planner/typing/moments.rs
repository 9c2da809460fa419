//! Comparisons of dates with timestamps: the narrower type becomes the wider, as in PostgreSQL. The
//! engine would take both to nanoseconds, which end in the year 2262.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, cast};
use tessera_udfs::pg::{is_moment, is_time};

use super::numbers::{is_comparison, type_of};

/// Puts a comparison in terms of one type of moment.
pub(super) fn settle(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::BinaryExpr(binary) if is_comparison(binary.op) => {
            match common([binary.left.as_ref(), binary.right.as_ref()], schema) {
                Some(common) => {
                    let [left, right] = [*binary.left, *binary.right]
                        .map(|side| Box::new(become_moment(side, &common, schema)));
                    Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, binary.op, right)))
                }
                None => Transformed::no(Expr::BinaryExpr(binary)),
            }
        }
        Expr::Between(between) => {
            let sides = [&between.expr, &between.low, &between.high].map(AsRef::as_ref);
            match common(sides, schema) {
                Some(common) => {
                    let [expr, low, high] = [*between.expr, *between.low, *between.high]
                        .map(|side| Box::new(become_moment(side, &common, schema)));
                    Transformed::yes(Expr::Between(Between {
                        expr,
                        negated: between.negated,
                        low,
                        high,
                    }))
                }
                None => Transformed::no(Expr::Between(between)),
            }
        }
        Expr::InList(list) => {
            let sides = std::iter::once(list.expr.as_ref()).chain(&list.list);
            match common(sides, schema) {
                Some(common) => {
                    let items = list.list.into_iter();
                    Transformed::yes(Expr::InList(InList {
                        expr: Box::new(become_moment(*list.expr, &common, schema)),
                        list: items
                            .map(|item| become_moment(item, &common, schema))
                            .collect(),
                        negated: list.negated,
                    }))
                }
                None => Transformed::no(Expr::InList(list)),
            }
        }
        other => Transformed::no(other),
    }
}

/// How much a type of moment tells.
fn rank(data_type: &DataType) -> u8 {
    match data_type {
        DataType::Timestamp(_, Some(_)) => 2,
        DataType::Timestamp(_, None) | DataType::Time64(TimeUnit::Nanosecond) => 1,
        _ => 0,
    }
}

/// The type that all sides can take, if they are moments of several types.
fn common<'a>(sides: impl IntoIterator<Item = &'a Expr>, schema: &DFSchema) -> Option<DataType> {
    let types: Vec<DataType> = sides
        .into_iter()
        .filter_map(|side| type_of(side, schema))
        .filter(|data_type| is_moment(data_type) || is_time(data_type))
        .collect();
    // Moments and times of day do not compare.
    if types.iter().any(is_time) && types.iter().any(is_moment) {
        return None;
    }
    let widest = types.iter().max_by_key(|data_type| rank(data_type))?;
    types
        .iter()
        .any(|data_type| data_type != widest)
        .then(|| widest.clone())
}

fn become_moment(expr: Expr, common: &DataType, schema: &DFSchema) -> Expr {
    match type_of(&expr, schema) {
        Some(data_type)
            if (is_moment(&data_type) || is_time(&data_type)) && data_type != *common =>
        {
            cast(expr, common.clone())
        }
        _ => expr,
    }
}
