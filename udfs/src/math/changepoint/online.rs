//! Bayesian changepoints as the values come: the distribution of the time since the last change.
//!
//! Source: Adams and MacKay (2007), "Bayesian online changepoint detection".

use statrs::function::gamma::ln_gamma;

/// What is believed before a segment's first value: normal values of unknown mean and variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// The expected number of values between changes.
    pub run_length: f64,
    /// The mean that is expected.
    pub mean: f64,
    /// How many values that expectation is worth.
    pub weight: f64,
    /// The variance that is expected.
    pub variance: f64,
    /// How many values that is worth, halved.
    pub shape: f64,
}

/// Run lengths less likely than this are forgotten.
const LEAST_CHANCE: f64 = 1e-12;

/// One possible time since the last change, with what its values say.
#[derive(Debug, Clone, Copy)]
struct Run {
    length: usize,
    chance: f64,
    mean: f64,
    weight: f64,
    shape: f64,
    scale: f64,
}

impl Run {
    fn start(prior: &Prior, chance: f64) -> Self {
        Self {
            length: 0,
            chance,
            mean: prior.mean,
            weight: prior.weight,
            shape: prior.shape,
            scale: prior.shape * prior.variance,
        }
    }

    /// The density of the next value: Student's with 2 shape degrees of freedom.
    fn density(&self, value: f64) -> f64 {
        let df = 2.0 * self.shape;
        let spread = self.scale * (self.weight + 1.0) / (self.shape * self.weight);
        let square = (value - self.mean) * (value - self.mean) / spread;
        let log = ln_gamma(0.5 * (df + 1.0))
            - ln_gamma(0.5 * df)
            - 0.5 * (df * std::f64::consts::PI * spread).ln()
            - 0.5 * (df + 1.0) * (square / df).ln_1p();
        log.exp()
    }

    fn after(self, value: f64, chance: f64) -> Self {
        let distance = value - self.mean;
        let weight = self.weight + 1.0;
        Self {
            length: self.length + 1,
            chance,
            mean: self.mean + distance / weight,
            weight,
            shape: self.shape + 0.5,
            scale: self.scale + 0.5 * self.weight * distance * distance / weight,
        }
    }
}

/// For each value, the probability that a segment begins with it, as seen `lag` values later (fewer at the end);
/// the first value begins a segment with probability 1.
pub fn online(values: &[f64], prior: &Prior, lag: usize) -> Vec<f64> {
    let hazard = 1.0 / prior.run_length.max(1.0);
    let n = values.len();
    let mut begins = vec![0.0; n];
    let mut runs = vec![Run::start(prior, 1.0)];
    for (t, value) in values.iter().enumerate() {
        let mut changed = 0.0;
        let mut next = Vec::with_capacity(runs.len() + 1);
        next.push(Run::start(prior, 0.0));
        for run in &runs {
            let joint = run.chance * run.density(*value);
            changed += joint * hazard;
            next.push(run.after(*value, joint * (1.0 - hazard)));
        }
        next[0].chance = changed;
        let total: f64 = next.iter().map(|run| run.chance).sum();
        if total.is_nan() || total <= 0.0 {
            // No run explains the value: a new segment starts after it.
            runs = vec![Run::start(prior, 1.0)];
            continue;
        }
        next.iter_mut().for_each(|run| run.chance /= total);
        next.retain(|run| run.chance > LEAST_CHANCE);
        runs = next;
        let seen = |length: usize| -> f64 {
            runs.iter()
                .filter(|run| run.length == length)
                .map(|run| run.chance)
                .sum()
        };
        // A run of length r after value t began with value t + 1 − r.
        if t >= lag {
            begins[t - lag] = seen(lag + 1);
        }
        if t + 1 == n {
            for back in 0..lag.min(n.saturating_sub(1)) {
                begins[t - back] = seen(back + 1);
            }
        }
    }
    if let Some(first) = begins.first_mut() {
        *first = 1.0;
    }
    begins
}
