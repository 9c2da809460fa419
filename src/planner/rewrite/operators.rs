//! PostgreSQL's long spellings: `OPERATOR(pg_catalog.~)`, `COLLATE` by the only collation there is,
//! `ARRAY(SELECT …)`, and names of columns that `*` leaves out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, GroupByExpr, Ident,
    ObjectName, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr,
    TableAliasColumnDef, TableFactor, Value, VisitMut, VisitorMut,
};

use super::functions::strip_schema;

/// The function that makes an array of a sub-query's rows, empty if there are none.
pub(in crate::planner) const ARRAY_OF_ROWS: &str = "array_of_rows";

/// The function that makes an array of an array's elements, each with its place from 1.
pub(in crate::planner) const ELEMENTS_AND_PLACES: &str = "elements_and_places";

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
            Expr::Function(call) => {
                array_of_rows(call);
                expanded_array(call);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for from in &mut select.from {
            if let Some(condition) = bounded_subscripts(&mut from.relation) {
                select.selection = Some(match select.selection.take() {
                    Some(other) => and(condition, other),
                    None => condition,
                });
            }
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                series_of_rows(expr);
            }
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
        name_of_series(factor);
        unnested(factor);
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
    if let Some(array) = of_elements(query) {
        let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(array));
        *call = function(ARRAY_OF_ROWS, argument, Vec::new());
        return;
    }
    if !aggregate(query) {
        return;
    }
    let query = query.clone();
    let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)));
    *call = function(ARRAY_OF_ROWS, argument, Vec::new());
}

/// Functions of one nameless column: it is called like the alias.
const NAMELESS: [&str; 6] = [
    "generate_series",
    "json_object_keys",
    "jsonb_object_keys",
    "regexp_split_to_table",
    "string_to_table",
    "unnest",
];

fn name_of_series(factor: &mut TableFactor) {
    if let TableFactor::Table {
        name,
        args: Some(_),
        alias: Some(alias),
        with_ordinality: false,
        ..
    } = factor
        && alias.columns.is_empty()
        && NAMELESS.iter().any(|function| is_named(name, function))
    {
        alias.columns.push(TableAliasColumnDef {
            name: alias.name.clone(),
            data_type: None,
        });
    }
}

/// `FROM unnest(…)` is a kind of table of its own.
fn unnested(factor: &mut TableFactor) {
    let TableFactor::Table {
        name,
        args: Some(args),
        alias,
        with_ordinality,
        ..
    } = factor
    else {
        return;
    };
    if *with_ordinality || !is_named(name, "unnest") {
        return;
    }
    let arrays: Option<Vec<Expr>> = args.args.iter().map(plain_argument).collect();
    if let Some(array_exprs) = arrays {
        *factor = TableFactor::UNNEST {
            alias: alias.take(),
            array_exprs,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        };
    }
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

/// A series in a select list is a row for each number.
fn series_of_rows(expr: &mut Expr) {
    let Expr::Function(call) = expr else {
        return;
    };
    let Some(given) = arguments(call) else {
        return;
    };
    let series = match given.as_slice() {
        [array, dimension] if is_named(&call.name, "generate_subscripts") => two(
            "generate_series",
            two("array_lower", array.clone(), dimension.clone()),
            two("array_upper", array.clone(), dimension.clone()),
        ),
        _ if is_named(&call.name, "generate_series") => expr.clone(),
        _ => return,
    };
    let series = FunctionArg::Unnamed(FunctionArgExpr::Expr(series));
    *expr = Expr::Function(function("unnest", series, Vec::new()));
}

/// The most columns of a table, and so the most subscripts of a catalog's array.
const MAX_SUBSCRIPT: &str = "1600";

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(Expr::Nested(Box::new(right))),
    }
}

/// `FROM generate_series(0, array_upper(a, 1)) s`, whose end is another for each row around it, is
/// a series to the highest subscript there can be, with a condition on `s`.
fn bounded_subscripts(factor: &mut TableFactor) -> Option<Expr> {
    let TableFactor::Table {
        name,
        args: Some(args),
        alias: Some(alias),
        ..
    } = factor
    else {
        return None;
    };
    let [_, FunctionArg::Unnamed(FunctionArgExpr::Expr(end))] = args.args.as_mut_slice() else {
        return None;
    };
    let Expr::Function(call) = &*end else {
        return None;
    };
    let ends = is_named(&call.name, "array_upper") || is_named(&call.name, "array_length");
    if !ends || !is_named(name, "generate_series") {
        return None;
    }
    let number = alias
        .columns
        .first()
        .map_or(&alias.name, |column| &column.name);
    let highest = Expr::Value(Value::Number(MAX_SUBSCRIPT.to_owned(), false).into());
    Some(Expr::BinaryOp {
        left: Box::new(Expr::Identifier(number.clone())),
        op: BinaryOperator::LtEq,
        right: Box::new(std::mem::replace(end, highest)),
    })
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

/// The text that stands between elements while an array is one text.
const SEPARATOR: &str = "\u{1f}";

/// `SELECT x FROM unnest(a) x` and `SELECT 'prefix' || x FROM unnest(a) x` without a sub-query.
fn of_elements(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    let [from] = select.from.as_slice() else {
        return None;
    };
    if select.selection.is_some() || !from.joins.is_empty() {
        return None;
    }
    let TableFactor::Table {
        name,
        args: Some(args),
        alias: Some(alias),
        ..
    } = &from.relation
    else {
        return None;
    };
    let [array] = args.args.as_slice() else {
        return None;
    };
    if !is_named(name, "unnest") {
        return None;
    }
    let array = plain_argument(array)?;
    let element = alias
        .columns
        .first()
        .map_or(&alias.name, |column| &column.name);
    let is_element = |expr: &Expr| matches!(expr, Expr::Identifier(name) if name == element);
    match item {
        expr if is_element(expr) => Some(array),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } if is_element(right) => {
            let Expr::Value(value) = left.as_ref() else {
                return None;
            };
            let Value::SingleQuotedString(prefix) = &value.value else {
                return None;
            };
            let text = |text: String| Expr::Value(Value::SingleQuotedString(text).into());
            let joined = two(
                "array_to_string",
                array,
                text(format!("{SEPARATOR}{prefix}")),
            );
            let joined = Expr::BinaryOp {
                left: Box::new(text(prefix.clone())),
                op: BinaryOperator::StringConcat,
                right: Box::new(joined),
            };
            Some(two("string_to_array", joined, text(SEPARATOR.to_owned())))
        }
        _ => None,
    }
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
