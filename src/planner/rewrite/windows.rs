//! Windows that build on others: `WINDOW w AS (…), v AS (w ORDER BY x)` and `OVER (w ROWS …)`, of which the
//! engine would drop what comes from the other; and spans that bound a frame, which the engine takes as texts.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, Ident, NamedWindowExpr, Query, Select, SelectItem, Statement, Value,
    VisitorMut, WindowFrameBound, WindowSpec, WindowType,
};
use tessera_udfs::walk::walk_mut;

use crate::error::{Error, Result};
use crate::planner::exclusion::MARK;

/// Spells the windows of a statement out.
///
/// # Errors
/// A window that is not there, or one that says again what it has from another.
pub(in crate::planner) fn spell_out(statement: &mut Statement) -> Result<()> {
    match walk_mut(statement, &mut Windows) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Windows;

impl VisitorMut for Windows {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        let mut known: Vec<(Ident, WindowSpec)> = Vec::new();
        for definition in &mut select.named_window {
            let spec = match &definition.1 {
                NamedWindowExpr::NamedWindow(name) => of_name(&known, name).cloned(),
                NamedWindowExpr::WindowSpec(spec) => whole(spec, &known),
            };
            match spec {
                Ok(mut spec) => {
                    plain_bounds(&mut spec);
                    definition.1 = NamedWindowExpr::WindowSpec(spec.clone());
                    known.push((definition.0.clone(), spec));
                }
                Err(error) => return ControlFlow::Break(error),
            }
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                walk_mut(
                    expr,
                    &mut Calls {
                        known: &known,
                        below: 0,
                    },
                )?;
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Function(function) = expr
            && let Some(WindowType::WindowSpec(spec)) = &mut function.over
        {
            plain_bounds(spec);
        }
        ControlFlow::Continue(())
    }
}

/// The calls of one select list; those of sub-queries have windows of their own.
struct Calls<'a> {
    known: &'a [(Ident, WindowSpec)],
    below: usize,
}

impl VisitorMut for Calls<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.below += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.below -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if let Expr::Function(function) = expr
            && self.below == 0
            && let Some(WindowType::WindowSpec(spec)) = &mut function.over
            && spec.window_name.is_some()
        {
            match whole(spec, self.known) {
                Ok(whole) => *spec = whole,
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    }
}

fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

fn of_name<'a>(known: &'a [(Ident, WindowSpec)], name: &Ident) -> Result<&'a WindowSpec> {
    let wanted = folded(name);
    let found = known.iter().find(|(known, _)| folded(known) == wanted);
    found.map(|(_, spec)| spec).ok_or_else(|| {
        let message = format!("window \"{wanted}\" does not exist");
        refused("42704", message)
    })
}

fn refused(sqlstate: &'static str, message: String) -> Error {
    Error::Function {
        sqlstate,
        message,
        hint: None,
        detail: None,
    }
}

/// A window with what it has from the one that it names.
fn whole(spec: &WindowSpec, known: &[(Ident, WindowSpec)]) -> Result<WindowSpec> {
    let Some(name) = &spec.window_name else {
        return Ok(spec.clone());
    };
    let base = of_name(known, name)?;
    let name = folded(name);
    let again = |what: &str| {
        let message = format!("cannot override {what} clause of window \"{name}\"");
        Err(refused("42P20", message))
    };
    let (marks, own): (Vec<&Expr>, Vec<&Expr>) =
        spec.partition_by.iter().partition(|expr| is_mark(expr));
    if !own.is_empty() {
        return again("PARTITION BY");
    }
    if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return again("ORDER BY");
    }
    if base.window_frame.is_some() {
        let message = format!("cannot copy window \"{name}\" because it has a frame clause");
        return Err(refused("42P20", message));
    }
    let order_by = match spec.order_by.as_slice() {
        [] => base.order_by.clone(),
        own => own.to_vec(),
    };
    let partition_by = base.partition_by.iter().chain(marks).cloned().collect();
    Ok(WindowSpec {
        window_name: None,
        partition_by,
        order_by,
        window_frame: spec.window_frame.clone(),
    })
}

/// Whether this is no column to partition by, but tells of the rows that the frame leaves out.
fn is_mark(expr: &Expr) -> bool {
    let Expr::IsNull(constant) = expr else {
        return false;
    };
    matches!(constant.as_ref(), Expr::Value(value)
        if matches!(&value.value, Value::SingleQuotedString(text) if text.starts_with(MARK)))
}

fn plain_bounds(spec: &mut WindowSpec) {
    let Some(frame) = &mut spec.window_frame else {
        return;
    };
    for bound in std::iter::once(&mut frame.start_bound).chain(&mut frame.end_bound) {
        let (WindowFrameBound::Preceding(Some(offset)) | WindowFrameBound::Following(Some(offset))) =
            bound
        else {
            continue;
        };
        if let Some(text) = text_of(offset) {
            **offset = Expr::Value(Value::SingleQuotedString(text).into());
        }
    }
}

/// The text of a span that is written out.
fn text_of(offset: &Expr) -> Option<String> {
    let text = |value: &Expr| match value {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    match offset {
        Expr::Nested(inner) => text_of(inner),
        Expr::Interval(interval) => {
            let text = text(&interval.value)?;
            Some(match (&interval.leading_field, &interval.last_field) {
                (Some(unit), None) if text.trim().parse::<f64>().is_ok() => {
                    format!("{} {unit}", text.trim()).to_lowercase()
                }
                _ => text,
            })
        }
        Expr::Cast {
            expr,
            data_type: DataType::Interval { .. },
            ..
        } => text(expr),
        _ => None,
    }
}
