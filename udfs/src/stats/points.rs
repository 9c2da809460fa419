//! Points of several columns, for the functions that look at all of them together.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::error::Result;
use crate::relation::{Argument, Class, ColumnRef, Failure, Group, Layout};

pub(super) const KEY: Argument = Argument {
    required: true,
    ..Argument::column("key_col", Class::Any)
};
pub(super) const X: Argument = Argument {
    required: true,
    ..Argument::columns("x_cols", Class::Number)
};

/// The columns of a call.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) key: Option<ColumnRef>,
    x: Vec<ColumnRef>,
    pub(super) names: Vec<String>,
}

/// The complete rows of a group.
pub(super) struct Points {
    /// A slice a column.
    pub(super) columns: Vec<Vec<f64>>,
    rows: UInt32Array,
}

impl Columns {
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let x = layout.columns("x_cols").to_vec();
        let names = x.iter().map(|x| layout.field(*x).name().clone()).collect();
        Ok(Self {
            key: layout.columns("key_col").first().copied(),
            x,
            names,
        })
    }

    /// The rows of which every number is finite.
    pub(super) fn points(&self, group: &Group<'_>) -> Result<Points, Failure> {
        let columns = self.x.iter().map(|x| group.numbers(*x));
        let mut columns = columns.collect::<Result<Vec<_>, _>>()?;
        let complete = |row: &usize| columns.iter().all(|column| column[*row].is_finite());
        let kept: Vec<usize> = (0..group.rows()).filter(complete).collect();
        for column in &mut columns {
            *column = kept.iter().map(|row| column[*row]).collect();
        }
        let rows = kept.into_iter().filter_map(|row| u32::try_from(row).ok());
        Ok(Points {
            columns,
            rows: rows.collect(),
        })
    }
}

impl Points {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The values of a column in the complete rows.
    pub(super) fn of(&self, column: &ArrayRef) -> Result<ArrayRef, Failure> {
        Ok(take(column, &self.rows, None)?)
    }

    /// A row of coordinates for each point.
    pub(super) fn rows(&self) -> Vec<Vec<f64>> {
        let row = |row: usize| self.columns.iter().map(|column| column[row]).collect();
        (0..self.count()).map(row).collect()
    }
}
