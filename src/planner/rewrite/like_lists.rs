//! `LIKE ANY` and `LIKE ALL` of patterns that are written out.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

use super::spelling::chain;

/// `x LIKE ANY (ARRAY[…])` is an alternative of LIKEs.
pub(super) fn like_any(expr: &Expr) -> Option<Expr> {
    let (Expr::Like { pattern, .. } | Expr::ILike { pattern, .. }) = expr else {
        return None;
    };
    alternatives(expr, elements(pattern)?, BinaryOperator::Or)
}

/// `x LIKE ALL (ARRAY[…])` is a chain of LIKEs.
pub(super) fn like_all(expr: &Expr) -> Option<Expr> {
    let (Expr::Like { pattern, .. } | Expr::ILike { pattern, .. }) = expr else {
        return None;
    };
    let Expr::Function(function) = pattern.as_ref() else {
        return None;
    };
    let name = function.name.to_string();
    let op = match name.to_ascii_lowercase().as_str() {
        "all" => BinaryOperator::And,
        "any" | "some" => BinaryOperator::Or,
        _ => return None,
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))] = list.args.as_slice() else {
        return None;
    };
    alternatives(expr, elements(array)?, op)
}

pub(super) fn elements(array: &Expr) -> Option<&[Expr]> {
    match array {
        Expr::Array(array) => Some(&array.elem),
        Expr::Nested(inner) => elements(inner),
        _ => None,
    }
}

pub(super) fn alternatives(like: &Expr, patterns: &[Expr], op: BinaryOperator) -> Option<Expr> {
    let each = patterns.iter().map(|one| {
        let mut like = like.clone();
        if let Expr::Like { any, pattern, .. } | Expr::ILike { any, pattern, .. } = &mut like {
            *any = false;
            **pattern = one.clone();
        }
        like
    });
    chain(each, &op)
}

/// Whether an array is written out and not empty, with no NULL among its elements.
pub(super) fn holds_no_null(array: &Expr) -> bool {
    match array {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => holds_no_null(inner),
        Expr::Array(array) => {
            let known =
                |element: &Expr| matches!(element, Expr::Value(v) if v.value != Value::Null);
            !array.elem.is_empty() && array.elem.iter().all(known)
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => {
                text.trim() != "{}" && !text.to_ascii_lowercase().contains("null")
            }
            // Its type is told by the comparison.
            Value::Placeholder(_) => true,
            _ => false,
        },
        _ => false,
    }
}
