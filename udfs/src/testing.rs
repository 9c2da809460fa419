//! A session with our functions, for the tests of this crate.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::config::Dialect;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;

use crate::relation::{TableFunction, TableFunctions};

/// A session and the functions that it has beside ours.
pub(crate) struct Server {
    pub(crate) context: SessionContext,
    extra: TableFunctions,
}

#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(crate::extension_planners())
            .create_physical_plan(plan, session)
            .await
    }
}

impl Server {
    pub(crate) fn new(partitions: usize) -> Self {
        Self::with(partitions, Vec::new(), usize::MAX)
    }

    pub(crate) fn with(
        partitions: usize,
        functions: Vec<Arc<dyn TableFunction>>,
        memory_limit_bytes: usize,
    ) -> Self {
        let mut config = SessionConfig::new()
            .with_target_partitions(partitions)
            .with_batch_size(64);
        config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_limit(memory_limit_bytes, 1.0)
            .build_arc()
            .unwrap();
        let extra = TableFunctions::new(functions);
        let builder = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_query_planner(Arc::new(Planner));
        let mut state: SessionState = crate::register_all(builder).build();
        state
            .register_relation_planner(Arc::new(extra.clone()))
            .unwrap();
        Self {
            context: SessionContext::new_with_state(state),
            extra,
        }
    }

    /// A session in which `sql` has run.
    pub(crate) async fn after(partitions: usize, sql: &str) -> Self {
        let server = Self::new(partitions);
        server.run(sql).await;
        server
    }

    pub(crate) async fn plan(&self, sql: &str) -> Result<LogicalPlan> {
        let state = self.context.state();
        let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL)?;
        let mut inner = &mut statement;
        while let Statement::Explain(explain) = inner {
            inner = &mut explain.statement;
        }
        if let Statement::Statement(statement) = inner {
            crate::rewrite_calls(statement)?;
            self.extra.rewrite_relation_arguments(statement);
        }
        state.statement_to_plan(statement).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "these tests have no server around them"
    )]
    pub(crate) async fn frame(&self, sql: &str) -> Result<DataFrame> {
        self.context
            .execute_logical_plan(self.plan(sql).await?)
            .await
    }

    pub(crate) async fn try_run(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.frame(sql).await?.collect().await
    }

    pub(crate) async fn run(&self, sql: &str) -> Vec<RecordBatch> {
        self.try_run(sql).await.unwrap()
    }

    /// The result as text.
    pub(crate) async fn table(&self, sql: &str) -> String {
        pretty_format_batches(&self.run(sql).await)
            .unwrap()
            .to_string()
    }

    /// The rows as text, without frame and header.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<String> {
        let table = self.table(sql).await;
        let lines = table.lines().skip(3).filter(|line| line.starts_with('|'));
        let cells = |line: &str| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells.join("|")
        };
        lines.map(cells).collect()
    }

    /// Our error, as the client would see its message and hint.
    pub(crate) async fn refusal(&self, sql: &str) -> Refusal {
        let error = self.try_run(sql).await.unwrap_err();
        match crate::Error::find(&error) {
            Some(found) => Refusal {
                message: found.to_string(),
                hint: found.hint().unwrap_or_default(),
                detail: found.detail().unwrap_or_default(),
            },
            None => panic!("not one of our errors: {error}"),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) hint: String,
    pub(crate) detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", self.message, self.hint, self.detail)
    }
}
