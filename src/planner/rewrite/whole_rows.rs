//! Whole rows and rows that are written out.
//!
//! A name that is no column may be that of a relation in FROM, and then means its whole row. Nothing but
//! planning tells, so a statement is planned first, and where a column is missing that a relation is named
//! like, [`mark`] says so for the next attempt.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement,
    TableFactor, Value, VisitorMut, WildcardAdditionalOptions,
};
use tessera_udfs::pg::{RECORD, WHOLE_ROW, sets};

use super::from_functions::names_columns;
use super::functions::called;
use super::spelling::parsed_query;
use tessera_udfs::walk::walk_mut;

/// The call that stands for `(record).*`.
pub(in crate::planner) const EXPANDED_RECORD: &str = "expanded_record";

/// Takes a name for that of a relation wherever it stands alone in a query over such a relation; tells
/// whether it does. `columns` knows those of a table, for queries inside that look at the row from below.
pub(in crate::planner) fn mark(
    statement: &mut Statement,
    name: &str,
    columns: &dyn Fn(&TableFactor) -> Option<Vec<String>>,
) -> bool {
    let mut marker = Marker {
        name,
        columns,
        found: false,
    };
    let _: ControlFlow<()> = walk_mut(statement, &mut marker);
    marker.found
}

struct Marker<'a> {
    name: &'a str,
    columns: &'a dyn Fn(&TableFactor) -> Option<Vec<String>>,
    found: bool,
}

impl VisitorMut for Marker<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let Some((factor, extended)) = relation(select, self.name) else {
            return ControlFlow::Continue(());
        };
        let value = only_value(factor).map(|column| {
            let relation = Ident::with_quote('"', self.name);
            Expr::CompoundIdentifier(vec![relation, column])
        });
        let inside = (self.columns)(factor).map(|columns| record(self.name, &columns, extended));
        let mut replace = Replace {
            name: self.name,
            here: value.clone().unwrap_or_else(|| marked(self.name, extended)),
            inside: value.or(inside),
            below: 0,
            found: false,
        };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && is_name(expr, self.name)
            {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: Ident::with_quote('"', self.name),
                };
            }
        }
        let _: ControlFlow<()> = walk_mut(select, &mut replace);
        self.found |= replace.found;
        ControlFlow::Continue(())
    }
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn is_name(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Identifier(ident) if folded(ident) == name)
}

/// The relation of this name in a query's FROM, and whether an outer join may leave it out.
fn relation<'a>(select: &'a Select, name: &str) -> Option<(&'a TableFactor, bool)> {
    select.from.iter().find_map(|from| {
        let mut found = is_called(&from.relation, name).then_some((&from.relation, false));
        for join in &from.joins {
            let (before, joined) = match &join.join_operator {
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, true),
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
                JoinOperator::FullOuter(_) => (true, true),
                _ => (false, false),
            };
            found = match found {
                Some((factor, extended)) => Some((factor, extended || before)),
                None => is_called(&join.relation, name).then_some((&join.relation, joined)),
            };
        }
        found
    })
}

/// The column of a function in FROM that gives single values: such a value is the whole row.
fn only_value(factor: &TableFactor) -> Option<Ident> {
    let TableFactor::Derived { subquery, .. } = factor else {
        return None;
    };
    let SetExpr::Select(select) = subquery.body.as_ref() else {
        return None;
    };
    match select.projection.as_slice() {
        [
            SelectItem::ExprWithAlias {
                expr: Expr::Function(call),
                alias,
            },
        ] if select.from.is_empty() => {
            let name = call.name.0.last()?.as_ident()?.value.to_lowercase();
            sets::is_set_function(&name).then(|| alias.clone())
        }
        _ => None,
    }
}

fn is_called(factor: &TableFactor, name: &str) -> bool {
    let alias = match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
        _ => None,
    };
    match (alias, factor) {
        (Some(alias), _) => folded(&alias.name) == name,
        (None, TableFactor::Table { name: table, .. }) => {
            let last = table.0.last().and_then(|part| part.as_ident());
            last.is_some_and(|last| folded(last) == name)
        }
        _ => false,
    }
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn marked(name: &str, extended: bool) -> Expr {
    Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(text(name)),
        op: BinaryOperator::PGCustomBinaryOperator(vec![WHOLE_ROW.to_owned()]),
        right: Box::new(Expr::Value(Value::Boolean(extended).into())),
    }))
}

fn record(relation: &str, columns: &[String], extended: bool) -> Expr {
    let quoted = |name: &str| Ident::with_quote('"', name);
    let mut args = vec![Expr::Value(Value::Boolean(extended).into())];
    for column in columns {
        args.push(text(column));
        args.push(Expr::CompoundIdentifier(vec![
            quoted(relation),
            quoted(column),
        ]));
    }
    called(RECORD, args)
}

struct Replace<'a> {
    name: &'a str,
    /// The row in the query itself.
    here: Expr,
    /// The row in queries inside it.
    inside: Option<Expr>,
    below: usize,
    found: bool,
}

impl VisitorMut for Replace<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.below += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.below -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if !is_name(expr, self.name) {
            return ControlFlow::Continue(());
        }
        let row = match self.below {
            0 => Some(&self.here),
            _ => self.inside.as_ref(),
        };
        if let Some(row) = row {
            *expr = row.clone();
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

/// Puts the columns of `(record).*` into select lists.
pub(in crate::planner) fn expand(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Expand);
}

struct Expand;

impl VisitorMut for Expand {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            let columns = match &item {
                SelectItem::UnnamedExpr(Expr::Function(call)) => expanded(call),
                _ => None,
            };
            match columns {
                Some(columns) => items.extend(columns),
                None => items.push(item),
            }
        }
        select.projection = items;
        ControlFlow::Continue(())
    }
}

/// Makes records of rows that are written out as values, and plain names of `t.*` in arguments.
pub(in crate::planner) fn plain(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Plain);
}

struct Plain;

impl VisitorMut for Plain {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                && let Expr::Tuple(fields) = expr
            {
                *expr = written(std::mem::take(fields));
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expr
            && let FunctionArguments::List(list) = &mut call.args
        {
            for arg in &mut list.args {
                let FunctionArg::Unnamed(arg) = arg else {
                    continue;
                };
                match arg {
                    FunctionArgExpr::QualifiedWildcard(name) => {
                        if let Some(last) = name.0.last().and_then(|part| part.as_ident()) {
                            *arg = FunctionArgExpr::Expr(Expr::Identifier(last.clone()));
                        }
                    }
                    FunctionArgExpr::Expr(Expr::Tuple(fields)) => {
                        *arg = FunctionArgExpr::Expr(written(std::mem::take(fields)));
                    }
                    _ => {}
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("row") => {
                if let FunctionArguments::List(list) = &call.args {
                    let fields: Option<Vec<Expr>> = list
                        .args
                        .iter()
                        .map(|arg| match arg {
                            FunctionArg::Unnamed(FunctionArgExpr::Expr(field)) => {
                                Some(field.clone())
                            }
                            _ => None,
                        })
                        .collect();
                    if let Some(fields) = fields {
                        *expr = written(fields);
                    }
                }
            }
            // The engine looks at no query around while it reads the elements of an array.
            Expr::Array(array) if array.elem.iter().any(names_columns) => {
                *expr = called("make_array", std::mem::take(&mut array.elem));
            }
            Expr::InSubquery { expr, subquery, .. } => fields_of_rows(expr, subquery),
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
                if let Expr::Subquery(subquery) = right.as_mut() {
                    fields_of_rows(left, subquery);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn written(fields: Vec<Expr>) -> Expr {
    let mut args = vec![Expr::Value(Value::Boolean(false).into())];
    for (place, field) in fields.into_iter().enumerate() {
        args.push(text(&format!("f{}", place + 1)));
        args.push(field);
    }
    called(RECORD, args)
}

/// `(a, b) IN (SELECT c, d …)`: both sides become records.
fn fields_of_rows(row: &mut Expr, subquery: &mut Query) {
    let fields = match row {
        Expr::Tuple(fields) => std::mem::take(fields),
        _ => return,
    };
    let names = (1..=fields.len()).map(|place| format!("f{place}"));
    let names: Vec<String> = names.collect();
    *row = written(fields);
    let columns = names.join(", ");
    let template = format!("SELECT 1 FROM (SELECT 1) AS rows_of_query ({columns})");
    let Some(mut outer) = parsed_query(&template) else {
        return;
    };
    let SetExpr::Select(select) = outer.body.as_mut() else {
        return;
    };
    let fields = names.iter().map(|name| Expr::Identifier(Ident::new(name)));
    select.projection = vec![SelectItem::ExprWithAlias {
        expr: written(fields.collect()),
        alias: Ident::new("row_of_query"),
    }];
    if let Some(TableFactor::Derived {
        subquery: inner, ..
    }) = select.from.first_mut().map(|from| &mut from.relation)
    {
        std::mem::swap(inner.as_mut(), subquery);
        *subquery = *outer;
    }
}

/// The columns of `(record).*`, where syntax alone tells them.
fn expanded(call: &Function) -> Option<Vec<SelectItem>> {
    let [name] = call.name.0.as_slice() else {
        return None;
    };
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(record))] = list.args.as_slice() else {
        return None;
    };
    if name.as_ident()?.value != EXPANDED_RECORD {
        return None;
    }
    match record {
        Expr::Identifier(name) => Some(vec![SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(vec![name.clone()].into()),
            WildcardAdditionalOptions::default(),
        )]),
        Expr::Function(call) => {
            let name = call.name.0.last()?.as_ident()?.value.to_lowercase();
            let (_, fields) = sets::RECORDS.iter().find(|(known, _)| *known == name)?;
            let column = |field: &&str| SelectItem::ExprWithAlias {
                expr: called("get_field", vec![record.clone(), text(field)]),
                alias: Ident::with_quote('"', *field),
            };
            Some(fields.iter().map(column).collect())
        }
        _ => None,
    }
}
