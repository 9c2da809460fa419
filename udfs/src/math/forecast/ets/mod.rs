//! Exponential smoothing in state-space form (ETS): the family, its fit by likelihood, and its choice by AICc.
//!
//! [`select`] fits every stable form and keeps the best; [`fit`] fits one. The recursion and its gradient are
//! in `recursion`, the parameters' bounds in `vector`, starting values in `start`, prediction variance in
//! `spread`. Nothing here decides which model a user gets: that is the front door's.
//!
//! Source: Hyndman, Koehler, Ord and Snyder (2008), Forecasting with Exponential Smoothing; the choice of
//! forms follows forecast::ets and statsforecast's AutoETS (no multiplicative trend, no additive error with
//! multiplicative season).

mod admissible;
mod form;
mod recursion;
mod spread;
mod start;
mod vector;

pub use form::{ErrorKind, Form, SeasonKind, TrendKind};

use super::super::optimize::{Stop, minimize};
use recursion::{Parameters, State, Tape, backward, forward};
use start::Start;
use vector::Layout;

/// The longest season that a form may carry; longer ones are left to decomposition.
pub const MAX_SEASON: usize = 24;
const STOP: Stop = Stop {
    max_iterations: 80,
    tolerance: 1e-3,
};

/// A fitted model, in the units of the series.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The form.
    pub form: Form,
    /// The corrected Akaike criterion; lower is better, and comparable between forms on one series.
    pub aicc: f64,
    /// One-step fitted values.
    pub fitted: Vec<f64>,
    parameters: Parameters,
    state: State,
    variance: f64,
    optimum: Vec<f64>,
}

/// Fits every form of `forms` and returns the one with the least AICc, or `None` where none can be fitted.
///
/// Forms with unstable parameters, and multiplicative ones on data that are not positive, take no part.
pub fn select(values: &[f64], period: usize, forms: &[Form]) -> Option<Fitted> {
    let problem = Problem::new(values, period)?;
    let mut best: Option<Fitted> = None;
    let mut twin: Option<(Form, Vec<f64>)> = None;
    for &form in forms {
        let warm = twin
            .as_ref()
            .filter(|(known, _)| known.same_states(form))
            .map(|(_, x)| x.as_slice());
        let Some(fitted) = problem.fit(form, warm) else {
            continue;
        };
        twin = Some((form, fitted.optimum.clone()));
        if fitted.aicc.is_finite()
            && best.as_ref().is_none_or(|b| fitted.aicc < b.aicc)
            && problem.stable(&fitted)
        {
            best = Some(fitted);
        }
    }
    best
}

/// Fits one form, from the optimum of an earlier fit of the same form where one is given.
pub fn fit(values: &[f64], period: usize, form: Form, warm: Option<&Fitted>) -> Option<Fitted> {
    Problem::new(values, period)?.fit(
        form,
        warm.filter(|w| w.form == form)
            .map(|w| w.optimum.as_slice()),
    )
}

/// One series, scaled so that its mean absolute value is one.
struct Problem {
    values: Vec<f64>,
    scale: f64,
    unit: f64,
    period: usize,
    positive: bool,
}

impl Problem {
    fn new(values: &[f64], period: usize) -> Option<Self> {
        let n = values.len();
        let scale = values.iter().map(|y| y.abs() / n as f64).sum::<f64>();
        if n < 3 || !scale.is_finite() || scale <= 0.0 {
            return None;
        }
        let scaled: Vec<f64> = values.iter().map(|y| y / scale).collect();
        let lag = if period > 1 && n > period { period } else { 1 };
        let moves: f64 = scaled[lag..]
            .iter()
            .zip(&scaled)
            .map(|(a, b)| (a - b).abs())
            .sum();
        let unit = (moves / (n - lag) as f64).max(1e-9);
        let positive = scaled.iter().all(|y| *y > 0.0);
        Some(Self {
            values: scaled,
            scale,
            unit,
            period,
            positive,
        })
    }

    fn allows(&self, form: Form) -> bool {
        let n = self.values.len();
        let multiplicative =
            form.error == ErrorKind::Multiplicative || form.season == SeasonKind::Multiplicative;
        let seasonal = form.season != SeasonKind::None;
        (self.positive || !multiplicative)
            && (!seasonal || (2..=MAX_SEASON).contains(&self.period))
            && n >= form.least_observations(self.period)
    }

    fn fit(&self, form: Form, warm: Option<&[f64]>) -> Option<Fitted> {
        if !self.allows(form) {
            return None;
        }
        let start = Start::new(&self.values, self.period, form)?;
        let layout = Layout::new(form, self.unit, start);
        let mut tape = Tape::new(self.values.len());
        let mut x = match warm {
            Some(x) if x.len() == layout.len() => x.to_vec(),
            _ => self.best_guess(form, &layout, &mut tape),
        };
        let value = minimize(&mut x, STOP, |x, gradient| {
            self.objective(form, &layout, x, gradient, &mut tape)
        });
        value
            .is_finite()
            .then(|| self.describe(form, &layout, x, &mut tape))
    }

    /// Minus twice the log posterior of a vector, up to a constant, and its gradient.
    fn objective(
        &self,
        form: Form,
        layout: &Layout,
        x: &[f64],
        gradient: &mut [f64],
        tape: &mut Tape,
    ) -> f64 {
        let (parameters, state) = layout.read(x);
        let value = forward(form, &self.values, &parameters, &state, tape);
        if !value.is_finite() {
            return value;
        }
        let slopes = backward(form, &self.values, &parameters, &state, tape);
        layout.chain(x, &slopes, gradient);
        value + layout.penalty(x, gradient)
    }

    /// The best of a few smoothing parameters, all with the starting states.
    fn best_guess(&self, form: Form, layout: &Layout, tape: &mut Tape) -> Vec<f64> {
        let mut best = (f64::INFINITY, layout.guess(0.2, 0.1));
        for alpha in [0.05, 0.2, 0.5, 0.9] {
            for gamma in if form.season == SeasonKind::None {
                [0.1].as_slice()
            } else {
                &[0.05, 0.4]
            } {
                let x = layout.guess(alpha, *gamma);
                let (parameters, state) = layout.read(&x);
                let value = forward(form, &self.values, &parameters, &state, tape);
                if value < best.0 {
                    best = (value, x);
                }
            }
        }
        best.1
    }

    fn describe(&self, form: Form, layout: &Layout, x: Vec<f64>, tape: &mut Tape) -> Fitted {
        let (parameters, mut state) = layout.read(&x);
        let value = forward(form, &self.values, &parameters, &state, tape);
        let n = self.values.len() as f64;
        let k = form.count(self.period) as f64 + 1.0;
        let aicc = value + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0);
        let scale = self.scale;
        let fitted = tape.forecasts().iter().map(|f| f * scale).collect();
        let squares = match form.error {
            ErrorKind::Additive => scale * scale,
            ErrorKind::Multiplicative => 1.0,
        } * tape.squares();
        state.advance_to(tape);
        state.rescale(scale, form.season);
        let variance = squares / (n - k - 1.0).max(1.0);
        Fitted {
            form,
            aicc,
            fitted,
            parameters,
            state,
            variance,
            optimum: x,
        }
    }

    fn stable(&self, fitted: &Fitted) -> bool {
        let period = if fitted.form.season == SeasonKind::None {
            1
        } else {
            self.period
        };
        admissible::admissible(&fitted.parameters, fitted.form, period)
    }
}

impl Fitted {
    /// The point forecasts of the next `horizon` steps.
    pub fn mean(&self, horizon: usize) -> Vec<f64> {
        self.state.forecast(&self.parameters, self.form, horizon)
    }

    /// The standard deviations of the next `horizon` steps' errors.
    ///
    /// Exact for additive and linear-with-multiplicative-error forms; for multiplicative seasons from
    /// simulated paths that depend on `seed` alone.
    pub fn deviation(&self, horizon: usize, seed: u64) -> Vec<f64> {
        spread::deviation(self, horizon, seed)
    }

    /// Lower and upper bounds of the central interval with probability `level` for each step.
    pub fn interval(&self, mean: &[f64], level: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
        spread::interval(self, mean, level, seed)
    }
}

#[cfg(test)]
mod tests;
