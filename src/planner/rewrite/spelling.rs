//! What SQL says in more than one way, said in the way that the engine reads.
//!
//! Each change is one of syntax alone: it looks at no name's meaning and at no type.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, Interval, LimitClause, ObjectName,
    Query, Select, SelectItem, SetExpr, Statement, Subscript, TableAlias, TableAliasColumnDef,
    TableFactor, UnaryOperator, Value, ValueWithSpan, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use tessera_udfs::pg::ANY_OF_ARRAY;

use super::alike;
use super::counted::WITH_TIES;
use super::existence::Exists;
use super::hypothetical;
use super::like_lists::{holds_no_null, like_all, like_any};
use super::nested_arrays;
use super::recursion::Integers;
use super::row_values::{compared_rows, overlaps, row_items, rows_are};
use super::similar;
use super::type_bases;
use crate::planner::dialect::Tessera;
use crate::planner::typing::{CASE, CASE_OF, NEGATIVE};
use tessera_udfs::walk::walk_mut;

/// Functions in FROM that give one column, which then has the name of their alias.
const ONE_COLUMN: [&str; 1] = ["generate_series"];

/// The largest power of ten of a number that is written with one; a decimal holds no more.
const MAX_WRITTEN_EXPONENT: i32 = 37;

/// A place beyond the last element of any array.
const LAST_ELEMENT: i64 = 2_147_483_647;

/// The arguments of `make_interval`, which are called by name.
const INTERVAL_PARTS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];

/// Rewrites a statement.
pub(in crate::planner) fn plain(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Spelling);
}

/// Rewrites an expression.
pub(in crate::planner) fn plain_expression(expr: &mut Expr) {
    let _: ControlFlow<()> = walk_mut(expr, &mut Spelling);
}

struct Spelling;

impl VisitorMut for Spelling {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        limit_by_fetch(query);
        table_as_select(query);
        values_alike(&mut query.body);
        if let Some(with) = &mut query.with
            && with.recursive
        {
            for cte in &mut with.cte_tables {
                let _: ControlFlow<()> = walk_mut(&mut cte.query, &mut Integers);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        // One group of all rows is what an aggregate without GROUP BY makes.
        if let GroupByExpr::Expressions(groups, _) = &mut select.group_by
            && groups
                .iter()
                .all(|group| matches!(group, Expr::Tuple(items) if items.is_empty()))
        {
            groups.clear();
        }
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                let _: ControlFlow<()> = walk_mut(expr, &mut Exists { below: 0 });
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                alias: Some(alias),
                args: Some(_),
                with_ordinality: false,
                ..
            }
            | TableFactor::Function {
                name,
                alias: Some(alias),
                with_ordinality: false,
                ..
            } if is_one_column(name) => name_column(alias),
            TableFactor::UNNEST {
                array_exprs,
                alias: Some(alias),
                with_ordinality: false,
                with_offset: false,
                ..
            } if array_exprs.len() == 1 => name_column(alias),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(base) = type_bases::base_of(expr) {
            *expr = base;
        }
        if let Expr::Array(array) = expr {
            alike::elements(&mut array.elem);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(plain) = plain_of(expr) {
            *expr = plain;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        match &mut value.value {
            Value::UnicodeStringLiteral(text) => {
                value.value = Value::SingleQuotedString(std::mem::take(text));
            }
            Value::Number(digits, _) => {
                if let Some(plain) = without_exponent(digits) {
                    *digits = plain;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_one_column(name: &ObjectName) -> bool {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .is_some_and(|ident| {
            ONE_COLUMN
                .iter()
                .any(|known| ident.value.eq_ignore_ascii_case(known))
        })
}

fn name_column(alias: &mut TableAlias) {
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef {
            name: alias.name.clone(),
            data_type: None,
        });
    }
}

/// `FETCH FIRST n ROWS ONLY` is `LIMIT n`.
fn limit_by_fetch(query: &mut Query) {
    let Some(fetch) = query.fetch.take_if(|f| !f.percent) else {
        return;
    };
    let one = Expr::Value(Value::Number("1".to_owned(), false).into());
    let count = fetch.quantity.unwrap_or(one);
    let count = Some(match fetch.with_ties {
        true => call(WITH_TIES, vec![count]),
        false => count,
    });
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) if limit.is_none() => *limit = count,
        None => {
            query.limit_clause = Some(LimitClause::LimitOffset {
                limit: count,
                offset: None,
                limit_by: Vec::new(),
            });
        }
        Some(_) => query.fetch = Some(fetch_of(count)),
    }
}

fn fetch_of(quantity: Option<Expr>) -> datafusion::sql::sqlparser::ast::Fetch {
    datafusion::sql::sqlparser::ast::Fetch {
        with_ties: false,
        percent: false,
        quantity,
    }
}

/// `TABLE t` is `SELECT * FROM t`.
fn table_as_select(query: &mut Query) {
    let SetExpr::Table(table) = query.body.as_ref() else {
        return;
    };
    let Some(name) = &table.table_name else {
        return;
    };
    let name = match &table.schema_name {
        Some(schema) => format!("{schema}.{name}"),
        None => name.clone(),
    };
    if let Some(select) = parsed_query(&format!("SELECT * FROM {name}")) {
        query.body = select.body;
    }
}

pub(super) fn parsed_query(text: &str) -> Option<Box<Query>> {
    match Parser::parse_sql(&Tessera, text).ok()?.pop()? {
        Statement::Query(query) => Some(query),
        _ => None,
    }
}

/// The other spelling of an expression, if there is one.
fn plain_of(expr: &mut Expr) -> Option<Expr> {
    let taken = |expr: &mut Expr| std::mem::replace(expr, Expr::Value(Value::Null.into()));
    Some(match expr {
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => call("timezone", vec![taken(time_zone), taken(timestamp)]),
        Expr::Interval(interval) => interval_text(interval)?,
        Expr::Cast {
            expr, data_type, ..
        } if is_float(data_type) => {
            read_as_float(expr);
            return None;
        }
        Expr::Cast {
            expr, data_type, ..
        } => {
            nested_arrays::deepen(expr, data_type);
            return None;
        }
        Expr::Collate { expr, collation } if is_bytewise(collation) => taken(expr),
        Expr::Like {
            pattern,
            escape_char: escape @ Some(_),
            ..
        }
        | Expr::ILike {
            pattern,
            escape_char: escape @ Some(_),
            ..
        } => {
            let escape = Expr::Value(escape.take()?);
            **pattern = call("like_escape", vec![taken(pattern), escape]);
            return None;
        }
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => like_any(expr)?,
        Expr::Like { .. } | Expr::ILike { .. } => like_all(expr)?,
        Expr::SimilarTo {
            negated,
            expr,
            pattern,
            escape_char,
        } => {
            let Expr::Value(value) = pattern.as_ref() else {
                return None;
            };
            let text = value.value.clone().into_string()?;
            let escape = match escape_char {
                Some(value) => value.value.clone().into_string()?.chars().next(),
                None => Some('\\'),
            };
            let regex = Value::SingleQuotedString(similar::regex_of(&text, escape));
            let op = if *negated {
                BinaryOperator::PGRegexNotMatch
            } else {
                BinaryOperator::PGRegexMatch
            };
            binary(taken(expr), op, Expr::Value(regex.into()))
        }
        Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::PGSquareRoot => call("sqrt", vec![as_float(taken(expr))]),
            UnaryOperator::PGCubeRoot => call("cbrt", vec![as_float(taken(expr))]),
            UnaryOperator::PGAbs => call("abs", vec![taken(expr)]),
            // The sign of a literal is part of it; of all else only numbers know what it means.
            UnaryOperator::Minus if !is_written_number(expr) => call(NEGATIVE, vec![taken(expr)]),
            // In two's complement the bits of x turned over are -x - 1.
            UnaryOperator::BitwiseNot => {
                let minus_one = number(-1);
                nested(binary(
                    minus_one,
                    BinaryOperator::Minus,
                    nested(taken(expr)),
                ))
            }
            _ => return None,
        },
        Expr::Case { .. } => case_call(expr)?,
        Expr::IsNull(inner) => rows_are(inner, |item| Expr::IsNull(Box::new(item)))?,
        Expr::IsNotNull(inner) => rows_are(inner, |item| Expr::IsNotNull(Box::new(item)))?,
        Expr::BinaryOp {
            left,
            op: BinaryOperator::PGStartsWith,
            right,
        } => call("starts_with", vec![taken(left), taken(right)]),
        Expr::BinaryOp { left, op, right } => {
            let (left, right) = (row_items(left)?, row_items(right)?);
            match op {
                BinaryOperator::Overlaps if left.len() == 2 && right.len() == 2 => {
                    overlaps(left, right)?
                }
                _ => compared_rows(left, op, right)?,
            }
        }
        Expr::AnyOp { left, right, .. }
            if !matches!(right.as_ref(), Expr::Subquery(_)) && !holds_no_null(right) =>
        {
            let (value, array) = (left.as_ref().clone(), right.as_ref().clone());
            call(ANY_OF_ARRAY, vec![expr.clone(), array, value])
        }
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let row = row_items(expr)?;
            let same = list
                .iter()
                .map(|item| compared_rows(row.clone(), &BinaryOperator::Eq, row_items(item)?));
            let any = chain(
                same.collect::<Option<Vec<_>>>()?.into_iter(),
                &BinaryOperator::Or,
            )?;
            match negated {
                true => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(any),
                },
                false => any,
            }
        }
        Expr::Function(function) => {
            return hypothetical::counted(function).or_else(|| named_call(function));
        }
        Expr::CompoundFieldAccess { access_chain, .. } => {
            access_chain.iter_mut().for_each(close_slice);
            return None;
        }
        _ => return None,
    })
}

/// A slice without a bound goes from the first element or to the last.
fn close_slice(access: &mut AccessExpr) {
    if let AccessExpr::Subscript(Subscript::Slice {
        lower_bound,
        upper_bound,
        ..
    }) = access
    {
        lower_bound.get_or_insert_with(|| number(1));
        upper_bound.get_or_insert_with(|| number(LAST_ELEMENT));
    }
}

/// The operators of roots know floating point alone.
fn as_float(expr: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::DoublePrecision,
        array: false,
        format: None,
    }
}

fn is_written_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Number(..)))
        || matches!(expr, Expr::Interval(_))
}

/// `CASE` as a call that knows the types of all its branches: an operand if there is one, then
/// conditions and results in turn, then what ELSE gives.
fn case_call(expr: &mut Expr) -> Option<Expr> {
    let Expr::Case {
        operand,
        conditions,
        else_result,
        ..
    } = expr
    else {
        return None;
    };
    let name = if operand.is_some() { CASE_OF } else { CASE };
    let mut args: Vec<Expr> = Vec::with_capacity(2 * conditions.len() + 2);
    args.extend(operand.take().map(|operand| *operand));
    for when in std::mem::take(conditions) {
        args.push(when.condition);
        args.push(when.result);
    }
    args.extend(else_result.take().map(|result| *result));
    Some(call(name, args))
}

/// `1e3` is `1000`: the engine reads no exponents into exact numbers.
fn without_exponent(digits: &str) -> Option<String> {
    let (mantissa, exponent) = digits.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    if exponent.abs() > MAX_WRITTEN_EXPONENT {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = [whole, fraction].concat();
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let length = i32::try_from(all.len()).ok()?;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    Some(if point >= length {
        format!("{all}{}.", zeros(point - length))
    } else if point <= 0 {
        format!("0.{}{all}", zeros(-point))
    } else {
        let (whole, fraction) = all.split_at(usize::try_from(point).ok()?);
        format!("{whole}.{fraction}")
    })
}

fn is_float(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Real
            | DataType::Float4
            | DataType::Float8
            | DataType::DoublePrecision
            | DataType::Float(_)
            | DataType::Double(_)
    )
}

/// A number that is cast to floating point is read as such, not as a decimal first.
fn read_as_float(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => read_as_float(inner),
        Expr::Value(value) => {
            if let Value::Number(digits, _) = &value.value
                && digits.contains(['.', 'e', 'E'])
            {
                value.value = Value::SingleQuotedString(digits.clone());
            }
        }
        _ => {}
    }
}

/// `INTERVAL '5' MINUTE` is `'5 minute'::interval`, which reads all of PostgreSQL's forms.
fn interval_text(interval: &Interval) -> Option<Expr> {
    let Expr::Value(value) = interval.value.as_ref() else {
        return None;
    };
    let mut text = value.value.clone().into_string()?;
    if let (Some(unit), None) = (&interval.leading_field, &interval.last_field)
        && text.trim().parse::<f64>().is_ok()
    {
        text = format!("{} {unit}", text.trim()).to_lowercase();
    }
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::SingleQuotedString(text).into())),
        data_type: DataType::Interval {
            fields: None,
            precision: None,
        },
        array: false,
        format: None,
    })
}

fn named_call(function: &mut Function) -> Option<Expr> {
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    match name.as_str() {
        "array" => {
            let FunctionArguments::Subquery(query) = &function.args else {
                return None;
            };
            let mut outer = parsed_query(
                "SELECT coalesce(array_agg(element), ARRAY[]) FROM (SELECT 1) AS items (element)",
            )?;
            if let SetExpr::Select(select) = outer.body.as_mut()
                && let TableFactor::Derived { subquery, .. } =
                    &mut select.from.first_mut()?.relation
            {
                *subquery = query.clone();
            }
            Some(Expr::Subquery(outer))
        }
        "variance" => {
            function.name = ObjectName::from(vec![Ident::new("var_samp")]);
            None
        }
        "every" => {
            function.name = ObjectName::from(vec![Ident::new("bool_and")]);
            None
        }
        "make_interval" => {
            let FunctionArguments::List(list) = &mut function.args else {
                return None;
            };
            positional(&mut list.args, &INTERVAL_PARTS);
            None
        }
        _ => None,
    }
}

/// Puts arguments that are given by name into their places, zeros between.
fn positional(args: &mut Vec<FunctionArg>, names: &[&str]) {
    let unnamed = args
        .iter()
        .position(|arg| !matches!(arg, FunctionArg::Unnamed(_)));
    let Some(unnamed) = unnamed else {
        return;
    };
    let mut placed: Vec<Option<FunctionArgExpr>> = vec![None; names.len()];
    for (index, arg) in args.iter().enumerate() {
        let (place, value) = match arg {
            FunctionArg::Unnamed(value) => (Some(index), value),
            FunctionArg::Named { name, arg, .. } => {
                let named = names
                    .iter()
                    .position(|n| name.value.eq_ignore_ascii_case(n));
                (named, arg)
            }
            FunctionArg::ExprNamed { name, arg, .. } => {
                let name = name.to_string();
                (names.iter().position(|n| name.eq_ignore_ascii_case(n)), arg)
            }
        };
        match place.and_then(|place| placed.get_mut(place)) {
            Some(slot) if slot.is_none() => *slot = Some(value.clone()),
            _ => return,
        }
    }
    let last = placed.iter().rposition(Option::is_some).unwrap_or(unnamed);
    *args = placed
        .into_iter()
        .take(last + 1)
        .map(|value| FunctionArg::Unnamed(value.unwrap_or(FunctionArgExpr::Expr(number(0)))))
        .collect();
}

fn is_bytewise(collation: &ObjectName) -> bool {
    collation
        .0
        .last()
        .and_then(|part| part.as_ident())
        .is_some_and(|name| ["C", "POSIX", "default", "ucs_basic"].contains(&name.value.as_str()))
}

pub(super) fn chain(items: impl Iterator<Item = Expr>, op: &BinaryOperator) -> Option<Expr> {
    items
        .reduce(|left, right| binary(left, op.clone(), right))
        .map(nested)
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

pub(super) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

pub(super) fn number(value: i64) -> Expr {
    let digits = Expr::Value(Value::Number(value.unsigned_abs().to_string(), false).into());
    if value >= 0 {
        return digits;
    }
    Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr: Box::new(digits),
    }
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args
        .into_iter()
        .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
        .collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn values_alike(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => alike::columns(values),
        SetExpr::SetOperation { left, right, .. } => {
            values_alike(left);
            values_alike(right);
        }
        _ => {}
    }
}
