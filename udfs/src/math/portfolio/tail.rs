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
use super::path::Path;
use super::refusal::Refusal;

/// Up to so many assets all take part at once.
const FEW_ASSETS: usize = 32;
/// The assets with which the search begins, beside those of the portfolio of least variance.
const FIRST_ASSETS: usize = 16;
/// The scenarios with which it begins, as a multiple of those that the level counts, and beside them for each asset.
const FIRST_SCENARIOS: usize = 3;
const SCENARIOS_PER_ASSET: usize = 2;
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
    let count = problem.columns.len();
    let start = problem.least_variance()?;
    let mut part = Part {
        active: problem.first_assets(&start),
        scenarios: problem.worst(&start, count.min(FEW_ASSETS)),
    };
    for _ in 0..MAX_ROUNDS {
        let Some((weights, prices)) = problem.solve(&part) else {
            if !part.fill_up(count, problem.periods()) {
                return Err(Refusal::NoSolution);
            }
            continue;
        };
        let value = conditional_value_at_risk(problem.columns, &weights, problem.level);
        let floor = GAIN * value.abs().max(1e-12);
        let is_worse = value > prices.value + floor;
        if is_worse {
            part.join(problem.worst(&weights, part.active.len()));
        }
        let mut wanted: Vec<(f64, usize)> = (0..count)
            .filter(|asset| part.active.binary_search(asset).is_err())
            .map(|asset| (problem.price(&prices, &part.scenarios, asset), asset))
            .filter(|(price, _)| *price < -floor)
            .collect();
        if wanted.is_empty() && !is_worse {
            return Ok(weights);
        }
        wanted.sort_by(|a, b| a.0.total_cmp(&b.0));
        part.active
            .extend(wanted.iter().take(NEXT_ASSETS).map(|(_, asset)| *asset));
        part.active.sort_unstable();
    }
    Err(Refusal::NoSolution)
}

/// The assets and scenarios that take part, each in order.
struct Part {
    active: Vec<usize>,
    scenarios: Vec<usize>,
}

impl Part {
    fn join(&mut self, scenarios: Vec<usize>) {
        self.scenarios.extend(scenarios);
        self.scenarios.sort_unstable();
        self.scenarios.dedup();
    }

    /// Lets everything take part; false if it did already.
    fn fill_up(&mut self, assets: usize, periods: usize) -> bool {
        let grows = self.active.len() < assets || self.scenarios.len() < periods;
        self.active = (0..assets).collect();
        self.scenarios = (0..periods).collect();
        grows
    }
}

/// The CVaR of weights.
pub fn conditional_value_at_risk(columns: &[Vec<f64>], weights: &[f64], level: f64) -> f64 {
    let mut returns = vec![0.0; columns.first().map_or(0, Vec::len)];
    for (column, weight) in columns.iter().zip(weights) {
        add_scaled(&mut returns, *weight, column);
    }
    returns.sort_unstable_by(f64::total_cmp);
    let whole = (1.0 - level) * returns.len() as f64;
    mean_of_worst(&returns, whole)
}

/// The mean loss of the first `count` of ascending returns, a part of one where it is not whole.
fn mean_of_worst(ascending: &[f64], count: f64) -> f64 {
    let mut rest = count;
    let mut sum = 0.0;
    for value in ascending {
        let share = rest.min(1.0);
        sum -= share * value;
        rest -= share;
        if rest <= 0.0 {
            break;
        }
    }
    sum / count
}

/// What the dual says things are worth.
struct Prices {
    /// Of each scenario that takes part; they sum to 1.
    scenarios: Vec<f64>,
    /// The CVaR as if there were no other scenarios.
    value: f64,
    budget: f64,
    target: f64,
}

impl Tail<'_> {
    fn periods(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// How many scenarios the level counts.
    fn counted(&self) -> f64 {
        (1.0 - self.level) * self.periods() as f64
    }

    fn least_variance(&self) -> Result<Vec<f64>, Refusal> {
        let zeros = vec![0.0; self.columns.len()];
        let mean = self.target.map_or(zeros.as_slice(), |(mean, _)| mean);
        let mut frontier = Frontier::new(self.covariance, mean, self.lower, self.upper)?;
        match self.target {
            Some((_, target)) => frontier.least_variance_for_return(target)?,
            None => frontier.least_variance()?,
        }
        Ok(frontier.weights().to_vec())
    }

    /// The assets of a portfolio and those that it would take next. Assets that may be sold short, or must be held, always take part.
    fn first_assets(&self, weights: &[f64]) -> Vec<usize> {
        let count = self.columns.len();
        if count <= FEW_ASSETS {
            return (0..count).collect();
        }
        let gradient = self.covariance.multiply(weights);
        let mut next: Vec<usize> = (0..count)
            .filter(|i| !self.takes_part(*i, weights))
            .collect();
        next.sort_by(|a, b| gradient[*a].total_cmp(&gradient[*b]));
        next.truncate(FIRST_ASSETS);
        next.extend((0..count).filter(|i| self.takes_part(*i, weights)));
        next.sort_unstable();
        next
    }

    /// The scenarios in which a portfolio does worst, in order.
    fn worst(&self, weights: &[f64], assets: usize) -> Vec<usize> {
        let mut returns = vec![0.0; self.periods()];
        for (column, weight) in self.columns.iter().zip(weights) {
            add_scaled(&mut returns, *weight, column);
        }
        let mut order: Vec<usize> = (0..returns.len()).collect();
        let most =
            FIRST_SCENARIOS * (self.counted().ceil() as usize + 1) + SCENARIOS_PER_ASSET * assets;
        if most < order.len() {
            order.select_nth_unstable_by(most, |a, b| {
                returns[*a].total_cmp(&returns[*b]).then(a.cmp(b))
            });
            order.truncate(most);
        }
        order.sort_unstable();
        order
    }

    fn takes_part(&self, asset: usize, weights: &[f64]) -> bool {
        self.lower[asset] != 0.0 || weights[asset] > DUST
    }

    /// What the objective gains with a unit of an asset that is not held, negated.
    fn price(&self, prices: &Prices, scenarios: &[usize], asset: usize) -> f64 {
        let target = self
            .target
            .map_or(0.0, |(mean, _)| prices.target * mean[asset]);
        let column = &self.columns[asset];
        let pairs = prices.scenarios.iter().zip(scenarios);
        let worth: f64 = pairs.map(|(price, t)| price * column[*t]).sum();
        -worth - prices.budget - target
    }

    /// The best portfolio of some assets over some scenarios, and the prices.
    ///
    /// The programme's columns are the scenarios, the budget, the target, and each asset's bounds; its rows are the assets, and
    /// that the scenarios' prices sum to 1. Returns are scaled to be of the order of 1.
    fn solve(&self, part: &Part) -> Option<(Vec<f64>, Prices)> {
        let Part { active, scenarios } = part;
        let periods = scenarios.len();
        let share = 1.0 / self.counted();
        let mut rows: Vec<Vec<f64>> = active
            .iter()
            .map(|i| scenarios.iter().map(|t| self.columns[*i][*t]).collect())
            .collect();
        let size = rows.iter().map(|row| dot(row, row)).sum::<f64>();
        let size = (size / (active.len() * periods) as f64).sqrt();
        let scale = if size > 0.0 { share / size } else { share };
        rows.iter_mut().flatten().for_each(|value| *value *= scale);
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
            value: self.value(&weights, part),
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

    /// The CVaR of weights as if there were no other scenarios.
    fn value(&self, weights: &[f64], part: &Part) -> f64 {
        let mut returns = vec![0.0; part.scenarios.len()];
        for asset in &part.active {
            let column = &self.columns[*asset];
            for (sum, t) in returns.iter_mut().zip(&part.scenarios) {
                *sum += weights[*asset] * column[*t];
            }
        }
        returns.sort_unstable_by(f64::total_cmp);
        mean_of_worst(&returns, self.counted())
    }
}

fn size_or_one(size: f64) -> f64 {
    if size > 0.0 { size } else { 1.0 }
}
