//! Statistics that follow from exact sums over the rows, as data.

use datafusion::common::ScalarValue;

use crate::function::{Answer, Fold, OfSums, Shape};
use crate::math::exact::Twofold;
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

/// What a call asks for.
#[derive(Debug)]
struct Asked {
    summed: &'static Summed,
    options: Options,
}

impl Summed {
    /// Starts to take rows.
    pub(super) fn start(&'static self, options: &Options) -> Box<dyn Fold> {
        crate::function::over_sums(Asked {
            summed: self,
            options: options.clone(),
        })
    }
}

impl Asked {
    /// A shape always makes a value of its own answers.
    fn value(&self, answer: Option<Answer>) -> ScalarValue {
        self.summed
            .shape
            .scalar(answer)
            .unwrap_or(ScalarValue::Null)
    }
}

impl OfSums for Asked {
    fn width(&self) -> usize {
        self.summed.width
    }

    fn terms(&self, row: &[f64], terms: &mut [Twofold]) {
        (self.summed.terms)(row, terms);
    }

    fn answer(&self, rows: usize, sums: &[Twofold]) -> ScalarValue {
        self.value((self.summed.finish)(rows, sums, &self.options))
    }

    fn not_a_number(&self) -> ScalarValue {
        self.value(Some(self.summed.shape.not_a_number()))
    }

    fn nothing(&self) -> ScalarValue {
        self.value(None)
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
