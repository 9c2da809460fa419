//! Sentiment of texts, and their words.
//!
//! The rules and lexicons are in [`math::sentiment`](crate::math::sentiment); everything is deterministic and offline.

mod analyze;
mod index;
mod score;
mod top_terms;
mod words;

use std::sync::Arc;

use crate::function::{AggregateSpec, ScalarSpec};
use crate::relation::TableFunction;

/// The functions of single rows.
pub(crate) fn scalars() -> impl Iterator<Item = &'static ScalarSpec> {
    [
        &score::SENTIMENT,
        &analyze::ANALYZE,
        &words::TOKENIZE,
        &words::NGRAMS,
    ]
    .into_iter()
}

/// The aggregates.
pub(crate) fn aggregates() -> impl Iterator<Item = &'static AggregateSpec> {
    std::iter::once(&top_terms::TOP_TERMS)
}

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![Arc::new(index::IndexFunction)]
}
