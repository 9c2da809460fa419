//! Walks over parsed SQL.
//!
//! The parser's own walk is generic over who looks, and makes a thousand functions of each who does.
//! Here all look through one pointer, so that there is one walk to read and one to write.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan, Visit, VisitMut,
    Visitor, VisitorMut,
};

/// Shows every part of a tree to `visitor`, until it breaks off.
pub fn walk<B>(tree: &impl Visit, visitor: &mut dyn Visitor<Break = B>) -> ControlFlow<B> {
    let mut caught = Caught {
        visitor,
        found: None,
    };
    let _: ControlFlow<()> = tree.visit(&mut Reader(&mut caught));
    result(caught.found)
}

/// Lets `visitor` change every part of a tree, until it breaks off.
pub fn walk_mut<B>(
    tree: &mut impl VisitMut,
    visitor: &mut dyn VisitorMut<Break = B>,
) -> ControlFlow<B> {
    let mut caught = CaughtMut {
        visitor,
        found: None,
    };
    let _: ControlFlow<()> = tree.visit(&mut Writer(&mut caught));
    result(caught.found)
}

/// Shows every expression of a tree, outer ones first.
pub fn expressions<B>(
    tree: &impl Visit,
    look: &mut dyn FnMut(&Expr) -> ControlFlow<B>,
) -> ControlFlow<B> {
    walk(tree, &mut Expressions(look))
}

/// Lets every expression of a tree be changed, inner ones first.
pub fn expressions_mut<B>(
    tree: &mut impl VisitMut,
    change: &mut dyn FnMut(&mut Expr) -> ControlFlow<B>,
) -> ControlFlow<B> {
    walk_mut(tree, &mut ExpressionsMut(change))
}

/// Shows the name of every relation of a tree.
pub fn relations<B>(
    tree: &impl Visit,
    look: &mut dyn FnMut(&ObjectName) -> ControlFlow<B>,
) -> ControlFlow<B> {
    walk(tree, &mut Relations(look))
}

fn result<B>(found: Option<B>) -> ControlFlow<B> {
    match found {
        Some(found) => ControlFlow::Break(found),
        None => ControlFlow::Continue(()),
    }
}

/// What a reader is given.
type Shown<'a, T> = &'a T;
/// What a writer is given.
type Changed<'a, T> = &'a mut T;

/// Forwards each step of a visitor; `$($step: $part),*` are its methods and what they are shown.
macro_rules! forward {
    ($reference:ident, $($step:ident: $part:ty),* $(,)?) => {
        $(
            fn $step(&mut self, part: $reference<'_, $part>) -> ControlFlow<Self::Break> {
                self.0.$step(part)
            }
        )*
    };
}

/// Forwards each step, and keeps what the visitor breaks off with.
macro_rules! catch {
    ($reference:ident, $($step:ident: $part:ty),* $(,)?) => {
        $(
            fn $step(&mut self, part: $reference<'_, $part>) -> ControlFlow<()> {
                match self.visitor.$step(part) {
                    ControlFlow::Continue(()) => ControlFlow::Continue(()),
                    ControlFlow::Break(found) => {
                        self.found = Some(found);
                        ControlFlow::Break(())
                    }
                }
            }
        )*
    };
}

/// Hands the methods of a visitor to a macro.
macro_rules! steps {
    ($macro:ident, $reference:ident) => {
        $macro! {
            $reference,
            pre_visit_query: Query,
            post_visit_query: Query,
            pre_visit_select: Select,
            post_visit_select: Select,
            pre_visit_relation: ObjectName,
            post_visit_relation: ObjectName,
            pre_visit_table_factor: TableFactor,
            post_visit_table_factor: TableFactor,
            pre_visit_expr: Expr,
            post_visit_expr: Expr,
            pre_visit_statement: Statement,
            post_visit_statement: Statement,
            pre_visit_value: ValueWithSpan,
            post_visit_value: ValueWithSpan,
        }
    };
}

struct Reader<'a>(&'a mut dyn Visitor<Break = ()>);

impl Visitor for Reader<'_> {
    type Break = ();

    steps!(forward, Shown);
}

struct Writer<'a>(&'a mut dyn VisitorMut<Break = ()>);

impl VisitorMut for Writer<'_> {
    type Break = ();

    steps!(forward, Changed);
}

struct Caught<'a, B> {
    visitor: &'a mut dyn Visitor<Break = B>,
    found: Option<B>,
}

impl<B> Visitor for Caught<'_, B> {
    type Break = ();

    steps!(catch, Shown);
}

struct CaughtMut<'a, B> {
    visitor: &'a mut dyn VisitorMut<Break = B>,
    found: Option<B>,
}

impl<B> VisitorMut for CaughtMut<'_, B> {
    type Break = ();

    steps!(catch, Changed);
}

struct Expressions<'a, B>(&'a mut dyn FnMut(&Expr) -> ControlFlow<B>);

impl<B> Visitor for Expressions<'_, B> {
    type Break = B;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<B> {
        (self.0)(expr)
    }
}

struct ExpressionsMut<'a, B>(&'a mut dyn FnMut(&mut Expr) -> ControlFlow<B>);

impl<B> VisitorMut for ExpressionsMut<'_, B> {
    type Break = B;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<B> {
        (self.0)(expr)
    }
}

struct Relations<'a, B>(&'a mut dyn FnMut(&ObjectName) -> ControlFlow<B>);

impl<B> Visitor for Relations<'_, B> {
    type Break = B;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<B> {
        (self.0)(relation)
    }
}
