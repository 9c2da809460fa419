//! The likelihood of returns and its slopes.

use std::f64::consts::PI;

use statrs::function::gamma::{digamma, ln_gamma};

use super::recursion::{self, Path, Slopes};
use super::{Parameters, Variant};

/// Returns and room to work on them.
pub(super) struct Likelihood<'a> {
    pub(super) variant: Variant,
    pub(super) returns: &'a [f64],
    pub(super) backcast: f64,
    pub(super) shocks: Vec<f64>,
    pub(super) path: Path,
    by_variance: Vec<f64>,
    by_shock: Vec<f64>,
    pub(super) slopes: Slopes,
    /// For the t, the sum of `ln(1 + z² / (ν - 2))`.
    tails: f64,
    /// The slope with respect to ν.
    pub(super) by_nu: f64,
}

impl<'a> Likelihood<'a> {
    pub(super) fn new(variant: Variant, returns: &'a [f64], backcast: f64) -> Self {
        let room = vec![0.0; returns.len()];
        Self {
            variant,
            returns,
            backcast,
            shocks: room.clone(),
            path: Path::new(variant, returns.len()),
            by_variance: room.clone(),
            by_shock: room,
            slopes: Slopes::default(),
            tails: 0.0,
            by_nu: 0.0,
        }
    }

    /// Minus the log-likelihood; NaN where there is none. Fills the shocks and variances.
    pub(super) fn loss(&mut self, parameters: &Parameters) -> f64 {
        for (shock, x) in self.shocks.iter_mut().zip(self.returns) {
            *shock = x - parameters.mu;
        }
        if !self
            .path
            .fill(self.variant, parameters, &self.shocks, self.backcast)
        {
            return f64::NAN;
        }
        let n = self.returns.len() as f64;
        let logs = match self.variant {
            Variant::Egarch => self.path.logs.iter().sum(),
            Variant::Garch | Variant::Gjr => sum_of_logs(self.path.variances.iter().copied()),
        };
        let squares = self
            .shocks
            .iter()
            .zip(&self.path.variances)
            .map(|(e, h)| e * e / h);
        match parameters.nu {
            None => 0.5 * (n * (2.0 * PI).ln() + logs + squares.sum::<f64>()),
            Some(nu) => {
                let free = nu - 2.0;
                self.tails = sum_of_logs(squares.map(|square| 1.0 + square / free));
                let constant =
                    ln_gamma(0.5 * (nu + 1.0)) - ln_gamma(0.5 * nu) - 0.5 * (PI * free).ln();
                0.5 * logs + 0.5 * (nu + 1.0) * self.tails - n * constant
            }
        }
    }

    /// The same, with the slopes.
    pub(super) fn loss_with_slopes(&mut self, parameters: &Parameters) -> f64 {
        let loss = self.loss(parameters);
        if loss.is_nan() {
            return loss;
        }
        self.by_nu = 0.0;
        let rows = self.shocks.iter().zip(&self.path.variances);
        let slopes = self.by_variance.iter_mut().zip(&mut self.by_shock);
        match parameters.nu {
            None => {
                for ((e, h), (by_variance, by_shock)) in rows.zip(slopes) {
                    let weight = e / h;
                    *by_shock = weight;
                    *by_variance = 0.5 * (1.0 / h - weight * weight);
                }
            }
            Some(nu) => {
                let free = nu - 2.0;
                let mut weights = 0.0;
                for ((e, h), (by_variance, by_shock)) in rows.zip(slopes) {
                    let inverse = 1.0 / h;
                    let square = e * e * inverse;
                    let weight = (nu + 1.0) / (free + square);
                    *by_shock = weight * e * inverse;
                    *by_variance = 0.5 * inverse * (1.0 - weight * square);
                    weights += weight * square;
                }
                self.by_nu = self.slope_of_nu(nu, weights);
            }
        }
        let rows = (self.shocks.as_slice(), &self.path, self.backcast);
        recursion::backward(
            self.variant,
            parameters,
            rows,
            &mut self.by_variance,
            &self.by_shock,
            &mut self.slopes,
        );
        loss
    }

    /// `weights` is the sum of `(ν + 1) z² / (ν - 2 + z²)`.
    fn slope_of_nu(&self, nu: f64, weights: f64) -> f64 {
        let free = nu - 2.0;
        let constant = 0.5 * (digamma(0.5 * (nu + 1.0)) - digamma(0.5 * nu) - 1.0 / free);
        0.5 * self.tails - 0.5 * weights / free - self.returns.len() as f64 * constant
    }
}

/// The sum of the logarithms of positive numbers, of which eight are multiplied before a logarithm is taken.
fn sum_of_logs(numbers: impl Iterator<Item = f64>) -> f64 {
    const SAFE: std::ops::Range<f64> = 1e-30..1e30;
    let (mut product, mut count, mut sum) = (1.0f64, 0, 0.0);
    for x in numbers {
        if !SAFE.contains(&x) {
            sum += x.ln();
            continue;
        }
        product *= x;
        count += 1;
        if count == 8 {
            sum += product.ln();
            (product, count) = (1.0, 0);
        }
    }
    sum + product.ln()
}
