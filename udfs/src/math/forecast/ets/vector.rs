//! Parameters and starting states as one unbounded vector for the minimiser.
//!
//! Smoothing parameters pass through the logistic function into their bounds
//! (0 < α < 1, 0 < β < min(α, 0.2), 0 < γ < 1 − α, 0.8 < φ < 0.98), which lie inside the usual region; states are counted from their guesses in units of
//! the series' typical step.

use super::form::{Form, SeasonKind, TrendKind};
use super::recursion::{Parameters, Slopes, State};
use super::start::Start;

const LEAST: f64 = 1e-4;
const MOST: f64 = 1.0 - 1e-4;
/// Slopes that follow the last errors more closely than this forecast badly.
const MOST_BETA: f64 = 0.2;
/// Half-normal priors on α and on β / [`MOST_BETA`]: short series do not take noise for a change of level or slope.
const LEVEL_PRECISION: f64 = 2.0;
const SLOPE_PRECISION: f64 = 20.0;
const LEAST_PHI: f64 = 0.8;
const MOST_PHI: f64 = 0.98;

/// Where each parameter lies in the vector.
pub(super) struct Layout {
    trend: TrendKind,
    season: SeasonKind,
    start: State,
    unit: f64,
    season_unit: f64,
}

impl Layout {
    pub(super) fn new(form: Form, unit: f64, start: Start) -> Self {
        let level = start.state.level.abs().max(unit);
        let season_unit = if form.season == SeasonKind::Multiplicative {
            unit / level
        } else {
            unit
        };
        Self {
            trend: form.trend,
            season: form.season,
            start: start.state,
            unit,
            season_unit,
        }
    }

    fn has_trend(&self) -> bool {
        self.trend != TrendKind::None
    }

    fn smoothing(&self) -> usize {
        1 + usize::from(self.has_trend())
            + usize::from(self.season != SeasonKind::None)
            + usize::from(self.trend == TrendKind::Damped)
    }

    pub(super) fn len(&self) -> usize {
        self.smoothing() + 1 + usize::from(self.has_trend()) + self.start.season.len()
    }

    /// The vector of the starting states with the given α and γ / (1 − α).
    pub(super) fn guess(&self, alpha: f64, gamma: f64) -> Vec<f64> {
        let mut x = vec![0.0; self.len()];
        let mut at = 0;
        let mut push = |value: f64| {
            x[at] = value;
            at += 1;
        };
        push(logit(alpha));
        if self.has_trend() {
            push(logit(0.1));
        }
        if self.season != SeasonKind::None {
            push(logit(gamma));
        }
        if self.trend == TrendKind::Damped {
            push(logit(0.9));
        }
        x
    }

    /// Parameters and states of a vector.
    pub(super) fn read(&self, x: &[f64]) -> (Parameters, State) {
        let mut at = 0;
        let mut next = || {
            at += 1;
            x[at - 1]
        };
        let alpha = between(LEAST, MOST, next());
        let beta = if self.has_trend() {
            between(LEAST, beta_cap(alpha), next())
        } else {
            0.0
        };
        let gamma = if self.season == SeasonKind::None {
            0.0
        } else {
            between(LEAST, (1.0 - alpha).max(LEAST), next())
        };
        let phi = match self.trend {
            TrendKind::None => 0.0,
            TrendKind::Additive => 1.0,
            TrendKind::Damped => between(LEAST_PHI, MOST_PHI, next()),
        };
        let level = self.start.level + self.unit * next();
        let slope = if self.has_trend() {
            self.start.slope + self.unit * next()
        } else {
            0.0
        };
        let season = self
            .start
            .season
            .iter()
            .map(|s| s + self.season_unit * next())
            .collect();
        (
            Parameters {
                alpha,
                beta,
                gamma,
                phi,
            },
            State {
                level,
                slope,
                season,
            },
        )
    }

    /// Adds minus twice the logarithm of the prior of α and β, and its derivatives.
    pub(super) fn penalty(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut value = 0.0;
        let precisions = [
            LEVEL_PRECISION,
            if self.has_trend() {
                SLOPE_PRECISION
            } else {
                0.0
            },
        ];
        for (at, precision) in precisions
            .into_iter()
            .enumerate()
            .filter(|(_, precision)| *precision > 0.0)
        {
            let share = logistic(x[at]);
            value += precision * share * share;
            gradient[at] += 2.0 * precision * share * share * (1.0 - share);
        }
        value
    }

    /// Turns derivatives by parameters and states into derivatives by the vector.
    pub(super) fn chain(&self, x: &[f64], slopes: &Slopes, gradient: &mut [f64]) {
        let p = &slopes.parameters;
        let share = logistic(x[0]);
        let alpha = between(LEAST, MOST, x[0]);
        let mut by_alpha = p.alpha;
        let mut at = 1;
        if self.has_trend() {
            let share = logistic(x[at]);
            gradient[at] = p.beta * (beta_cap(alpha) - LEAST) * share * (1.0 - share);
            by_alpha += p.beta * share * beta_cap_slope(alpha);
            at += 1;
        }
        if self.season != SeasonKind::None {
            let share = logistic(x[at]);
            gradient[at] = p.gamma * ((1.0 - alpha).max(LEAST) - LEAST) * share * (1.0 - share);
            by_alpha -= p.gamma * share;
            at += 1;
        }
        if self.trend == TrendKind::Damped {
            let share = logistic(x[at]);
            gradient[at] = p.phi * (MOST_PHI - LEAST_PHI) * share * (1.0 - share);
            at += 1;
        }
        gradient[0] = by_alpha * (MOST - LEAST) * share * (1.0 - share);
        gradient[at] = slopes.state.level * self.unit;
        at += 1;
        if self.has_trend() {
            gradient[at] = slopes.state.slope * self.unit;
            at += 1;
        }
        for (g, s) in gradient[at..].iter_mut().zip(&slopes.state.season) {
            *g = s * self.season_unit;
        }
    }
}

fn beta_cap(alpha: f64) -> f64 {
    alpha.min(MOST_BETA)
}

fn beta_cap_slope(alpha: f64) -> f64 {
    if alpha < MOST_BETA { 1.0 } else { 0.0 }
}

fn between(low: f64, high: f64, x: f64) -> f64 {
    low + (high - low) * logistic(x)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn logit(share: f64) -> f64 {
    (share / (1.0 - share)).ln()
}
