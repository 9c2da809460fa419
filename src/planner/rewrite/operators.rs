//! PostgreSQL's long spellings: `OPERATOR(pg_catalog.~)`, `COLLATE` by the only collation there is,
//! `ARRAY(SELECT …)`, and names of columns that `*` leaves out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Distinct, DuplicateTreatment, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, GroupByExpr,
    Ident, ObjectName, OrderByExpr, OrderByKind, Query, SelectItem, SetExpr, TableFactor,
    UnaryOperator, Value, VisitMut, VisitorMut, WindowSpec, WindowType,
};

use super::functions::{called, strip_schema};
use super::spelling::parsed_query;
use tessera_udfs::walk::walk_mut;

/// The function that makes an array of a sub-query's rows, empty if there are none.
pub(in crate::planner) const ARRAY_OF_ROWS: &str = "array_of_rows";

/// The function that makes an array of an array's elements, each with its place from 1.
pub(in crate::planner) const ELEMENTS_AND_PLACES: &str = "elements_and_places";

/// Spells operators, collations and arrays as the engine does; tells whether the statement names a
/// column that `*` leaves out.
pub(in crate::planner) fn short_spellings(node: &mut impl VisitMut) -> bool {
    let mut speller = Speller { hidden: false };
    let _: ControlFlow<()> = walk_mut(node, &mut speller);
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
            Expr::Function(call) => {
                array_of_rows(call);
                expanded_array(call);
                subscripts(call);
            }
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
        if let Some(field) = field_of_record(expr) {
            *expr = field;
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

/// `(record).field` is a call.
fn field_of_record(expr: &Expr) -> Option<Expr> {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else {
        return None;
    };
    let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice() else {
        return None;
    };
    let record = match root.as_ref() {
        Expr::Nested(inner) => inner.as_ref().clone(),
        other => other.clone(),
    };
    let field = match field.quote_style {
        Some(_) => field.value.clone(),
        None => field.value.to_lowercase(),
    };
    let field = Expr::Value(Value::SingleQuotedString(field).into());
    Some(two("get_field", record, field))
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

fn plain_argument(argument: &FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

fn is_named(name: &ObjectName, wanted: &str) -> bool {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .is_some_and(|name| name.value.eq_ignore_ascii_case(wanted))
}

fn arguments(call: &Function) -> Option<Vec<Expr>> {
    match &call.args {
        FunctionArguments::List(list) => list.args.iter().map(plain_argument).collect(),
        _ => None,
    }
}

/// `generate_subscripts(a, d [, reverse])` is a series from the first subscript to the last.
fn subscripts(call: &mut Function) {
    if !is_named(&call.name, "generate_subscripts") {
        return;
    }
    let Some(given) = arguments(call) else {
        return;
    };
    let (array, dimension, reverse) = match given.as_slice() {
        [array, dimension] => (array, dimension, None),
        [array, dimension, reverse] => (array, dimension, Some(reverse)),
        _ => return,
    };
    let lower = two("array_lower", array.clone(), dimension.clone());
    let upper = two("array_upper", array.clone(), dimension.clone());
    let reversed = match reverse {
        Some(Expr::Value(value)) => matches!(value.value, Value::Boolean(true)),
        Some(_) => return,
        None => false,
    };
    *call = match called(
        "generate_series",
        if reversed {
            let minus_one = Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(Expr::Value(Value::Number("1".to_owned(), false).into())),
            };
            vec![upper, lower, minus_one]
        } else {
            vec![lower, upper]
        },
    ) {
        Expr::Function(series) => series,
        _ => return,
    };
}

/// `information_schema._pg_expandarray(a)` is a row for each element, with its place.
fn expanded_array(call: &mut Function) {
    if !is_named(&call.name, "_pg_expandarray") {
        return;
    }
    let mut inner = call.clone();
    inner.name = ObjectName::from(vec![Ident::new(ELEMENTS_AND_PLACES)]);
    let inner = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(inner)));
    *call = function("unnest", inner, Vec::new());
}

fn two(name: &str, first: Expr, second: Expr) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    let mut call = function(name, argument(first), Vec::new());
    if let FunctionArguments::List(list) = &mut call.args {
        list.args.push(argument(second));
    }
    Expr::Function(call)
}

/// Makes one array of a query's rows; `false` for a query of another shape.
fn aggregate(query: &mut Query) -> bool {
    let order = query.order_by.as_ref().map(|order| order.kind.clone());
    let bounded = query.limit_clause.is_some() || query.fetch.is_some();
    if query.with.is_some() || matches!(order, Some(OrderByKind::All(_))) {
        return false;
    }
    let SetExpr::Select(select) = query.body.as_mut() else {
        return false;
    };
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(list, modifiers) => !list.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    let distinct = match &select.distinct {
        None => false,
        Some(Distinct::Distinct) if !bounded => true,
        Some(_) => return false,
    };
    if grouped || select.having.is_some() || (bounded && order.is_none()) {
        return false;
    }
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_mut_slice()
    else {
        return false;
    };
    let order: Vec<OrderByExpr> = match order {
        Some(OrderByKind::Expressions(list)) => list,
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
    if bounded {
        return numbered(query, order);
    }
    if distinct && order.iter().any(|by| by.expr != *item) {
        return false;
    }
    query.order_by = None;
    select.distinct = None;
    let clauses = if order.is_empty() {
        Vec::new()
    } else {
        vec![FunctionArgumentClause::OrderBy(order)]
    };
    let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(item.clone()));
    let mut call = function("array_agg", argument, clauses);
    if let (true, FunctionArguments::List(list)) = (distinct, &mut call.args) {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    }
    *item = Expr::Function(call);
    true
}

/// The first rows of an order keep it by their numbers.
fn numbered(query: &mut Query, order: Vec<OrderByExpr>) -> bool {
    let template =
        "SELECT array_agg(element ORDER BY place) FROM (SELECT 1) AS numbered (element, place)";
    let Some(mut outer) = parsed_query(template) else {
        return false;
    };
    let number = WindowType::WindowSpec(WindowSpec {
        window_name: None,
        partition_by: Vec::new(),
        order_by: order,
        window_frame: None,
    });
    let SetExpr::Select(select) = query.body.as_mut() else {
        return false;
    };
    let Expr::Function(mut place) = called("row_number", Vec::new()) else {
        return false;
    };
    place.over = Some(number);
    select.projection.push(SelectItem::ExprWithAlias {
        expr: Expr::Function(place),
        alias: Ident::new("place_of_element"),
    });
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(TableFactor::Derived { subquery, .. }) =
            select.from.first_mut().map(|from| &mut from.relation)
    {
        std::mem::swap(subquery.as_mut(), query);
        *query = *outer;
        return true;
    }
    false
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
