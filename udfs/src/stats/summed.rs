//! Aggregates that follow from exact sums over the rows: they take one pass, merge, and slide with a window's frame.

use arrow::array::{Array, Float64Array};
use datafusion::common::ScalarValue;

use crate::function::{Answer, Fold, Shape};
use crate::math::exact::{Column, Sums, Twofold};
use crate::math::moments::{covariance, mean, variance};
use crate::math::stats::association::Comoments;
use crate::math::stats::location::Moments;
use crate::relation::Options;

/// What is summed, and what becomes of the sums.
#[derive(Debug)]
pub(super) struct Summed {
    /// How many sums there are; the first is of the values themselves.
    pub(super) width: usize,
    pub(super) shape: Shape,
    /// What a row adds to the sums.
    pub(super) terms: fn(&[f64], &mut [Twofold]),
    /// The answer; what is not finite becomes NULL.
    pub(super) finish: fn(usize, &[Twofold], &Options) -> Option<Answer>,
}

/// An aggregate of this kind: name, parameters, what is summed.
macro_rules! over_sums {
    ($name:literal, $parameters:expr, $summed:expr) => {
        crate::function::AggregateSpec {
            declaration: crate::function::Declaration {
                name: $name,
                role: crate::function::Role::Aggregate,
                parameters: $parameters,
                returns: || $summed.shape.data_type(),
            },
            returns: |_| $summed.shape.data_type(),
            work: crate::function::Work::Fold(|options| Ok($summed.start(options))),
        }
    };
}
pub(super) use over_sums;

#[derive(Debug)]
struct Running {
    summed: &'static Summed,
    options: Options,
    sums: Sums,
    columns: Vec<Column>,
    terms: Vec<Twofold>,
    row: Vec<f64>,
}

impl Summed {
    /// Starts to take rows.
    pub(super) fn start(&'static self, options: &Options) -> Box<dyn Fold> {
        Box::new(Running {
            summed: self,
            options: options.clone(),
            sums: Sums::new(self.width),
            columns: vec![Column::default(); self.width],
            terms: vec![Twofold::from(0.0); self.width],
            row: Vec::new(),
        })
    }
}

impl Running {
    fn each(&mut self, columns: &[Float64Array], sign: f64) {
        let rows = columns.first().map_or(0, Array::len);
        self.row.resize(columns.len(), 0.0);
        for row in 0..rows {
            for (value, column) in self.row.iter_mut().zip(columns) {
                *value = column.values()[row];
            }
            (self.summed.terms)(&self.row, &mut self.terms);
            let terms = self.columns.iter_mut().zip(&self.terms);
            terms.for_each(|(column, term)| column.push(*term));
        }
        self.sums.add_rows(rows, &mut self.columns, sign);
    }
}

impl Fold for Running {
    fn add(&mut self, columns: &[Float64Array]) {
        self.each(columns, 1.0);
    }

    fn remove(&mut self, columns: &[Float64Array]) {
        self.each(columns, -1.0);
    }

    fn merge(&mut self, state: &Float64Array) {
        self.sums.merge_state(state.values());
    }

    fn state(&self) -> Vec<f64> {
        self.sums.state()
    }

    fn result(&mut self) -> ScalarValue {
        let (n, sums) = (self.sums.count(), self.sums.values());
        let shape = self.summed.shape;
        let answer = if n == 0 {
            None
        } else if sums.iter().any(|sum| sum.high.is_nan()) {
            Some(shape.not_a_number())
        } else {
            (self.summed.finish)(n, &sums, &self.options)
        };
        // A shape always makes a value of its own answers.
        shape.scalar(answer).unwrap_or(ScalarValue::Null)
    }

    fn bytes(&self) -> usize {
        self.sums.bytes() + size_of_val(self.terms.as_slice()) + size_of_val(self.row.as_slice())
    }
}

/// Count, mean and squares from the sums of the first two powers.
pub(super) fn moments(n: usize, sums: &[Twofold]) -> Moments {
    let squares = if n < 2 {
        0.0
    } else {
        variance(n, sums, 1) * (n as f64 - 1.0)
    };
    Moments {
        count: n as f64,
        mean: mean(n, sums),
        squares,
    }
}

/// The same of pairs, from the sums of x, y, x², y², xy.
pub(super) fn comoments(n: usize, sums: &[Twofold]) -> Comoments {
    let [x, y, xx, yy, xy] = [sums[0], sums[1], sums[2], sums[3], sums[4]];
    let less = if n < 2 { 0.0 } else { n as f64 - 1.0 };
    let of = |a: Twofold, b: Twofold, ab: Twofold| {
        if n < 2 {
            0.0
        } else {
            covariance(n, a, b, ab, 1) * less
        }
    };
    Comoments {
        count: n as f64,
        mean_x: mean(n, &[x]),
        mean_y: mean(n, &[y]),
        xx: of(x, x, xx).max(0.0),
        yy: of(y, y, yy).max(0.0),
        xy: of(x, y, xy),
    }
}

/// x, y, x², y², xy.
pub(super) fn pair_terms(row: &[f64], terms: &mut [Twofold]) {
    let (x, y) = (row[0], row[1]);
    terms[0] = x.into();
    terms[1] = y.into();
    terms[2] = Twofold::product(x, x);
    terms[3] = Twofold::product(y, y);
    terms[4] = Twofold::product(x, y);
}
