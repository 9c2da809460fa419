//! Casts to domains, as casts to what lies below and a call that holds the values to the domain's rules;
//! and names of types by number, for texts that the catalog keeps.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, Ident, ObjectName, VisitMut, VisitorMut,
};
use tessera_catalog::id::Oid;

use super::functions::called;
use crate::error::{Error, Result};
use crate::planner::scope::Scope;
use crate::planner::types::written_type;
use crate::planner::user_types::{UserTypes, by_number};
use tessera_udfs::walk::walk_mut;

/// What stands before a domain's number in the name of the call that holds values to its rules.
const MARK: &str = "\u{4}domain ";

/// Spells casts to domains out.
///
/// # Errors
/// A base that cannot be written, which is a bug.
pub(in crate::planner) fn spell_out<T: VisitMut>(node: &mut T, types: &UserTypes) -> Result<()> {
    match walk_mut(node, &mut SpellOut(types)) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The domain whose rules a call of this name holds values to.
pub(in crate::planner) fn domain_of(name: &str) -> Option<Oid> {
    name.strip_prefix(MARK)?.parse().ok().map(Oid)
}

/// Names the types of users in casts by their numbers, so that a kept text goes on meaning the same.
pub fn bind_types<T: VisitMut>(node: &mut T, scope: &Scope) {
    let _: ControlFlow<()> = walk_mut(node, &mut Binder(scope.user_types()));
}

struct SpellOut<'a>(&'a UserTypes);

impl VisitorMut for SpellOut<'_> {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let data_type = match expr {
            Expr::Cast { data_type, .. } => data_type,
            Expr::TypedString(typed) => &typed.data_type,
            _ => return ControlFlow::Continue(()),
        };
        let Some(found) = self.0.written(data_type) else {
            return ControlFlow::Continue(());
        };
        let Some(domain) = found.domain() else {
            return ControlFlow::Continue(());
        };
        let base = match written_type(&domain.base) {
            Ok(base) => base,
            Err(error) => return ControlFlow::Break(error),
        };
        let number = found.oid;
        let null = Expr::Value(datafusion::sql::sqlparser::ast::Value::Null.into());
        let value = match std::mem::replace(expr, null) {
            Expr::Cast { expr, .. } => *expr,
            Expr::TypedString(typed) => Expr::Value(typed.value),
            other => other,
        };
        let cast = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(value),
            data_type: base,
            array: false,
            format: None,
        };
        let mut call = called("domain", vec![cast]);
        if let Expr::Function(function) = &mut call {
            let name = Ident::with_quote('"', format!("{MARK}{number}"));
            function.name = ObjectName::from(vec![name]);
        }
        *expr = call;
        ControlFlow::Continue(())
    }
}

struct Binder(UserTypes);

impl Binder {
    fn bind(&self, data_type: &mut DataType) {
        match data_type {
            DataType::Array(
                ArrayElemTypeDef::SquareBracket(element, _)
                | ArrayElemTypeDef::AngleBracket(element)
                | ArrayElemTypeDef::Parenthesis(element),
            ) => self.bind(element),
            other => {
                if let Some(found) = self.0.written(other) {
                    *other = by_number(found.oid);
                }
            }
        }
    }
}

impl VisitorMut for Binder {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { data_type, .. } => self.bind(data_type),
            Expr::TypedString(typed) => self.bind(&mut typed.data_type),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
