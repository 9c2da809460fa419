//! Aggregates that keep their rows and answer a declared shape, and the shapes that several share.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, ScalarValue};

use crate::function::{Answer, Rows, Shape};
use crate::relation::Options;

/// What a test of a hypothesis answers.
pub(super) const TEST: Shape =
    Shape::Record(&[("statistic", Shape::Number), ("p_value", Shape::Number)]);

/// An aggregate over kept rows: name, role, parameters, shape, what computes the answer.
macro_rules! over_rows {
    ($name:literal, $role:ident, $parameters:expr, $shape:expr, $finish:expr) => {
        crate::function::AggregateSpec {
            declaration: crate::function::Declaration {
                name: $name,
                role: crate::function::Role::$role,
                parameters: $parameters,
                returns: || $shape.data_type(),
            },
            returns: |_| $shape.data_type(),
            work: crate::function::Work::Rows(|rows, options| {
                crate::stats::answer(rows, options, $shape, $finish)
            }),
        }
    };
}
pub(crate) use over_rows;

/// Computes unless a NaN is among the numbers.
pub(crate) fn answer(
    rows: &Rows,
    options: &Options,
    shape: Shape,
    finish: fn(&Rows, &Options) -> Option<Answer>,
) -> Result<ScalarValue> {
    let is_nan = |column: &ArrayRef| {
        *column.data_type() == DataType::Float64
            && column
                .as_primitive::<Float64Type>()
                .iter()
                .flatten()
                .any(f64::is_nan)
    };
    if rows.columns().iter().any(is_nan) {
        return shape.scalar(Some(shape.not_a_number()));
    }
    shape.scalar(finish(rows, options))
}

/// A test's statistic and p-value.
pub(super) fn test(found: Option<(f64, f64)>) -> Option<Answer> {
    found.map(|(statistic, p)| Answer::record(&[statistic, p]))
}

/// The numbers of a column in ascending order.
pub(super) fn ascending(rows: &Rows, parameter: usize) -> Vec<f64> {
    let mut values = rows.numbers(parameter).to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// For each row the place of its value among the distinct ones, ascending, and how many there are.
pub(crate) fn codes(column: &ArrayRef) -> Option<(Vec<usize>, usize)> {
    let field = SortField::new(column.data_type().clone());
    let converter = RowConverter::new(vec![field]).ok()?;
    let rows = converter
        .convert_columns(&[std::sync::Arc::clone(column)])
        .ok()?;
    let mut order: Vec<usize> = (0..column.len()).collect();
    order.sort_unstable_by(|a, b| rows.row(*a).cmp(&rows.row(*b)));
    let mut codes = vec![0; column.len()];
    let mut count = 0;
    for (place, index) in order.iter().enumerate() {
        if place == 0 || rows.row(order[place - 1]) != rows.row(*index) {
            count += 1;
        }
        codes[*index] = count - 1;
    }
    Some((codes, count))
}

/// The numbers of one column, ascending, a list for each value of another.
pub(super) fn grouped(rows: &Rows, values: usize, labels: usize) -> Option<Vec<Vec<f64>>> {
    let (codes, count) = codes(rows.column(labels))?;
    let mut groups = vec![Vec::new(); count];
    for (value, code) in rows.numbers(values).iter().zip(codes) {
        groups[code].push(*value);
    }
    groups
        .iter_mut()
        .for_each(|group| group.sort_unstable_by(f64::total_cmp));
    Some(groups)
}

/// Rows of numbers in an order that depends on them alone.
pub(super) fn sorted_pairs(x: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    pairs.into_iter().unzip()
}
