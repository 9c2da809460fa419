//! One immutable Parquet file of a part, and what its statistics tell.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;

/// A data file: all that the log's `add` and `remove` and the query planner need.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Relative to the part's folder; named by a uuid, never used twice.
    pub path: String,
    /// In bytes.
    pub size: u64,
    pub rows: u64,
    pub stats: Arc<FileStats>,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

/// Statistics of a file's columns by their physical names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileStats {
    pub columns: HashMap<String, ColumnStats>,
}

/// What is known of one column of a file; values are in the stored type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnStats {
    pub nulls: Option<u64>,
    /// No value is below it.
    pub min: Option<ScalarValue>,
    /// No value is above it.
    pub max: Option<ScalarValue>,
    /// Whether `min` is a value of the column, not just a bound.
    pub min_exact: bool,
    /// Whether `max` is a value of the column, not just a bound.
    pub max_exact: bool,
}
