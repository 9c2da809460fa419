//! Portfolios on the efficient frontier under groups, limits of turnover and costs of trades, by an active-set method.
//!
//! For a tolerance of risk τ ≥ 0 it is
//!
//! ```text
//! w(τ) = argmin ½ w'Sw − τ m'w + fee(τ) Σ |w − current|
//!        with Σ w = 1,  l ≤ w ≤ u,  and the sums of groups and Σ |w − current| within their limits
//! ```
//!
//! As in [`frontier`](super::frontier) an asset is free or lies at a bound. Where trades count, what is held already is one more
//! place to lie at: between it and a bound the price of a trade has one sign. A limit is slack, met exactly by the free assets, or
//! broken at first; what is broken pulls at a price that grows until it is met. The work of a step grows with the assets that are
//! free and the limits that are met, not with all of them. Source: Nocedal and Wright, Numerical Optimization, 2nd edition, section
//! 16.5, with the exact penalty of section 17.2.

use crate::math::cholesky::Cholesky;
use crate::math::matrix::{Symmetric, add_scaled, dot};

use super::frontier::{RIDGE, check_bounds, filled, spread};
use super::path::{Path, Scale};
use super::problem::{Assets, Mandate, Objective, deviations};
use super::refusal::Refusal;

/// The relative gain that is worth another step.
const GAIN: f64 = 1e-10;
/// Rounding, relative to the largest slope.
const ROUNDING: f64 = 1e-13;
/// Part of a step that counts as none of it.
const STILL: f64 = 1e-13;
/// The same of a limit, which others may keep in its place but for rounding.
const TIED: f64 = 1e-9;
/// Weights that move by less do not.
const SMALL: f64 = 1e-13;
/// Equations missed by less are fulfilled; else they are solved again, in so many passes at most.
const EXACT: f64 = 1e-14;
const PASSES: usize = 3;
/// A limit passed by less is kept.
const ROOM: f64 = 1e-11;
/// The first price of a broken limit, relative to the largest slope, by how much it grows, and its end.
const PULL: f64 = 1e3;
const MORE_PULL: f64 = 1e3;
const MAX_PULL: f64 = 1e10;
/// After so many moves sums are made anew.
const STALE: usize = 50;
/// A target missed by less, relatively, is reached.
const MISSED: f64 = 1e-8;

/// The best portfolio.
///
/// # Errors
/// [`Refusal::RiskTooLow`] as said; [`Refusal::NoSolution`] whenever another method has to look, because there is none, or the
/// objective is not one of mean and variance, or rounding is in the way.
pub(super) fn solve(
    assets: &Assets<'_>,
    objective: &Objective,
    mandate: &Mandate,
) -> Result<Vec<f64>, Refusal> {
    let deviations = deviations(assets.covariance);
    let cost = mandate.cost;
    let (mean, fee) = match objective {
        Objective::MinVolatility => (assets.expected, Fee::fixed(0.5 * cost)),
        Objective::MaxDiversification => (deviations.as_slice(), Fee::fixed(0.0)),
        _ => (assets.expected, Fee::growing(cost)),
    };
    let mut path = Restricted::new(assets.covariance, mean, mandate, fee)?;
    let end = match objective {
        Objective::MaxSharpe { risk_free_rate } => path
            .greatest_ratio(*risk_free_rate)
            .map(|()| path.expected() > *risk_free_rate),
        Objective::MaxDiversification => path.greatest_ratio(0.0).map(|()| true),
        Objective::MinVolatility => path.least_variance().map(|()| true),
        Objective::MaxUtility { aversion } => path.greatest_utility(*aversion).map(|()| true),
        Objective::EfficientReturn { target } => path
            .least_variance_for_return(*target)
            .map(|()| path.expected() >= target - MISSED * (1.0 + target.abs())),
        Objective::EfficientRisk { target } => {
            path.greatest_return_for_risk(*target).map(|()| true)
        }
        _ => Ok(false),
    };
    match end {
        Ok(true) if path.weights.iter().all(|weight| weight.is_finite()) => {
            let bounds = path.lower.iter().zip(path.upper);
            let pairs = path.weights.iter().zip(bounds);
            Ok(pairs
                .map(|(weight, (lower, upper))| weight.clamp(*lower, *upper))
                .collect())
        }
        Err(refusal @ Refusal::RiskTooLow { .. }) => Err(refusal),
        _ => Err(Refusal::NoSolution),
    }
}

/// The price of a trade in the objective: with the tolerance τ it is `fixed` + τ `growing`.
#[derive(Debug, Clone, Copy)]
struct Fee {
    fixed: f64,
    growing: f64,
}

impl Fee {
    fn fixed(fixed: f64) -> Self {
        Self {
            fixed,
            growing: 0.0,
        }
    }

    fn growing(growing: f64) -> Self {
        Self {
            fixed: 0.0,
            growing,
        }
    }

    fn at(self, tolerance: f64) -> f64 {
        self.fixed + tolerance * self.growing
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Slack,
    Met,
    Broken,
}

/// Something that is to be at most `bound`.
#[derive(Debug, Clone)]
struct Limit {
    bound: f64,
    value: f64,
    state: State,
}

/// What a step runs into.
enum Hit {
    /// A free asset, by its place, the end of where its price has one sign.
    End(usize, f64),
    Limit(usize),
}

/// What would gain by moving.
enum Release {
    /// An asset, towards buying (1) or selling (−1).
    Asset(usize, f64),
    Limit(usize),
}

/// The prices of the budget and of each limit.
struct Duals {
    budget: f64,
    limits: Vec<f64>,
}

struct Restricted<'a> {
    covariance: &'a Symmetric,
    mean: &'a [f64],
    lower: &'a [f64],
    upper: &'a [f64],
    /// What is held, where trades count.
    current: Option<&'a [f64]>,
    fee: Fee,
    ridge: f64,
    limits: Vec<Limit>,
    /// The limits on sums that an asset is part of, with its sign.
    of_asset: Vec<Vec<(usize, f64)>>,
    /// Where the limit of turnover is among the limits.
    turnover: Option<usize>,
    weights: Vec<f64>,
    /// S w, with the ridge.
    product: Vec<f64>,
    /// The assets between their ends, in the order of the factor's rows.
    free: Vec<usize>,
    is_free: Vec<bool>,
    /// Whether a free asset is bought (1) or sold (−1); zero where trades do not count.
    side: Vec<f64>,
    factor: Cholesky,
    /// The price of broken limits.
    pull: f64,
    moves: usize,
}

impl<'a> Restricted<'a> {
    /// Begins at what is held, or at few assets, within the bounds.
    fn new(
        covariance: &'a Symmetric,
        mean: &'a [f64],
        mandate: &'a Mandate,
        fee: Fee,
    ) -> Result<Self, Refusal> {
        let (lower, upper) = (mandate.lower.as_slice(), mandate.upper.as_slice());
        check_bounds(lower, upper)?;
        if lower.iter().zip(upper).any(|(lower, upper)| lower > upper) {
            return Err(Refusal::NoSolution);
        }
        let current = mandate.current.as_deref();
        let current = current.filter(|_| mandate.turnover.is_some() || mandate.cost != 0.0);
        let order = covariance.order();
        let ridge = RIDGE * covariance.trace() / order.max(1) as f64;
        let mut path = Self {
            covariance,
            mean,
            lower,
            upper,
            current,
            fee,
            ridge: ridge.max(f64::MIN_POSITIVE.sqrt()),
            limits: Vec::new(),
            of_asset: vec![Vec::new(); order],
            turnover: None,
            weights: start(covariance, lower, upper, current),
            product: Vec::new(),
            free: Vec::new(),
            is_free: vec![false; order],
            side: vec![0.0; order],
            factor: Cholesky::default(),
            pull: 0.0,
            moves: 0,
        };
        for group in &mandate.groups {
            let sign = if group.lower { -1.0 } else { 1.0 };
            for asset in &group.members {
                path.of_asset[*asset].push((path.limits.len(), sign));
            }
            path.limit(sign * group.bound);
        }
        if let Some(most) = mandate.turnover.filter(|_| current.is_some()) {
            path.turnover = Some(path.limits.len());
            path.limit(most);
        }
        path.refresh();
        path.set_free();
        Ok(path)
    }

    fn limit(&mut self, bound: f64) {
        self.limits.push(Limit {
            bound,
            value: 0.0,
            state: State::Slack,
        });
    }

    fn set_free(&mut self) {
        for asset in 0..self.weights.len() {
            let weight = self.weights[asset];
            let is_held = self.current.is_some_and(|current| current[asset] == weight);
            if weight > self.lower[asset] && weight < self.upper[asset] && !is_held {
                self.release(asset, self.buying(asset));
            }
        }
        let movable = (0..self.weights.len()).find(|i| self.lower[*i] < self.upper[*i]);
        if let Some(asset) = movable.filter(|_| self.free.is_empty()) {
            let side = match self.weights[asset] < self.upper[asset] {
                true => self.buying(asset),
                false => self.selling(asset),
            };
            self.release(asset, side);
        }
    }

    /// The side of a weight that grows.
    fn buying(&self, asset: usize) -> f64 {
        match self.current {
            Some(current) if self.weights[asset] >= current[asset] => 1.0,
            Some(_) => -1.0,
            None => 0.0,
        }
    }

    /// The side of a weight that shrinks.
    fn selling(&self, asset: usize) -> f64 {
        match self.current {
            Some(current) if self.weights[asset] <= current[asset] => -1.0,
            Some(_) => 1.0,
            None => 0.0,
        }
    }

    /// Between which weights the price of a free asset's trades has one sign.
    fn ends(&self, asset: usize) -> (f64, f64) {
        let (lower, upper) = (self.lower[asset], self.upper[asset]);
        match self.current {
            Some(current) if self.side[asset] > 0.0 => (lower.max(current[asset]), upper),
            Some(current) => (lower, upper.min(current[asset])),
            None => (lower, upper),
        }
    }

    fn traded(&self) -> f64 {
        self.current.map_or(0.0, |current| {
            let pairs = self.weights.iter().zip(current);
            pairs.map(|(weight, held)| (weight - held).abs()).sum()
        })
    }

    /// Makes all sums anew.
    fn refresh(&mut self) {
        self.product = self.covariance.multiply(&self.weights);
        add_scaled(&mut self.product, self.ridge, &self.weights);
        let mut values = vec![0.0; self.limits.len()];
        for (weight, limits) in self.weights.iter().zip(&self.of_asset) {
            for (limit, sign) in limits {
                values[*limit] += sign * weight;
            }
        }
        if let Some(turnover) = self.turnover {
            values[turnover] = self.traded();
        }
        for (limit, value) in self.limits.iter_mut().zip(values) {
            limit.value = value;
            if limit.state != State::Met {
                limit.state = match value > limit.bound + ROOM {
                    true => State::Broken,
                    false => State::Slack,
                };
            }
        }
        self.moves = 0;
    }

    fn is_broken(&self) -> bool {
        self.limits.iter().any(|limit| limit.state == State::Broken)
    }

    /// The derivative of everything by a weight that moves on a side.
    fn slope(&self, asset: usize, side: f64, tolerance: f64, duals: &Duals) -> f64 {
        let own = self.product[asset] - tolerance * self.mean[asset];
        let mut slope = own + side * self.fee.at(tolerance) + duals.budget;
        for (limit, sign) in &self.of_asset[asset] {
            slope += sign * duals.limits[*limit];
        }
        slope
            + self
                .turnover
                .map_or(0.0, |limit| side * duals.limits[limit])
    }

    fn coefficient(&self, asset: usize, limit: usize) -> f64 {
        if self.turnover == Some(limit) {
            return self.side[asset];
        }
        let found = self.of_asset[asset].iter().find(|(one, _)| *one == limit);
        found.map_or(0.0, |(_, sign)| *sign)
    }

    fn met(&self) -> Vec<usize> {
        (0..self.limits.len())
            .filter(|limit| self.limits[*limit].state == State::Met)
            .collect()
    }

    /// The step d of the free assets with the least ½ d'Sd + gradient'd that adds `missing` to the budget and to each limit that is
    /// met, and what those are worth.
    fn project(&self, mut gradient: Vec<f64>, missing: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        let met = self.met();
        let row = |limit: &usize| -> Vec<f64> {
            let free = self.free.iter();
            free.map(|asset| self.coefficient(*asset, *limit)).collect()
        };
        let mut rows = vec![vec![1.0; self.free.len()]];
        rows.extend(met.iter().map(row));
        let mut halves = rows.clone();
        halves
            .iter_mut()
            .for_each(|row| self.factor.solve_lower(row));
        let mut system = Symmetric::zeros(rows.len());
        for (i, half) in halves.iter().enumerate() {
            for (j, other) in halves[..=i].iter().enumerate() {
                system.set(i, j, dot(half, other));
            }
        }
        let system = Cholesky::new(&system)?;
        self.factor.solve_lower(&mut gradient);
        let mut step = vec![0.0; gradient.len()];
        let mut prices = vec![0.0; rows.len()];
        let mut missing = missing.to_vec();
        for _ in 0..PASSES {
            let pairs = halves.iter().zip(&missing);
            let mut more: Vec<f64> = pairs
                .map(|(half, missing)| -dot(half, &gradient) - missing)
                .collect();
            system.solve(&mut more);
            for (half, price) in halves.iter().zip(&more) {
                add_scaled(&mut gradient, *price, half);
            }
            self.factor.solve_upper(&mut gradient);
            add_scaled(&mut step, -1.0, &gradient);
            add_scaled(&mut prices, 1.0, &more);
            // What rounding keeps from the equations is added in another pass.
            let mut most = 0.0f64;
            for (missing, row) in missing.iter_mut().zip(&rows) {
                *missing += dot(row, &gradient);
                most = most.max(missing.abs());
            }
            if most <= EXACT {
                break;
            }
            gradient.fill(0.0);
        }
        let is_finite = step.iter().chain(&prices).all(|value| value.is_finite());
        is_finite.then_some((step, prices))
    }

    /// The way to the best portfolio of the free assets, and the prices there.
    fn step(&self, tolerance: f64) -> Option<(Vec<f64>, Duals)> {
        let price = |limit: &Limit| match limit.state {
            State::Broken => self.pull,
            State::Slack | State::Met => 0.0,
        };
        let mut duals = Duals {
            budget: 0.0,
            limits: self.limits.iter().map(price).collect(),
        };
        let free = self.free.iter();
        let gradient = free.map(|i| self.slope(*i, self.side[*i], tolerance, &duals));
        let gradient: Vec<f64> = gradient.collect();
        let met = self.met();
        let mut missing = vec![1.0 - self.weights.iter().sum::<f64>()];
        missing.extend(
            met.iter()
                .map(|i| self.limits[*i].bound - self.limits[*i].value),
        );
        let (step, prices) = self.project(gradient, &missing)?;
        duals.budget = prices[0];
        for (limit, price) in met.iter().zip(&prices[1..]) {
            duals.limits[*limit] = *price;
        }
        Some((step, duals))
    }

    /// By how much a step moves each limit.
    fn drift(&self, step: &[f64]) -> Vec<f64> {
        let mut drift = vec![0.0; self.limits.len()];
        for (asset, step) in self.free.iter().zip(step) {
            for (limit, sign) in &self.of_asset[*asset] {
                drift[*limit] += sign * step;
            }
            if let Some(limit) = self.turnover {
                drift[limit] += self.side[*asset] * step;
            }
        }
        drift
    }

    /// How much of a step can be gone, at most all, and what is in the way of more.
    fn longest(&self, step: &[f64], drift: &[f64]) -> (f64, Option<Hit>) {
        let (mut length, mut hit) = (1.0, None);
        let largest = step
            .iter()
            .fold(0.0, |largest: f64, step| largest.max(step.abs()));
        let (still, tied) = ((STILL * largest).max(SMALL), (TIED * largest).max(SMALL));
        for (place, (asset, step)) in self.free.iter().zip(step).enumerate() {
            let (low, high) = self.ends(*asset);
            let end = if *step < 0.0 { low } else { high };
            let room = end - self.weights[*asset];
            if step.abs() > still && room / step < length {
                length = (room / step).max(0.0);
                hit = Some(Hit::End(place, end));
            }
        }
        for (place, (limit, drift)) in self.limits.iter().zip(drift).enumerate() {
            let room = match limit.state {
                State::Met => continue,
                State::Slack if *drift > tied => (limit.bound - limit.value).max(0.0),
                State::Broken if *drift < -tied => limit.value - limit.bound,
                State::Slack | State::Broken => continue,
            };
            if room < length * drift.abs() {
                length = room / drift.abs();
                hit = Some(Hit::Limit(place));
            }
        }
        (length, hit)
    }

    /// Goes as far as it can; tells whether something was in the way.
    fn walk(&mut self, step: &[f64]) -> bool {
        let ties = 1 + self.met().len();
        let moves = step.iter().any(|step| step.abs() > SMALL);
        // As many free assets as equations: there is nowhere to go.
        if self.free.len() <= ties || !moves {
            return false;
        }
        let drift = self.drift(step);
        let (length, hit) = self.longest(step, &drift);
        for (asset, step) in self.free.iter().zip(step) {
            let step = length * step;
            if step != 0.0 {
                self.weights[*asset] += step;
                add_scaled(&mut self.product, step, self.covariance.row(*asset));
                self.product[*asset] += self.ridge * step;
            }
        }
        for (limit, drift) in self.limits.iter_mut().zip(&drift) {
            limit.value += length * drift;
            if limit.state == State::Broken && limit.value <= limit.bound + ROOM {
                limit.state = State::Slack;
            }
        }
        self.moves += 1;
        match hit {
            Some(Hit::End(place, end)) => self.fix(place, end),
            Some(Hit::Limit(limit)) => self.limits[limit].state = State::Met,
            None => return false,
        }
        true
    }

    fn fix(&mut self, place: usize, end: f64) {
        let asset = self.free.remove(place);
        self.is_free[asset] = false;
        self.factor.remove(place);
        let change = end - self.weights[asset];
        if change != 0.0 {
            add_scaled(&mut self.product, change, self.covariance.row(asset));
            self.product[asset] += self.ridge * change;
        }
        self.weights[asset] = end;
    }

    /// Whether there is a factor with the asset among the free ones.
    fn release(&mut self, asset: usize, side: f64) -> bool {
        let row = self.covariance.row(asset);
        let mut entries: Vec<f64> = self.free.iter().map(|free| row[*free]).collect();
        let own = row[asset];
        // Where rounding eats the ridge, a larger one for this asset alone.
        for more in [0.0, 1e3 * self.ridge + 1e-12 * own] {
            entries.truncate(self.free.len());
            entries.push(own + self.ridge + more);
            if self.factor.append(&entries) {
                self.free.push(asset);
                self.is_free[asset] = true;
                self.side[asset] = side;
                return true;
            }
        }
        false
    }

    /// What gains most by moving.
    fn worst(&self, tolerance: f64, duals: &Duals) -> Option<Release> {
        let variance = dot(&self.weights, &self.product);
        let mut most = GAIN * variance + ROUNDING * self.largest(tolerance);
        let mut worst = None;
        for asset in 0..self.weights.len() {
            let (weight, lower, upper) =
                (self.weights[asset], self.lower[asset], self.upper[asset]);
            if self.is_free[asset] || lower == upper {
                continue;
            }
            for (can, side, sign) in [
                (weight < upper, self.buying(asset), -1.0),
                (weight > lower, self.selling(asset), 1.0),
            ] {
                if can {
                    let gain = sign * self.slope(asset, side, tolerance, duals);
                    if gain > most {
                        (worst, most) = (Some(Release::Asset(asset, side)), gain);
                    }
                }
            }
        }
        for limit in self.met() {
            if -duals.limits[limit] > most {
                (worst, most) = (Some(Release::Limit(limit)), -duals.limits[limit]);
            }
        }
        worst
    }

    /// The size of slopes without the prices of limits.
    fn largest(&self, tolerance: f64) -> f64 {
        let slopes = self.product.iter().zip(self.mean);
        let slopes = slopes.map(|(product, mean)| product.abs() + tolerance * mean.abs());
        slopes.fold(0.0, f64::max) + self.fee.at(tolerance).abs()
    }
}

impl Path for Restricted<'_> {
    fn go_to(&mut self, tolerance: f64) -> Result<(), Refusal> {
        if self.free.is_empty() {
            return match self.is_broken() {
                true => Err(Refusal::NoSolution),
                false => Ok(()),
            };
        }
        let most = MAX_PULL * self.largest(tolerance);
        self.pull = PULL * self.largest(tolerance);
        for _ in 0..200 + 40 * self.weights.len() {
            let (step, duals) = self.step(tolerance).ok_or(Refusal::NoSolution)?;
            if self.walk(&step) {
                continue;
            }
            match self.worst(tolerance, &duals) {
                Some(Release::Asset(asset, side)) => {
                    if !self.release(asset, side) {
                        return Err(Refusal::NoSolution);
                    }
                }
                Some(Release::Limit(limit)) => self.limits[limit].state = State::Slack,
                None if self.moves > STALE => self.refresh(),
                None if !self.is_broken() => return Ok(()),
                None if self.pull > most => return Err(Refusal::NoSolution),
                None => self.pull *= MORE_PULL,
            }
        }
        Err(Refusal::NoSolution)
    }

    fn variance(&self) -> f64 {
        let own = dot(&self.weights, &self.weights);
        (dot(&self.weights, &self.product) - self.ridge * own).max(0.0)
    }

    fn expected(&self) -> f64 {
        dot(&self.weights, self.mean) - self.fee.growing * self.traded()
    }

    fn gain(&self) -> f64 {
        let net = |asset: &usize| self.mean[*asset] - self.fee.growing * self.side[*asset];
        let net: Vec<f64> = self.free.iter().map(net).collect();
        let gradient = net.iter().map(|value| -value).collect();
        let step = self.project(gradient, &vec![0.0; 1 + self.met().len()]);
        step.map_or(0.0, |(step, _)| dot(&net, &step).max(0.0))
    }

    fn highest(&self) -> f64 {
        f64::INFINITY
    }

    fn has_end(&self) -> bool {
        let closed = |bounds: &[f64]| bounds.iter().all(|bound| bound.is_finite());
        closed(self.lower) || closed(self.upper) || self.turnover.is_some()
    }

    fn ridge(&self) -> f64 {
        self.ridge
    }

    fn scale(&self) -> Scale {
        Scale::of(self.covariance, self.mean)
    }
}

/// Weights within bounds that sum to 1: what is held, as far as it can stay, else the assets of the least variance.
fn start(
    covariance: &Symmetric,
    lower: &[f64],
    upper: &[f64],
    current: Option<&[f64]>,
) -> Vec<f64> {
    let mut order: Vec<usize> = (0..lower.len()).collect();
    order.sort_by(|a, b| covariance.get(*a, *a).total_cmp(&covariance.get(*b, *b)));
    let Some(current) = current else {
        return match lower.iter().all(|bound| *bound >= 0.0) {
            true => filled(lower, upper, &order),
            false => spread(lower, upper),
        };
    };
    let bounds = lower.iter().zip(upper);
    let within = current.iter().zip(bounds);
    let mut weights: Vec<f64> = within
        .map(|(weight, (lower, upper))| weight.max(*lower).min(*upper))
        .collect();
    let mut rest = 1.0 - weights.iter().sum::<f64>();
    if rest.abs() < ROOM {
        return weights;
    }
    for asset in order {
        let moved = (weights[asset] + rest).clamp(lower[asset], upper[asset]);
        rest -= moved - weights[asset];
        weights[asset] = moved;
    }
    weights
}
