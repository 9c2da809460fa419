//! PostgreSQL's long spellings: `OPERATOR(pg_catalog.~)`, `COLLATE` by the only collation there is,
//! `ARRAY(SELECT …)`, and names of columns that `*` leaves out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, ObjectName, OrderBy, OrderByExpr,
    OrderByKind, Query, SelectItem, SetExpr, TableFactor, Value, VisitMut, VisitorMut,
};

use super::functions::strip_schema;

/// The function that makes an array of a sub-query's rows, empty if there are none.
pub(in crate::planner) const ARRAY_OF_ROWS: &str = "array_of_rows";

/// Spells operators, collations and arrays as the engine does; tells whether the statement names a
/// column that `*` leaves out.
pub(in crate::planner) fn short_spellings(node: &mut impl VisitMut) -> bool {
    let mut speller = Speller { hidden: false };
    let _: ControlFlow<()> = node.visit(&mut speller);
    speller.hidden
}

struct Speller {
    hidden: bool,
}

impl VisitorMut for Speller {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp {
                op: op @ BinaryOperator::PGCustomBinaryOperator(_),
                ..
            } => {
                if let Some(plain) = plain_operator(op) {
                    *op = plain;
                }
            }
            Expr::Identifier(name) => self.see(name),
            Expr::CompoundIdentifier(names) => names.iter().for_each(|name| self.see(name)),
            Expr::Function(call) => array_of_rows(call),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Collate {
            expr: inner,
            collation,
        } = expr
            && is_known(collation)
        {
            *expr = std::mem::replace(inner, Expr::Value(Value::Null.into()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => strip_schema(name),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Speller {
    fn see(&mut self, name: &Ident) {
        let hidden = tessera_catalog::system::HIDDEN.iter();
        self.hidden |= hidden
            .map(|(hidden, _)| hidden)
            .any(|hidden| name.value.eq_ignore_ascii_case(hidden));
    }
}

/// Text is ordered by its bytes, which is what these collations say.
fn is_known(collation: &ObjectName) -> bool {
    let name = collation.0.last().and_then(|part| part.as_ident());
    name.is_some_and(|name| {
        ["default", "c", "posix", "ucs_basic", "c.utf-8"]
            .iter()
            .any(|known| name.value.eq_ignore_ascii_case(known))
    })
}

fn plain_operator(op: &BinaryOperator) -> Option<BinaryOperator> {
    use BinaryOperator as Op;
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else {
        return None;
    };
    Some(match parts.last()?.as_str() {
        "~" => Op::PGRegexMatch,
        "~*" => Op::PGRegexIMatch,
        "!~" => Op::PGRegexNotMatch,
        "!~*" => Op::PGRegexNotIMatch,
        "~~" => Op::PGLikeMatch,
        "~~*" => Op::PGILikeMatch,
        "!~~" => Op::PGNotLikeMatch,
        "!~~*" => Op::PGNotILikeMatch,
        "=" => Op::Eq,
        "<>" | "!=" => Op::NotEq,
        "<" => Op::Lt,
        "<=" => Op::LtEq,
        ">" => Op::Gt,
        ">=" => Op::GtEq,
        "+" => Op::Plus,
        "-" => Op::Minus,
        "*" => Op::Multiply,
        "/" => Op::Divide,
        "%" => Op::Modulo,
        "||" => Op::StringConcat,
        _ => return None,
    })
}

/// `ARRAY(SELECT x … ORDER BY y)` is `array_of_rows((SELECT array_agg(x ORDER BY y) …))`.
fn array_of_rows(call: &mut Function) {
    let [name] = call.name.0.as_slice() else {
        return;
    };
    if !name
        .as_ident()
        .is_some_and(|name| name.value.eq_ignore_ascii_case("array"))
    {
        return;
    }
    let FunctionArguments::Subquery(query) = &mut call.args else {
        return;
    };
    if !aggregate(query) {
        return;
    }
    let query = query.clone();
    let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)));
    *call = function(ARRAY_OF_ROWS, argument, Vec::new());
}

/// Makes one array of a query's rows; `false` for a query of another shape.
fn aggregate(query: &mut Query) -> bool {
    let order = query.order_by.as_ref().map(|order| order.kind.clone());
    let plain = query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && !matches!(order, Some(OrderByKind::All(_)));
    let SetExpr::Select(select) = query.body.as_mut() else {
        return false;
    };
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(list, modifiers) => !list.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    if !plain || grouped || select.distinct.is_some() || select.having.is_some() {
        return false;
    }
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return false;
    };
    let order = match query.order_by.take() {
        Some(OrderBy {
            kind: OrderByKind::Expressions(list),
            ..
        }) => list,
        _ => Vec::new(),
    };
    let order: Vec<OrderByExpr> = order
        .into_iter()
        .map(|mut by| {
            // `ORDER BY 1` is by the only column.
            if matches!(&by.expr, Expr::Value(value) if matches!(value.value, Value::Number(..))) {
                by.expr = item.clone();
            }
            by
        })
        .collect();
    let clauses = if order.is_empty() {
        Vec::new()
    } else {
        vec![FunctionArgumentClause::OrderBy(order)]
    };
    let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(item.clone()));
    *item = Expr::Function(function("array_agg", argument, clauses));
    true
}

fn function(name: &str, argument: FunctionArg, clauses: Vec<FunctionArgumentClause>) -> Function {
    Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument],
            clauses,
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    }
}
