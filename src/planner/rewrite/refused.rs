//! What the engine would read and answer wrongly is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, Query, Select, Statement, Visitor,
};

use crate::error::{Error, Result};
use crate::planner::changes_rows;
use tessera_udfs::walk::walk;

/// Checks a statement.
///
/// # Errors
/// It says something that the engine drops.
pub(in crate::planner) fn check(statement: &Statement) -> Result<()> {
    match walk(statement, &mut Refused) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Refused;

impl Visitor for Refused {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if changes_rows(query) {
            return ControlFlow::Break(Error::Function {
                sqlstate: "0A000",
                message:
                    "WITH clause containing a data-modifying statement must be at the top level"
                        .to_owned(),
                hint: None,
                detail: None,
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        for join in select.from.iter().flat_map(|from| &from.joins) {
            if let JoinOperator::FullOuter(JoinConstraint::Using(_) | JoinConstraint::Natural) =
                &join.join_operator
            {
                let what = "this FULL JOIN with USING (ON compares the columns)".to_owned();
                return ControlFlow::Break(Error::Unsupported(what));
            }
        }
        ControlFlow::Continue(())
    }
}
