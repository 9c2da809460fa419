//! Sentiment of texts.
//!
//! The rules and lexicons are in [`math::sentiment`](crate::math::sentiment); everything is deterministic and offline.

mod score;

use crate::function::ScalarSpec;

/// The functions of single rows.
pub(crate) fn scalars() -> impl Iterator<Item = &'static ScalarSpec> {
    std::iter::once(&score::SENTIMENT)
}
