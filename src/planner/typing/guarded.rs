//! A condition that is a CASE stays one: the engine would make OR and AND of it, which may evaluate
//! what CASE guards, such as a division whose divisor it has looked at.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Case, Expr, ExprSchemable, Operator, cast};

/// Gives the values of a CASE that guards what can fail as numbers, which the engine leaves alone.
pub(super) fn keep(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::Case(case) = expr else {
        return Ok(Transformed::no(expr));
    };
    let Some((_, first)) = case.when_then_expr.first() else {
        return Ok(Transformed::no(Expr::Case(case)));
    };
    let is_condition = first
        .get_type(schema)
        .is_ok_and(|data_type| data_type == DataType::Boolean);
    if !is_condition || !guards(&case)? {
        return Ok(Transformed::no(Expr::Case(case)));
    }
    let number = |value: Box<Expr>| Box::new(cast(*value, DataType::Int8));
    let branches = case.when_then_expr.into_iter();
    let kept = Expr::Case(Case {
        expr: case.expr,
        when_then_expr: branches.map(|(when, then)| (when, number(then))).collect(),
        else_expr: case.else_expr.map(number),
    });
    Ok(Transformed::yes(cast(kept, DataType::Boolean)))
}

/// Whether anything that is not always evaluated can fail.
fn guards(case: &Case) -> Result<bool> {
    let branches = case.when_then_expr.iter().enumerate();
    for (place, (when, then)) in branches {
        if place > 0 && can_fail(when)? || can_fail(then)? {
            return Ok(true);
        }
    }
    case.else_expr.as_deref().map_or(Ok(false), can_fail)
}

fn can_fail(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| {
        Ok(match expr {
            Expr::BinaryExpr(binary) => matches!(
                binary.op,
                Operator::Plus
                    | Operator::Minus
                    | Operator::Multiply
                    | Operator::Divide
                    | Operator::Modulo
            ),
            Expr::Cast(_) | Expr::ScalarFunction(_) | Expr::ScalarSubquery(_) => true,
            _ => false,
        })
    })
}
