//! Finds the parameters: in returns of unit variance, over coordinates in which every point is allowed.

use super::likelihood::Likelihood;
use super::{Fit, Innovations, LEAST_RETURNS, Model, Parameters, Refusal, Variant};
use crate::math::optimize::{Stop, minimize_from};

/// The weights of the first squares that make the variance before them, and how many there are.
const BACKCAST_DECAY: f64 = 0.94;
const BACKCAST_LENGTH: usize = 75;
/// The bounds of ν, as arch has them.
const LEAST_NU: f64 = 2.05;
const MOST_NU: f64 = 500.0;
const STOP: Stop = Stop {
    max_iterations: 200,
    tolerance: 1e-12,
};
/// Series of at least so many returns are searched on their last part first, one in so many, which is cheap and comes near.
const LONG: usize = 1000;
const PART: usize = 4;
const NEAR: Stop = Stop {
    max_iterations: 50,
    tolerance: 1e-7,
};
/// Shares end at zero on a part more often than on the whole, and would not leave it.
const LEAST_SHARE: f64 = 0.1;
/// Where the search may start: what shocks get of the persistence, and the persistence.
const STARTS: [(f64, f64); 6] = [
    (0.05, 0.98),
    (0.10, 0.98),
    (0.05, 0.90),
    (0.15, 0.90),
    (0.20, 0.70),
    (0.30, 0.50),
];
const FIRST_NU: f64 = 8.0;

/// Fits a model to returns.
///
/// # Errors
/// When the returns are too few, constant or not finite, or the likelihood has no maximum.
pub fn fit(returns: &[f64], model: Model) -> Result<Fit, Refusal> {
    let n = returns.len();
    if n < LEAST_RETURNS {
        return Err(Refusal::TooFew { found: n });
    }
    if !returns.iter().all(|x| x.is_finite()) {
        return Err(Refusal::NotFinite);
    }
    let mean = returns.iter().sum::<f64>() / n as f64;
    let square = returns.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
    let scale = square.sqrt();
    let size = returns.iter().fold(0.0f64, |size, x| size.max(x.abs()));
    let varies = returns.iter().any(|x| (x - mean).abs() > 1e-12 * size);
    if varies && !square.is_normal() {
        return Err(Refusal::OutOfRange);
    }
    if scale.is_nan() || scale <= 1e-12 * size {
        return Err(Refusal::Constant);
    }
    let scaled: Vec<f64> = returns.iter().map(|x| (x - mean) / scale).collect();
    let mut likelihood = Likelihood::new(model.variant, &scaled, backcast(&scaled));
    let map = Coordinates { model };
    let mut x = map.start(&mut likelihood).ok_or(Refusal::NotConverged)?;
    let mut curvature = Vec::new();
    // EGARCH has several peaks, and the highest of a part need not be that of the whole.
    if n >= LONG && model.variant != Variant::Egarch {
        map.approach(&mut x, &mut curvature, &scaled[n - n / PART..]);
    }
    map.search(&mut x, &mut curvature, &mut likelihood, STOP);
    let parameters = map.parameters(&x);
    let loss = likelihood.loss(&parameters);
    if loss.is_nan() {
        return Err(Refusal::NotConverged);
    }
    Ok(Fit {
        model,
        log_likelihood: -loss - n as f64 * scale.ln(),
        variances: likelihood
            .path
            .variances
            .iter()
            .map(|h| h * square)
            .collect(),
        shocks: likelihood.shocks.iter().map(|e| e * scale).collect(),
        backcast: likelihood.backcast * square,
        parameters: unscaled(parameters, model.variant, mean, scale),
    })
}

/// The weighted mean of the first squares.
fn backcast(deviations: &[f64]) -> f64 {
    let (mut weight, mut weights, mut sum) = (1.0, 0.0, 0.0);
    for x in deviations.iter().take(BACKCAST_LENGTH) {
        sum += weight * x * x;
        weights += weight;
        weight *= BACKCAST_DECAY;
    }
    sum / weights
}

fn unscaled(parameters: Parameters, variant: Variant, mean: f64, scale: f64) -> Parameters {
    let beta: f64 = parameters.beta.iter().sum();
    let omega = match variant {
        Variant::Egarch => parameters.omega + (1.0 - beta) * 2.0 * scale.ln(),
        Variant::Garch | Variant::Gjr => parameters.omega * scale * scale,
    };
    Parameters {
        mu: mean + scale * parameters.mu,
        omega,
        ..parameters
    }
}

/// Coordinates without bounds: μ; the logarithm of the long-run variance; one for each weight; for the t, ν.
///
/// The weights of GARCH and GJR are shares x² / (1 + Σ x²) of a persistence below one, so that a bound is an ordinary
/// point; GJR's are those of shocks above and below zero, each half. EGARCH's are free, but its βs, which are likewise
/// shares with the sign of x.
struct Coordinates {
    model: Model,
}

impl Coordinates {
    /// Where the first weight is.
    const WEIGHTS: usize = 2;

    fn shocks(&self) -> usize {
        match self.model.variant {
            Variant::Garch => self.model.p,
            Variant::Gjr | Variant::Egarch => 2 * self.model.p,
        }
    }

    fn count(&self) -> usize {
        let t = usize::from(self.model.innovations == Innovations::StudentT);
        Self::WEIGHTS + self.shocks() + self.model.q + t
    }

    /// ν and its slope. 1/ν is a share of the way from the normal distribution's end to the other: the likelihood of returns that are
    /// nearly normal is flat in ν itself.
    fn nu(&self, x: &[f64]) -> Option<(f64, f64)> {
        let last = x
            .last()
            .filter(|_| self.model.innovations == Innovations::StudentT);
        last.map(|x| {
            let (near, far) = (1.0 / MOST_NU, 1.0 / LEAST_NU);
            let whole = 1.0 + x * x;
            let nu = 1.0 / (near + (far - near) * x * x / whole);
            (nu, -nu * nu * (far - near) * 2.0 * x / (whole * whole))
        })
    }

    /// The coordinates that are shares.
    fn shares<'a>(&self, x: &'a [f64]) -> &'a [f64] {
        let shocks = self.shocks();
        let first = match self.model.variant {
            Variant::Egarch => Self::WEIGHTS + shocks,
            Variant::Garch | Variant::Gjr => Self::WEIGHTS,
        };
        &x[first..Self::WEIGHTS + shocks + self.model.q]
    }

    fn parameters(&self, x: &[f64]) -> Parameters {
        let (p, q) = (self.model.p, self.model.q);
        let whole = 1.0 + self.shares(x).iter().map(|x| x * x).sum::<f64>();
        let share = |x: &f64| x * x.abs() / whole;
        let weights = &x[Self::WEIGHTS..];
        let beta: Vec<f64> = weights[self.shocks()..self.shocks() + q]
            .iter()
            .map(share)
            .collect();
        let size = x[1].exp();
        let (omega, alpha, gamma, beta) = match self.model.variant {
            Variant::Egarch => {
                let omega = (1.0 - beta.iter().sum::<f64>()) * x[1];
                (
                    omega,
                    weights[..p].to_vec(),
                    weights[p..2 * p].to_vec(),
                    beta,
                )
            }
            Variant::Garch => {
                let alpha = weights[..p].iter().map(|x| x * x / whole).collect();
                let beta = weights[p..p + q].iter().map(|x| x * x / whole).collect();
                (size / whole, alpha, Vec::new(), beta)
            }
            Variant::Gjr => {
                let double = |x: &f64| 2.0 * x * x / whole;
                let above: Vec<f64> = weights[..p].iter().map(double).collect();
                let below = weights[p..2 * p].iter().map(double);
                let gamma = below
                    .zip(&above)
                    .map(|(below, above)| below - above)
                    .collect();
                let beta = weights[2 * p..2 * p + q]
                    .iter()
                    .map(|x| x * x / whole)
                    .collect();
                (size / whole, above, gamma, beta)
            }
        };
        Parameters {
            mu: x[0],
            omega,
            alpha,
            gamma,
            beta,
            nu: self.nu(x).map(|(nu, _)| nu),
        }
    }

    /// From the slopes of the parameters to those of the coordinates.
    fn gradient(
        &self,
        x: &[f64],
        parameters: &Parameters,
        l: &Likelihood<'_>,
        gradient: &mut [f64],
    ) {
        let (p, q, shocks) = (self.model.p, self.model.q, self.shocks());
        let slopes = &l.slopes;
        let whole = 1.0 + self.shares(x).iter().map(|x| x * x).sum::<f64>();
        gradient[0] = slopes.mu;
        if let Some((last, (_, slope))) = gradient.last_mut().zip(self.nu(x)) {
            *last = l.by_nu * slope;
        }
        let weights = &x[Self::WEIGHTS..];
        if self.model.variant == Variant::Egarch {
            gradient[1] = slopes.omega * (1.0 - parameters.beta.iter().sum::<f64>());
            gradient[Self::WEIGHTS..Self::WEIGHTS + p].copy_from_slice(&slopes.alpha);
            gradient[Self::WEIGHTS + p..Self::WEIGHTS + 2 * p].copy_from_slice(&slopes.gamma);
            // ω falls with each β.
            let by_beta: Vec<f64> = slopes
                .beta
                .iter()
                .map(|slope| slope - slopes.omega * x[1])
                .collect();
            let pull: f64 = by_beta
                .iter()
                .zip(&parameters.beta)
                .map(|(slope, beta)| slope * beta)
                .sum();
            for j in 0..q {
                let x = weights[shocks + j];
                gradient[Self::WEIGHTS + shocks + j] =
                    2.0 * (x.abs() * by_beta[j] - x * pull) / whole;
            }
            return;
        }
        gradient[1] = slopes.omega * parameters.omega;
        // Slopes with respect to the shares.
        let by_share: Vec<f64> = match self.model.variant {
            Variant::Gjr => {
                let above = (0..p).map(|i| 2.0 * (slopes.alpha[i] - slopes.gamma[i]));
                let below = (0..p).map(|i| 2.0 * slopes.gamma[i]);
                above
                    .chain(below)
                    .chain(slopes.beta.iter().copied())
                    .collect()
            }
            _ => slopes.alpha.iter().chain(&slopes.beta).copied().collect(),
        };
        let shares = weights.iter().map(|x| x * x / whole);
        let pull: f64 = shares
            .zip(&by_share)
            .map(|(share, slope)| share * slope)
            .sum::<f64>()
            + slopes.omega * parameters.omega;
        for (j, slope) in by_share.iter().enumerate() {
            gradient[Self::WEIGHTS + j] = 2.0 * weights[j] * (slope - pull) / whole;
        }
    }

    /// Finds the likeliest point from `x`.
    fn search(
        &self,
        x: &mut [f64],
        curvature: &mut Vec<f64>,
        likelihood: &mut Likelihood<'_>,
        stop: Stop,
    ) -> f64 {
        let per_return = 1.0 / likelihood.returns.len() as f64;
        minimize_from(x, curvature, stop, |x, gradient| {
            let parameters = self.parameters(x);
            let loss = likelihood.loss_with_slopes(&parameters) * per_return;
            self.gradient(x, &parameters, likelihood, gradient);
            gradient.iter_mut().for_each(|slope| *slope *= per_return);
            loss
        })
    }

    /// Moves to the likeliest point of a part of the returns, unless there is none, and learns the curvature there.
    fn approach(&self, x: &mut Vec<f64>, curvature: &mut Vec<f64>, part: &[f64]) {
        let mut likelihood = Likelihood::new(self.model.variant, part, backcast(part));
        let mut near = x.clone();
        let loss = self.search(&mut near, curvature, &mut likelihood, NEAR);
        if !(loss.is_finite() && near.iter().all(|x| x.is_finite())) {
            curvature.clear();
            return;
        }
        let first = x.len() - self.shares(x).len() - usize::from(self.nu(x).is_some());
        for x in &mut near[first..] {
            if x.abs() < LEAST_SHARE {
                *x = LEAST_SHARE.copysign(*x);
                curvature.clear();
            }
        }
        *x = near;
    }

    /// The likeliest of the starting points.
    fn start(&self, likelihood: &mut Likelihood<'_>) -> Option<Vec<f64>> {
        let mut best: Option<(f64, Vec<f64>)> = None;
        for (shock, persistence) in STARTS {
            let x = self.point(shock, persistence);
            let loss = likelihood.loss(&self.parameters(&x));
            if !loss.is_nan() && best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, x));
            }
        }
        best.map(|(_, x)| x)
    }

    fn point(&self, shock: f64, persistence: f64) -> Vec<f64> {
        let (p, q) = (self.model.p, self.model.q);
        let mut x = vec![0.0; self.count()];
        let memory = if q == 0 { 0.0 } else { persistence - shock };
        let memory = match self.model.variant {
            Variant::Egarch if q > 0 => persistence,
            _ => memory,
        };
        let shock = if q == 0 { persistence } else { shock };
        let slack = match self.model.variant {
            Variant::Egarch => 1.0 - memory,
            Variant::Garch | Variant::Gjr => 1.0 - memory - shock,
        };
        for (index, x) in x[Self::WEIGHTS..].iter_mut().enumerate() {
            let lag = if index < self.shocks() {
                index % p
            } else {
                index - self.shocks()
            };
            // Later lags start with less.
            let part = |of: f64, lags: usize| {
                let total: f64 = (0..lags).map(|lag| 0.5f64.powi(lag as i32)).sum();
                of * 0.5f64.powi(lag as i32) / total
            };
            *x = match (self.model.variant, index) {
                (Variant::Egarch, index) if index < p => 2.0 * part(shock, p),
                (Variant::Egarch, index) if index < 2 * p => -part(0.25 * shock, p),
                (Variant::Garch, index) if index < p => (part(shock, p) / slack).sqrt(),
                (Variant::Gjr, index) if index < p => (part(0.25 * shock, p) / slack).sqrt(),
                (Variant::Gjr, index) if index < 2 * p => (part(0.75 * shock, p) / slack).sqrt(),
                (_, index) if index < self.shocks() + q => (part(memory, q) / slack).sqrt(),
                _ => {
                    let share = (1.0 / FIRST_NU - 1.0 / MOST_NU) / (1.0 / LEAST_NU - 1.0 / MOST_NU);
                    (share / (1.0 - share)).sqrt()
                }
            };
        }
        x
    }
}
