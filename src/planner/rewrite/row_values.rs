//! Rows that are written out, compared column by column, and spans of which two overlap.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use super::spelling::{binary, call, chain, nested};

/// The fields of a row that is written out.
pub(super) fn row_items(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(items) if items.len() > 1 => Some(items.clone()),
        Expr::Nested(inner) => row_items(inner),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            let FunctionArguments::List(list) = &function.args else {
                return None;
            };
            list.args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}

pub(super) fn rows_are(row: &Expr, test: impl Fn(Expr) -> Expr) -> Option<Expr> {
    chain(row_items(row)?.into_iter().map(test), &BinaryOperator::And)
}

/// Rows are compared field by field.
pub(super) fn compared_rows(
    left: Vec<Expr>,
    op: &BinaryOperator,
    right: Vec<Expr>,
) -> Option<Expr> {
    use BinaryOperator as Op;
    if left.len() != right.len() {
        return None;
    }
    let pairs = || left.clone().into_iter().zip(right.clone());
    match op {
        Op::Eq => chain(pairs().map(|(l, r)| binary(l, Op::Eq, r)), &Op::And),
        Op::NotEq => chain(pairs().map(|(l, r)| binary(l, Op::NotEq, r)), &Op::Or),
        Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
            let strict = match op {
                Op::Lt | Op::LtEq => Op::Lt,
                _ => Op::Gt,
            };
            let mut pairs = pairs().rev();
            let (l, r) = pairs.next()?;
            let mut whole = binary(l, op.clone(), r);
            for (l, r) in pairs {
                let same = binary(l.clone(), Op::Eq, r.clone());
                let rest = nested(binary(same, Op::And, nested(whole)));
                whole = binary(binary(l, strict.clone(), r), Op::Or, rest);
            }
            Some(nested(whole))
        }
        _ => None,
    }
}

/// Two periods, each from one moment to another or for an interval, share a moment.
pub(super) fn overlaps(left: Vec<Expr>, right: Vec<Expr>) -> Option<Expr> {
    use BinaryOperator as Op;
    let ends = |row: Vec<Expr>| -> Option<(Expr, Expr)> {
        let [start, end] = <[Expr; 2]>::try_from(row).ok()?;
        let end = match end {
            Expr::Cast {
                data_type: DataType::Interval { .. },
                ..
            } => nested(binary(start.clone(), Op::Plus, end)),
            other => other,
        };
        Some((
            call("least", vec![start.clone(), end.clone()]),
            call("greatest", vec![start, end]),
        ))
    };
    let ((from, to), (other_from, other_to)) = (ends(left)?, ends(right)?);
    let begins = binary(from.clone(), Op::Lt, other_to);
    let goes_on = binary(other_from.clone(), Op::Lt, to);
    let both = nested(binary(begins, Op::And, goes_on));
    let together = binary(from, Op::Eq, other_from);
    Some(nested(binary(both, Op::Or, together)))
}
