//! `ARRAY[…]` of types that Arrow does not tell from others: the array says what its elements are.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, ExprSchemable};
use tessera_catalog::sql_type::SqlType;

use super::common::{Known, known};

/// Gives an array of uuids, words of an enum and their like the type of such arrays.
pub(super) fn settle(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expr else {
        return Ok(Transformed::no(expr));
    };
    if call.name() != "make_array" || call.args.is_empty() {
        return Ok(Transformed::no(expr));
    }
    let types: Result<Vec<Known>> = call.args.iter().map(|item| known(item, schema)).collect();
    let types = types?;
    let Some(first) = types.iter().flatten().next() else {
        return Ok(Transformed::no(expr));
    };
    let zone: Arc<str> = Arc::from("UTC");
    let same = types.iter().flatten().all(|item| item == first);
    let told = first.metadata(&zone).is_empty();
    if !same || told || matches!(first, SqlType::Array(_) | SqlType::Char(_)) {
        return Ok(Transformed::no(expr));
    }
    let (_, field) = expr.to_field(schema)?;
    let array = SqlType::Array(Box::new(first.clone()));
    if SqlType::of(&field) == array {
        return Ok(Transformed::no(expr));
    }
    let field = array.field(&array.typname(), field.is_nullable(), &zone);
    let cast = Cast::new_from_field(Box::new(expr), field);
    Ok(Transformed::yes(Expr::Cast(cast)))
}
