//! Branches of a plan that read a relation without rows, cut off before they cost anything.
//!
//! Tools ask the catalogs in one long statement about much that this server never has: publications,
//! inheritance, extensions. What cannot give a row need not be optimised by all of the engine's rules.

use std::sync::Arc;

use datafusion::common::Result as EngineResult;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::optimizer::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::optimizer::propagate_empty_relation::PropagateEmptyRelation;
use tessera_catalog::system::never_has_rows;

/// Puts nothing in place of what never gives rows, from the scans up.
#[derive(Debug, Default)]
pub(super) struct NeverAnyRow(PropagateEmptyRelation);

impl OptimizerRule for NeverAnyRow {
    fn name(&self) -> &str {
        "never_any_row"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> EngineResult<Transformed<LogicalPlan>> {
        let is_empty = match &plan {
            LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)
                .is_ok_and(|provider| never_has_rows(provider.as_ref())),
            LogicalPlan::Distinct(distinct) => gives_nothing(distinct.input()),
            _ => return self.0.rewrite(plan, config),
        };
        if !is_empty {
            return Ok(Transformed::no(plan));
        }
        Ok(Transformed::yes(LogicalPlan::EmptyRelation(
            EmptyRelation {
                produce_one_row: false,
                schema: Arc::clone(plan.schema()),
            },
        )))
    }
}

fn gives_nothing(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row)
}
