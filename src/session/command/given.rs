//! Rows that a statement has before a query of its own reads them, under a name: what INSERT … ON
//! CONFLICT brings, and what other parts of a statement with WITH return.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session as EngineSession, TableProvider};
use datafusion::common::Result as EngineResult;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::{Expr, ScalarUDF, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::planner::{Scope, SessionNames};

/// Rows that are known later than their columns.
#[derive(Debug, Clone)]
pub(super) struct Given {
    schema: SchemaRef,
    rows: Arc<OnceLock<Vec<RecordBatch>>>,
}

impl Given {
    /// Rows of these columns.
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            rows: Arc::default(),
        }
    }

    /// Tells the rows; false if they were told before.
    pub(super) fn tell(&self, rows: Vec<RecordBatch>) -> bool {
        self.rows.set(rows).is_ok()
    }

    /// Their columns.
    pub(super) fn columns(&self) -> &SchemaRef {
        &self.schema
    }
}

#[async_trait]
impl TableProvider for Given {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn EngineSession,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let partitions = [self.rows.get().cloned().unwrap_or_default()];
        let schema = Arc::clone(&self.schema);
        let exec = MemorySourceConfig::try_new_exec(&partitions, schema, projection.cloned())?;
        Ok(exec)
    }
}

/// The names of a statement, with one for given rows, which comes before all others.
pub(super) fn with_given(scope: &Scope, name: &str, given: &Given) -> Scope {
    Scope {
        session: Arc::new(WithGiven {
            session: Arc::clone(&scope.session),
            name: name.to_owned(),
            rows: Arc::new(given.clone()),
        }),
        ..scope.clone()
    }
}

struct WithGiven {
    session: Arc<dyn SessionNames>,
    name: String,
    rows: Arc<dyn TableProvider>,
}

impl SessionNames for WithGiven {
    fn function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.session.function(name)
    }

    fn function_names(&self) -> Vec<String> {
        self.session.function_names()
    }

    fn system_table(
        &self,
        schema: &str,
        name: &str,
        hidden: bool,
    ) -> Option<Arc<dyn TableProvider>> {
        self.session.system_table(schema, name, hidden)
    }

    fn shows_logins(&self) -> bool {
        self.session.shows_logins()
    }

    fn shows_reports(&self) -> bool {
        self.session.shows_reports()
    }

    fn system_rows(&self, function: &str) -> Option<Arc<dyn TableProvider>> {
        self.session.system_rows(function)
    }

    fn is_momentary(&self) -> bool {
        self.session.is_momentary()
    }

    fn temporary_table(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        match name == self.name {
            true => Some(Arc::clone(&self.rows)),
            false => self.session.temporary_table(name),
        }
    }
}
