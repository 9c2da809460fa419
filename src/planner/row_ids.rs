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
