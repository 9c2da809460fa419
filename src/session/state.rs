//! One session's state of the query engine: functions, planners, limits. Never shared between tenants.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::engine::EngineLimits;
use crate::error::Result;

/// Builds the engine's state for one session in its database's environment.
///
/// # Errors
/// A function that cannot be registered, which is a bug.
pub(super) fn build(
    runtime: Arc<RuntimeEnv>,
    limits: &EngineLimits,
    zone: &str,
) -> Result<Arc<SessionState>> {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.execution.time_zone = Some(zone.to_owned());
    options.execution.parquet.pushdown_filters = false;
    options.execution.parquet.schema_force_view_types = true;
    options.sql_parser.parse_float_as_decimal = true;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .build();
    datafusion_functions_json::register_all(&mut state)?;
    tessera_udfs::register_all(&mut state)?;
    crate::planner::register_rules(&mut state);
    Ok(Arc::new(state))
}
