//! One session's state of the query engine: functions, planners, limits. Never shared between tenants.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result as EngineResult;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;

use tessera_catalog::provider::DecodedColumns;

use super::engine::EngineLimits;
use crate::error::Result;
use crate::format::Display;

/// Rows of a batch.
const BATCH_ROWS: usize = 16_384;
/// A side of a join up to this size is given whole to each part of the other.
const BROADCAST_BYTES: usize = 32 << 20;
/// The same in rows, where the size is not known.
const BROADCAST_ROWS: usize = 1_000_000;
/// Keys of a join in a range up to this are looked up by their place, if enough of the range is used.
const DENSE_KEYS: usize = 2_000_000;
/// How much of a wider range must be used.
const DENSE_KEYS_SHARE: f64 = 0.1;

/// Builds the engine's state for one session in its database's environment.
///
/// # Errors
/// A function that cannot be registered, which is a bug.
pub(super) fn build(
    runtime: Arc<RuntimeEnv>,
    limits: &EngineLimits,
    decoded: &Arc<DecodedColumns>,
    display: Display,
) -> Result<Arc<SessionState>> {
    let mut config = SessionConfig::new()
        .with_target_partitions(limits.partitions)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_extension(Arc::clone(decoded));
    let options = config.options_mut();
    // Measured on TPC-H: fewer, bigger batches cost less; a small side of a join is built once and not
    // dealt out; keys as dense as order numbers are found by their place.
    options.optimizer.hash_join_single_partition_threshold = BROADCAST_BYTES;
    options.optimizer.hash_join_single_partition_threshold_rows = BROADCAST_ROWS;
    options.execution.perfect_hash_join_small_build_threshold = DENSE_KEYS;
    options.execution.perfect_hash_join_min_key_density = DENSE_KEYS_SHARE;
    options.execution.time_zone = Some(display.zone.name().to_owned());
    options.execution.parquet.schema_force_view_types = true;
    // The engine's own check of its planner, which no union of literals passes: the fields of such a union
    // say less of themselves before planning than after.
    options.execution.skip_physical_aggregate_schema_check = true;
    options.sql_parser.parse_float_as_decimal = true;
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_query_planner(Arc::new(Planner))
        .with_default_features();
    let builder = crate::execute::interruptible(builder);
    let mut state = tessera_udfs::register_all(builder).build();
    datafusion_functions_json::register_all(&mut state)?;
    // The functions of JSON that give rows have PostgreSQL's meaning.
    tessera_udfs::register_set_functions(&mut state)?;
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
        state: &dyn Session,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let planner =
            DefaultPhysicalPlanner::with_extension_planners(tessera_udfs::extension_planners());
        planner.create_physical_plan(plan, state).await
    }
}
