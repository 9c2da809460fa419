//! Measures that follow from sums over the rows, as data.

use datafusion::common::ScalarValue;

use super::{float8, float8_of};
use crate::error::Result;
use crate::function::{AggregateSpec, Declaration, Fold, OfSums, Parameter, Role, Work, over_sums};
use crate::math::exact::Twofold;
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

/// A measure of a call.
#[derive(Debug)]
struct Asked {
    measure: &'static Measure,
    options: Vec<f64>,
}

impl Measure {
    /// Starts to take rows.
    pub(super) fn start(&'static self, options: &Options) -> Result<Box<dyn Fold>> {
        let numbers = self.options.iter().map(|name| options.number(name));
        Ok(over_sums(Asked {
            measure: self,
            options: numbers.collect::<Result<_>>()?,
        }))
    }
}

impl OfSums for Asked {
    fn width(&self) -> usize {
        self.measure.width
    }

    fn least(&self) -> usize {
        self.measure.least
    }

    fn terms(&self, row: &[f64], terms: &mut [Twofold]) {
        (self.measure.terms)(row, &self.options, terms);
    }

    fn answer(&self, rows: usize, sums: &[Twofold]) -> ScalarValue {
        let result = (self.measure.finish)(rows, sums, &self.options);
        ScalarValue::Float64(result.is_finite().then_some(result))
    }

    fn not_a_number(&self) -> ScalarValue {
        ScalarValue::Float64(Some(f64::NAN))
    }

    fn nothing(&self) -> ScalarValue {
        ScalarValue::Float64(None)
    }
}
