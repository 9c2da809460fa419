//! What the engine would read and answer wrongly is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    JoinConstraint, JoinOperator, Query, Select, SetExpr, SetOperator, SetQuantifier, Statement,
    TableFactor, Visit, Visitor,
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

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        set_operation(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        for join in select.from.iter().flat_map(|from| &from.joins) {
            if let JoinOperator::FullOuter(JoinConstraint::Using(_) | JoinConstraint::Natural) =
                &join.join_operator
            {
                return ControlFlow::Break("FULL JOIN with USING (ON compares the columns)");
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<&'static str> {
        match factor {
            TableFactor::Table {
                sample: Some(_), ..
            }
            | TableFactor::Derived {
                sample: Some(_), ..
            } => ControlFlow::Break("TABLESAMPLE"),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn set_operation(body: &SetExpr) -> ControlFlow<&'static str> {
    let SetExpr::SetOperation {
        op,
        set_quantifier,
        left,
        right,
    } = body
    else {
        return ControlFlow::Continue(());
    };
    match (op, set_quantifier) {
        (SetOperator::Intersect, SetQuantifier::All) => {
            return ControlFlow::Break("INTERSECT ALL");
        }
        (SetOperator::Except, SetQuantifier::All) => return ControlFlow::Break("EXCEPT ALL"),
        _ => {}
    }
    set_operation(left)?;
    set_operation(right)
}
