//! How far the future may lie from the point forecasts: exact variances and simulated paths.
//!
//! Source: Hyndman et al. (2008), chapter 6.

use super::super::super::rng::Rng;
use super::super::interval::{normal_interval, quantile_sorted};
use super::Fitted;
use super::form::{ErrorKind, SeasonKind, TrendKind};

/// Simulated paths for quantiles, in pairs of opposite errors.
const MAX_PATHS: usize = 2_000;
/// Simulated values in all, which bounds the work of long horizons.
const MAX_DRAWS: usize = 400_000;
/// Paths that a standard deviation needs, and that quantiles of long horizons are left with.
const MIN_PATHS: usize = 400;

pub(super) fn interval(
    model: &Fitted,
    mean: &[f64],
    level: f64,
    seed: u64,
) -> (Vec<f64>, Vec<f64>) {
    if model.form.season != SeasonKind::Multiplicative {
        return normal_interval(mean, &deviation(model, mean.len(), seed), level);
    }
    let mut lower = Vec::with_capacity(mean.len());
    let mut upper = Vec::with_capacity(mean.len());
    for mut step in paths(model, mean.len(), seed, MAX_PATHS) {
        step.sort_unstable_by(f64::total_cmp);
        lower.push(quantile_sorted(&step, 0.5 - level / 2.0));
        upper.push(quantile_sorted(&step, 0.5 + level / 2.0));
    }
    (lower, upper)
}

pub(super) fn deviation(model: &Fitted, horizon: usize, seed: u64) -> Vec<f64> {
    match (model.form.error, model.form.season) {
        (_, SeasonKind::Multiplicative) => simulated(model, horizon, seed),
        (ErrorKind::Additive, _) => {
            let mut total = 1.0;
            weights(model, horizon)
                .map(|c| {
                    let variance = model.variance * total;
                    total += c * c;
                    variance.sqrt()
                })
                .collect()
        }
        (ErrorKind::Multiplicative, _) => relative(model, horizon),
    }
}

/// The effect c_j of an error on the forecast j steps later, j = 1, 2, …: α + β(φ + … + φ^j) + γ[m divides j].
fn weights(model: &Fitted, horizon: usize) -> impl Iterator<Item = f64> {
    let p = model.parameters;
    let has_trend = model.form.trend != TrendKind::None;
    let m = model.state.season.len();
    let (mut growth, mut power) = (0.0, 1.0);
    (1..=horizon).map(move |j| {
        if has_trend {
            power *= p.phi;
            growth += power;
        }
        let season = if m > 0 && j % m == 0 { p.gamma } else { 0.0 };
        p.alpha + p.beta * growth + season
    })
}

/// Multiplicative errors: θ_h = μ_h² + σ² Σ c_j² θ_{h−j}, variance (1 + σ²) θ_h − μ_h² (section 6.3).
fn relative(model: &Fitted, horizon: usize) -> Vec<f64> {
    let mean = model.mean(horizon);
    let squares: Vec<f64> = weights(model, horizon).map(|c| c * c).collect();
    let mut theta: Vec<f64> = Vec::with_capacity(horizon);
    for (h, mu) in mean.iter().enumerate() {
        let carried: f64 = squares
            .iter()
            .zip(theta[..h].iter().rev())
            .map(|(c, t)| c * t)
            .sum();
        theta.push(mu * mu + model.variance * carried);
    }
    let variance = |(t, mu): (&f64, &f64)| (1.0 + model.variance) * t - mu * mu;
    theta
        .iter()
        .zip(&mean)
        .map(|pair| variance(pair).max(0.0).sqrt())
        .collect()
}

fn simulated(model: &Fitted, horizon: usize, seed: u64) -> Vec<f64> {
    let mean = model.mean(horizon);
    paths(model, horizon, seed, MIN_PATHS)
        .iter()
        .zip(&mean)
        .map(|(step, mu)| {
            (step.iter().map(|y| (y - mu) * (y - mu)).sum::<f64>() / step.len() as f64).sqrt()
        })
        .collect()
}

/// Values of simulated paths, one vector a step; relative errors are normal and come in opposite pairs.
fn paths(model: &Fitted, horizon: usize, seed: u64, most: usize) -> Vec<Vec<f64>> {
    let count = (MAX_DRAWS / horizon.max(1)).clamp(MIN_PATHS, most);
    let p = model.parameters;
    let sigma = model.variance.sqrt();
    let mut rng = Rng::new(seed);
    let mut steps: Vec<Vec<f64>> = (0..horizon).map(|_| Vec::with_capacity(count)).collect();
    let mut errors = vec![0.0; horizon];
    let mut season = model.state.season.clone();
    for path in 0..count {
        if path % 2 == 0 {
            errors.iter_mut().for_each(|e| *e = sigma * rng.normal());
        } else {
            errors.iter_mut().for_each(|e| *e = -*e);
        }
        season.copy_from_slice(&model.state.season);
        let (mut level, mut slope) = (model.state.level, model.state.slope);
        let mut at = 0;
        for (step, error) in steps.iter_mut().zip(&errors) {
            let drift = p.phi * slope;
            let base = level + drift;
            let forecast = base * season[at];
            step.push(forecast * (1.0 + error));
            level = base * (1.0 + p.alpha * error);
            slope = drift + p.beta * base * error;
            season[at] *= 1.0 + p.gamma * error;
            at = if at + 1 == season.len() { 0 } else { at + 1 };
        }
    }
    steps
}
