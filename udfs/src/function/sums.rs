//! Aggregates that follow from exact sums over the rows: they take one pass, merge, and slide with a window's frame. Their state
//! does not grow with the rows, and the order of the rows changes no bit.

use std::fmt::Debug;

use arrow::array::{Array, Float64Array};
use datafusion::common::ScalarValue;

use super::aggregate::Fold;
use crate::math::exact::{Column, Sums, Twofold};

/// What is summed, and what becomes of the sums.
pub(crate) trait OfSums: Debug + Send + Sync {
    /// How many sums there are; the first is of the values themselves.
    fn width(&self) -> usize;

    /// Fewer rows have no answer.
    fn least(&self) -> usize {
        1
    }

    /// What a row adds to the sums.
    fn terms(&self, row: &[f64], terms: &mut [Twofold]);

    /// The answer for so many rows.
    fn answer(&self, rows: usize, sums: &[Twofold]) -> ScalarValue;

    /// The answer where a value was NaN.
    fn not_a_number(&self) -> ScalarValue;

    /// The answer for too few rows.
    fn nothing(&self) -> ScalarValue;
}

/// Starts to take rows.
pub(crate) fn over_sums(measure: impl OfSums + 'static) -> Box<dyn Fold> {
    let width = measure.width();
    Box::new(Running {
        measure,
        sums: Sums::new(width),
        columns: vec![Column::default(); width],
        terms: vec![Twofold::from(0.0); width],
        row: Vec::new(),
    })
}

#[derive(Debug)]
struct Running<M> {
    measure: M,
    sums: Sums,
    columns: Vec<Column>,
    terms: Vec<Twofold>,
    row: Vec<f64>,
}

impl<M: OfSums> Running<M> {
    /// Takes rows, or forgets them with a sign of -1.
    fn take(&mut self, columns: &[Float64Array], sign: f64) {
        let rows = columns.first().map_or(0, Array::len);
        self.row.resize(columns.len(), 0.0);
        for row in 0..rows {
            for (value, column) in self.row.iter_mut().zip(columns) {
                *value = column.values()[row];
            }
            self.measure.terms(&self.row, &mut self.terms);
            let terms = self.columns.iter_mut().zip(&self.terms);
            terms.for_each(|(column, term)| column.push(*term));
        }
        self.sums.add_rows(rows, &mut self.columns, sign);
    }
}

impl<M: OfSums> Fold for Running<M> {
    fn add(&mut self, columns: &[Float64Array]) {
        self.take(columns, 1.0);
    }

    fn remove(&mut self, columns: &[Float64Array]) {
        self.take(columns, -1.0);
    }

    fn merge(&mut self, state: &Float64Array) {
        self.sums.merge_state(state.values());
    }

    fn state(&self) -> Vec<f64> {
        self.sums.state()
    }

    fn result(&mut self) -> ScalarValue {
        let (rows, sums) = (self.sums.count(), self.sums.values());
        if rows < self.measure.least() {
            self.measure.nothing()
        } else if sums.iter().any(|sum| sum.high.is_nan()) {
            self.measure.not_a_number()
        } else {
            self.measure.answer(rows, &sums)
        }
    }

    fn bytes(&self) -> usize {
        self.sums.bytes() + size_of_val(self.terms.as_slice()) + size_of_val(self.row.as_slice())
    }
}
