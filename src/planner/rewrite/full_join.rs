//! FULL JOIN with USING: the column that both sides have in common is the one side's or the other's.
//!
//! The join becomes one with ON, and the common column `coalesce(l.c, r.c)` wherever the query names it
//! alone or by `*`.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, OrderByKind, Query,
    Select, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, VisitorMut,
};

use super::functions::called;
use crate::error::{Error, Result};
use tessera_udfs::walk::walk_mut;

/// The columns of a relation in FROM, where they are known.
type ColumnsOf<'a> = &'a dyn Fn(&TableFactor) -> Option<Vec<String>>;

/// Spells out the joins of a statement.
///
/// # Errors
/// A join of a shape in which the common column cannot be told.
pub(in crate::planner) fn spell_out(
    statement: &mut Statement,
    columns: ColumnsOf<'_>,
) -> Result<()> {
    match walk_mut(statement, &mut Joins { columns }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Joins<'a> {
    columns: ColumnsOf<'a>,
}

impl VisitorMut for Joins<'_> {
    type Break = Error;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let common = match self.common(select) {
            Ok(common) if common.is_empty() => return ControlFlow::Continue(()),
            Ok(common) => common,
            Err(error) => return ControlFlow::Break(error),
        };
        if let Err(error) = self.wildcards(select, &common) {
            return ControlFlow::Break(error);
        }
        let mut merge = Merge {
            common: &common,
            below: 0,
        };
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(Expr::Identifier(name)) = item
                && common.contains_key(&folded(name))
            {
                *item = SelectItem::ExprWithAlias {
                    expr: Expr::Identifier(name.clone()),
                    alias: name.clone(),
                };
            }
        }
        let outputs: Vec<String> = select.projection.iter().filter_map(output).collect();
        let from = std::mem::take(&mut select.from);
        let _: ControlFlow<()> = walk_mut(select, &mut merge);
        select.from = from;
        if let Some(order) = &mut query.order_by
            && let OrderByKind::Expressions(list) = &mut order.kind
        {
            for by in list {
                let named =
                    matches!(&by.expr, Expr::Identifier(name) if outputs.contains(&folded(name)));
                if !named {
                    let _: ControlFlow<()> = walk_mut(&mut by.expr, &mut merge);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn output(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(folded),
        _ => None,
    }
}

/// The common columns of a query, in order, with the expressions that they are.
#[derive(Default)]
struct Common {
    names: Vec<String>,
    exprs: HashMap<String, Expr>,
}

impl Common {
    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn contains_key(&self, name: &str) -> bool {
        self.exprs.contains_key(name)
    }

    fn put(&mut self, name: &str, expr: Expr) {
        if self.exprs.insert(name.to_owned(), expr).is_none() {
            self.names.push(name.to_owned());
        }
    }
}

impl Joins<'_> {
    /// Makes ON of the USING of every join beside a full one.
    fn common(&self, select: &mut Select) -> Result<Common> {
        let mut common = Common::default();
        for from in &mut select.from {
            let full = from.joins.iter().any(|join| {
                matches!(
                    &join.join_operator,
                    JoinOperator::FullOuter(JoinConstraint::Using(_) | JoinConstraint::Natural)
                )
            });
            if full {
                self.spelled(from, &mut common)?;
            }
        }
        Ok(common)
    }

    fn spelled(&self, from: &mut TableWithJoins, common: &mut Common) -> Result<()> {
        let mut left = vec![from.relation.clone()];
        for join in &mut from.joins {
            let right = join.relation.clone();
            let kind = join.join_operator.clone();
            if let Some(constraint) = constraint_of(&mut join.join_operator) {
                let names = match constraint {
                    JoinConstraint::Using(names) => names.iter().filter_map(plain_name).collect(),
                    JoinConstraint::Natural => self.shared(&left, &right, common)?,
                    _ => Vec::new(),
                };
                let mut pairs = Vec::with_capacity(names.len());
                for name in names {
                    let l = match common.exprs.get(&name) {
                        Some(expr) => expr.clone(),
                        None => self.column(&left, &name)?,
                    };
                    let r = self.column(std::slice::from_ref(&right), &name)?;
                    let merged = match kind {
                        JoinOperator::FullOuter(_) => {
                            called("coalesce", vec![l.clone(), r.clone()])
                        }
                        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => r.clone(),
                        _ => l.clone(),
                    };
                    common.put(&name, merged);
                    pairs.push(Expr::BinaryOp {
                        left: Box::new(l),
                        op: BinaryOperator::Eq,
                        right: Box::new(r),
                    });
                }
                let condition = pairs.into_iter().reduce(|l, r| Expr::BinaryOp {
                    left: Box::new(l),
                    op: BinaryOperator::And,
                    right: Box::new(r),
                });
                if let Some(condition) = condition {
                    *constraint = JoinConstraint::On(condition);
                }
            }
            left.push(right);
        }
        Ok(())
    }

    fn shared(
        &self,
        left: &[TableFactor],
        right: &TableFactor,
        common: &Common,
    ) -> Result<Vec<String>> {
        let of_right = (self.columns)(right).ok_or_else(undecided)?;
        let mut names = Vec::new();
        for factor in left {
            for name in (self.columns)(factor).ok_or_else(undecided)? {
                let known = names.contains(&name);
                if of_right.contains(&name) && !known {
                    names.push(name);
                }
            }
        }
        names.sort_by_key(|name| !common.contains_key(name));
        Ok(names)
    }

    /// A column by the relation that has it.
    fn column(&self, factors: &[TableFactor], name: &str) -> Result<Expr> {
        let factor = match factors {
            [factor] => factor,
            several => several
                .iter()
                .find(|factor| {
                    (self.columns)(factor).is_some_and(|columns| columns.iter().any(|c| c == name))
                })
                .ok_or_else(undecided)?,
        };
        let relation = alias_of(factor).ok_or_else(undecided)?;
        let column = Ident::with_quote('"', name);
        Ok(Expr::CompoundIdentifier(vec![relation, column]))
    }

    /// `*` is the common columns, then what else each side has.
    fn wildcards(&self, select: &mut Select, common: &Common) -> Result<()> {
        let factors: Vec<TableFactor> = select
            .from
            .iter()
            .flat_map(|from| {
                let joined = from.joins.iter().map(|join| join.relation.clone());
                std::iter::once(from.relation.clone()).chain(joined)
            })
            .collect();
        let mut items = Vec::with_capacity(select.projection.len());
        for item in std::mem::take(&mut select.projection) {
            if !matches!(item, SelectItem::Wildcard(_)) {
                items.push(item);
                continue;
            }
            for name in &common.names {
                let name = Ident::with_quote('"', name);
                items.push(SelectItem::UnnamedExpr(Expr::Identifier(name)));
            }
            for factor in &factors {
                let relation = alias_of(factor).ok_or_else(undecided)?;
                for column in (self.columns)(factor).ok_or_else(undecided)? {
                    if !common.contains_key(&column) {
                        let column = Ident::with_quote('"', column);
                        let names = vec![relation.clone(), column];
                        items.push(SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)));
                    }
                }
            }
        }
        select.projection = items;
        Ok(())
    }
}

fn undecided() -> Error {
    Error::Unsupported("FULL JOIN with USING of relations whose columns are not known".to_owned())
}

fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    use JoinOperator as J;
    match operator {
        J::Join(constraint)
        | J::Inner(constraint)
        | J::Left(constraint)
        | J::LeftOuter(constraint)
        | J::Right(constraint)
        | J::RightOuter(constraint)
        | J::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn plain_name(name: &ObjectName) -> Option<String> {
    Some(folded(name.0.last()?.as_ident()?))
}

fn alias_of(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(alias.name.clone()),
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

struct Merge<'a> {
    common: &'a Common,
    below: usize,
}

impl VisitorMut for Merge<'_> {
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
        if self.below == 0
            && let Expr::Identifier(name) = expr
            && let Some(merged) = self.common.exprs.get(&folded(name))
        {
            *expr = merged.clone();
        }
        ControlFlow::Continue(())
    }
}
