//! Rows of a result as DataRow messages, written straight from Arrow columns into one buffer.

use arrow::array::RecordBatch;

use super::backend;
use crate::error::{Error, Result};
use crate::format::encode::{Column, Display};
use crate::session::Columns;

/// Writes the rows of a result as DataRow messages.
#[derive(Debug, Clone)]
pub(super) struct RowEncoder {
    columns: Columns,
    /// Whether each column leaves in binary.
    binary: Vec<bool>,
    display: Display,
}

impl RowEncoder {
    /// An encoder for `columns` with the format codes of a Bind message: none, one for all, or one each.
    pub(super) fn new(columns: Columns, formats: &[i16], display: Display) -> Self {
        let binary = (0..columns.len())
            .map(|index| format_of(formats, index) == 1)
            .collect();
        Self {
            columns,
            binary,
            display,
        }
    }

    /// The columns of the result.
    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Appends one DataRow message for each row of the batch.
    ///
    /// # Errors
    ///
    /// When the batch is not of the columns described, or a value has no binary form.
    pub(super) fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = open(batch, &self.columns)?;
        out.reserve(batch.num_rows() * (7 + 12 * columns.len()));
        let count = (columns.len() as u16).to_be_bytes();
        for row in 0..batch.num_rows() {
            out.push(b'D');
            let start = out.len();
            out.extend_from_slice(&[0, 0, 0, 0, count[0], count[1]]);
            for (column, binary) in columns.iter().zip(&self.binary) {
                if column.is_null(row) {
                    out.extend_from_slice(&(-1i32).to_be_bytes());
                } else {
                    let at = out.len();
                    out.extend_from_slice(&[0; 4]);
                    if *binary {
                        column.binary(row, out)?;
                    } else {
                        column.text(row, &self.display, out);
                    }
                    let length = (out.len() - at - 4) as u32;
                    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
                }
            }
            backend::close(out, start);
        }
        Ok(())
    }
}

/// The columns of a batch, opened for writing.
pub(super) fn open(batch: &RecordBatch, columns: &Columns) -> Result<Vec<Column>> {
    if batch.num_columns() != columns.len() {
        let wrong = format!("{} columns for {}", batch.num_columns(), columns.len());
        return Err(Error::internal(wrong));
    }
    batch
        .columns()
        .iter()
        .zip(columns.iter())
        .map(|(array, column)| Column::open(array, &column.sql_type))
        .collect()
}

/// The format of a column by a list of format codes: none, one for all, or one each.
pub(super) fn format_of(formats: &[i16], index: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each.get(index).copied().unwrap_or(0),
    }
}
