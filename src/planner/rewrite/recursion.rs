//! The first and next terms of WITH RECURSIVE, which must be of the same types before they are planned.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Ident, Query, Select, SelectItem, SetExpr, Value, VisitorMut,
};
use tessera_udfs::walk::walk_mut;

pub(super) struct Typed;

impl VisitorMut for Typed {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Number(digits, _) = &value.value
            && digits.parse::<i32>().is_ok()
        {
            *expr = Expr::Cast {
                kind: CastKind::DoubleColon,
                expr: Box::new(expr.clone()),
                data_type: DataType::Integer(None),
                array: false,
                format: None,
            };
        }
        ControlFlow::Continue(())
    }
}

/// Whole numbers in a recursive query are told to be `integer` before planning, because its two
/// terms must have the same types then.
pub(super) struct Integers;

impl VisitorMut for Integers {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            let SelectItem::UnnamedExpr(expr) = item else {
                if let SelectItem::ExprWithAlias { expr, .. } = item {
                    let _: ControlFlow<()> = walk_mut(expr, &mut Typed);
                }
                continue;
            };
            if let Expr::Value(_) = expr {
                let alias = Ident::with_quote('"', super::output_names::output_name(expr));
                let mut typed = expr.clone();
                let _: ControlFlow<()> = walk_mut(&mut typed, &mut Typed);
                *item = SelectItem::ExprWithAlias { expr: typed, alias };
            } else {
                let _: ControlFlow<()> = walk_mut(expr, &mut Typed);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        values(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn values(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => {
            for expr in values.rows.iter_mut().flat_map(|row| row.iter_mut()) {
                let _: ControlFlow<()> = walk_mut(expr, &mut Typed);
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            values(left);
            values(right);
        }
        _ => {}
    }
}
