//! Statistics as aggregates: tests of hypotheses, correlations, descriptions of samples, measures of forecasts; and
//! regressions, clusters and components of relations.
//!
//! A test answers a record, such as `(ttest_1samp(x, mu => 4)).p_value` or `SELECT (t).* FROM (SELECT ttest_1samp(x) AS t …)`.
//! NULLs are left out: rows in which one of the values is NULL, or with two samples in two columns the value alone.
//! NaN makes every number of the answer NaN. With too few values, or without spread where spread is needed, the answer
//! is NULL. The order of the rows and the number of threads change no bit. p-values are two-sided unless `alternative`
//! says `less` or `greater`. Formulas and sources: [`math::stats`](crate::math::stats). Reference values: scipy 1.17 and
//! statsmodels 0.15.

mod answers;
mod clusters;
mod components;
mod correlation;
mod describe;
mod groups;
mod metrics;
mod points;
mod regress;
mod regression;
mod samples;
mod series;
mod summed;
mod tables;

#[cfg(test)]
mod relation_tests;
#[cfg(test)]
mod tests;

pub(crate) use answers::{answer, codes, over_rows};

use std::sync::Arc;

use crate::function::{AggregateSpec, Parameter};
use crate::math::stats::Alternative;
use crate::relation::{Constant, Options, TableFunction, ValueType};

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(regress::Regress),
        Arc::new(clusters::KMeans),
        Arc::new(clusters::KMeansCenters),
        Arc::new(components::Pca),
        Arc::new(components::PcaScores),
    ]
}

/// The aggregates.
pub(crate) fn aggregates() -> impl Iterator<Item = &'static AggregateSpec> {
    let all = [
        samples::ALL,
        groups::ALL,
        correlation::ALL,
        tables::ALL,
        series::ALL,
        describe::ALL,
        regression::ALL,
        metrics::ALL,
    ];
    all.into_iter().flatten()
}

const X: Parameter = Parameter::number("x");
const ALTERNATIVE: Parameter =
    Parameter::option("alternative", ValueType::Choice(Alternative::NAMES))
        .or(Constant::Text("two-sided"));

const fn count(name: &'static str, least: i64, most: i64) -> Parameter {
    Parameter::option(
        name,
        ValueType::Integer {
            min: least,
            max: most,
        },
    )
}

fn alternative(options: &Options) -> Option<Alternative> {
    Alternative::parse(options.text("alternative").ok()?)
}

fn level(options: &Options) -> Option<f64> {
    options.number("confidence_level").ok()
}
