//! What the engine would read and answer wrongly is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, Select, Statement, Visit, Visitor,
};

use crate::error::{Error, Result};

/// Checks a statement.
///
/// # Errors
/// It says something that the engine drops.
pub(in crate::planner) fn check(statement: &Statement) -> Result<()> {
    match statement.visit(&mut Refused) {
        ControlFlow::Break(what) => Err(Error::Unsupported(what.to_owned())),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Refused;

impl Visitor for Refused {
    type Break = &'static str;

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        for join in select.from.iter().flat_map(|from| &from.joins) {
            if let JoinOperator::FullOuter(JoinConstraint::Using(_) | JoinConstraint::Natural) =
                &join.join_operator
            {
                return ControlFlow::Break("this FULL JOIN with USING (ON compares the columns)");
            }
        }
        ControlFlow::Continue(())
    }
}
