//! Which plans are known to work long without giving others a turn.
//!
//! Most operators come back after some batches. A nested loop works through all pairs of its inputs,
//! a sort through all its rows, a function over relations through a whole group. A plan with one of
//! these over more than a few rows begins on the threads that give way, since on others it could
//! not be stopped. A number of rows that is not known counts as many.

use std::any::Any;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

/// Pairs that a nested loop goes through in a short time.
const MAX_PAIRS: u64 = 4_000_000;
/// Rows that are sorted in a short time.
const MAX_SORTED: u64 = 200_000;

/// Whether a plan may work long at a stretch.
pub(super) fn works_long(plan: &dyn ExecutionPlan) -> bool {
    let here: &dyn Any = plan;
    let mut children = plan.children().into_iter();
    let of_itself = if here.is::<NestedLoopJoinExec>() || here.is::<CrossJoinExec>() {
        rows(plan).is_none_or(|pairs| pairs > MAX_PAIRS)
    } else if here.is::<SortExec>()
        || here.is::<WindowAggExec>()
        || here.is::<BoundedWindowAggExec>()
    {
        rows(plan).is_none_or(|rows| rows > MAX_SORTED)
    } else {
        tessera_udfs::is_table_operator(plan)
    };
    of_itself || children.any(|child| works_long(child.as_ref()))
}

/// As many rows as a node can be expected to go through at most; `None` if that is not known.
fn rows(plan: &dyn ExecutionPlan) -> Option<u64> {
    let children = plan.children();
    if children.is_empty() {
        let whole = StatisticsArgs::new();
        let statistics = StatisticsContext::new().compute(plan, &whole).ok()?;
        return statistics.num_rows.get_value().map(|rows| *rows as u64);
    }
    let here: &dyn Any = plan;
    let pairs = here.is::<NestedLoopJoinExec>() || here.is::<CrossJoinExec>();
    let mut of_children = children.into_iter().map(|child| rows(child.as_ref()));
    if pairs {
        return of_children.try_fold(1, |all: u64, rows| Some(all.saturating_mul(rows?)));
    }
    of_children.try_fold(0, |all: u64, rows| Some(all.saturating_add(rows?)))
}
