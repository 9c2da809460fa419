//! Variances from shocks and back: the recursions forward, and how the likelihood's slopes flow through them backward.
//!
//! The backward pass gives the gradient for all parameters at the cost of one more pass (reverse accumulation).

use super::{Parameters, Variant};

/// The mean of |z| of a standard normal variable, √(2/π).
pub(super) const MEAN_SIZE: f64 = 0.797_884_560_802_865_4;
/// Log-variances of series of unit variance beyond this are an explosion.
const MOST_LOG: f64 = 300.0;

/// Slopes of something with respect to the parameters, in their shape; that of ν is kept elsewhere.
#[derive(Debug, Default)]
pub(super) struct Slopes {
    pub(super) mu: f64,
    pub(super) omega: f64,
    pub(super) alpha: Vec<f64>,
    pub(super) gamma: Vec<f64>,
    pub(super) beta: Vec<f64>,
}

/// What a pass over the shocks leaves.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) variances: Vec<f64>,
    /// For EGARCH: the logarithms of the variances, and one over the deviations.
    pub(super) logs: Vec<f64>,
    inverses: Vec<f64>,
}

impl Path {
    pub(super) fn new(variant: Variant, n: usize) -> Self {
        let own = if variant == Variant::Egarch { n } else { 0 };
        Self {
            variances: vec![0.0; n],
            logs: vec![0.0; own],
            inverses: vec![0.0; own],
        }
    }

    /// Fills the conditional variances. False if one is not positive and finite.
    pub(super) fn fill(
        &mut self,
        variant: Variant,
        parameters: &Parameters,
        shocks: &[f64],
        backcast: f64,
    ) -> bool {
        let variances = &mut self.variances;
        match variant {
            Variant::Garch if has_one_lag(parameters) => {
                short(parameters, |_| 0.0, shocks, backcast, variances);
            }
            Variant::Gjr if has_one_lag(parameters) => {
                let gamma = parameters.gamma[0];
                let extra = |shock: f64| if shock < 0.0 { gamma } else { 0.0 };
                short(parameters, extra, shocks, backcast, variances);
            }
            Variant::Garch | Variant::Gjr => {
                (0..shocks.len()).for_each(|t| {
                    variances[t] = next_variance(parameters, shocks, variances, t, backcast);
                });
            }
            Variant::Egarch if has_one_lag(parameters) => {
                return self.fill_logs(parameters, shocks, backcast.ln());
            }
            Variant::Egarch => {
                let start = backcast.ln();
                for (t, variance) in variances.iter_mut().enumerate() {
                    let log = next_log(parameters, (shocks, &self.inverses, &self.logs), t, start);
                    if log.is_nan() || log.abs() > MOST_LOG {
                        return false;
                    }
                    let inverse = (-0.5 * log).exp();
                    self.logs[t] = log;
                    self.inverses[t] = inverse;
                    *variance = 1.0 / (inverse * inverse);
                }
            }
        }
        variances
            .iter()
            .all(|variance| *variance > 0.0 && *variance < f64::INFINITY)
    }
}

impl Path {
    /// Fills what EGARCH with one lag of each needs, whose every step waits for the one before: the less it does the better.
    fn fill_logs(&mut self, parameters: &Parameters, shocks: &[f64], start: f64) -> bool {
        let (alpha, gamma, beta) = (parameters.alpha[0], parameters.gamma[0], parameters.beta[0]);
        let base = parameters.omega - alpha * MEAN_SIZE;
        // Shocks before the first return are left out.
        let mut log = parameters.omega + beta * start;
        let rows = self.logs.iter_mut().zip(&mut self.inverses);
        for (((kept, kept_inverse), variance), shock) in rows.zip(&mut self.variances).zip(shocks) {
            if log.is_nan() || log.abs() > MOST_LOG {
                return false;
            }
            let inverse = (-0.5 * log).exp();
            *kept = log;
            *kept_inverse = inverse;
            *variance = 1.0 / (inverse * inverse);
            let z = shock * inverse;
            log = (base + beta * log) + (alpha * z.abs() + gamma * z);
        }
        true
    }
}

fn has_one_lag(parameters: &Parameters) -> bool {
    parameters.alpha.len() == 1 && parameters.beta.len() == 1
}

/// One lag of each, which most models have.
fn short(
    parameters: &Parameters,
    extra: impl Fn(f64) -> f64,
    shocks: &[f64],
    backcast: f64,
    variances: &mut [f64],
) {
    let (omega, alpha, beta) = (parameters.omega, parameters.alpha[0], parameters.beta[0]);
    let half: f64 = parameters.gamma.iter().map(|gamma| 0.5 * gamma).sum();
    let mut driven = omega + (alpha + half) * backcast;
    let mut variance = backcast;
    for (next, shock) in variances.iter_mut().zip(shocks) {
        variance = driven + beta * variance;
        *next = variance;
        driven = omega + (alpha + extra(*shock)) * (shock * shock);
    }
}

/// The variance of place `t` from what came before it. Before the first return shocks and variances are the
/// backcast's, and half of the shocks are below zero.
pub(super) fn next_variance(
    parameters: &Parameters,
    shocks: &[f64],
    variances: &[f64],
    t: usize,
    backcast: f64,
) -> f64 {
    let mut variance = parameters.omega;
    for (lag, alpha) in (1..).zip(&parameters.alpha) {
        let gamma = parameters.gamma.get(lag - 1).copied().unwrap_or(0.0);
        variance += match t.checked_sub(lag) {
            Some(before) => {
                let shock = shocks[before];
                let weight = if shock < 0.0 { alpha + gamma } else { *alpha };
                weight * shock * shock
            }
            None => (alpha + 0.5 * gamma) * backcast,
        };
    }
    for (lag, beta) in (1..).zip(&parameters.beta) {
        variance += beta
            * t.checked_sub(lag)
                .map_or(backcast, |before| variances[before]);
    }
    variance
}

/// The same for EGARCH in logarithms; shocks before the first return are left out.
#[inline]
fn next_log(
    parameters: &Parameters,
    (shocks, inverses, logs): (&[f64], &[f64], &[f64]),
    t: usize,
    backcast: f64,
) -> f64 {
    let mut log = parameters.omega;
    for (lag, (alpha, gamma)) in (1..).zip(parameters.alpha.iter().zip(&parameters.gamma)) {
        if let Some(before) = t.checked_sub(lag) {
            let z = shocks[before] * inverses[before];
            log += alpha * (z.abs() - MEAN_SIZE) + gamma * z;
        }
    }
    for (lag, beta) in (1..).zip(&parameters.beta) {
        log += beta * t.checked_sub(lag).map_or(backcast, |before| logs[before]);
    }
    log
}

/// The slopes with respect to the parameters, from those with respect to the variances (`by_variance`, which is
/// overwritten) and to the shocks.
pub(super) fn backward(
    variant: Variant,
    parameters: &Parameters,
    (shocks, path, backcast): (&[f64], &Path, f64),
    by_variance: &mut [f64],
    by_shock: &[f64],
    slopes: &mut Slopes,
) {
    slopes.alpha = vec![0.0; parameters.alpha.len()];
    slopes.gamma = vec![0.0; parameters.gamma.len()];
    slopes.beta = vec![0.0; parameters.beta.len()];
    slopes.omega = 0.0;
    slopes.mu = -by_shock.iter().sum::<f64>();
    match variant {
        Variant::Garch | Variant::Gjr => {
            of_variance(
                parameters,
                (shocks, &path.variances, backcast),
                by_variance,
                slopes,
            );
        }
        Variant::Egarch => {
            of_log(
                parameters,
                (shocks, path, backcast.ln()),
                by_variance,
                slopes,
            );
        }
    }
}

fn of_variance(
    parameters: &Parameters,
    (shocks, variances, backcast): (&[f64], &[f64], f64),
    total: &mut [f64],
    slopes: &mut Slopes,
) {
    let n = shocks.len();
    if let [beta] = parameters.beta[..] {
        let mut later = 0.0;
        for slope in total.iter_mut().rev() {
            later = *slope + beta * later;
            *slope = later;
        }
    } else {
        for t in (0..n).rev() {
            for (lag, beta) in (1..).zip(&parameters.beta) {
                if t + lag < n {
                    total[t] += beta * total[t + lag];
                }
            }
        }
    }
    slopes.omega = sum(n, |t| total[t]);
    for (index, alpha) in parameters.alpha.iter().enumerate() {
        let lag = index + 1;
        let gamma = parameters.gamma.get(index).copied();
        let first: f64 = total[..lag.min(n)].iter().sum::<f64>() * backcast;
        let rest = n.saturating_sub(lag);
        let (later, earlier) = (&total[lag.min(n)..], &shocks[..rest]);
        slopes.alpha[index] = first + sum(rest, |t| later[t] * earlier[t] * earlier[t]);
        slopes.mu -= 2.0 * alpha * sum(rest, |t| later[t] * earlier[t]);
        if let Some(gamma) = gamma {
            let below = |t: usize| if earlier[t] < 0.0 { earlier[t] } else { 0.0 };
            slopes.gamma[index] = 0.5 * first + sum(rest, |t| later[t] * below(t) * below(t));
            slopes.mu -= 2.0 * gamma * sum(rest, |t| later[t] * below(t));
        }
    }
    for index in 0..parameters.beta.len() {
        let lag = index + 1;
        let first: f64 = total[..lag.min(n)].iter().sum::<f64>() * backcast;
        let rest = n.saturating_sub(lag);
        let later = &total[lag.min(n)..];
        slopes.beta[index] = first + sum(rest, |t| later[t] * variances[t]);
    }
}

fn of_log(
    parameters: &Parameters,
    (shocks, path, backcast): (&[f64], &Path, f64),
    total: &mut [f64],
    slopes: &mut Slopes,
) {
    let n = shocks.len();
    if has_one_lag(parameters) {
        of_log_with_one_lag(parameters, (shocks, path), total, slopes);
        slopes.beta[0] += total.first().map_or(0.0, |first| first * backcast);
        return;
    }
    for t in (0..n).rev() {
        let inverse = path.inverses[t];
        let z = shocks[t] * inverse;
        // From here on the slope is with respect to the logarithm.
        total[t] *= path.variances[t];
        let mut by_z = 0.0;
        for (index, (alpha, gamma)) in parameters.alpha.iter().zip(&parameters.gamma).enumerate() {
            if let Some(later) = total.get(t + index + 1) {
                by_z += later * (alpha * sign(z) + gamma);
                slopes.alpha[index] += later * (z.abs() - MEAN_SIZE);
                slopes.gamma[index] += later * z;
            }
        }
        for (index, beta) in parameters.beta.iter().enumerate() {
            if let Some(later) = total.get(t + index + 1).copied() {
                total[t] += beta * later;
                slopes.beta[index] += later * path.logs[t];
            }
        }
        total[t] -= 0.5 * z * by_z;
        slopes.mu -= by_z * inverse;
        slopes.omega += total[t];
    }
    for (index, slope) in slopes.beta.iter_mut().enumerate() {
        *slope += total[..(index + 1).min(n)].iter().sum::<f64>() * backcast;
    }
}

fn of_log_with_one_lag(
    parameters: &Parameters,
    (shocks, path): (&[f64], &Path),
    total: &mut [f64],
    slopes: &mut Slopes,
) {
    let (alpha, gamma, beta) = (parameters.alpha[0], parameters.gamma[0], parameters.beta[0]);
    let (mut by_alpha, mut by_gamma, mut by_beta) = (0.0, 0.0, 0.0);
    let (mut by_mu, mut by_omega, mut later) = (0.0, 0.0, 0.0);
    let rows = shocks.iter().zip(&path.inverses).zip(&path.variances);
    let rows = rows.zip(&path.logs).zip(total).rev();
    for ((((shock, inverse), variance), log), slope) in rows {
        let z = shock * inverse;
        let by_z = later * (alpha * sign(z) + gamma);
        by_alpha += later * (z.abs() - MEAN_SIZE);
        by_gamma += later * z;
        by_beta += later * log;
        by_mu += by_z * inverse;
        // From here on the slope is with respect to the logarithm.
        later = *slope * variance + beta * later - 0.5 * z * by_z;
        *slope = later;
        by_omega += later;
    }
    slopes.alpha[0] += by_alpha;
    slopes.gamma[0] += by_gamma;
    slopes.beta[0] += by_beta;
    slopes.mu -= by_mu;
    slopes.omega += by_omega;
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// A sum in four strands, which the processor adds at once.
fn sum(n: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut strands = [0.0; 4];
    let whole = n - n % 4;
    let mut t = 0;
    while t < whole {
        for (offset, strand) in strands.iter_mut().enumerate() {
            *strand += term(t + offset);
        }
        t += 4;
    }
    let rest: f64 = (whole..n).map(term).sum();
    strands.iter().sum::<f64>() + rest
}
