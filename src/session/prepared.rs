//! Prepared statements: parsed and planned once, guarded afresh at every execution.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use tessera_catalog::sql_type::SqlType;

use super::reply::Columns;
use crate::error::{Error, Result};
use crate::planner::ast::Statement;

/// The most prepared statements of one session.
const MAX_PREPARED_STATEMENTS: usize = 10_000;

/// A statement that can be described and executed.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) statement: Statement,
    pub(crate) parameters: Vec<SqlType>,
    pub(crate) columns: Option<Columns>,
    /// A query's plan and what it was made for.
    pub(crate) plan: Option<(LogicalPlan, PlannedFor)>,
}

/// The state of the world that a plan was made for: when it has changed, the plan is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedFor {
    pub(crate) system_version: u64,
    pub(crate) database_version: u64,
    /// Grows with each change of the session's names: search path, zone, temporary tables.
    pub(crate) session_version: u64,
    /// A plan made over a transaction's own objects serves that transaction alone.
    pub(crate) in_changed_transaction: bool,
}

impl Prepared {
    /// The types of `$1`, `$2`, …
    pub fn parameters(&self) -> &[SqlType] {
        &self.parameters
    }

    /// The columns of its rows; `None` if it has none.
    pub fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }
}

/// A session's prepared statements by name, of PREPARE and of the protocol.
#[derive(Debug, Default)]
pub(crate) struct PreparedStatements {
    by_name: HashMap<String, Arc<Prepared>>,
}

impl PreparedStatements {
    /// Keeps a statement; the nameless one gives way to the next.
    pub(crate) fn store(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<()> {
        if !name.is_empty() && self.by_name.contains_key(name) {
            return Err(Error::DuplicateStatement(name.to_owned()));
        }
        if self.by_name.len() >= MAX_PREPARED_STATEMENTS {
            return Err(Error::ConfigurationLimit(format!(
                "too many prepared statements: at most {MAX_PREPARED_STATEMENTS}"
            )));
        }
        self.by_name.insert(name.to_owned(), prepared);
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Prepared>> {
        let found = self.by_name.get(name).map(Arc::clone);
        found.ok_or_else(|| Error::NoSuchStatement(name.to_owned()))
    }

    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.by_name.clear();
    }
}
