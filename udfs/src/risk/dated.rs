//! The returns of a group in the order of their times, for the functions over relations.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::filter;

use crate::error::Result;
use crate::relation::{Argument, Class, ColumnRef, Failure, Group, Layout};

pub(super) const TIME: Argument = Argument::column("timestamp_col", Class::Time)
    .inferred()
    .orders();
pub(super) const DATA: Argument = Argument::column("data_col", Class::Number).inferred();

/// The columns of [`TIME`] and [`DATA`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Dated {
    time: ColumnRef,
    data: ColumnRef,
}

/// The rows that have a time and a return.
pub(super) struct Returns {
    kept: BooleanArray,
    pub(super) values: Vec<f64>,
}

impl Dated {
    /// Finds the columns.
    ///
    /// # Errors
    /// When the signature lacks one.
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        Ok(Self {
            time: layout.column("timestamp_col")?,
            data: layout.column("data_col")?,
        })
    }

    /// Reads a group; rows without a time or a return are left out, and NaN is no return.
    ///
    /// # Errors
    /// When the column is not numeric.
    pub(super) fn returns(&self, group: &Group<'_>) -> Result<Returns, Failure> {
        let times = group.column(self.time);
        let mut values = group.numbers(self.data)?;
        let kept: BooleanArray = values
            .iter()
            .enumerate()
            .map(|(row, x)| Some(times.is_valid(row) && !x.is_nan()))
            .collect();
        let mut rows = kept.values().iter();
        values.retain(|_| rows.next().unwrap_or(false));
        Ok(Returns { kept, values })
    }

    /// The times of the returns.
    ///
    /// # Errors
    /// When the column's type can't be filtered.
    pub(super) fn times(&self, group: &Group<'_>, returns: &Returns) -> Result<ArrayRef, Failure> {
        Ok(filter(group.column(self.time), &returns.kept)?)
    }
}

impl Returns {
    /// The values of another column beside the returns; NULL is NaN.
    ///
    /// # Errors
    /// When the column is not numeric.
    pub(super) fn beside(&self, group: &Group<'_>, column: ColumnRef) -> Result<Vec<f64>, Failure> {
        let mut values = group.numbers(column)?;
        let mut rows = self.kept.values().iter();
        values.retain(|_| rows.next().unwrap_or(false));
        Ok(values)
    }
}
