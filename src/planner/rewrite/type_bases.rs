//! The type below a domain, as asyncpg asks for it: a recursion over `pg_type` that looks at the query around it.
//!
//! `(WITH RECURSIVE b (oid, depth) AS (SELECT t2.typbasetype, 0 FROM pg_type t2 WHERE t2.oid = t.oid UNION ALL …)
//! SELECT oid FROM b ORDER BY depth DESC LIMIT 1)` is `pg_basetype(t.oid)`.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr, SetOperator, TableFactor,
};

use super::functions::called;

const BASE: &str = "typbasetype";

/// What such a sub-query is worth.
pub(super) fn base_of(expr: &Expr) -> Option<Expr> {
    let Expr::Subquery(query) = expr else {
        return None;
    };
    let with = query.with.as_ref().filter(|with| with.recursive)?;
    let [cte] = with.cte_tables.as_slice() else {
        return None;
    };
    let start = start_of(&cte.query)?;
    let own = types(start)?;
    let first = match start.projection.first()? {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr,
        _ => return None,
    };
    if column_of(first, BASE)? != own {
        return None;
    }
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = start.selection.as_ref()?
    else {
        return None;
    };
    let outer = column_of(right, "oid")?;
    let same = column_of(left, "oid")? == own && outer != own;
    let number = || Expr::CompoundIdentifier(vec![outer.clone(), Ident::new("oid")]);
    same.then(|| called("pg_basetype", vec![number()]))
}

/// The first part of a recursion.
fn start_of(query: &Query) -> Option<&Select> {
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        left,
        ..
    } = query.body.as_ref()
    else {
        return None;
    };
    match left.as_ref() {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The alias of `pg_type`, if a SELECT reads it alone.
fn types(select: &Select) -> Option<&Ident> {
    let [from] = select.from.as_slice() else {
        return None;
    };
    let TableFactor::Table {
        name,
        alias: Some(alias),
        ..
    } = &from.relation
    else {
        return None;
    };
    let table = name.0.last()?.as_ident()?;
    (from.joins.is_empty() && table.value.eq_ignore_ascii_case("pg_type")).then_some(&alias.name)
}

/// The qualifier of a column of this name.
fn column_of<'a>(expr: &'a Expr, name: &str) -> Option<&'a Ident> {
    match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column] if column.value.eq_ignore_ascii_case(name) => Some(table),
            _ => None,
        },
        _ => None,
    }
}
