//! Return for risk: `sharpe_ratio`, `sortino_ratio`, `omega_ratio`. Reference values: empyrical-reloaded.

use super::returns::squared_shortfall;
use super::sums::{Measure, of_sums};
use super::{PERIODS_PER_YEAR, RET, RISK_FREE_RATE};
use crate::function::AggregateSpec;
use crate::math::exact::Twofold;
use crate::math::moments::{mean, powers, variance};

pub(super) static ALL: &[AggregateSpec] = &[
    // mean(e) / s(e) √periods of the excess returns e = r - rate / periods; the deviation has n - 1 below.
    // Sharpe (1994). NULL where the returns do not vary.
    of_sums(
        "sharpe_ratio",
        &[RET, RISK_FREE_RATE, PERIODS_PER_YEAR],
        |options| SHARPE.start(options),
    ),
    // mean(e) periods / (√mean(min(e, 0)²) √periods). Sortino, Price (1994). NULL where nothing was lost.
    of_sums(
        "sortino_ratio",
        &[RET, RISK_FREE_RATE, PERIODS_PER_YEAR],
        |options| SORTINO.start(options),
    ),
    // Σ max(e, 0) / Σ max(-e, 0). Keating, Shadwick (2002). NULL where nothing was lost.
    of_sums(
        "omega_ratio",
        &[RET, RISK_FREE_RATE, PERIODS_PER_YEAR],
        |options| OMEGA.start(options),
    ),
];

const OPTIONS: &[&str] = &["risk_free_rate", "periods_per_year"];

fn excess(row: &[f64], options: &[f64]) -> f64 {
    row[0] - options[0] / options[1]
}

static SHARPE: Measure = Measure {
    options: OPTIONS,
    width: 2,
    least: 2,
    terms: |row, _, terms| powers(row[0], terms),
    finish: |n, sums, options| {
        let excess = mean(n, sums) - options[0] / options[1];
        excess / variance(n, sums, 1).sqrt() * options[1].sqrt()
    },
};

static SORTINO: Measure = Measure {
    options: OPTIONS,
    width: 2,
    least: 1,
    terms: |row, options, terms| {
        terms[0] = row[0].into();
        terms[1] = squared_shortfall(excess(row, options));
    },
    finish: |n, sums, options| {
        let excess = mean(n, sums) - options[0] / options[1];
        excess / (sums[1].value() / n as f64).sqrt() * options[1].sqrt()
    },
};

static OMEGA: Measure = Measure {
    options: OPTIONS,
    width: 2,
    least: 1,
    terms: |row, options, terms| {
        let excess = excess(row, options);
        let zero = Twofold::from(0.0);
        let (gain, loss) = match excess > 0.0 {
            true => (excess.into(), zero),
            false => (zero, Twofold::from(-excess)),
        };
        terms.copy_from_slice(&[gain, loss]);
    },
    finish: |_, sums, _| sums[0].value() / sums[1].value(),
};
