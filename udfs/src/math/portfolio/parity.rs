//! Portfolios whose assets carry given shares of the variance.
//!
//! With budgets b that sum to 1 the weights fulfil w_i (Sw)_i = b_i w'Sw, w > 0. They are x / Σx for the minimum of
//!
//! ```text
//! ½ x'Sx − Σ b_i ln x_i
//! ```
//!
//! which is found one coordinate at a time, each in closed form. Source: Griveau-Billion, Richard, Roncalli (2013),
//! "A fast algorithm for computing high-dimensional risk parity portfolios"; Newton's method ends what is slow.

use crate::math::cholesky::Cholesky;
use crate::math::matrix::{Symmetric, add_scaled};

use super::refusal::Refusal;

const MAX_SWEEPS: usize = 400;
const MAX_NEWTON_STEPS: usize = 60;
/// How far a share of the risk may be off.
const ACCURACY: f64 = 1e-12;

/// The weights for budgets that are positive and sum to 1.
///
/// # Errors
/// [`Refusal::Constant`] for an asset without variance, [`Refusal::NoSolution`] when the covariance is not positive enough.
pub fn risk_parity(covariance: &Symmetric, budgets: &[f64]) -> Result<Vec<f64>, Refusal> {
    let diagonal = covariance.diagonal();
    let largest = diagonal.iter().copied().fold(0.0, f64::max);
    if let Some(asset) = diagonal.iter().position(|v| *v <= 1e-16 * largest) {
        return Err(Refusal::Constant { asset });
    }
    let mut x: Vec<f64> = diagonal
        .iter()
        .zip(budgets)
        .map(|(variance, budget)| (budget / variance).sqrt())
        .collect();
    let mut product = covariance.multiply(&x);
    for _ in 0..MAX_SWEEPS {
        for i in 0..x.len() {
            let others = product[i] - diagonal[i] * x[i];
            let root = (others * others + 4.0 * diagonal[i] * budgets[i]).sqrt();
            // The form without cancellation.
            let next = match others > 0.0 {
                true => 2.0 * budgets[i] / (others + root),
                false => (root - others) / (2.0 * diagonal[i]),
            };
            add_scaled(&mut product, next - x[i], covariance.row(i));
            x[i] = next;
        }
        if error(&x, &product, budgets) <= ACCURACY {
            return Ok(normalised(x));
        }
    }
    newton(covariance, budgets, x)
}

fn error(x: &[f64], product: &[f64], budgets: &[f64]) -> f64 {
    let each = x.iter().zip(product).zip(budgets);
    each.map(|((x, p), b)| (x * p - b).abs())
        .fold(0.0, f64::max)
}

fn newton(covariance: &Symmetric, budgets: &[f64], mut x: Vec<f64>) -> Result<Vec<f64>, Refusal> {
    for _ in 0..MAX_NEWTON_STEPS {
        let product = covariance.multiply(&x);
        let off = error(&x, &product, budgets);
        if off <= ACCURACY {
            return Ok(normalised(x));
        }
        let mut hessian = covariance.clone();
        let mut step = vec![0.0; x.len()];
        for i in 0..x.len() {
            hessian.set(i, i, hessian.get(i, i) + budgets[i] / (x[i] * x[i]));
            step[i] = budgets[i] / x[i] - product[i];
        }
        let Some(factor) = Cholesky::new(&hessian) else {
            return Err(Refusal::NoSolution);
        };
        factor.solve(&mut step);
        // The barrier is self-concordant: a step of 1 / (1 + longest) always lowers the objective.
        let longest = x
            .iter()
            .zip(&step)
            .map(|(x, s)| (s / x).abs())
            .fold(0.0, f64::max);
        let length = if longest < 0.5 {
            1.0
        } else {
            1.0 / (1.0 + longest)
        };
        add_scaled(&mut x, length, &step);
    }
    let product = covariance.multiply(&x);
    match error(&x, &product, budgets) <= 1e-8 {
        true => Ok(normalised(x)),
        false => Err(Refusal::NoSolution),
    }
}

fn normalised(mut x: Vec<f64>) -> Vec<f64> {
    let sum: f64 = x.iter().sum();
    x.iter_mut().for_each(|x| *x /= sum);
    x
}
