//! Portfolios on the efficient frontier under bounds alone, by an active-set method.
//!
//! For a tolerance of risk τ ≥ 0 the frontier's portfolio is
//!
//! ```text
//! w(τ) = argmin ½ w'Sw − τ m'w    with  Σ w = 1,  l ≤ w ≤ u
//! ```
//!
//! Every objective of mean and variance is such a portfolio: the least variance is τ = 0, the greatest utility
//! τ = 1 / risk aversion, and the greatest Sharpe ratio, a given return or a given variance each is the root of a
//! function that grows with τ. While no weight reaches or leaves a bound w(τ) is linear in τ, so a root within such a
//! piece is found at once. Source: Markowitz (1956), "The optimization of a quadratic function subject to linear
//! constraints"; for the method at one τ, Nocedal and Wright, Numerical Optimization, 2nd edition, section 16.5.

use crate::math::cholesky::Cholesky;
use crate::math::matrix::{Symmetric, add_scaled, dot};

use super::path::{Path, Scale};
use super::refusal::Refusal;

/// What is added to the diagonal of S, relative to its mean: it makes the portfolio of equal assets unique.
pub(super) const RIDGE: f64 = 1e-10;
/// How far a sum of bounds may miss 1.
pub(super) const ROOM: f64 = 1e-12;
/// The relative gain that is worth another step.
const GAIN: f64 = 1e-10;

/// A frontier, at one of its portfolios.
#[derive(Debug, Clone)]
pub struct Frontier<'a> {
    covariance: &'a Symmetric,
    mean: &'a [f64],
    lower: &'a [f64],
    upper: &'a [f64],
    ridge: f64,
    weights: Vec<f64>,
    /// S w, with the ridge.
    product: Vec<f64>,
    /// The assets between their bounds, in the order of the factor's rows.
    free: Vec<usize>,
    factor: Cholesky,
}

impl<'a> Frontier<'a> {
    /// Begins at a portfolio within the bounds.
    ///
    /// # Errors
    /// [`Refusal::BoundsSum`] when no weights within the bounds sum to 1.
    pub fn new(
        covariance: &'a Symmetric,
        mean: &'a [f64],
        lower: &'a [f64],
        upper: &'a [f64],
    ) -> Result<Self, Refusal> {
        check_bounds(lower, upper)?;
        let order = covariance.order();
        let ridge = RIDGE * covariance.trace() / order.max(1) as f64;
        let mut frontier = Self {
            covariance,
            mean,
            lower,
            upper,
            ridge: if ridge > 0.0 {
                ridge
            } else {
                f64::MIN_POSITIVE.sqrt()
            },
            weights: Vec::new(),
            product: Vec::new(),
            free: Vec::new(),
            factor: Cholesky::default(),
        };
        // From few assets upwards where shorts are not allowed, else from all downwards.
        frontier.weights = if lower.iter().all(|bound| *bound >= 0.0) {
            let mut order: Vec<usize> = (0..order).collect();
            order.sort_by(|a, b| covariance.get(*a, *a).total_cmp(&covariance.get(*b, *b)));
            filled(lower, upper, &order)
        } else {
            spread(lower, upper)
        };
        frontier.restart();
        Ok(frontier)
    }

    /// The weights.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The way to the best portfolio of the free assets, and the common derivative there.
    fn step(&self, tolerance: f64) -> (Vec<f64>, f64) {
        let gradient = |asset: &usize| self.product[*asset] - tolerance * self.mean[*asset];
        let mut step: Vec<f64> = self.free.iter().map(gradient).collect();
        let mut ones = vec![1.0; self.free.len()];
        self.factor.solve(&mut step);
        self.factor.solve(&mut ones);
        let total = ones.iter().sum::<f64>();
        let level = step.iter().sum::<f64>() / total;
        for (step, one) in step.iter_mut().zip(&ones) {
            *step = level * one - *step;
        }
        // The weights keep their sum, whatever rounding and earlier steps made of it.
        let rest = 1.0 - self.weights.iter().sum::<f64>() - step.iter().sum::<f64>();
        add_scaled(&mut step, rest / total, &ones);
        (step, level)
    }

    /// How much of a step the bounds allow, at most all, and which asset then lies at which bound.
    fn longest(&self, step: &[f64]) -> (f64, Option<(usize, f64)>) {
        let (mut length, mut blocking) = (1.0, None);
        // The last free asset takes what the others leave: it can't be fixed.
        if self.free.len() == 1 {
            return (0.0, None);
        }
        for (place, (asset, step)) in self.free.iter().zip(step).enumerate() {
            let bound = if *step < 0.0 {
                self.lower[*asset]
            } else {
                self.upper[*asset]
            };
            let room = bound - self.weights[*asset];
            if *step != 0.0 && room / step < length {
                length = (room / step).max(0.0);
                blocking = Some((place, bound));
            }
        }
        (length, blocking)
    }

    fn advance(&mut self, step: &[f64], length: f64) {
        for (asset, step) in self.free.iter().zip(step) {
            let step = length * step;
            if step != 0.0 {
                self.weights[*asset] += step;
                add_scaled(&mut self.product, step, self.covariance.row(*asset));
                self.product[*asset] += self.ridge * step;
            }
        }
    }

    fn fix(&mut self, place: usize, bound: f64) {
        let asset = self.free.remove(place);
        self.factor.remove(place);
        let change = bound - self.weights[asset];
        if change != 0.0 {
            add_scaled(&mut self.product, change, self.covariance.row(asset));
            self.product[asset] += self.ridge * change;
        }
        self.weights[asset] = bound;
    }

    /// The fixed asset that gains most by leaving its bound.
    fn worst(&self, tolerance: f64, level: f64) -> Option<usize> {
        let variance = dot(&self.weights, &self.product);
        let mut is_free = vec![false; self.weights.len()];
        for asset in &self.free {
            is_free[*asset] = true;
        }
        let mut worst = None;
        let mut most = GAIN * variance;
        for (asset, free) in is_free.iter().enumerate() {
            let price = self.product[asset] - tolerance * self.mean[asset] - level;
            let (weight, lower, upper) =
                (self.weights[asset], self.lower[asset], self.upper[asset]);
            let gain = if *free || lower == upper {
                continue;
            } else if weight <= lower {
                -price
            } else {
                price
            };
            if gain > most && weight.is_finite() {
                (worst, most) = (Some(asset), gain);
            }
        }
        worst
    }

    fn release(&mut self, asset: usize) {
        let row = self.covariance.row(asset);
        let mut entries: Vec<f64> = self.free.iter().map(|free| row[*free]).collect();
        entries.push(row[asset] + self.ridge);
        if !self.factor.append(&entries) {
            // Rounding ate the ridge: a larger one for this asset alone.
            if let Some(last) = entries.last_mut() {
                *last += 1e3 * self.ridge + 1e-12 * row[asset];
            }
            if !self.factor.append(&entries) {
                return;
            }
        }
        self.free.push(asset);
    }

    /// Makes product, free assets and factor anew from the weights.
    fn restart(&mut self) {
        self.product = self.covariance.multiply(&self.weights);
        add_scaled(&mut self.product, self.ridge, &self.weights);
        self.free.clear();
        self.factor = Cholesky::default();
        for asset in 0..self.weights.len() {
            let weight = self.weights[asset];
            if weight > self.lower[asset] && weight < self.upper[asset] {
                self.release(asset);
            }
        }
        if self.free.is_empty()
            && let Some(asset) = (0..self.weights.len()).find(|i| self.lower[*i] < self.upper[*i])
        {
            self.release(asset);
        }
    }
}

impl Path for Frontier<'_> {
    /// Goes to w(τ).
    ///
    /// # Errors
    /// [`Refusal::NoSolution`] when rounding keeps the method from its end.
    fn go_to(&mut self, tolerance: f64) -> Result<(), Refusal> {
        if self.free.is_empty() {
            return Ok(());
        }
        let limit = 100 + 20 * self.weights.len();
        for _ in 0..limit {
            let (step, level) = self.step(tolerance);
            let (length, blocking) = self.longest(&step);
            self.advance(&step, length);
            match blocking {
                Some((place, bound)) => self.fix(place, bound),
                None => match self.worst(tolerance, level) {
                    Some(asset) => self.release(asset),
                    None => return Ok(()),
                },
            }
        }
        Err(Refusal::NoSolution)
    }

    /// w'Sw.
    fn variance(&self) -> f64 {
        let own: f64 = dot(&self.weights, &self.weights);
        (dot(&self.weights, &self.product) - self.ridge * own).max(0.0)
    }

    /// m'w.
    fn expected(&self) -> f64 {
        dot(&self.weights, self.mean)
    }

    /// d(m'w)/dτ while the free assets stay the same.
    fn gain(&self) -> f64 {
        let mean: Vec<f64> = self.free.iter().map(|asset| self.mean[*asset]).collect();
        let mut slope = mean.clone();
        let mut ones = vec![1.0; self.free.len()];
        self.factor.solve(&mut slope);
        self.factor.solve(&mut ones);
        let shift = slope.iter().sum::<f64>() / ones.iter().sum::<f64>();
        add_scaled(&mut slope, -shift, &ones);
        dot(&mean, &slope)
    }

    /// The highest m'w within the bounds; infinite if nothing holds it.
    fn highest(&self) -> f64 {
        let mut order: Vec<usize> = (0..self.mean.len()).collect();
        order.sort_by(|a, b| self.mean[*b].total_cmp(&self.mean[*a]));
        let (Some(best), Some(worst)) = (order.first(), order.last()) else {
            return f64::NEG_INFINITY;
        };
        let closed = |bounds: &[f64]| bounds.iter().all(|bound| bound.is_finite());
        if closed(self.lower) {
            dot(&filled(self.lower, self.upper, &order), self.mean)
        } else if self.mean[*best] == self.mean[*worst] {
            self.mean[*best]
        } else if closed(self.upper) {
            // The mirror image: as low as may be for the last.
            order.reverse();
            let negated = |bounds: &[f64]| bounds.iter().map(|bound| -bound).collect::<Vec<f64>>();
            let weights = filled_to(-1.0, &negated(self.upper), &negated(self.lower), &order);
            -dot(&weights, self.mean)
        } else {
            f64::INFINITY
        }
    }

    fn has_end(&self) -> bool {
        self.highest().is_finite()
    }

    fn ridge(&self) -> f64 {
        self.ridge
    }

    fn scale(&self) -> Scale {
        Scale::of(self.covariance, self.mean)
    }
}

/// Whether some weights within the bounds sum to 1.
///
/// # Errors
/// When not.
pub(super) fn check_bounds(lower: &[f64], upper: &[f64]) -> Result<(), Refusal> {
    let (least, most): (f64, f64) = (lower.iter().sum(), upper.iter().sum());
    if least > 1.0 + ROOM * 1e3 {
        return Err(Refusal::BoundsSum {
            sum: least,
            lower: true,
        });
    }
    if most < 1.0 - ROOM * 1e3 {
        return Err(Refusal::BoundsSum {
            sum: most,
            lower: false,
        });
    }
    Ok(())
}

/// Weights that are as high as they may be for the first assets in an order, and as low for the last.
pub(super) fn filled(lower: &[f64], upper: &[f64], order: &[usize]) -> Vec<f64> {
    filled_to(1.0, lower, upper, order)
}

fn filled_to(sum: f64, lower: &[f64], upper: &[f64], order: &[usize]) -> Vec<f64> {
    let mut weights = lower.to_vec();
    let mut rest = sum - lower.iter().sum::<f64>();
    for asset in order {
        let more = (upper[*asset] - lower[*asset]).min(rest).max(0.0);
        weights[*asset] += more;
        rest -= more;
    }
    weights
}

/// Weights within bounds as near to each other as they can be.
pub(super) fn spread(lower: &[f64], upper: &[f64]) -> Vec<f64> {
    let at = |level: f64| -> Vec<f64> {
        let bounds = lower.iter().zip(upper);
        bounds
            .map(|(lower, upper)| level.max(*lower).min(*upper))
            .collect()
    };
    let finite = lower.iter().chain(upper).filter(|bound| bound.is_finite());
    let widest = finite.fold(1.0, |widest: f64, bound| widest.max(bound.abs()));
    let (mut low, mut high) = (-widest, widest);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if at(middle).iter().sum::<f64>() < 1.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let mut weights = at(high);
    // What bisection left goes to an asset that has room.
    let rest = 1.0 - weights.iter().sum::<f64>();
    let room = |asset: &usize| {
        let moved = weights[*asset] + rest;
        moved >= lower[*asset] && moved <= upper[*asset]
    };
    if let Some(asset) = (0..weights.len()).find(room) {
        weights[asset] += rest;
    }
    weights
}
