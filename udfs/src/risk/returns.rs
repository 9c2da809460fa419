//! What a series of returns earns and how much it varies: `annual_return`, `volatility`, `downside_deviation`.

use super::sums::{Measure, of_sums};
use super::{PERIODS_PER_YEAR, RET};
use crate::function::{AggregateSpec, Parameter};
use crate::math::exact::Twofold;
use crate::math::moments::{powers, variance};
use crate::relation::{Constant, ValueType};

pub(super) static ALL: &[AggregateSpec] = &[
    // Geometric mean return of a year, (Π (1 + r))^(periods / n) - 1, as a decimal; -1 after a total loss.
    // Reference: empyrical's annual_return.
    of_sums("annual_return", &[RET, PERIODS_PER_YEAR], |options| {
        ANNUAL_RETURN.start(options)
    }),
    // Standard deviation of a year, s √periods with n - 1 below; NULL for fewer than two returns.
    // Reference: numpy's std(ddof=1).
    of_sums("volatility", &[RET, PERIODS_PER_YEAR], |options| {
        VOLATILITY.start(options)
    }),
    // √(mean(min(r - required / periods, 0)²) periods), a year's; the required return is annual.
    // Reference: empyrical's downside_risk.
    of_sums(
        "downside_deviation",
        &[RET, REQUIRED_RETURN, PERIODS_PER_YEAR],
        |options| DOWNSIDE.start(options),
    ),
];

const REQUIRED_RETURN: Parameter =
    Parameter::option("required_return", ValueType::ANY_NUMBER).or(Constant::Number(0.0));

static ANNUAL_RETURN: Measure = Measure {
    options: &["periods_per_year"],
    width: 1,
    least: 1,
    terms: |row, _, terms| {
        // More than all is lost no differently from all; NaN stays.
        let ret = if row[0] < -1.0 { -1.0 } else { row[0] };
        terms[0] = ret.ln_1p().into();
    },
    finish: |n, sums, options| annual_return(n, sums[0], options[0]),
};

/// From the sum of the logarithms of `1 + r`.
pub(super) fn annual_return(n: usize, logs: Twofold, periods_per_year: f64) -> f64 {
    (logs.value() / n as f64 * periods_per_year).exp_m1()
}

static VOLATILITY: Measure = Measure {
    options: &["periods_per_year"],
    width: 2,
    least: 2,
    terms: |row, _, terms| powers(row[0], terms),
    finish: |n, sums, options| (variance(n, sums, 1) * options[0]).sqrt(),
};

static DOWNSIDE: Measure = Measure {
    options: &["required_return", "periods_per_year"],
    width: 1,
    least: 1,
    terms: |row, options, terms| terms[0] = squared_shortfall(row[0] - options[0] / options[1]),
    finish: |n, sums, options| (sums[0].value() / n as f64 * options[1]).sqrt(),
};

/// The square of an excess return below zero.
pub(super) fn squared_shortfall(excess: f64) -> Twofold {
    // Not `min`, which drops NaN.
    let below = if excess > 0.0 { 0.0 } else { excess };
    Twofold::product(below, below)
}
