//! What one statement uses, of whom: processors, memory, rows read.

use std::sync::Arc;
use std::sync::OnceLock;

use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;

use super::Cpu;
use super::memory::{RoleMemory, StatementPool};
use super::usage::{Counters, Tally};

/// Counts what one statement uses for its tenant, and binds it to its role's part.
#[derive(Debug)]
pub struct Meter {
    cpu: Cpu,
    counters: Arc<Counters>,
    role: Option<Arc<RoleMemory>>,
    /// Its tenant's environment with the statement's own pool, once it runs a plan.
    runtime: OnceLock<Arc<RuntimeEnv>>,
}

impl Meter {
    /// A statement that has used nothing.
    pub fn new(cpu: Cpu, counters: Arc<Counters>, role: Option<Arc<RoleMemory>>) -> Self {
        Self {
            cpu,
            counters,
            role,
            runtime: OnceLock::new(),
        }
    }

    /// Where its work runs.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// Where what it uses is counted.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Its tenant's environment, with memory that is counted for the statement.
    pub(super) fn runtime(&self, tenant: &Arc<RuntimeEnv>) -> Arc<RuntimeEnv> {
        let own = self.runtime.get_or_init(|| {
            let pool = StatementPool::new(
                Arc::clone(&tenant.memory_pool),
                self.role.clone(),
                Arc::clone(&self.counters),
            );
            Arc::new(RuntimeEnv {
                memory_pool: Arc::new(pool) as Arc<dyn MemoryPool>,
                disk_manager: Arc::clone(&tenant.disk_manager),
                cache_manager: Arc::clone(&tenant.cache_manager),
                object_store_registry: Arc::clone(&tenant.object_store_registry),
            })
        });
        Arc::clone(own)
    }

    /// Counts what a plan reads until it is over.
    pub(super) fn tally(&self, plan: &Arc<dyn ExecutionPlan>) -> Tally {
        Tally::new(plan, &self.counters)
    }
}
