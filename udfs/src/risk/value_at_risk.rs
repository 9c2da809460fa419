//! `value_at_risk`, `expected_shortfall`, `tail_ratio`: what the worst periods lose.
//!
//! Methods: `historical` (exact quantile, interpolated linearly as numpy's and `percentile_cont`'s; the shortfall is
//! the mean of the returns at or below it), `normal`, `t` (fitted by maximum likelihood), `cornish_fisher`,
//! `monte_carlo` (normal, compounded over the horizon). `normal` and `cornish_fisher` hold sums alone; the others
//! hold the returns. A `horizon` of several periods scales mean by h and deviation by √h for `normal`, is simulated
//! by `monte_carlo`, and scales the loss by √h for the others.
//! Sources and formulas: [`math::risk::value_at_risk`](crate::math::risk::value_at_risk). Reference values: numpy
//! 2.4, scipy 1.17.

use std::collections::VecDeque;

use arrow::array::Float64Array;
use datafusion::common::ScalarValue;

use super::{RET, float8, float8_of};
use crate::error::Result;
use crate::function::{AggregateSpec, Declaration, Fold, OfSums, Parameter, Role, Work, over_sums};
use crate::math::exact::Twofold;
use crate::math::moments::{excess_kurtosis, mean, powers, skewness, variance};
use crate::math::risk::quantile::quantile;
use crate::math::risk::student_fit;
use crate::math::risk::value_at_risk::{
    Risk, Shape, cornish_fisher, historical, monte_carlo, normal, student,
};
use crate::relation::{Constant, Options, ValueType};

const METHODS: &[&str] = &["historical", "normal", "t", "cornish_fisher", "monte_carlo"];
/// The longest horizon, in periods, and the most simulated paths.
const MAX_HORIZON: i64 = 10_000;
const MAX_SIMULATIONS: i64 = 10_000_000;

const PARAMETERS: &[Parameter] = &[
    RET,
    Parameter::CONFIDENCE_LEVEL,
    Parameter::option("method", ValueType::Choice(METHODS)).or(Constant::Text("historical")),
    Parameter::option(
        "horizon",
        ValueType::Integer {
            min: 1,
            max: MAX_HORIZON,
        },
    )
    .or(Constant::Integer(1)),
    Parameter::option(
        "simulations",
        ValueType::Integer {
            min: 100,
            max: MAX_SIMULATIONS,
        },
    )
    .or(Constant::Integer(100_000)),
    Parameter::SEED,
];

pub(super) static ALL: &[AggregateSpec] = &[
    measure("value_at_risk", PARAMETERS, |options| {
        start(options, |risk| risk.value_at_risk)
    }),
    measure("expected_shortfall", PARAMETERS, |options| {
        start(options, |risk| risk.expected_shortfall)
    }),
    // |q(0.95)| / |q(0.05)|, quantiles as above. Reference: empyrical's tail_ratio.
    measure("tail_ratio", &[RET], |_| {
        Ok(Box::new(Kept::new(|parts| {
            let quantiles = quantile(parts, 0.95).zip(quantile(parts, 0.05));
            quantiles.map(|(up, down)| up.abs() / down.abs())
        })))
    }),
];

const fn measure(
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

fn start(options: &Options, pick: fn(Risk) -> f64) -> Result<Box<dyn Fold>> {
    let confidence = options.number("confidence_level")?;
    let horizon = options.count("horizon")?;
    let longer = (horizon as f64).sqrt();
    let (paths, seed) = (
        options.count("simulations")?,
        options.integer("seed")?.cast_unsigned(),
    );
    Ok(match options.text("method")? {
        "normal" => shaped(2, move |shape| {
            Some(pick(normal(shape, confidence, horizon as f64)))
        }),
        "cornish_fisher" => shaped(4, move |shape| {
            Some(longer * pick(cornish_fisher(shape, confidence)))
        }),
        "monte_carlo" => shaped(2, move |shape| {
            monte_carlo(shape, confidence, horizon, paths, seed).map(pick)
        }),
        "t" => Box::new(Kept::new(move |parts| {
            let fit = student_fit::fit(&mut parts.concat())?;
            Some(longer * pick(student(&fit, confidence)))
        })),
        _ => Box::new(Kept::new(move |parts| {
            historical(parts, confidence).map(|risk| longer * pick(risk))
        })),
    })
}

/// What is not finite is NULL.
fn defined(result: Option<f64>) -> ScalarValue {
    ScalarValue::Float64(result.filter(|x| x.is_finite()))
}

/// Measures that follow from the moments.
struct Shaped<F> {
    degree: usize,
    finish: F,
}

impl<F> std::fmt::Debug for Shaped<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shaped")
            .field("degree", &self.degree)
            .finish_non_exhaustive()
    }
}

impl<F: Fn(&Shape) -> Option<f64> + Send + Sync> OfSums for Shaped<F> {
    fn width(&self) -> usize {
        self.degree
    }

    fn least(&self) -> usize {
        2
    }

    fn terms(&self, row: &[f64], terms: &mut [Twofold]) {
        powers(row[0], terms);
    }

    fn answer(&self, rows: usize, sums: &[Twofold]) -> ScalarValue {
        let higher = self.degree >= 4;
        defined((self.finish)(&Shape {
            mean: mean(rows, sums),
            deviation: variance(rows, sums, 1).sqrt(),
            skewness: if higher { skewness(rows, sums) } else { 0.0 },
            excess_kurtosis: if higher {
                excess_kurtosis(rows, sums)
            } else {
                0.0
            },
        }))
    }

    fn not_a_number(&self) -> ScalarValue {
        ScalarValue::Float64(Some(f64::NAN))
    }

    fn nothing(&self) -> ScalarValue {
        ScalarValue::Float64(None)
    }
}

/// Starts to take returns for a measure of their moments up to a degree.
fn shaped(
    degree: usize,
    finish: impl Fn(&Shape) -> Option<f64> + Send + Sync + 'static,
) -> Box<dyn Fold> {
    over_sums(Shaped { degree, finish })
}

/// Measures that need the returns themselves. Batches are kept as they come, without a copy.
struct Kept<F> {
    parts: VecDeque<Float64Array>,
    finish: F,
}

impl<F> std::fmt::Debug for Kept<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

impl<F: Fn(&[&[f64]]) -> Option<f64> + Send + Sync> Kept<F> {
    fn new(finish: F) -> Self {
        Self {
            parts: VecDeque::new(),
            finish,
        }
    }

    fn parts(&self) -> Vec<&[f64]> {
        self.parts
            .iter()
            .map(|part| part.values().as_ref())
            .collect()
    }
}

impl<F: Fn(&[&[f64]]) -> Option<f64> + Send + Sync> Fold for Kept<F> {
    fn add(&mut self, columns: &[Float64Array]) {
        if !columns[0].is_empty() {
            self.parts.push_back(columns[0].clone());
        }
    }

    fn remove(&mut self, columns: &[Float64Array]) {
        let mut left = columns[0].len();
        while left > 0
            && let Some(front) = self.parts.pop_front()
        {
            if front.len() > left {
                self.parts.push_front(front.slice(left, front.len() - left));
            }
            left = left.saturating_sub(front.len());
        }
    }

    fn merge(&mut self, state: &Float64Array) {
        if !state.is_empty() {
            self.parts.push_back(state.clone());
        }
    }

    fn state(&self) -> Vec<f64> {
        self.parts().concat()
    }

    fn result(&mut self) -> ScalarValue {
        let parts = self.parts();
        if parts.is_empty() {
            return ScalarValue::Float64(None);
        }
        let broken = |part: &&[f64]| part.iter().fold(false, |nan, x| nan | x.is_nan());
        if parts.iter().any(broken) {
            return ScalarValue::Float64(Some(f64::NAN));
        }
        defined((self.finish)(&parts))
    }

    fn bytes(&self) -> usize {
        self.parts
            .iter()
            .map(|part| part.len() * size_of::<f64>() + size_of::<Float64Array>())
            .sum()
    }
}
