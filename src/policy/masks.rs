//! Column masks: what stands in place of a column before any expression of the reader's sees it.

use datafusion::arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::Expr;
use tessera_catalog::model::{Column, Mask, MaskingPolicy};
use tessera_catalog::sql_type::SqlType;

use super::guard::is_subquery;
use super::rights::Caller;
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::condition;
use crate::planner::source::Found;

/// What a mask's expression calls the value.
const VALUE: &str = "value";

/// The masks that a caller is shown on a table's columns, by the column's number.
pub(super) fn masks<'a>(caller: &'a Caller, found: &Found) -> Vec<(i16, &'a MaskingPolicy)> {
    let lent = found.home != caller.database.id;
    caller.reader().masks_on(&found.relation, lent)
}

/// What a column shows: its value, or what its masks make of it.
pub(super) fn shown(
    masks: &[(i16, &MaskingPolicy)],
    column: &Column,
    value: Expr,
    scope: &Scope,
) -> Result<Expr> {
    let of_column = masks.iter().filter(|(number, _)| *number == column.number);
    let mut shown = value;
    for (_, policy) in of_column {
        shown = masked(&policy.mask, column, shown, scope)?;
    }
    Ok(shown)
}

/// Checks that a mask can stand in place of a column's values.
///
/// # Errors
/// 42804 for a mask that is not for the column's type, and what planning its expression meets.
pub fn check_mask(mask: &Mask, column: &Column, scope: &Scope) -> Result<()> {
    let value = Expr::Column(datafusion::common::Column::new_unqualified(VALUE));
    let expr = masked(mask, column, value, scope)?;
    let schema = value_schema(column, scope)?;
    scope.state.create_physical_expr(expr, &schema)?;
    Ok(())
}

fn value_schema(column: &Column, scope: &Scope) -> Result<DFSchema> {
    let field = column.sql_type.field(VALUE, true, &scope.zone);
    Ok(DFSchema::try_from(Schema::new(vec![field]))?)
}

fn masked(mask: &Mask, column: &Column, value: Expr, scope: &Scope) -> Result<Expr> {
    let kind = &column.sql_type;
    let text = format!("CAST(({}) AS {kind})", text(mask, column)?);
    let expr = condition::expression(&text, &value_schema(column, scope)?, scope)?;
    if expr.exists(|expr| Ok(is_subquery(expr)))? {
        return Err(Error::Unsupported(
            "a sub-query in a masking policy".to_owned(),
        ));
    }
    let replaced = expr.transform_up(|expr| match expr {
        Expr::Column(column) if column.name == VALUE => Ok(Transformed::yes(value.clone())),
        other => Ok(Transformed::no(other)),
    })?;
    Ok(replaced.data)
}

/// A mask as SQL over `value`.
fn text(mask: &Mask, column: &Column) -> Result<String> {
    let is_text = matches!(
        column.sql_type,
        SqlType::Text | SqlType::Varchar(_) | SqlType::Char(_)
    );
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match mask {
        Mask::Hash { .. } | Mask::Partial { .. } if !is_text => {
            Err(Error::DatatypeMismatch(format!(
                "column \"{}\" is of type {} but mask {} is for text",
                column.name,
                column.sql_type,
                mask.keyword()
            )))
        }
        Mask::Full => Ok(full(&column.sql_type, is_text).to_owned()),
        Mask::Null => Ok("NULL".to_owned()),
        Mask::Hash { salt } => Ok(format!(
            "encode(sha256(convert_to({} || CAST(value AS text), 'UTF8')), 'hex')",
            quoted(salt)
        )),
        Mask::Partial {
            first,
            padding,
            last,
        } => {
            let (pad, value) = (quoted(padding), "CAST(value AS text)");
            Ok(format!(
                "CASE WHEN length({value}) <= {} THEN {pad} \
                 ELSE left({value}, {first}) || {pad} || right({value}, {last}) END",
                u64::from(*first) + u64::from(*last)
            ))
        }
        Mask::Expression(text) => Ok(text.clone()),
    }
}

/// A constant of a type, which tells nothing, not even whether there is a value.
fn full(sql_type: &SqlType, is_text: bool) -> &'static str {
    match sql_type {
        _ if is_text => "'****'",
        SqlType::Bool => "false",
        SqlType::Int2
        | SqlType::Int4
        | SqlType::Int8
        | SqlType::Float4
        | SqlType::Float8
        | SqlType::Numeric(_) => "0",
        SqlType::Date => "'1970-01-01'",
        SqlType::Timestamp | SqlType::Timestamptz => "'1970-01-01 00:00:00'",
        _ => "NULL",
    }
}
