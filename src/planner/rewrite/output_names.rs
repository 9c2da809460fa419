//! Names of output columns: PostgreSQL's, and as many of one name as the client likes.
//!
//! The engine wants different names in one select list. An item whose name is taken gets a mark and
//! a number behind its name; [`shown`] takes them off again where names are told to the client.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Function, Ident, ObjectName, Query, Select, SelectItem,
    SetExpr, Statement, VisitorMut,
};
use tessera_udfs::walk::walk_mut;

/// What stands between a name and the number that tells it from its likes.
const MARK: char = '\u{1}';

/// Gives every item of every select list the name that PostgreSQL gives it.
pub(in crate::planner) fn name_outputs(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Namer);
}

/// A column's name as the client sees it.
pub fn shown(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// The name that PostgreSQL gives an output column of this expression.
pub fn output_name(expr: &Expr) -> String {
    of_expression(expr).unwrap_or_else(|| "?column?".to_owned())
}

/// A name that is different for each number and shown without it.
pub fn numbered(name: &str, number: usize) -> String {
    format!("{name}{MARK}{number}")
}

struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let wild = select.projection.iter().any(|item| {
            matches!(
                item,
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
            )
        });
        let mut taken = HashSet::new();
        for item in &mut select.projection {
            name_item(item, wild, &mut taken);
        }
        ControlFlow::Continue(())
    }
}

fn name_item(item: &mut SelectItem, wild: bool, taken: &mut HashSet<String>) {
    match item {
        SelectItem::UnnamedExpr(expr) => {
            let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            let name = of_expression(expr).unwrap_or_else(|| "?column?".to_owned());
            let free = taken.insert(name.clone());
            if is_column && free && !wild {
                return;
            }
            let alias = if free && !is_column {
                name
            } else {
                distinct(&name, taken)
            };
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', alias),
            };
        }
        SelectItem::ExprWithAlias { alias, .. } => {
            let name = match alias.quote_style {
                Some(_) => alias.value.clone(),
                None => alias.value.to_lowercase(),
            };
            if !taken.insert(name.clone()) {
                *alias = Ident::with_quote('"', distinct(&name, taken));
            }
        }
        _ => {}
    }
}

fn distinct(name: &str, taken: &mut HashSet<String>) -> String {
    (2..)
        .map(|number| format!("{name}{MARK}{number}"))
        .find(|candidate| taken.insert(candidate.clone()))
        .unwrap_or_default()
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn last(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(|part| part.as_ident()).map(folded)
}

/// The name of a type as a column has it.
fn of_type(data_type: &DataType) -> Option<String> {
    if let Some(sql_type) = crate::planner::types::built_in(data_type) {
        return Some(sql_type.typname());
    }
    match data_type {
        DataType::Custom(name, _) => last(name),
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _) | ArrayElemTypeDef::AngleBracket(element),
        ) => of_type(element),
        _ => None,
    }
}

/// The name of an expression without an alias; `None` where PostgreSQL has none to give.
fn of_expression(expr: &Expr) -> Option<String> {
    let fixed = |name: &str| Some(name.to_owned());
    match expr {
        Expr::Identifier(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        Expr::Function(Function { name, .. }) => last(name),
        Expr::Cast {
            expr, data_type, ..
        } => named(expr).or_else(|| {
            let name = of_type(data_type)?;
            Some(name.trim_start_matches('_').to_owned())
        }),
        Expr::TypedString(typed) => of_type(&typed.data_type),
        Expr::Interval(_) => fixed("interval"),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => of_expression(inner),
        Expr::Case { else_result, .. } => else_result
            .as_deref()
            .and_then(column_name)
            .or_else(|| fixed("case")),
        Expr::Exists { negated: false, .. } => fixed("exists"),
        Expr::Subquery(query) => of_query(query),
        Expr::Array(_) => fixed("array"),
        Expr::Tuple(_) => fixed("row"),
        Expr::Extract { .. } => fixed("extract"),
        Expr::Position { .. } => fixed("position"),
        Expr::Substring { .. } => fixed("substring"),
        Expr::Overlay { .. } => fixed("overlay"),
        Expr::Ceil { .. } => fixed("ceil"),
        Expr::Floor { .. } => fixed("floor"),
        Expr::AtTimeZone { .. } => fixed("timezone"),
        Expr::Trim { trim_where, .. } => {
            use datafusion::sql::sqlparser::ast::TrimWhereField;
            fixed(match trim_where {
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
                _ => "btrim",
            })
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            use datafusion::sql::sqlparser::ast::AccessExpr;
            match access_chain.last() {
                Some(AccessExpr::Dot(field)) => of_expression(field),
                _ => of_expression(root),
            }
        }
        _ => None,
    }
}

/// The name that a cast keeps: not that of another cast's type, nor of CASE.
fn named(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) | Expr::Collate { expr, .. } => named(expr),
        Expr::TypedString(_) | Expr::Interval(_) => None,
        Expr::Case { else_result, .. } => else_result.as_deref().and_then(column_name),
        other => of_expression(other),
    }
}

/// CASE takes the name of its ELSE only if that is a column or a function.
fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Function(_) => {
            of_expression(expr)
        }
        Expr::Cast { expr, .. } => column_name(expr),
        _ => None,
    }
}

/// A scalar sub-query is named after its column.
fn of_query(query: &Query) -> Option<String> {
    match query.body.as_ref() {
        SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => of_expression(expr),
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            _ => None,
        },
        SetExpr::Query(query) => of_query(query),
        _ => None,
    }
}
