//! The portfolio of the least conditional value at risk over a history of returns.
//!
//! With T periods of returns r_t and level β
//!
//! ```text
//! CVaR(w) = min over a of  a + Σ max(−r_t'w − a, 0) / ((1 − β) T)
//! ```
//!
//! is the mean loss of the worst 1 − β of the periods, as a decimal of one period. Source: Rockafellar, Uryasev (2000),
//! "Optimization of conditional value-at-risk". The linear programme is solved in its dual, whose rows are assets: those that
//! the portfolio will not hold are left out, and brought in once the prices of the scenarios call for them.

use crate::math::interior_point::{Column, Programme};
use crate::math::matrix::{Symmetric, add_scaled, dot};

use super::frontier::{Frontier, check_bounds};
use super::refusal::Refusal;

/// The assets with which the search begins, beside those of the portfolio of least variance.
const FIRST_ASSETS: usize = 16;
/// The assets that come in at a time.
const NEXT_ASSETS: usize = 32;
const MAX_ROUNDS: usize = 50;
/// The relative gain for which another asset is worth a round.
const GAIN: f64 = 1e-8;
/// A weight below this is rounding.
const DUST: f64 = 1e-8;

/// What the weights must fulfil.
#[derive(Debug, Clone, Copy)]
pub struct Tail<'a> {
    /// The returns of each asset.
    pub columns: &'a [Vec<f64>],
    /// The covariance, of which the search takes its start.
    pub covariance: &'a Symmetric,
    /// β.
    pub level: f64,
    /// The lower bounds of the weights.
    pub lower: &'a [f64],
    /// The upper bounds of the weights.
    pub upper: &'a [f64],
    /// Expected returns and the least that the portfolio must have of them.
    pub target: Option<(&'a [f64], f64)>,
}

/// The weights of least CVaR.
///
/// # Errors
/// When the bounds or the target can't be met.
pub fn least_tail(problem: &Tail<'_>) -> Result<Vec<f64>, Refusal> {
    check_bounds(problem.lower, problem.upper)?;
    let mut active = problem.first()?;
    for _ in 0..MAX_ROUNDS {
        let Some((weights, prices)) = problem.solve(&active) else {
            if active.len() == problem.columns.len() {
                return Err(Refusal::NoSolution);
            }
            active = (0..problem.columns.len()).collect();
            continue;
        };
        let value = conditional_value_at_risk(problem.columns, &weights, problem.level);
        let floor = GAIN * value.abs().max(1e-12);
        let mut wanted: Vec<(f64, usize)> = (0..problem.columns.len())
            .filter(|asset| !active.contains(asset))
            .map(|asset| (problem.price(&prices, asset), asset))
            .filter(|(price, _)| *price < -floor)
            .collect();
        if wanted.is_empty() {
            return Ok(weights);
        }
        wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
        active.extend(wanted.iter().take(NEXT_ASSETS).map(|(_, asset)| *asset));
        active.sort_unstable();
    }
    Err(Refusal::NoSolution)
}

/// The CVaR of weights.
pub fn conditional_value_at_risk(columns: &[Vec<f64>], weights: &[f64], level: f64) -> f64 {
    let mut returns = vec![0.0; columns.first().map_or(0, Vec::len)];
    for (column, weight) in columns.iter().zip(weights) {
        add_scaled(&mut returns, *weight, column);
    }
    returns.sort_unstable_by(f64::total_cmp);
    let mut rest = (1.0 - level) * returns.len() as f64;
    let whole = rest;
    let mut sum = 0.0;
    for value in returns {
        let share = rest.min(1.0);
        sum -= share * value;
        rest -= share;
        if rest <= 0.0 {
            break;
        }
    }
    sum / whole
}

/// What the dual says things are worth.
struct Prices {
    /// Of each scenario; they sum to 1.
    scenarios: Vec<f64>,
    budget: f64,
    target: f64,
}

impl Tail<'_> {
    /// The portfolio of least variance and what it would take next. Assets that may be sold short, or must be held, always take part.
    fn first(&self) -> Result<Vec<usize>, Refusal> {
        let count = self.columns.len();
        let zeros = vec![0.0; count];
        let mean = self.target.map_or(zeros.as_slice(), |(mean, _)| mean);
        let mut frontier = Frontier::new(self.covariance, mean, self.lower, self.upper)?;
        match self.target {
            Some((_, target)) => frontier.least_variance_for_return(target)?,
            None => frontier.least_variance()?,
        }
        let weights = frontier.weights();
        let gradient = self.covariance.multiply(weights);
        let mut next: Vec<usize> = (0..count)
            .filter(|i| !self.takes_part(*i, weights))
            .collect();
        next.sort_by(|a, b| gradient[*a].total_cmp(&gradient[*b]));
        next.truncate(FIRST_ASSETS);
        next.extend((0..count).filter(|i| self.takes_part(*i, weights)));
        next.sort_unstable();
        Ok(next)
    }

    fn takes_part(&self, asset: usize, weights: &[f64]) -> bool {
        self.lower[asset] != 0.0 || weights[asset] > DUST
    }

    /// What the objective gains with a unit of an asset that is not held, negated.
    fn price(&self, prices: &Prices, asset: usize) -> f64 {
        let target = self
            .target
            .map_or(0.0, |(mean, _)| prices.target * mean[asset]);
        -dot(&prices.scenarios, &self.columns[asset]) - prices.budget - target
    }

    /// The best portfolio of some assets, and the prices.
    ///
    /// The programme's columns are the scenarios, the budget, the target, and each asset's bounds; its rows are the assets, and
    /// that the scenarios' prices sum to 1. Returns are scaled to be of the order of 1.
    fn solve(&self, active: &[usize]) -> Option<(Vec<f64>, Prices)> {
        let periods = self.columns.first()?.len();
        let share = 1.0 / ((1.0 - self.level) * periods as f64);
        let size = active
            .iter()
            .map(|i| dot(&self.columns[*i], &self.columns[*i]))
            .sum::<f64>();
        let size = (size / (active.len() * periods) as f64).sqrt();
        let scale = if size > 0.0 { share / size } else { share };
        let mut rows: Vec<Vec<f64>> = active
            .iter()
            .map(|i| self.columns[*i].iter().map(|value| value * scale).collect())
            .collect();
        rows.push(vec![share; periods]);
        let mut cost = vec![0.0; periods];
        let mut upper = vec![1.0; periods];
        let mut columns = Vec::new();
        if let Some((mean, target)) = self.target {
            let mut entries: Vec<f64> = active.iter().map(|i| mean[*i]).collect();
            entries.push(0.0);
            columns.push(Column::Full(entries));
            cost.push(-target);
            upper.push(f64::INFINITY);
        }
        for (row, asset) in active.iter().enumerate() {
            for (sign, bound) in [(1.0, self.lower[*asset]), (-1.0, self.upper[*asset])] {
                if bound.is_finite() {
                    columns.push(Column::Unit(row, sign));
                    cost.push(-sign * bound);
                    upper.push(f64::INFINITY);
                }
            }
        }
        let mut right = vec![0.0; active.len()];
        right.push(1.0);
        let mut free = vec![1.0; active.len()];
        free.push(0.0);
        let solution = Programme {
            rows,
            columns,
            free,
            free_cost: -1.0,
            right,
            cost,
            upper,
        }
        .solve()?;
        let mut weights = vec![0.0; self.columns.len()];
        for (asset, weight) in active.iter().zip(&solution.rows) {
            let weight = -weight;
            let weight = if weight.abs() < DUST { 0.0 } else { weight };
            weights[*asset] = weight.clamp(self.lower[*asset], self.upper[*asset]);
        }
        // What rounding misses of the sum goes to the largest weight.
        let rest = 1.0 - weights.iter().sum::<f64>();
        let largest = (0..weights.len()).max_by(|a, b| weights[*a].total_cmp(&weights[*b]))?;
        weights[largest] += rest;
        let prices = Prices {
            scenarios: solution.columns[..periods]
                .iter()
                .map(|value| value * share)
                .collect(),
            budget: solution.free * size_or_one(size),
            target: match self.target {
                Some(_) => solution.columns[periods] * size_or_one(size),
                None => 0.0,
            },
        };
        Some((weights, prices))
    }
}

fn size_or_one(size: f64) -> f64 {
    if size > 0.0 { size } else { 1.0 }
}
