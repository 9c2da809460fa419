//! What a table function gets and gives: the rows of one group, and the rows it makes of them.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use super::layout::ColumnRef;

/// The rows of one group. They come in an order that depends on the rows alone: by the ordering columns,
/// ties by the other columns; so equal data gives equal bits however it was stored or partitioned.
#[derive(Debug)]
pub struct Group<'a> {
    relations: &'a [RecordBatch],
}

/// The rows that a function makes of a group, without id columns and `status`.
#[derive(Debug)]
pub struct Output {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) status: Option<ArrayRef>,
}

/// Why a group has no result.
#[derive(Debug)]
pub enum Failure {
    /// The data does not allow one: the reason is the group's `status`, or the query's error with `on_error => 'abort'`.
    Refused(String),
    /// Something is broken, whatever the data: the query fails.
    Broken(DataFusionError),
}

impl<'a> Group<'a> {
    pub(super) fn new(relations: &'a [RecordBatch]) -> Self {
        Self { relations }
    }

    /// The number of rows of the first relation; 0 when only further relations have rows of this group.
    pub fn rows(&self) -> usize {
        self.relations.first().map_or(0, RecordBatch::num_rows)
    }

    /// The values of a column.
    pub fn column(&self, column: ColumnRef) -> &ArrayRef {
        self.relations[column.relation].column(column.index)
    }

    /// The values of a numeric column as floating point; NULL is NaN.
    ///
    /// # Errors
    /// When the column is not numeric.
    pub fn numbers(&self, column: ColumnRef) -> Result<Vec<f64>, Failure> {
        let array = cast(self.column(column), &DataType::Float64)?;
        let array = array.as_primitive::<Float64Type>();
        if array.null_count() == 0 {
            return Ok(array.values().to_vec());
        }
        Ok(array
            .iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect())
    }

    /// The values of a text column.
    ///
    /// # Errors
    /// When the column is not text.
    pub fn texts(&self, column: ColumnRef) -> Result<StringArray, Failure> {
        let array = cast(self.column(column), &DataType::Utf8)?;
        Ok(array.as_string::<i32>().clone())
    }
}

impl Output {
    /// Rows that are all fine; the columns are those of [`TableFunction::output`](super::TableFunction::output).
    pub fn new(columns: Vec<ArrayRef>) -> Self {
        Self {
            columns,
            status: None,
        }
    }

    /// The same rows with a text column of the function's own for `status`.
    pub fn with_status(mut self, status: ArrayRef) -> Self {
        self.status = Some(status);
        self
    }
}

impl Failure {
    /// A group that can't be computed, for a reason in PostgreSQL's style.
    pub fn refused(reason: impl std::fmt::Display) -> Self {
        Failure::Refused(reason.to_string())
    }
}

impl From<ArrowError> for Failure {
    fn from(error: ArrowError) -> Self {
        Failure::Broken(error.into())
    }
}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        Failure::Broken(error)
    }
}
