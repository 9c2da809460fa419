//! Covariances and expected returns from a history of returns, each asset a column.
//!
//! All are per year: a covariance is that of one period times the periods of a year.
//! Reference values: PyPortfolioOpt 1.6 and scikit-learn 1.9.

use crate::math::matrix::{Symmetric, dot};

/// How the covariance is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Covariance {
    /// Σ(x − x̄)(y − ȳ) / (T − 1).
    Sample,
    /// The covariance over T shrunk towards the identity times its mean variance, as much as minimises the
    /// expected squared error: Ledoit, Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices".
    LedoitWolf,
    /// The same target with the shrinkage for normal returns: Chen, Wiesel, Eldar, Hero (2010), "Shrinkage algorithms for
    /// MMSE covariance estimation".
    Oas,
    /// The mean of (x − x̄)(y − ȳ) with weights that fall by 1 − 2/(span + 1) a period into the past.
    Ewma {
        /// The span.
        span: f64,
    },
}

/// How expected returns are estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expected {
    /// What the asset earned a year: Π(1 + r)^(periods / T) − 1.
    Mean,
    /// The mean times the periods of a year.
    Arithmetic,
    /// (1 + m)^periods − 1 of the exponentially weighted mean m.
    Ema {
        /// The span.
        span: f64,
    },
    /// risk-free + β (market − risk-free), where the market is the weighted mean of the assets.
    Capm,
}

/// The covariance of a year.
pub fn covariance(columns: &[Vec<f64>], method: Covariance, periods_per_year: f64) -> Symmetric {
    let observations = columns.first().map_or(0, Vec::len);
    let count = observations as f64;
    let mut columns: Vec<Vec<f64>> = columns.iter().map(|column| centred(column)).collect();
    if let Covariance::Ewma { span } = method {
        let weights = decay(span, observations);
        for column in &mut columns {
            for (value, weight) in column.iter_mut().zip(&weights) {
                *value *= weight.sqrt();
            }
        }
    }
    let mut matrix = Symmetric::gram(&columns);
    match method {
        Covariance::Ewma { .. } => {}
        Covariance::Sample => matrix.scale(1.0 / (count - 1.0)),
        Covariance::LedoitWolf => {
            matrix.scale(1.0 / count);
            let share = ledoit_wolf_share(&columns, &matrix);
            shrink(&mut matrix, share);
        }
        Covariance::Oas => {
            matrix.scale(1.0 / count);
            let share = oas_share(&matrix, count);
            shrink(&mut matrix, share);
        }
    }
    matrix.scale(periods_per_year);
    matrix
}

/// The correlations that belong to a covariance; those of an asset without variance are zero, with itself one.
pub fn correlation(covariance: &Symmetric) -> Symmetric {
    let order = covariance.order();
    let deviations: Vec<f64> = covariance
        .diagonal()
        .iter()
        .map(|v| v.max(0.0).sqrt())
        .collect();
    let mut matrix = Symmetric::zeros(order);
    for i in 0..order {
        for j in 0..i {
            let scale = deviations[i] * deviations[j];
            let value = if scale > 0.0 {
                covariance.get(i, j) / scale
            } else {
                0.0
            };
            matrix.set(i, j, value.clamp(-1.0, 1.0));
        }
        matrix.set(i, i, 1.0);
    }
    matrix
}

/// The expected return of a year of each asset. The market of [`Expected::Capm`] holds the assets by `market`, which sum to 1,
/// or equally.
pub fn expected_returns(
    columns: &[Vec<f64>],
    method: Expected,
    periods_per_year: f64,
    risk_free_rate: f64,
    market: Option<&[f64]>,
) -> Vec<f64> {
    let each = |of: &dyn Fn(&[f64]) -> f64| columns.iter().map(|column| of(column)).collect();
    match method {
        Expected::Mean => each(&|column| compound(column, periods_per_year)),
        Expected::Arithmetic => each(&|column| mean(column) * periods_per_year),
        Expected::Ema { span } => {
            let weights = decay(span, columns.first().map_or(0, Vec::len));
            each(&|column| (1.0 + dot(column, &weights)).powf(periods_per_year) - 1.0)
        }
        Expected::Capm => {
            let observations = columns.first().map_or(0, Vec::len);
            let equal = vec![1.0 / columns.len().max(1) as f64; columns.len()];
            let weights = market.unwrap_or(&equal);
            let mut index = vec![0.0; observations];
            for (column, weight) in columns.iter().zip(weights) {
                crate::math::matrix::add_scaled(&mut index, *weight, column);
            }
            let premium = compound(&index, periods_per_year) - risk_free_rate;
            let index = centred(&index);
            let variance = dot(&index, &index);
            each(&|column| {
                let beta = if variance > 0.0 {
                    dot(&centred(column), &index) / variance
                } else {
                    0.0
                };
                risk_free_rate + beta * premium
            })
        }
    }
}

/// The arithmetic mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn centred(column: &[f64]) -> Vec<f64> {
    let mean = mean(column);
    column.iter().map(|value| value - mean).collect()
}

/// What a series of returns makes of one a year, less one; −1 once all is lost.
fn compound(column: &[f64], periods_per_year: f64) -> f64 {
    let growth: f64 = column.iter().map(|value| value.max(-1.0).ln_1p()).sum();
    (growth * periods_per_year / column.len() as f64).exp_m1()
}

/// Weights that sum to 1 and fall into the past by 1 − 2/(span + 1) a period.
fn decay(span: f64, length: usize) -> Vec<f64> {
    let factor = 1.0 - 2.0 / (span + 1.0);
    let mut weights = vec![1.0; length];
    for t in (1..length).rev() {
        weights[t - 1] = weights[t] * factor;
    }
    let sum: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= sum);
    weights
}

/// (1 − share) S + share · mean variance · I.
fn shrink(matrix: &mut Symmetric, share: f64) {
    let target = matrix.trace() / matrix.order().max(1) as f64;
    matrix.scale(1.0 - share);
    matrix.add_to_diagonal(share * target);
}

fn ledoit_wolf_share(columns: &[Vec<f64>], matrix: &Symmetric) -> f64 {
    let (order, count) = (columns.len() as f64, columns.first().map_or(0, Vec::len));
    let mut squares = vec![0.0; count];
    for column in columns {
        for (sum, value) in squares.iter_mut().zip(column) {
            *sum += value * value;
        }
    }
    let trace = matrix.trace();
    let target = trace / order;
    let entries = matrix.squared_norm();
    let noise = (dot(&squares, &squares) / count as f64 - entries) / (order * count as f64);
    let distance = (entries - 2.0 * target * trace + order * target * target) / order;
    if noise > 0.0 && distance > 0.0 {
        noise.min(distance) / distance
    } else {
        0.0
    }
}

fn oas_share(matrix: &Symmetric, count: f64) -> f64 {
    let order = matrix.order() as f64;
    let target = matrix.trace() / order;
    let entries = matrix.squared_norm() / (order * order);
    let scale = (count + 1.0) * (entries - target * target / order);
    if scale == 0.0 {
        return 1.0;
    }
    ((entries + target * target) / scale).min(1.0)
}
