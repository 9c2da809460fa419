//! Planning that can be given up.
//!
//! The engine optimises a plan in one go, without coming back to the runtime, and a large plan takes
//! it seconds. Each of its rules therefore first looks whether somebody still waits for the plan.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::Transformed;
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::config::ConfigOptions;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::{Analyzer as Analyzers, AnalyzerRule};
use datafusion::optimizer::optimizer::{
    ApplyOrder, Optimizer as Optimizers, OptimizerConfig, OptimizerRule,
};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::{
    PhysicalOptimizer as PhysicalOptimizers, PhysicalOptimizerContext,
};
use datafusion::physical_plan::ExecutionPlan;

use super::fold::NeverAnyRow;
use crate::error::Error;

tokio::task_local! {
    static WANTED: Wanted;
}

/// Whether somebody still waits for what a task plans.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    given_up: Arc<AtomicBool>,
}

impl Wanted {
    /// Says that nobody waits any more.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Lets rules that run inside `work` look here.
    pub(super) async fn watch<T>(self, work: impl Future<Output = T>) -> T {
        WANTED.scope(self, work).await
    }
}

/// Fails if the running task's plan is not wanted any more.
fn still_wanted() -> EngineResult<()> {
    let given_up = WANTED.try_with(|wanted| wanted.given_up.load(Ordering::Relaxed));
    match given_up {
        Ok(true) => Err(DataFusionError::External(Box::new(Error::Cancelled))),
        // Outside a watched task nobody can give up.
        Ok(false) | Err(_) => Ok(()),
    }
}

/// The engine's own rules and [`NeverAnyRow`], which stop when nobody waits for the plan.
pub fn interruptible(builder: SessionStateBuilder) -> SessionStateBuilder {
    let analyzers = Analyzers::new().rules;
    let mut logical = Optimizers::new().rules;
    logical.insert(0, Arc::new(NeverAnyRow::default()));
    let physical = PhysicalOptimizers::new().rules;
    builder
        .with_analyzer_rules(analyzers.iter().map(watched_analyzer).collect())
        .with_optimizer_rules(logical.iter().map(watched_optimizer).collect())
        .with_physical_optimizer_rules(physical.iter().map(watched_physical).collect())
}

type Optimizer = Arc<dyn OptimizerRule + Send + Sync>;
type Analyzer = Arc<dyn AnalyzerRule + Send + Sync>;
type Physical = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

fn watched_optimizer(rule: &Optimizer) -> Optimizer {
    Arc::new(Watched(Arc::clone(rule)))
}

fn watched_analyzer(rule: &Analyzer) -> Analyzer {
    Arc::new(Watched(Arc::clone(rule)))
}

fn watched_physical(rule: &Physical) -> Physical {
    Arc::new(Watched(Arc::clone(rule)))
}

/// A rule that looks first.
#[derive(Debug)]
struct Watched<R>(R);

impl OptimizerRule for Watched<Optimizer> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> EngineResult<Transformed<LogicalPlan>> {
        still_wanted()?;
        self.0.rewrite(plan, config)
    }
}

impl AnalyzerRule for Watched<Analyzer> {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> EngineResult<LogicalPlan> {
        still_wanted()?;
        self.0.analyze(plan, config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }
}

impl PhysicalOptimizerRule for Watched<Physical> {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        still_wanted()?;
        self.0.optimize(plan, config)
    }

    fn optimize_with_context(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &dyn PhysicalOptimizerContext,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        still_wanted()?;
        self.0.optimize_with_context(plan, context)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}
