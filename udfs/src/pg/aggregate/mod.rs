//! Aggregates that the engine lacks, miscounts or answers in other types; the rest is the engine's.

mod array_agg;
mod decimal_sums;
mod exact;
mod few_groups;
mod floats;
mod interval_average;
mod ordered_set;
mod string_agg;

use std::sync::Arc;

use datafusion::functions_aggregate::bool_and_or::bool_and_udaf;
use datafusion::logical_expr::AggregateUDF;

pub(crate) use array_agg::array_agg;
pub use exact::{is_numeric_aggregate, plain_aggregate};

/// The aggregates, those that make JSON among them.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let every = bool_and_udaf().as_ref().clone().with_aliases(["every"]);
    let mut all = ordered_set::aggregates();
    all.push(Arc::new(every));
    all.push(array_agg());
    all.extend(exact::aggregates());
    all.extend(floats::aggregates());
    all.push(string_agg::aggregate());
    all.extend(super::json::aggregate::aggregates());
    all
}
