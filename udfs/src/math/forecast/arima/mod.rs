//! ARIMA without seasonal terms: differencing by a test, orders by AICc, parameters by penalised
//! conditional least squares.
//!
//! [`select`] searches orders step by step, [`refit`] fits known orders to other values. Seasons are taken out
//! before, by decomposition; this module knows nothing of them.
//!
//! Source: Hyndman and Khandakar (2008), "Automatic time series forecasting: the forecast package for R"; Box,
//! Jenkins, Reinsel and Ljung, Time Series Analysis, chapter 7.

mod conditional;
mod unit_root;

use super::super::optimize::{Stop, minimize};
use conditional::{Coefficients, Work, coefficients};

const MAX_ORDER: usize = 4;
/// Shorter series carry fewer coefficients.
const OBSERVATIONS_PER_COEFFICIENT: usize = 8;
/// A normal prior on the inverse hyperbolic tangents of partial autocorrelations, which keeps roots off the unit
/// circle unless the data insist.
const PARTIAL_PRECISION: f64 = 3.0;
const MAX_FITS: usize = 40;
const STOP: Stop = Stop {
    max_iterations: 60,
    tolerance: 1e-3,
};
/// The fewest observations that can be fitted.
pub const MIN_OBSERVATIONS: usize = 8;

/// The orders of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    p: usize,
    d: usize,
    q: usize,
    /// The differenced series has a mean that is not zero.
    has_mean: bool,
}

/// A fitted model, in the units of the series.
#[derive(Debug, Clone)]
pub struct Fitted {
    order: Order,
    coefficients: Coefficients,
    /// The last `d` values of the series, and differences, errors and mean in the units of the series.
    tail: Vec<f64>,
    differences: Vec<f64>,
    errors: Vec<f64>,
    variance: f64,
    aicc: f64,
    optimum: Vec<f64>,
    fitted: Vec<f64>,
}

/// Chooses the orders and fits them; `None` with fewer than eight observations.
///
/// The number of differences (at most two) is the first at which the KPSS test does not reject at 5 %; p, q and
/// the mean are searched from four starting points by steps of one for the least AICc.
pub fn select(values: &[f64]) -> Option<Fitted> {
    if values.len() < MIN_OBSERVATIONS {
        return None;
    }
    let d = unit_root::differences(values);
    let problem = Problem::new(values, d)?;
    let has_mean = d < 2;
    let mut search = Search {
        problem: &problem,
        best: None,
        seen: Vec::new(),
    };
    for (p, q) in [(2, 2), (0, 0), (1, 0), (0, 1)] {
        search.visit(Order { p, d, q, has_mean });
    }
    if has_mean {
        search.visit(Order {
            p: 0,
            d,
            q: 0,
            has_mean: false,
        });
    }
    while search.seen.len() < MAX_FITS {
        let Some(from) = search.best.as_ref().map(|best| best.order) else {
            break;
        };
        let before = search.seen.len();
        let improved = neighbours(from)
            .into_iter()
            .any(|order| search.visit(order));
        if !improved || search.seen.len() == before {
            break;
        }
    }
    search.best
}

/// Fits the orders of `known` to other values.
pub fn refit(values: &[f64], known: &Fitted) -> Option<Fitted> {
    Problem::new(values, known.order.d)?.fit(known.order, Some(&known.optimum))
}

struct Search<'a> {
    problem: &'a Problem,
    best: Option<Fitted>,
    seen: Vec<Order>,
}

impl Search<'_> {
    /// Fits orders not seen before and tells whether they are the best so far.
    fn visit(&mut self, order: Order) -> bool {
        if self.seen.contains(&order) || self.seen.len() >= MAX_FITS {
            return false;
        }
        self.seen.push(order);
        let Some(fitted) = self.problem.fit(order, None) else {
            return false;
        };
        let better = self
            .best
            .as_ref()
            .is_none_or(|best| fitted.aicc < best.aicc);
        if better {
            self.best = Some(fitted);
        }
        better
    }
}

/// The orders one step away.
fn neighbours(from: Order) -> Vec<Order> {
    let steps: [(isize, isize); 8] = [
        (-1, 0),
        (1, 0),
        (0, -1),
        (0, 1),
        (-1, -1),
        (1, 1),
        (-1, 1),
        (1, -1),
    ];
    let allowed =
        |order: usize, step: isize| order.checked_add_signed(step).filter(|n| *n <= MAX_ORDER);
    let mut around: Vec<Order> = steps
        .iter()
        .filter_map(|(dp, dq)| {
            Some(Order {
                p: allowed(from.p, *dp)?,
                q: allowed(from.q, *dq)?,
                ..from
            })
        })
        .collect();
    if from.d < 2 {
        around.push(Order {
            has_mean: !from.has_mean,
            ..from
        });
    }
    around
}

/// A differenced series with variance one.
struct Problem {
    values: Vec<f64>,
    differences: Vec<f64>,
    scale: f64,
    mean: f64,
}

impl Problem {
    fn new(values: &[f64], d: usize) -> Option<Self> {
        let mut differences = values.to_vec();
        (0..d).for_each(|_| differences = unit_root::difference(&differences));
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

    fn fit(&self, order: Order, warm: Option<&[f64]>) -> Option<Fitted> {
        let free = order.p + order.q + usize::from(order.has_mean);
        let n = self.differences.len();
        if n < free + 4 || (order.p + order.q) * OBSERVATIONS_PER_COEFFICIENT > n {
            return None;
        }
        let mut x = vec![0.0; free];
        match warm {
            Some(known) if known.len() == free => x.copy_from_slice(known),
            _ => x[..order.p + order.q].fill(0.1),
        }
        let mut work = Work::new(n);
        let read =
            |x: &[f64]| coefficients(x, order.p, order.q, order.has_mean.then_some(self.mean));
        let smoothing = order.p + order.q;
        let value = minimize(&mut x, STOP, |x, gradient| {
            let mut value = work.objective(&self.differences, x, order.p, order.q, &read, gradient);
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
        let mut found = read(&x);
        let squares = work.errors(&self.differences, &found);
        found.mean *= self.scale;
        let scaled = |values: &[f64]| values.iter().map(|w| w * self.scale).collect::<Vec<_>>();
        let errors = scaled(work.last_errors());
        let variance = squares * self.scale * self.scale / (n as f64 - k + 1.0).max(1.0);
        let mut fitted = vec![f64::NAN; order.d];
        fitted.extend(
            self.values[order.d..]
                .iter()
                .zip(&errors)
                .map(|(y, e)| y - e),
        );
        Some(Fitted {
            order,
            coefficients: found,
            tail: self.values[self.values.len() - order.d..].to_vec(),
            differences: scaled(&self.differences),
            errors,
            variance,
            aicc,
            optimum: x,
            fitted,
        })
    }
}

impl Fitted {
    /// The name, such as `ARIMA(1,1,1) with drift`.
    pub fn name(&self) -> String {
        let Order { p, d, q, has_mean } = self.order;
        let mean = match (has_mean, d) {
            (false, _) => "",
            (true, 0) => " with mean",
            (true, _) => " with drift",
        };
        format!("ARIMA({p},{d},{q}){mean}")
    }

    /// One-step fitted values, NaN for the first `d`.
    pub fn fitted(&self) -> &[f64] {
        &self.fitted
    }

    /// The point forecasts of the next `horizon` steps.
    pub fn mean(&self, horizon: usize) -> Vec<f64> {
        let Coefficients { ar, ma, mean } = &self.coefficients;
        let n = self.differences.len();
        let mut path: Vec<f64> = self.differences.iter().map(|w| w - mean).collect();
        for t in n..n + horizon {
            let known: f64 = ar
                .iter()
                .enumerate()
                .map(|(i, a)| a * path[t - 1 - i])
                .sum();
            let error = |j: usize| {
                t.checked_sub(j + 1)
                    .and_then(|at| self.errors.get(at))
                    .copied()
                    .unwrap_or(0.0)
            };
            let shock: f64 = ma.iter().enumerate().map(|(j, b)| b * error(j)).sum();
            path.push(known + shock);
        }
        let mut future: Vec<f64> = path[n..].iter().map(|w| w + mean).collect();
        for order in (0..self.order.d).rev() {
            let mut level = last_difference(&self.tail, order);
            for step in &mut future {
                level += *step;
                *step = level;
            }
        }
        future
    }

    /// The standard deviations σ √(1 + ψ₁² + … + ψ_{h−1}²) of the next `horizon` steps' errors.
    pub fn deviation(&self, horizon: usize) -> Vec<f64> {
        let Coefficients { ar, ma, .. } = &self.coefficients;
        let mut psi: Vec<f64> = Vec::with_capacity(horizon);
        for j in 0..horizon {
            let own = if j == 0 {
                1.0
            } else {
                ma.get(j - 1).copied().unwrap_or(0.0)
            };
            let carried: f64 = ar.iter().zip(psi.iter().rev()).map(|(a, p)| a * p).sum();
            psi.push(own + carried);
        }
        for _ in 0..self.order.d {
            let mut sum = 0.0;
            for weight in &mut psi {
                sum += *weight;
                *weight = sum;
            }
        }
        let mut total = 0.0;
        psi.iter()
            .map(|weight| {
                total += weight * weight;
                (self.variance * total).sqrt()
            })
            .collect()
    }
}

/// The last value of the series differenced `order` times, from its last values.
fn last_difference(tail: &[f64], order: usize) -> f64 {
    let mut values = tail.to_vec();
    (0..order).for_each(|_| values = unit_root::difference(&values));
    values.last().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
