//! Set-returning functions in expressions: a plan with their rows below, and columns where the calls were.
//!
//! Calls in one select list go in step. An argument that is itself such a call makes its rows first.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as EngineResult};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{Aggregate, Extension, Projection};
use datafusion::logical_expr::{Expr, LogicalPlan};
use tessera_udfs::pg::sets::{SetColumn, SetRows, is_set_call, rows_of};

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::planner::typing::{CASE, CASE_OF};

/// The start of the names of columns that hold elements.
const ELEMENT: &str = "\u{5}element";

/// Puts the rows of set-returning functions below the nodes that call them.
///
/// # Errors
/// A call where PostgreSQL allows none.
pub(in crate::planner) fn expand(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut expander = Expander { columns: 0 };
    let expanded = plan.transform_up_with_subqueries(|node| expander.node(node))?;
    Ok(expanded.data)
}

struct Expander {
    /// Columns made so far.
    columns: usize,
}

impl Expander {
    fn node(&mut self, node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
        if !calls_sets(&node)? {
            return Ok(Transformed::no(node));
        }
        let names = NamePreserver::new_for_projection();
        match node {
            LogicalPlan::Projection(projection) => {
                let saved: Vec<_> = projection.expr.iter().map(|e| names.save(e)).collect();
                let input = projection.input.as_ref().clone();
                let (input, expr) = self.expanded(input, projection.expr.clone())?;
                let expr = saved.into_iter().zip(expr).map(|(name, e)| name.restore(e));
                let expanded = Projection::try_new(expr.collect(), Arc::new(input))?;
                Ok(Transformed::yes(LogicalPlan::Projection(expanded)))
            }
            LogicalPlan::Aggregate(aggregate) => {
                for expr in &aggregate.aggr_expr {
                    if holds_call(expr)? {
                        return Err(refused(
                            "aggregate function calls cannot contain set-returning function calls",
                        ));
                    }
                }
                let saved: Vec<_> = aggregate.group_expr.iter().map(|e| names.save(e)).collect();
                let input = aggregate.input.as_ref().clone();
                let (input, groups) = self.expanded(input, aggregate.group_expr.clone())?;
                let groups = saved
                    .into_iter()
                    .zip(groups)
                    .map(|(name, e)| name.restore(e));
                let expanded = Aggregate::try_new(
                    Arc::new(input),
                    groups.collect(),
                    aggregate.aggr_expr.clone(),
                )?;
                Ok(Transformed::yes(LogicalPlan::Aggregate(expanded)))
            }
            LogicalPlan::Filter(_) => Err(misplaced("WHERE")),
            LogicalPlan::Join(_) => Err(misplaced("JOIN conditions")),
            LogicalPlan::Values(_) => Err(misplaced("VALUES")),
            LogicalPlan::Limit(_) => Err(misplaced("LIMIT")),
            LogicalPlan::Window(_) => Err(refused(
                "window function calls cannot contain set-returning function calls",
            )),
            other => {
                let place = other.display().to_string();
                let place = place
                    .split([':', ' '])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                Err(Error::Unsupported(format!("a set-returning function in {place}")).into())
            }
        }
    }

    /// The input with the rows of all calls in `exprs`, and the expressions without calls.
    fn expanded(
        &mut self,
        mut input: LogicalPlan,
        mut exprs: Vec<Expr>,
    ) -> EngineResult<(LogicalPlan, Vec<Expr>)> {
        for expr in &exprs {
            check_places(expr)?;
        }
        loop {
            let mut calls: Vec<Expr> = Vec::new();
            for expr in &exprs {
                innermost(expr, &mut calls)?;
            }
            if calls.is_empty() {
                return Ok((input, exprs));
            }
            let first = self.columns;
            self.columns += calls.len();
            let name = |place: usize| format!("{ELEMENT}{}", first + place);
            let sets = calls.iter().enumerate().map(|(place, call)| SetColumn {
                rows: rows_of(call).flatten(),
                name: name(place),
            });
            let node = SetRows::new(input, sets.collect(), false)?;
            input = LogicalPlan::Extension(Extension {
                node: Arc::new(node),
            });
            exprs = exprs
                .into_iter()
                .map(|expr| {
                    let replaced = expr.transform_down(|expr| {
                        Ok(match calls.iter().position(|call| *call == expr) {
                            Some(place) => Transformed::new(
                                Expr::Column(Column::new_unqualified(name(place))),
                                true,
                                TreeNodeRecursion::Jump,
                            ),
                            None => Transformed::no(expr),
                        })
                    })?;
                    Ok(replaced.data)
                })
                .collect::<EngineResult<_>>()?;
        }
    }
}

fn calls_sets(node: &LogicalPlan) -> EngineResult<bool> {
    let mut found = false;
    node.apply_expressions(|expr| {
        found |= holds_call(expr)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn holds_call(expr: &Expr) -> EngineResult<bool> {
    expr.exists(|expr| Ok(is_set_call(expr)))
}

/// The calls whose arguments hold no further ones.
fn innermost(expr: &Expr, calls: &mut Vec<Expr>) -> EngineResult<()> {
    expr.apply(|expr| {
        if !is_set_call(expr) {
            return Ok(TreeNodeRecursion::Continue);
        }
        let mut nested = false;
        expr.apply_children(|argument| {
            nested |= holds_call(argument)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if nested {
            return Ok(TreeNodeRecursion::Continue);
        }
        if !calls.contains(expr) {
            calls.push(expr.clone());
        }
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(())
}

/// Refuses calls whose rows would depend on a condition.
fn check_places(expr: &Expr) -> EngineResult<()> {
    expr.apply(|expr| {
        let place = match expr {
            Expr::Case(_) => "CASE",
            Expr::ScalarFunction(call) if [CASE, CASE_OF].contains(&call.name()) => "CASE",
            Expr::ScalarFunction(call) if call.name() == "coalesce" => "COALESCE",
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        if holds_call(expr)? {
            return Err(misplaced(place));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn misplaced(place: &str) -> datafusion::error::DataFusionError {
    refused(&format!(
        "set-returning functions are not allowed in {place}"
    ))
}

fn refused(text: &str) -> datafusion::error::DataFusionError {
    Error::Function {
        sqlstate: "0A000",
        message: text.to_owned(),
        hint: None,
        detail: None,
    }
    .into()
}
