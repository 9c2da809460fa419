//! Seasonal ARIMA: differencing by tests, orders by AICc, parameters by penalised conditional least squares.
//!
//! [`select`] searches orders step by step, [`refit`] fits known orders to other values, [`regress`] fits a
//! regression whose errors are such a model.
//!
//! Source: Hyndman and Khandakar (2008), "Automatic time series forecasting: the forecast package for R"; Box,
//! Jenkins, Reinsel and Ljung, Time Series Analysis, chapters 7 and 9.

mod conditional;
mod order;
mod regression;
mod search;
mod unit_root;

use super::super::optimize::{Stop, minimize};
use conditional::{Coefficients, Work, coefficients};
use order::Order;

pub use regression::{Effect, regress};
pub use search::select;

/// Shorter series carry fewer coefficients.
const OBSERVATIONS_PER_COEFFICIENT: usize = 8;
/// A normal prior on the inverse hyperbolic tangents of partial autocorrelations, which keeps roots off the unit
/// circle unless the data insist.
const PARTIAL_PRECISION: f64 = 3.0;
const STOP: Stop = Stop {
    max_iterations: 60,
    tolerance: 1e-3,
};
/// The fewest observations that can be fitted.
pub const MIN_OBSERVATIONS: usize = 8;
/// Longer seasons are left to decomposition.
pub const MAX_SEASON: usize = 370;

/// A fitted model, in the units of the series.
#[derive(Debug, Clone)]
pub struct Fitted {
    order: Order,
    coefficients: Coefficients,
    /// The last values of the series, as far back as a forecast looks, and its last errors.
    tail: Vec<f64>,
    errors: Vec<f64>,
    variance: f64,
    aicc: f64,
    optimum: Vec<f64>,
    fitted: Vec<f64>,
}

/// Fits the orders of `known` to other values.
pub fn refit(values: &[f64], known: &Fitted) -> Option<Fitted> {
    Problem::new(values, known.order)?.fit(known.order, Some(&known.optimum))
}

/// A differenced series with variance one.
struct Problem {
    values: Vec<f64>,
    differences: Vec<f64>,
    scale: f64,
    mean: f64,
}

impl Problem {
    /// Differences values as the order says.
    fn new(values: &[f64], order: Order) -> Option<Self> {
        let mut differences =
            unit_root::differenced(values, order.d, order.seasonal_d, order.period);
        let n = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / n;
        let variance = differences
            .iter()
            .map(|w| (w - mean) * (w - mean))
            .sum::<f64>()
            / n;
        let scale = variance.sqrt();
        if n < 4.0 || !scale.is_finite() || scale <= 1e-12 * mean.abs() || scale == 0.0 {
            return None;
        }
        differences.iter_mut().for_each(|w| *w /= scale);
        Some(Self {
            values: values.to_vec(),
            differences,
            scale,
            mean: mean / scale,
        })
    }

    /// Whether there are enough observations for so many coefficients.
    fn bears(&self, order: &Order) -> bool {
        let n = self.differences.len();
        n >= order.free() + 4
            && order.coefficients() * OBSERVATIONS_PER_COEFFICIENT <= n
            && order.reach() + order.period <= n
            && order.seasonal_q * order.period + order.q < n
    }

    fn fit(&self, order: Order, warm: Option<&[f64]>) -> Option<Fitted> {
        let (free, n) = (order.free(), self.differences.len());
        if !self.bears(&order) {
            return None;
        }
        let smoothing = order.coefficients();
        let mut x = vec![0.0; free];
        match warm {
            Some(known) if known.len() == free => x.copy_from_slice(known),
            _ => x[..smoothing].fill(0.1),
        }
        let mut work = Work::new(n);
        let value = minimize(&mut x, STOP, |x, gradient| {
            let mut value = work.objective(&self.differences, x, &order, self.mean, gradient);
            for (x, g) in x.iter().zip(gradient).take(smoothing) {
                value += PARTIAL_PRECISION * x * x;
                *g += 2.0 * PARTIAL_PRECISION * x;
            }
            value
        });
        let k = free as f64 + 1.0;
        let aicc = value + 2.0 * k + 2.0 * k * (k + 1.0) / (n as f64 - k - 1.0);
        if !aicc.is_finite() {
            return None;
        }
        let mut found = coefficients(&x, &order, self.mean);
        let squares = work.errors(&self.differences, &found);
        found.mean *= self.scale;
        let errors: Vec<f64> = work.last_errors().iter().map(|e| e * self.scale).collect();
        let variance = squares * self.scale * self.scale / (n as f64 - k + 1.0).max(1.0);
        let lost = self.values.len() - n;
        let mut fitted = vec![f64::NAN; lost];
        let known = self.values[lost..].iter().zip(&errors);
        fitted.extend(known.map(|(y, e)| y - e));
        Some(Fitted {
            order,
            tail: self.values.clone(),
            errors,
            variance,
            aicc,
            optimum: x,
            fitted,
            coefficients: found,
        })
    }
}

impl Fitted {
    /// The name, such as `ARIMA(1,1,1)(0,1,1)[12]`.
    pub fn name(&self) -> String {
        self.order.to_string()
    }

    /// One-step fitted values, NaN for those that differencing loses.
    pub fn fitted(&self) -> &[f64] {
        &self.fitted
    }

    /// The point forecasts of the next `horizon` steps.
    pub fn mean(&self, horizon: usize) -> Vec<f64> {
        let ar = self.autoregression();
        let Coefficients { ma, mean, .. } = &self.coefficients;
        let kept: f64 = 1.0 - self.coefficients.ar.iter().map(|(_, a)| a).sum::<f64>();
        let constant = mean * kept;
        let n = self.tail.len();
        let lost = n - self.errors.len();
        let mut path = self.tail.clone();
        for t in n..n + horizon {
            let known: f64 = (1..).zip(&ar).map(|(lag, a)| a * path[t - lag]).sum();
            let error = |lag: usize| {
                let at = (t - lag).checked_sub(lost);
                at.and_then(|at| self.errors.get(at))
                    .copied()
                    .unwrap_or(0.0)
            };
            let shock: f64 = ma.iter().map(|(lag, b)| b * error(*lag)).sum();
            path.push(constant + known + shock);
        }
        path.split_off(n)
    }

    /// The standard deviations σ √(1 + ψ₁² + … + ψ_{h−1}²) of the next `horizon` steps' errors.
    pub fn deviation(&self, horizon: usize) -> Vec<f64> {
        let ar = self.autoregression();
        let mut own = vec![0.0; horizon.max(1)];
        own[0] = 1.0;
        for (lag, b) in &self.coefficients.ma {
            if let Some(weight) = own.get_mut(*lag) {
                *weight += b;
            }
        }
        let mut psi: Vec<f64> = Vec::with_capacity(horizon);
        let mut total = 0.0;
        let mut deviations = Vec::with_capacity(horizon);
        for own in own.into_iter().take(horizon) {
            let carried: f64 = ar.iter().zip(psi.iter().rev()).map(|(a, p)| a * p).sum();
            let weight = own + carried;
            psi.push(weight);
            total += weight * weight;
            deviations.push((self.variance * total).sqrt());
        }
        deviations
    }

    /// The coefficients at lags 1, 2, … of the autoregression with its differences multiplied in.
    fn autoregression(&self) -> Vec<f64> {
        let Order {
            d,
            seasonal_d,
            period,
            ..
        } = self.order;
        let reach = self.order.reach();
        let mut polynomial = vec![0.0; reach + 1];
        polynomial[0] = 1.0;
        for (lag, a) in &self.coefficients.ar {
            polynomial[*lag] -= a;
        }
        let lags = std::iter::repeat_n(1, d).chain(std::iter::repeat_n(period, seasonal_d));
        for lag in lags {
            let before = polynomial.clone();
            polynomial.resize(before.len() + lag, 0.0);
            for (later, a) in polynomial[lag..].iter_mut().zip(&before) {
                *later -= a;
            }
        }
        polynomial[1..].iter().map(|a| -a).collect()
    }
}

#[cfg(test)]
mod tests;
