//! Prepared statements: parsed and planned once, guarded afresh at every execution.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use parking_lot::Mutex;
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::system::PreparedRow;

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

/// A statement that is kept.
#[derive(Debug)]
struct Kept {
    prepared: Arc<Prepared>,
    /// The text of PREPARE, if that made it.
    text: Option<Arc<str>>,
    /// Microseconds since 1970.
    at: i64,
}

/// A session's prepared statements by name, of PREPARE and of the protocol; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct PreparedStatements {
    by_name: Arc<Mutex<HashMap<String, Kept>>>,
}

impl PreparedStatements {
    /// Keeps a statement; the nameless one gives way to the next.
    pub(crate) fn store(
        &self,
        name: &str,
        prepared: Arc<Prepared>,
        text: Option<Arc<str>>,
    ) -> Result<()> {
        let mut by_name = self.by_name.lock();
        if !name.is_empty() && by_name.contains_key(name) {
            return Err(Error::DuplicateStatement(name.to_owned()));
        }
        if by_name.len() >= MAX_PREPARED_STATEMENTS {
            return Err(Error::ConfigurationLimit(format!(
                "too many prepared statements: at most {MAX_PREPARED_STATEMENTS}"
            )));
        }
        let kept = Kept {
            prepared,
            text,
            at: chrono::Utc::now().timestamp_micros(),
        };
        by_name.insert(name.to_owned(), kept);
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Prepared>> {
        let by_name = self.by_name.lock();
        let found = by_name.get(name).map(|kept| Arc::clone(&kept.prepared));
        found.ok_or_else(|| Error::NoSuchStatement(name.to_owned()))
    }

    pub(crate) fn remove(&self, name: &str) -> bool {
        self.by_name.lock().remove(name).is_some()
    }

    pub(crate) fn clear(&self) {
        self.by_name.lock().clear();
    }

    /// The rows of `pg_prepared_statements`.
    pub(crate) fn rows(&self) -> Vec<PreparedRow> {
        let by_name = self.by_name.lock();
        let named = by_name.iter().filter(|(name, _)| !name.is_empty());
        let row = |(name, kept): (&String, &Kept)| {
            let own = &kept.prepared.statement.text;
            PreparedRow {
                name: name.clone(),
                statement: kept.text.as_ref().unwrap_or(own).to_string(),
                prepare_time: kept.at,
                parameter_types: kept.prepared.parameters.clone(),
                from_sql: kept.text.is_some(),
            }
        };
        named.map(row).collect()
    }
}
