//! `SET column = expression`: which columns get which expressions.

use datafusion::sql::sqlparser::ast::{
    self, Assignment, AssignmentTarget, DataType, Expr, ObjectName, SelectItem, SetExpr,
};
use tessera_catalog::model::{Column, Identity};
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};
use crate::planner::{Parameters, Scope, params};
use crate::session::command::insert::is_default;
use crate::session::command::{default, names};

/// The column's place among the live ones, and its expression, for each that is assigned.
pub(super) fn assignments(
    written: &[Assignment],
    live: &[&Column],
    relation: &str,
    scope: &Scope,
    parameters: &mut Parameters,
) -> Result<Vec<(usize, Expr)>> {
    let mut assigned: Vec<(usize, Expr)> = Vec::with_capacity(written.len());
    for assignment in written {
        let pairs = match &assignment.target {
            AssignmentTarget::ColumnName(name) => vec![(name, assignment.value.clone())],
            AssignmentTarget::Tuple(targets) => {
                let values = row(&assignment.value, targets.len())?;
                targets.iter().zip(values).collect()
            }
        };
        for (name, value) in pairs {
            let place = place(name, live, relation)?;
            if assigned.iter().any(|(other, _)| *other == place) {
                return Err(Error::Syntax {
                    message: format!(
                        "multiple assignments to same column \"{}\"",
                        live[place].name
                    ),
                    position: None,
                });
            }
            check_generated(&value, live[place])?;
            assigned.push((place, value_of(value, live[place], scope, parameters)?));
        }
    }
    Ok(assigned)
}

/// Refuses values for columns that make their own.
fn check_generated(value: &Expr, column: &Column) -> Result<()> {
    let detail = match (&column.generated, column.identity) {
        _ if is_default(value) => return Ok(()),
        (Some(_), _) => "a generated column",
        (None, Some(Identity::Always)) => "an identity column defined as GENERATED ALWAYS",
        _ => return Ok(()),
    };
    Err(Error::Function {
        sqlstate: "428C9",
        message: format!("column \"{}\" can only be updated to DEFAULT", column.name),
        hint: None,
        detail: Some(format!("Column \"{}\" is {detail}.", column.name)),
    })
}

/// An expression for a column: DEFAULT as what it stands for, parameters with the column's type.
pub(super) fn value_of(
    value: Expr,
    column: &Column,
    scope: &Scope,
    parameters: &mut Parameters,
) -> Result<Expr> {
    if is_default(&value) {
        return default::written(column, scope);
    }
    if let Some(number) = params::number(&value) {
        parameters.suggest(number, &column.sql_type);
    }
    if is_cast_to_text(&value) && !takes_text(&column.sql_type) {
        return Err(Error::DatatypeMismatch(format!(
            "column \"{}\" is of type {} but expression is of type text",
            column.name, column.sql_type
        )));
    }
    Ok(value)
}

/// Where a column stands among the live ones.
pub(super) fn place(name: &ObjectName, live: &[&Column], relation: &str) -> Result<usize> {
    let mut parts = names::parts(name);
    let last = parts.pop().unwrap_or_default();
    // PostgreSQL takes `t.c` for a field of a column `t`.
    let wanted = parts.pop().unwrap_or(last);
    live.iter()
        .position(|column| column.name == wanted)
        .ok_or_else(|| Error::NoSuchColumnOf {
            column: wanted,
            relation: relation.to_owned(),
        })
}

/// The expressions of a row or of a sub-query that gives one.
fn row(value: &Expr, count: usize) -> Result<Vec<Expr>> {
    let values = match value {
        Expr::Tuple(values) => values.clone(),
        Expr::Nested(inner) if count == 1 => vec![inner.as_ref().clone()],
        Expr::Subquery(query) => {
            let SetExpr::Select(select) = query.body.as_ref() else {
                return Err(unsupported_row());
            };
            let columns = select.projection.len();
            let single = |index: usize| {
                let mut query = query.clone();
                if let SetExpr::Select(select) = query.body.as_mut() {
                    select.projection = vec![select.projection[index].clone()];
                }
                Expr::Subquery(query)
            };
            let plain = select.distinct.is_none()
                && select.projection.iter().all(|item| {
                    matches!(
                        item,
                        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                    )
                });
            if !plain {
                return Err(unsupported_row());
            }
            (0..columns).map(single).collect()
        }
        _ => return Err(unsupported_row()),
    };
    if values.len() != count {
        return Err(Error::Syntax {
            message: "number of columns does not match number of values".to_owned(),
            position: None,
        });
    }
    Ok(values)
}

fn unsupported_row() -> Error {
    Error::Unsupported("assigning several columns from anything but a row or a plain SELECT".into())
}

fn is_cast_to_text(value: &Expr) -> bool {
    match value {
        Expr::Nested(inner) => is_cast_to_text(inner),
        Expr::Cast {
            data_type: DataType::Text | DataType::Varchar(_),
            ..
        } => true,
        _ => false,
    }
}

fn takes_text(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Text
            | SqlType::Varchar(_)
            | SqlType::Char(_)
            | SqlType::Name
            | SqlType::InternalChar
    )
}

/// A condition and another, where both are given.
pub(super) fn both(left: Expr, right: Option<&Expr>) -> Expr {
    match right {
        None => left,
        Some(right) => Expr::BinaryOp {
            left: Box::new(left),
            op: ast::BinaryOperator::And,
            right: Box::new(Expr::Nested(Box::new(right.clone()))),
        },
    }
}
