//! Measures that follow from sums over the rows: their state does not grow.

use arrow::array::{Array, Float64Array};
use datafusion::common::ScalarValue;

use super::{float8, float8_of};
use crate::error::Result;
use crate::function::{AggregateSpec, Declaration, Fold, Parameter, Role, Work};
use crate::math::exact::{Column, Sums, Twofold};
use crate::relation::Options;

/// A measure as data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// The options that the functions get as numbers.
    pub(super) options: &'static [&'static str],
    /// How many sums there are; the first is of the values themselves.
    pub(super) width: usize,
    /// Fewer rows give NULL.
    pub(super) least: usize,
    /// What a row adds to the sums.
    pub(super) terms: fn(row: &[f64], options: &[f64], terms: &mut [Twofold]),
    /// The result; what is not finite becomes NULL.
    pub(super) finish: fn(n: usize, sums: &[Twofold], options: &[f64]) -> f64,
}

/// An aggregate that is such a measure.
pub(super) const fn of_sums(
    name: &'static str,
    parameters: &'static [Parameter],
    start: fn(&Options) -> Result<Box<dyn Fold>>,
) -> AggregateSpec {
    AggregateSpec {
        declaration: Declaration {
            name,
            role: Role::Aggregate,
            parameters,
            returns: float8,
        },
        returns: float8_of,
        work: Work::Fold(start),
    }
}

#[derive(Debug)]
struct Running {
    measure: &'static Measure,
    options: Vec<f64>,
    sums: Sums,
    terms: Vec<Twofold>,
    columns: Vec<Column>,
    row: Vec<f64>,
}

impl Measure {
    /// Starts to take rows.
    pub(super) fn start(&'static self, options: &Options) -> Result<Box<dyn Fold>> {
        let numbers = self.options.iter().map(|name| options.number(name));
        Ok(Box::new(Running {
            measure: self,
            options: numbers.collect::<Result<_>>()?,
            sums: Sums::new(self.width),
            terms: vec![Twofold::from(0.0); self.width],
            columns: vec![Column::default(); self.width],
            row: Vec::new(),
        }))
    }
}

impl Running {
    /// Takes rows, or forgets them with a sign of -1.
    fn take(&mut self, columns: &[Float64Array], sign: f64) {
        let rows = columns.first().map_or(0, Array::len);
        self.row.resize(columns.len(), 0.0);
        for row in 0..rows {
            for (value, column) in self.row.iter_mut().zip(columns) {
                *value = column.values()[row];
            }
            (self.measure.terms)(&self.row, &self.options, &mut self.terms);
            let terms = self.columns.iter_mut().zip(&self.terms);
            terms.for_each(|(column, term)| column.push(*term));
        }
        self.sums.add_rows(rows, &mut self.columns, sign);
    }
}

impl Fold for Running {
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
        let (n, sums) = (self.sums.count(), self.sums.values());
        if n < self.measure.least {
            return ScalarValue::Float64(None);
        }
        if sums.iter().any(|sum| sum.high.is_nan()) {
            return ScalarValue::Float64(Some(f64::NAN));
        }
        let result = (self.measure.finish)(n, &sums, &self.options);
        ScalarValue::Float64(result.is_finite().then_some(result))
    }

    fn bytes(&self) -> usize {
        self.sums.bytes() + size_of_val(self.terms.as_slice()) + size_of_val(self.row.as_slice())
    }
}
