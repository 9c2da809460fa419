//! `risk_assess`: one row an entity with the usual measures of its returns, a score from 0 (risky) to 100 and a grade.
//!
//! Measures are those of the aggregates of the same names: returns per period as decimals, losses positive, volatility and
//! returns of a year; value at risk and shortfall are historical, of one period. The score weighs the points of five
//! measures; `weights => (SELECT measure, weight …)` replaces the weights: volatility .25, value_at_risk .15,
//! expected_shortfall .20, max_drawdown .25, sharpe_ratio .15; a measure that is not named gets 0. Points and grades:
//! [`math::risk::assess`](crate::math::risk::assess). Reference values of the measures: empyrical, numpy.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use super::dated::{DATA, Dated, TIME};
use crate::error::Result;
use crate::math::exact::{ExactSum, Sums, Twofold};
use crate::math::moments::{mean, powers, variance};
use crate::math::risk::assess::{Measure, grade, score};
use crate::math::risk::drawdown::deepest;
use crate::math::risk::value_at_risk::historical;
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Presence,
    Rows, Signature, TableFunction, ValueType, Wanted,
};

/// Fewer returns are not judged.
const LEAST_RETURNS: usize = 20;

static SIGNATURE: Signature = Signature {
    name: "risk_assess",
    arguments: &[
        Argument::data("data"),
        TIME,
        DATA,
        Argument::ids(),
        Argument::relation(
            "weights",
            Rows::Shared,
            Wanted::Named(&[
                ("measure", Class::Text, Presence::Required),
                ("weight", Class::Number, Presence::Required),
            ]),
        ),
        Argument::CONFIDENCE_LEVEL,
        Argument::option("risk_free_rate", ValueType::ANY_NUMBER).or(Constant::Number(0.0)),
        Argument::option("periods_per_year", ValueType::POSITIVE).or(Constant::Number(252.0)),
    ],
};

/// The table function `risk_assess`.
#[derive(Debug)]
pub(crate) struct AssessFunction;

impl TableFunction for AssessFunction {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let numbers = [
            "annual_return",
            "volatility",
            "value_at_risk",
            "expected_shortfall",
            "max_drawdown",
            "sharpe_ratio",
            "score",
        ];
        let n = Field::new("n", DataType::Int64, true);
        let numbers = numbers.map(|name| Field::new(name, DataType::Float64, true));
        let grade = Field::new("grade", DataType::Utf8, true);
        Ok(std::iter::once(n).chain(numbers).chain([grade]).collect())
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let weights = layout
            .column_of("weights", "measure")
            .zip(layout.column_of("weights", "weight"));
        Ok(Arc::new(BoundAssess {
            dated: Dated::new(layout)?,
            weights,
            confidence: options.number("confidence_level")?,
            rate: options.number("risk_free_rate")?,
            periods: options.number("periods_per_year")?,
        }))
    }
}

#[derive(Debug)]
struct BoundAssess {
    dated: Dated,
    weights: Option<(ColumnRef, ColumnRef)>,
    confidence: f64,
    rate: f64,
    periods: f64,
}

impl BoundAssess {
    fn weights(&self, group: &Group<'_>) -> Result<[f64; 5], Failure> {
        let Some((measure, weight)) = self.weights else {
            return Ok(Measure::ALL.map(Measure::default_weight));
        };
        let (names, values) = (group.texts(measure)?, group.numbers(weight)?);
        let mut weights = [0.0; 5];
        for (name, value) in names.iter().zip(values) {
            let name = name.unwrap_or_default();
            let Some(place) = Measure::ALL
                .iter()
                .position(|measure| measure.name() == name)
            else {
                return Err(Failure::refused(format_args!(
                    "no measure is called {name}"
                )));
            };
            if !(value.is_finite() && value >= 0.0) {
                return Err(Failure::refused(format_args!(
                    "the weight of {name} must not be negative"
                )));
            }
            weights[place] = value;
        }
        Ok(weights)
    }
}

impl Bound for BoundAssess {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let weights = self.weights(group)?;
        let returns = self.dated.returns(group)?.values;
        if !returns.iter().all(|x| x.is_finite()) {
            return Err(Failure::refused("a return is infinite"));
        }
        let n = returns.len();
        if n < LEAST_RETURNS {
            return Err(Failure::refused(format_args!(
                "too few observations: {n} < {LEAST_RETURNS}"
            )));
        }
        let mut sums = Sums::new(2);
        let mut logs = ExactSum::default();
        for x in &returns {
            let mut terms = [Twofold::from(0.0); 2];
            powers(*x, &mut terms);
            sums.add(&terms);
            logs.add(x.ln_1p());
        }
        let sums = sums.values();
        let deviation = variance(n, &sums, 1).sqrt();
        let growth = (logs.value() / n as f64 * self.periods).exp_m1();
        let sharpe = (mean(n, &sums) - self.rate / self.periods) / deviation * self.periods.sqrt();
        let tail = historical(&[&returns], self.confidence);
        let (risk, shortfall) = tail.map_or((f64::NAN, f64::NAN), |r| {
            (r.value_at_risk, r.expected_shortfall)
        });
        let year = self.periods.sqrt();
        let drawdown = deepest(&returns);
        let values = [
            deviation * year,
            risk * year,
            shortfall * year,
            drawdown,
            sharpe,
        ];
        let judged: Vec<_> = Measure::ALL
            .iter()
            .zip(values)
            .zip(weights)
            .map(|((measure, value), weight)| {
                (*measure, Some(value).filter(|x| x.is_finite()), weight)
            })
            .collect();
        let score = score(&judged);
        let number = |x: f64| -> ArrayRef {
            Arc::new(Float64Array::from(vec![Some(x).filter(|x| x.is_finite())]))
        };
        Ok(Output::new(vec![
            Arc::new(Int64Array::from(vec![i64::try_from(n).ok()])),
            number(growth),
            number(deviation * year),
            number(risk),
            number(shortfall),
            number(drawdown),
            number(sharpe),
            number(score.unwrap_or(f64::NAN)),
            Arc::new(StringArray::from(vec![score.map(grade)])),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(32)
    }
}
