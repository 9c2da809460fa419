//! What a statement that changes rows stands in: its names, its parameters, and WITH before it.

use datafusion::sql::sqlparser::ast;

use super::change::skeleton;
use crate::error::Result;
use crate::planner::{Parameters, Scope};

/// The surroundings of a statement.
pub(in crate::session::command) struct Around<'a> {
    pub(in crate::session::command) scope: &'a Scope,
    /// Types of parameters as far as they are known, 0 unknown.
    pub(in crate::session::command) declared: &'a [u32],
    /// Queries by name that the statement may read.
    pub(in crate::session::command) with: Option<&'a ast::With>,
}

impl Around<'_> {
    /// What is known of the parameters of the statement and of what stands before it.
    ///
    /// # Errors
    /// More parameters than the protocol can carry, or a declared type that does not exist.
    pub(in crate::session::command) fn parameters(
        &self,
        statement: &ast::Statement,
    ) -> Result<Parameters> {
        let Some(with) = self.with else {
            return Parameters::of(statement, self.declared, &self.scope.user_types());
        };
        let mut query = skeleton("SELECT 1")?;
        query.with = Some(with.clone());
        query.body = Box::new(ast::SetExpr::Insert(statement.clone()));
        let statement = ast::Statement::Query(Box::new(query));
        Parameters::of(&statement, self.declared, &self.scope.user_types())
    }

    /// A query that may read what stands before the statement.
    pub(in crate::session::command) fn before(&self, mut query: ast::Query) -> Result<ast::Query> {
        let Some(with) = self.with else {
            return Ok(query);
        };
        if query.with.is_none() {
            query.with = Some(with.clone());
            return Ok(query);
        }
        // Its own names come before the statement's.
        let mut outer = skeleton("SELECT 1")?;
        outer.with = Some(with.clone());
        outer.body = Box::new(ast::SetExpr::Query(Box::new(query)));
        Ok(outer)
    }
}
