//! Window frames that leave rows out: the constant that the tokens were given is taken off again, and the
//! function becomes one that computes over what remains.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};
use tessera_udfs::pg::{Exclusion, Framed, PgError, excluding};

use crate::planner::exclusion::MARK;

/// Puts the function that leaves rows out in place of one whose window says so.
///
/// # Errors
/// 22016 where `nth_value` is asked for a row before the first.
pub(super) fn settle(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::WindowFunction(mut window) = expr else {
        return Ok(Transformed::no(expr));
    };
    check_place(&window)?;
    let marked = window.params.partition_by.iter().position(is_mark);
    let Some(at) = marked else {
        return Ok(Transformed::no(Expr::WindowFunction(window)));
    };
    let exclusion = exclusion_of(&window.params.partition_by.remove(at));
    let inner = match &window.fun {
        WindowFunctionDefinition::AggregateUDF(inner) => match inner.name() {
            "first_value" => Framed::First,
            "last_value" => Framed::Last,
            "nth_value" => Framed::Nth,
            _ => Framed::Aggregate(Arc::clone(inner)),
        },
        WindowFunctionDefinition::WindowUDF(inner) => match inner.name() {
            "first_value" => Framed::First,
            "last_value" => Framed::Last,
            "nth_value" => Framed::Nth,
            // The others do not look at the frame.
            _ => return Ok(Transformed::yes(Expr::WindowFunction(window))),
        },
    };
    let WindowFunction { mut params, .. } = *window;
    let filter = params.filter.take();
    let filtered = filter.is_some();
    params.args.extend(filter.map(|filter| *filter));
    let fun = WindowFunctionDefinition::WindowUDF(excluding(inner, exclusion, filtered));
    let window = WindowFunction { fun, params };
    Ok(Transformed::yes(Expr::WindowFunction(Box::new(window))))
}

fn check_place(window: &WindowFunction) -> Result<()> {
    let place = match (window.fun.name(), window.params.args.get(1)) {
        ("nth_value", Some(Expr::Literal(place, _))) => place,
        _ => return Ok(()),
    };
    match place {
        ScalarValue::Int32(Some(..=0)) | ScalarValue::Int64(Some(..=0)) => {
            Err(PgError::NthValue.into())
        }
        _ => Ok(()),
    }
}

fn mark(expr: &Expr) -> Option<&str> {
    let Expr::IsNull(constant) = expr else {
        return None;
    };
    match constant.as_ref() {
        Expr::Literal(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)), _) => {
            text.strip_prefix(MARK)
        }
        _ => None,
    }
}

fn is_mark(expr: &Expr) -> bool {
    mark(expr).is_some()
}

fn exclusion_of(expr: &Expr) -> Exclusion {
    match mark(expr) {
        Some("group") => Exclusion::Group,
        Some("ties") => Exclusion::Ties,
        _ => Exclusion::CurrentRow,
    }
}
