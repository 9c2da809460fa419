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
    /// When it was prepared, in microseconds since 1970.
    pub(crate) prepared_at: i64,
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

/// A session's prepared statements by name, of PREPARE and of the protocol; clones share them, so that
/// the catalogs list them as they are when somebody asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct PreparedStatements {
    by_name: Arc<Mutex<HashMap<String, Kept>>>,
}

#[derive(Debug)]
struct Kept {
    prepared: Arc<Prepared>,
    /// Whether PREPARE made it, and not the protocol.
    from_sql: bool,
}

impl PreparedStatements {
    /// Keeps a statement; the nameless one gives way to the next.
    pub(crate) fn store(&self, name: &str, prepared: Arc<Prepared>, from_sql: bool) -> Result<()> {
        let mut by_name = self.by_name.lock();
        if !name.is_empty() && by_name.contains_key(name) {
            return Err(Error::DuplicateStatement(name.to_owned()));
        }
        if by_name.len() >= MAX_PREPARED_STATEMENTS {
            return Err(Error::ConfigurationLimit(format!(
                "too many prepared statements: at most {MAX_PREPARED_STATEMENTS}"
            )));
        }
        by_name.insert(name.to_owned(), Kept { prepared, from_sql });
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<Prepared>> {
        let by_name = self.by_name.lock();
        let found = by_name.get(name).map(|kept| Arc::clone(&kept.prepared));
        found.ok_or_else(|| Error::NoSuchStatement(name.to_owned()))
    }

    /// What `pg_prepared_statements` shows; the nameless one is not among them.
    pub(crate) fn rows(&self) -> Vec<PreparedRow> {
        let by_name = self.by_name.lock();
        let named = by_name.iter().filter(|(name, _)| !name.is_empty());
        let rows = named.map(|(name, kept)| PreparedRow {
            name: name.clone(),
            statement: kept.prepared.statement.text.to_string(),
            prepare_time: kept.prepared.prepared_at,
            parameter_types: kept.prepared.parameters.clone(),
            from_sql: kept.from_sql,
        });
        rows.collect()
    }

    pub(crate) fn remove(&self, name: &str) -> bool {
        self.by_name.lock().remove(name).is_some()
    }

    pub(crate) fn clear(&self) {
        self.by_name.lock().clear();
    }
}
