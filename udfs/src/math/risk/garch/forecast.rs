//! The variances to come, and what they put at risk.

use super::recursion::MEAN_SIZE;
use super::{Fit, Innovations, Variant};
use crate::math::distribution::{StudentT, normal_density, normal_quantile};
use crate::math::rng::Rng;

/// EGARCH beyond one step is the mean of this many simulated paths, in pairs of opposite innovations.
const PATHS: usize = 10_000;

/// One period ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub variance: f64,
    /// Positive for a loss.
    pub value_at_risk: f64,
    pub expected_shortfall: f64,
}

/// The periods ahead. For GARCH and GJR the variances are the exact conditional expectations; `seed` is for EGARCH.
pub fn forecast(fit: &Fit, horizon: usize, confidence: f64, seed: u64) -> Vec<Step> {
    let variances = match fit.model.variant {
        Variant::Garch | Variant::Gjr => expected(fit, horizon),
        Variant::Egarch => simulated(fit, horizon, seed),
    };
    let (quantile, mean_below) = tail(fit, 1.0 - confidence);
    let step = |variance: f64| Step {
        variance,
        value_at_risk: -(fit.parameters.mu + variance.sqrt() * quantile),
        expected_shortfall: -(fit.parameters.mu + variance.sqrt() * mean_below),
    };
    variances.into_iter().map(step).collect()
}

/// The quantile of the innovations, and their mean below it.
fn tail(fit: &Fit, p: f64) -> (f64, f64) {
    match fit.parameters.nu {
        None => {
            let z = normal_quantile(p);
            (z, -normal_density(z) / p)
        }
        Some(nu) => {
            let t = StudentT {
                freedom: nu,
                location: 0.0,
                scale: ((nu - 2.0) / nu).sqrt(),
            };
            (t.quantile(p), t.mean_below(p))
        }
    }
}

fn expected(fit: &Fit, horizon: usize) -> Vec<f64> {
    let parameters = &fit.parameters;
    let n = fit.shocks.len();
    let mut variances = fit.variances.clone();
    for t in n..n + horizon {
        let mut variance = parameters.omega;
        for (lag, alpha) in (1..).zip(&parameters.alpha) {
            let gamma = parameters.gamma.get(lag - 1).copied().unwrap_or(0.0);
            variance += match t - lag {
                known if known < n => {
                    let shock = fit.shocks[known];
                    let weight = if shock < 0.0 { alpha + gamma } else { *alpha };
                    weight * shock * shock
                }
                ahead => (alpha + 0.5 * gamma) * variances[ahead],
            };
        }
        for (lag, beta) in (1..).zip(&parameters.beta) {
            variance += beta * variances[t - lag];
        }
        variances.push(variance);
    }
    variances.split_off(n)
}

fn simulated(fit: &Fit, horizon: usize, seed: u64) -> Vec<f64> {
    let parameters = &fit.parameters;
    let lags = parameters
        .alpha
        .len()
        .max(parameters.beta.len())
        .min(fit.shocks.len());
    let from = fit.shocks.len() - lags;
    let known_logs: Vec<f64> = fit.variances[from..].iter().map(|h| h.ln()).collect();
    let rows = fit.shocks[from..].iter().zip(&fit.variances[from..]);
    let known_z: Vec<f64> = rows.map(|(e, h)| e / h.sqrt()).collect();
    let mut rng = Rng::new(seed);
    let mut sums = vec![0.0; horizon];
    let paths = if horizon > 1 { PATHS } else { 2 };
    let mut drawn = vec![0.0; horizon];
    for path in 0..paths {
        if path % 2 == 0 {
            drawn
                .iter_mut()
                .for_each(|z| *z = innovation(fit, &mut rng));
        } else {
            drawn.iter_mut().for_each(|z| *z = -*z);
        }
        let (mut logs, mut zs) = (known_logs.clone(), known_z.clone());
        for (sum, z) in sums.iter_mut().zip(&drawn) {
            let mut log = parameters.omega;
            for (lag, alpha) in (1..).zip(&parameters.alpha) {
                let z: f64 = zs[zs.len() - lag];
                let gamma = parameters.gamma.get(lag - 1).copied().unwrap_or(0.0);
                log += alpha * (z.abs() - MEAN_SIZE) + gamma * z;
            }
            for (lag, beta) in (1..).zip(&parameters.beta) {
                log += beta * logs[logs.len() - lag];
            }
            *sum += log.exp();
            logs.push(log);
            zs.push(*z);
        }
    }
    sums.into_iter().map(|sum| sum / paths as f64).collect()
}

/// A draw of variance one.
fn innovation(fit: &Fit, rng: &mut Rng) -> f64 {
    match (fit.model.innovations, fit.parameters.nu) {
        (Innovations::StudentT, Some(nu)) => {
            // Bailey's (1994) polar method.
            loop {
                let (u, v) = (2.0 * rng.uniform() - 1.0, 2.0 * rng.uniform() - 1.0);
                let w = u * u + v * v;
                if w > 0.0 && w < 1.0 {
                    let t = u * (nu * (w.powf(-2.0 / nu) - 1.0) / w).sqrt();
                    return t * ((nu - 2.0) / nu).sqrt();
                }
            }
        }
        _ => rng.normal(),
    }
}
