//! One session's state of the query engine: functions, planners, limits. Never shared between tenants.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result as EngineResult;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;

use super::engine::EngineLimits;
use crate::error::Result;
use crate::format::Display;

/// Builds the engine's state for one session in its database's environment.
///
/// # Errors
/// A function that cannot be registered, which is a bug.
pub(super) fn build(
    runtime: Arc<RuntimeEnv>,
    limits: &EngineLimits,
    display: Display,
) -> Result<Arc<SessionState>> {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.execution.time_zone = Some(display.zone.name().to_owned());
    options.execution.parquet.schema_force_view_types = true;
    options.sql_parser.parse_float_as_decimal = true;
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_query_planner(Arc::new(Planner))
        .with_default_features();
    let mut state = tessera_udfs::register_all(builder).build();
    datafusion_functions_json::register_all(&mut state)?;
    crate::planner::register_rules(&mut state, display);
    Ok(Arc::new(state))
}

/// Makes operators of our own plan nodes too.
struct Planner;

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planner")
    }
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &SessionState,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let planner =
            DefaultPhysicalPlanner::with_extension_planners(tessera_udfs::extension_planners());
        planner.create_physical_plan(plan, state).await
    }
}
