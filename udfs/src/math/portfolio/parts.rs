//! Large portfolios under constraints: few assets take part at a time, the others keep their weights.
//!
//! Most weights of a large portfolio lie at a bound or, where trades cost or are limited, at what is held already. They stay there while
//! the rest is solved by [`conic`](super::conic); then the multipliers of the constraints tell which of them would gain by a move. Once none
//! would, the portfolio fulfils the conditions of Karush, Kuhn and Tucker for the whole problem, which is convex: it is the best.

use crate::math::matrix::{Symmetric, dot};

use super::conic::{Multipliers, Part, Rest, ridged};
use super::problem::{Assets, GroupBound, Mandate, Objective, solve as solve_bounded};

/// Smaller portfolios are solved as a whole.
const LARGE: usize = 80;
const MAX_ROUNDS: usize = 30;
/// The assets that join at a time.
const NEXT_ASSETS: usize = 40;
/// The assets of a group, and beside it, with which the search begins.
const FIRST_ASSETS: usize = 12;
/// A weight this near to where it may stay lies there.
const DUST: f64 = 1e-7;
/// A gain below this, relative to the slopes of the assets that are held, is rounding.
const GAIN: f64 = 1e-7;

/// The best weights; `None` where the problem is not of this kind, or the search does not end: then it is to be solved as a whole.
pub(super) fn solve(
    covariance: &Symmetric,
    mean: &[f64],
    objective: &Objective,
    mandate: &Mandate,
) -> Option<Vec<f64>> {
    let has_part = matches!(
        objective,
        Objective::MaxSharpe { .. }
            | Objective::MinVolatility
            | Objective::MaxUtility { .. }
            | Objective::EfficientReturn { .. }
            | Objective::MaxDiversification
    );
    if !has_part || mandate.lower.len() <= LARGE || mandate.is_simple() {
        return None;
    }
    let problem = Problem {
        covariance: ridged(covariance),
        mean,
        objective,
        mandate,
        current: mandate
            .current
            .as_deref()
            .filter(|_| mandate.turnover.is_some() || mandate.cost != 0.0),
    };
    let mut weights = problem.start();
    let mut active = problem.first(&weights)?;
    for _ in 0..MAX_ROUNDS {
        if active.len() > mandate.lower.len() / 2 {
            return None;
        }
        let multipliers = problem.improve(&mut weights, &active)?;
        let gains = problem.gains(&weights, &multipliers);
        let mut wanted: Vec<usize> = (0..weights.len()).filter(|i| gains[*i] > 0.0).collect();
        let joins = wanted.iter().any(|i| active.binary_search(i).is_err());
        if !joins {
            return Some(weights);
        }
        wanted.sort_by(|a, b| gains[*b].total_cmp(&gains[*a]));
        wanted.truncate(NEXT_ASSETS);
        wanted.extend(
            active
                .into_iter()
                .filter(|i| !problem.settle(&mut weights, *i)),
        );
        wanted.sort_unstable();
        wanted.dedup();
        active = wanted;
    }
    None
}

struct Problem<'a> {
    covariance: Symmetric,
    mean: &'a [f64],
    objective: &'a Objective,
    mandate: &'a Mandate,
    /// The weights that trades start from, where trades matter.
    current: Option<&'a [f64]>,
}

impl Problem<'_> {
    /// What is held, or nothing, within the bounds.
    fn start(&self) -> Vec<f64> {
        let bounds = self.mandate.lower.iter().zip(&self.mandate.upper);
        let at = |(i, (lower, upper)): (usize, (&f64, &f64))| {
            let held = self.current.map_or(0.0, |current| current[i]);
            held.max(*lower).min(*upper)
        };
        bounds.enumerate().map(at).collect()
    }

    /// The assets of the best portfolio under bounds alone; those worst to hold, where something is held; the best in each group
    /// and out of it. None if that portfolio has no answer.
    fn first(&self, weights: &[f64]) -> Option<Vec<usize>> {
        let bounds = Mandate {
            lower: self.mandate.lower.clone(),
            upper: self.mandate.upper.clone(),
            ..Mandate::default()
        };
        let assets = Assets {
            covariance: &self.covariance,
            expected: self.mean,
            columns: &[],
        };
        let goal = match self.objective {
            Objective::MaxDiversification => &Objective::MaxSharpe {
                risk_free_rate: 0.0,
            },
            other => other,
        };
        let best = solve_bounded(&assets, goal, &bounds).ok()?;
        let slopes = self.covariance.multiply(&best);
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|a, b| slopes[*a].total_cmp(&slopes[*b]));
        let mut active: Vec<usize> = (0..weights.len())
            .filter(|i| (best[*i] - weights[*i]).abs() > DUST && best[*i].abs() > DUST)
            .collect();
        if self.current.is_some() {
            let held = order.iter().rev().filter(|i| weights[**i] > DUST);
            active.extend(held.take(2 * FIRST_ASSETS));
        }
        for GroupBound { members, .. } in &self.mandate.groups {
            for inside in [true, false] {
                let side = order
                    .iter()
                    .filter(|i| members.binary_search(i).is_ok() == inside);
                active.extend(side.take(FIRST_ASSETS));
            }
        }
        active.sort_unstable();
        active.dedup();
        Some(active)
    }

    /// Puts the best weights of some assets in place, the others as they are.
    fn improve(&self, weights: &mut [f64], active: &[usize]) -> Option<Multipliers> {
        let mut staying = weights.to_vec();
        active.iter().for_each(|i| staying[*i] = 0.0);
        let mandate = self.part(active);
        let covariance = self.with_rest(active, &staying);
        let pick = |values: &[f64]| -> Vec<f64> { active.iter().map(|i| values[*i]).collect() };
        let traded: f64 = self.current.map_or(0.0, |current| {
            let away = |i: &usize| (weights[*i] - current[*i]).abs();
            (0..weights.len())
                .filter(|i| active.binary_search(i).is_err())
                .map(|i| away(&i))
                .sum()
        });
        let in_group = |group: &GroupBound| group.members.iter().map(|i| staying[*i]).sum();
        let part = Part {
            covariance: &covariance,
            mean: &pick(self.mean),
            columns: &[],
            mandate: &mandate,
            rest: Rest {
                sum: staying.iter().sum(),
                groups: self.mandate.groups.iter().map(in_group).collect(),
                traded,
                mean: dot(&staying, self.mean) - self.mandate.cost * traded,
            },
        };
        let (found, multipliers) = part.solve(self.objective).ok()?;
        for (i, weight) in active.iter().zip(found) {
            weights[*i] = weight;
        }
        Some(multipliers)
    }

    fn part(&self, active: &[usize]) -> Mandate {
        let pick = |values: &[f64]| -> Vec<f64> { active.iter().map(|i| values[*i]).collect() };
        let groups = self.mandate.groups.iter().map(|group| GroupBound {
            members: (0..active.len())
                .filter(|place| group.members.binary_search(&active[*place]).is_ok())
                .collect(),
            ..group.clone()
        });
        Mandate {
            lower: pick(&self.mandate.lower),
            upper: pick(&self.mandate.upper),
            groups: groups.collect(),
            current: self.current.map(pick),
            turnover: self.mandate.turnover,
            cost: self.mandate.cost,
            ..Mandate::default()
        }
    }

    /// The covariances of some assets, and in the last row theirs with the weights that stay.
    fn with_rest(&self, active: &[usize], staying: &[f64]) -> Symmetric {
        let by_asset = self.covariance.multiply(staying);
        let last = active.len();
        let mut matrix = Symmetric::zeros(last + 1);
        for (row, i) in active.iter().enumerate() {
            for (column, j) in active[..=row].iter().enumerate() {
                matrix.set(row, column, self.covariance.get(*i, *j));
            }
            matrix.set(last, row, by_asset[*i]);
        }
        matrix.set(last, last, dot(&by_asset, staying));
        matrix
    }

    /// What each asset gains with a move from where it is; zero where it would lose, or may not move.
    fn gains(&self, weights: &[f64], multipliers: &Multipliers) -> Vec<f64> {
        let Mandate {
            lower, upper, cost, ..
        } = self.mandate;
        let (factor, of_mean, offset, price) = match self.objective {
            Objective::MaxSharpe { risk_free_rate } => {
                (2.0, multipliers.mean, *risk_free_rate, -multipliers.mean)
            }
            Objective::MaxDiversification => (2.0, multipliers.mean, 0.0, -multipliers.mean),
            Objective::MaxUtility { aversion } => (*aversion, -1.0, 0.0, 1.0),
            Objective::EfficientReturn { .. } => (2.0, -multipliers.mean, 0.0, multipliers.mean),
            _ => (2.0, 0.0, 0.0, 1.0),
        };
        let trade = price * cost + multipliers.turnover;
        let mut slopes = self.covariance.multiply(weights);
        let mut usual = 0.0f64;
        for (slope, mean) in slopes.iter_mut().zip(self.mean) {
            *slope *= factor * multipliers.scale;
            usual = usual.max(slope.abs());
            *slope += of_mean * (mean - offset) + multipliers.sum;
        }
        for (group, multiplier) in self.mandate.groups.iter().zip(&multipliers.groups) {
            let sign = if group.lower { -1.0 } else { 1.0 };
            group
                .members
                .iter()
                .for_each(|i| slopes[*i] += sign * multiplier);
        }
        let gain = |i: usize| {
            let (weight, slope) = (weights[i], slopes[i]);
            let (buying, selling) = match self.current {
                None => (0.0, 0.0),
                // Towards what is held a move takes a trade back.
                Some(current) if weight > current[i] + DUST => (trade, -trade),
                Some(current) if weight < current[i] - DUST => (-trade, trade),
                Some(_) => (trade, trade),
            };
            let up = if weight < upper[i] - DUST {
                -slope - buying
            } else {
                0.0
            };
            let down = if weight > lower[i] + DUST {
                slope - selling
            } else {
                0.0
            };
            let most = up.max(down);
            if most > GAIN * usual { most } else { 0.0 }
        };
        (0..weights.len()).map(gain).collect()
    }

    /// Puts a weight that lies where it may stay exactly there; false if it lies elsewhere.
    fn settle(&self, weights: &mut [f64], asset: usize) -> bool {
        let held = self.current.map(|current| current[asset]);
        let places = [self.mandate.lower[asset], self.mandate.upper[asset]];
        let near = |place: &f64| (weights[asset] - place).abs() < DUST;
        match places.into_iter().chain(held).find(near) {
            Some(place) => {
                weights[asset] = place;
                true
            }
            None => false,
        }
    }
}
