//! Returns beside those of a benchmark. Rows in which either is NULL are left out.
//! Reference values: empyrical-reloaded.

use super::returns::annual_return;
use super::sums::{Measure, of_sums};
use super::{BENCHMARK, PERIODS_PER_YEAR, RET, RISK_FREE_RATE};
use crate::function::AggregateSpec;
use crate::math::exact::Twofold;
use crate::math::moments::{covariance, mean, powers, variance};

pub(super) static ALL: &[AggregateSpec] = &[
    // Mean over deviation of d = r - b, times √periods; n - 1 below. NULL where d does not vary.
    of_sums(
        "information_ratio",
        &[RET, BENCHMARK, PERIODS_PER_YEAR],
        |options| INFORMATION.start(options),
    ),
    // s(r - b) √periods, n - 1 below.
    of_sums(
        "tracking_error",
        &[RET, BENCHMARK, PERIODS_PER_YEAR],
        |options| TRACKING.start(options),
    ),
    // cov(r, b) / var(b). NULL where the benchmark does not vary.
    of_sums("market_beta", &[RET, BENCHMARK], |options| {
        BETA.start(options)
    }),
    // (1 + mean(r - f) - β mean(b - f))^periods - 1 with f = rate / periods, a year's, as a decimal. Jensen (1968).
    of_sums(
        "jensen_alpha",
        &[RET, BENCHMARK, RISK_FREE_RATE, PERIODS_PER_YEAR],
        |options| ALPHA.start(options),
    ),
    // mean(r - f) periods / β. Treynor (1965).
    of_sums(
        "treynor_ratio",
        &[RET, BENCHMARK, RISK_FREE_RATE, PERIODS_PER_YEAR],
        |options| TREYNOR.start(options),
    ),
    // Annual return over the benchmark's, of the periods in which the benchmark rose.
    of_sums(
        "up_capture",
        &[RET, BENCHMARK, PERIODS_PER_YEAR],
        |options| UP_CAPTURE.start(options),
    ),
    // The same of the periods in which it fell.
    of_sums(
        "down_capture",
        &[RET, BENCHMARK, PERIODS_PER_YEAR],
        |options| DOWN_CAPTURE.start(options),
    ),
];

static INFORMATION: Measure = Measure {
    options: &["periods_per_year"],
    width: 2,
    least: 2,
    terms: active_powers,
    finish: |n, sums, options| mean(n, sums) / variance(n, sums, 1).sqrt() * options[0].sqrt(),
};

static TRACKING: Measure = Measure {
    options: &["periods_per_year"],
    width: 2,
    least: 2,
    terms: active_powers,
    finish: |n, sums, options| (variance(n, sums, 1) * options[0]).sqrt(),
};

fn active_powers(row: &[f64], _: &[f64], terms: &mut [Twofold]) {
    powers(row[0] - row[1], terms);
}

static BETA: Measure = Measure {
    options: &[],
    width: 4,
    least: 2,
    terms: products,
    finish: |n, sums, _| beta(n, sums),
};

/// Return, benchmark, their product, the benchmark's square.
fn products(row: &[f64], _: &[f64], terms: &mut [Twofold]) {
    terms[0] = row[0].into();
    terms[1] = row[1].into();
    terms[2] = Twofold::product(row[0], row[1]);
    terms[3] = Twofold::product(row[1], row[1]);
}

fn beta(n: usize, sums: &[Twofold]) -> f64 {
    let [x, y, xy, yy] = [0, 1, 2, 3].map(|i| sums[i]);
    covariance(n, x, y, xy, 1) / covariance(n, y, y, yy, 1)
}

static ALPHA: Measure = Measure {
    options: &["risk_free_rate", "periods_per_year"],
    width: 4,
    least: 2,
    terms: products,
    finish: |n, sums, options| {
        let rate = options[0] / options[1];
        let (ret, benchmark) = (mean(n, sums) - rate, mean(n, &sums[1..]) - rate);
        ((ret - beta(n, sums) * benchmark).ln_1p() * options[1]).exp_m1()
    },
};

static TREYNOR: Measure = Measure {
    options: &["risk_free_rate", "periods_per_year"],
    width: 4,
    least: 2,
    terms: products,
    finish: |n, sums, options| (mean(n, sums) * options[1] - options[0]) / beta(n, sums),
};

static UP_CAPTURE: Measure = Measure {
    options: &["periods_per_year"],
    width: 3,
    least: 1,
    terms: |row, _, terms| capture_terms(row, row[1] > 0.0, terms),
    finish: capture,
};

static DOWN_CAPTURE: Measure = Measure {
    options: &["periods_per_year"],
    width: 3,
    least: 1,
    terms: |row, _, terms| capture_terms(row, row[1] < 0.0, terms),
    finish: capture,
};

/// The logarithms of both growths and one, if the period counts.
fn capture_terms(row: &[f64], counts: bool, terms: &mut [Twofold]) {
    let broken = row.iter().any(|x| x.is_nan());
    let values = match (broken, counts) {
        (true, _) => [f64::NAN; 3],
        (false, true) => [row[0].ln_1p(), row[1].ln_1p(), 1.0],
        (false, false) => [0.0; 3],
    };
    terms.copy_from_slice(&values.map(Twofold::from));
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the last sum is a count"
)]
fn capture(_: usize, sums: &[Twofold], options: &[f64]) -> f64 {
    let n = sums[2].value() as usize;
    annual_return(n, sums[0], options[0]) / annual_return(n, sums[1], options[0])
}
