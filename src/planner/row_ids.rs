//! The two columns by which UPDATE, DELETE and MERGE name a stored row: its file and its place there.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};

/// Index of the row's file among those that the scan was given.
pub const FILE_COLUMN: &str = "\u{4}file";
/// The row's place in its file, from 0.
pub const ROW_COLUMN: &str = "\u{4}row";

/// The fields of the two columns.
pub fn row_id_fields() -> [FieldRef; 2] {
    [
        Arc::new(Field::new(FILE_COLUMN, DataType::Int64, false)),
        Arc::new(Field::new(ROW_COLUMN, DataType::Int64, false)),
    ]
}

/// What a target's name ends with where a statement that changes rows is planned as a query.
const MARK: &str = "\u{4}";

/// The name of a table whose rows are to come with their places.
pub fn mark(table: &str) -> String {
    format!("{table}{MARK}")
}

/// A marked name's table.
pub(super) fn unmark(name: &str) -> Option<&str> {
    name.strip_suffix(MARK)
}
