//! Stand-in for the planner.

use datafusion::error::DataFusionError;

use crate::error::Error;

/// The server's error for one of the query engine's.
pub fn engine_error(error: DataFusionError) -> Error {
    Error::Internal(Box::new(error))
}
