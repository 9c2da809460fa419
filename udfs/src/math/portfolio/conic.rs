//! Portfolios under any constraints, by Clarabel's interior-point method for cones, and the names of constraints that
//! contradict each other.
//!
//! Trades are split into purchases and sales, w − current = p − q. The greatest ratio is homogenised: with y = κ w and
//! κ > 0 it is the least y'Sy with a premium of 1, where each right side is multiplied by κ.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SecondOrderConeT, SolverStatus,
    SupportedConeT, ZeroConeT,
};

use crate::math::cholesky::Cholesky;
use crate::math::matrix::{Symmetric, add_scaled};

use super::frontier::RIDGE;
use super::problem::{Assets, Mandate, Objective, deviations};
use super::refusal::{Refusal, Short};

/// A contradiction is narrowed down among at most so many constraints.
const MAX_NAMED: usize = 400;
/// A weight this near to a bound lies at it.
const DUST: f64 = 1e-9;

/// The best portfolio.
///
/// # Errors
/// When there is none: with the constraints that contradict each other, or the target that can't be met.
pub(super) fn solve(
    assets: &Assets<'_>,
    objective: &Objective,
    mandate: &Mandate,
) -> Result<Vec<f64>, Refusal> {
    let deviations = deviations(assets.covariance);
    let mean = match objective {
        Objective::MaxDiversification => &deviations,
        _ => assets.expected,
    };
    match attempt(assets, mean, objective, mandate) {
        Ok(weights) => Ok(tidy(weights, mandate)),
        Err(SolverStatus::DualInfeasible | SolverStatus::AlmostDualInfeasible) => {
            Err(Refusal::Unbounded)
        }
        Err(_) => Err(reason(assets, mean, objective, mandate)),
    }
}

/// The constraints of a mandate that contradict each other; without any of them the others would not.
pub(super) fn conflict(mandate: &Mandate) -> Refusal {
    let labels = labels(mandate);
    let mut left_out = vec![false; labels.len()];
    if labels.len() <= MAX_NAMED {
        // The common bounds stay: they are named if nothing else is at fault.
        for i in 1..labels.len() {
            left_out[i] = true;
            left_out[i] = !feasible(mandate, &left_out);
        }
    }
    let named = labels
        .iter()
        .zip(left_out)
        .skip(1)
        .filter(|(_, left_out)| !left_out);
    let mut named: Vec<String> = named.map(|(label, _)| label.clone()).collect();
    if named.is_empty() {
        named.extend(labels.into_iter().take(1));
    }
    Refusal::Conflict(named)
}

fn attempt(
    assets: &Assets<'_>,
    mean: &[f64],
    objective: &Objective,
    mandate: &Mandate,
) -> Result<Vec<f64>, SolverStatus> {
    let homogeneous = matches!(
        objective,
        Objective::MaxSharpe { .. } | Objective::MaxDiversification
    );
    let mut programme = Programme::new(mandate, homogeneous, &[]);
    let ridged = ridged(assets.covariance);
    match objective {
        Objective::MaxSharpe { risk_free_rate } => programme.ratio(&ridged, mean, *risk_free_rate),
        Objective::MaxDiversification => {
            // What a trade costs is no part of the ratio.
            programme.trades = programme.trades.map(|_| 0.0);
            programme.ratio(&ridged, mean, 0.0);
        }
        Objective::MaxUtility { aversion } => {
            programme.quadratic = Some((&ridged, *aversion));
            programme.earn(mean);
        }
        Objective::EfficientReturn { target } => {
            programme.quadratic = Some((&ridged, 2.0));
            programme.at_least(mean, *target);
        }
        Objective::EfficientRisk { target } => {
            programme.earn(mean);
            programme.risk(&ridged, *target);
        }
        Objective::MinCvar { level, target } => {
            programme.tail(assets.columns, *level);
            programme.pay();
            if let Some(target) = target {
                programme.at_least(mean, *target);
            }
        }
        _ => {
            programme.quadratic = Some((&ridged, 2.0));
            programme.pay();
        }
    }
    programme.solve()
}

/// Why there is no portfolio: constraints alone, or the target above them.
fn reason(assets: &Assets<'_>, mean: &[f64], objective: &Objective, mandate: &Mandate) -> Refusal {
    let left_out = vec![false; labels(mandate).len()];
    if !feasible(mandate, &left_out) {
        return conflict(mandate);
    }
    let highest = || {
        let mut programme = Programme::new(mandate, false, &[]);
        programme.earn(mean);
        programme.solve_value().map(|value| -value)
    };
    match objective {
        Objective::EfficientReturn { target }
        | Objective::MinCvar {
            target: Some(target),
            ..
        } => match highest() {
            Ok(highest) if highest < *target => Refusal::ReturnTooHigh {
                target: *target,
                highest,
            },
            _ => Refusal::NoSolution,
        },
        Objective::EfficientRisk { target } => {
            let least = Mandate {
                cost: 0.0,
                ..mandate.clone()
            };
            match attempt(assets, mean, &Objective::MinVolatility, &least) {
                Ok(weights) => {
                    let lowest = assets.covariance.quadratic(&weights).max(0.0).sqrt();
                    match lowest > *target {
                        true => Refusal::RiskTooLow {
                            target: *target,
                            lowest,
                        },
                        false => Refusal::NoSolution,
                    }
                }
                Err(_) => Refusal::NoSolution,
            }
        }
        Objective::MaxSharpe { risk_free_rate } => match highest() {
            Ok(highest) if highest <= *risk_free_rate => Refusal::NoExcess { highest },
            _ => Refusal::NoSolution,
        },
        _ => Refusal::NoSolution,
    }
}

/// Whether any weights fulfil the constraints that are not left out.
fn feasible(mandate: &Mandate, left_out: &[bool]) -> bool {
    Programme::new(mandate, false, left_out).solve().is_ok()
}

/// The names of the constraints, in the order in which [`Programme::new`] counts them.
fn labels(mandate: &Mandate) -> Vec<String> {
    let own = mandate.own.iter().map(|own| own.label.clone());
    let groups = mandate.groups.iter().map(|group| group.label.clone());
    let turnover = mandate
        .turnover
        .map(|most| format!("turnover upper {}", Short(most)));
    std::iter::once("weight_bounds".to_owned())
        .chain(own)
        .chain(groups)
        .chain(turnover)
        .collect()
}

fn ridged(covariance: &Symmetric) -> Symmetric {
    let mut ridged = covariance.clone();
    ridged.add_to_diagonal(RIDGE * covariance.trace() / covariance.order().max(1) as f64);
    ridged
}

/// Puts weights that lie at a bound within rounding exactly there, and what is missing of the sum to the greatest of the others.
fn tidy(mut weights: Vec<f64>, mandate: &Mandate) -> Vec<f64> {
    let mut free = Vec::new();
    for (i, weight) in weights.iter_mut().enumerate() {
        let bounds = [0.0, mandate.lower[i], mandate.upper[i]];
        match bounds
            .into_iter()
            .find(|bound| (*weight - bound).abs() < DUST)
        {
            Some(bound) => *weight = bound,
            None => free.push(i),
        }
    }
    let rest = 1.0 - weights.iter().sum::<f64>();
    if let Some(most) = free
        .into_iter()
        .max_by(|a, b| weights[*a].abs().total_cmp(&weights[*b].abs()))
    {
        weights[most] += rest;
    }
    weights
}

/// A programme over weights, then trades, then what an objective adds.
struct Programme<'a> {
    assets: usize,
    variables: usize,
    /// κ, which multiplies every right side.
    scale: Option<usize>,
    cost: Vec<f64>,
    /// A matrix over the weights and its factor: ½ factor w'Sw.
    quadratic: Option<(&'a Symmetric, f64)>,
    /// Of equations, of inequalities ≤, and of second-order cones.
    equal: Vec<Line>,
    less: Vec<Line>,
    cone: Vec<Line>,
    /// The price of a trade, where there are trades.
    trades: Option<f64>,
}

/// Entries by variable, and the right side.
type Line = (Vec<(usize, f64)>, f64);

impl<'a> Programme<'a> {
    /// The constraints of a mandate, except those left out by their place among its labels.
    fn new(mandate: &Mandate, homogeneous: bool, left_out: &[bool]) -> Self {
        let assets = mandate.lower.len();
        let mut programme = Self {
            assets,
            variables: assets,
            scale: None,
            cost: vec![0.0; assets],
            quadratic: None,
            equal: Vec::new(),
            less: Vec::new(),
            cone: Vec::new(),
            trades: None,
        };
        if homogeneous {
            programme.scale = Some(programme.variable());
        }
        programme.equation((0..assets).map(|i| (i, 1.0)).collect(), 1.0);
        let out = |label: usize| left_out.get(label).copied().unwrap_or(false);
        programme.bounds(mandate, &out);
        let first = 1 + mandate.own.len();
        for (place, group) in mandate.groups.iter().enumerate() {
            if !out(first + place) {
                let sign = if group.lower { -1.0 } else { 1.0 };
                let entries = group.members.iter().map(|i| (*i, sign)).collect();
                programme.inequality(entries, sign * group.bound);
            }
        }
        let turnover = mandate
            .turnover
            .filter(|_| !out(first + mandate.groups.len()));
        if let Some(current) = &mandate.current
            && (turnover.is_some() || mandate.cost != 0.0)
        {
            programme.trades(current, turnover, mandate.cost);
        }
        programme
    }

    fn bounds(&mut self, mandate: &Mandate, out: &dyn Fn(usize) -> bool) {
        let (mut lower, mut upper) = (mandate.lower.clone(), mandate.upper.clone());
        let mut owned = vec![(false, false); self.assets];
        for (place, own) in mandate.own.iter().enumerate() {
            let (bounds, owned) = match own.lower {
                true => (&mut lower, &mut owned[own.asset].0),
                false => (&mut upper, &mut owned[own.asset].1),
            };
            match out(place + 1) {
                true => bounds[own.asset] = own.common,
                false => *owned = true,
            }
        }
        for i in 0..self.assets {
            if lower[i].is_finite() && (owned[i].0 || !out(0)) {
                self.inequality(vec![(i, -1.0)], -lower[i]);
            }
            if upper[i].is_finite() && (owned[i].1 || !out(0)) {
                self.inequality(vec![(i, 1.0)], upper[i]);
            }
        }
    }

    fn trades(&mut self, current: &[f64], turnover: Option<f64>, price: f64) {
        let bought = self.variables;
        let sold = bought + self.assets;
        for i in 0..2 * self.assets {
            let trade = self.variable();
            debug_assert_eq!(trade, bought + i);
            self.inequality(vec![(trade, -1.0)], 0.0);
        }
        for (i, weight) in current.iter().enumerate() {
            self.equation(vec![(i, 1.0), (bought + i, -1.0), (sold + i, 1.0)], *weight);
        }
        if let Some(most) = turnover {
            let all = (bought..bought + 2 * self.assets).map(|trade| (trade, 1.0));
            self.inequality(all.collect(), most);
        }
        self.trades = Some(price);
    }

    fn variable(&mut self) -> usize {
        self.cost.push(0.0);
        self.variables += 1;
        self.variables - 1
    }

    fn equation(&mut self, entries: Vec<(usize, f64)>, right: f64) {
        let line = self.line(entries, right);
        self.equal.push(line);
    }

    fn inequality(&mut self, entries: Vec<(usize, f64)>, right: f64) {
        let line = self.line(entries, right);
        self.less.push(line);
    }

    fn line(&self, mut entries: Vec<(usize, f64)>, right: f64) -> Line {
        match self.scale {
            Some(scale) if right != 0.0 => {
                entries.push((scale, -right));
                (entries, 0.0)
            }
            _ => (entries, right),
        }
    }

    /// What trades cost, a price each.
    fn prices(&self) -> Vec<(usize, f64)> {
        let first = self.assets + usize::from(self.scale.is_some());
        match self.trades {
            Some(price) if price != 0.0 => (first..first + 2 * self.assets)
                .map(|trade| (trade, price))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Adds the cost of trades to the objective.
    fn pay(&mut self) {
        for (trade, price) in self.prices() {
            self.cost[trade] += price;
        }
    }

    /// Takes the expected return off the objective, net of costs.
    fn earn(&mut self, mean: &[f64]) {
        add_scaled(&mut self.cost[..mean.len()], -1.0, mean);
        self.pay();
    }

    /// The expected return, net of costs, is at least the target.
    fn at_least(&mut self, mean: &[f64], target: f64) {
        let mut entries: Vec<(usize, f64)> = mean.iter().map(|value| -value).enumerate().collect();
        entries.extend(self.prices());
        self.inequality(entries, -target);
    }

    fn ratio(&mut self, covariance: &'a Symmetric, mean: &[f64], offset: f64) {
        self.quadratic = Some((covariance, 2.0));
        let mut entries: Vec<(usize, f64)> = mean
            .iter()
            .map(|value| value - offset)
            .enumerate()
            .collect();
        entries.extend(
            self.prices()
                .into_iter()
                .map(|(trade, price)| (trade, -price)),
        );
        // The premium of the scaled portfolio: the one right side that κ does not touch.
        self.equal.push((entries, 1.0));
        if let Some(scale) = self.scale {
            self.less.push((vec![(scale, -1.0)], 0.0));
        }
    }

    /// √(w'Sw) is at most the target.
    fn risk(&mut self, covariance: &Symmetric, target: f64) {
        self.cone.push((Vec::new(), target));
        let Some(factor) = Cholesky::new(covariance) else {
            return;
        };
        for j in 0..self.assets {
            let column = (j..self.assets)
                .map(|i| (i, -factor.entry(i, j)))
                .filter(|(_, v)| *v != 0.0);
            self.cone.push((column.collect(), 0.0));
        }
    }

    /// The objective is the CVaR: a + Σ u / ((1 − β) T) with u ≥ −r'w − a.
    fn tail(&mut self, columns: &[Vec<f64>], level: f64) {
        let periods = columns.first().map_or(0, Vec::len);
        let threshold = self.variable();
        self.cost[threshold] = 1.0;
        for t in 0..periods {
            let excess = self.variable();
            self.cost[excess] = 1.0 / ((1.0 - level) * periods as f64);
            let mut entries: Vec<(usize, f64)> = columns
                .iter()
                .map(|column| -column[t])
                .enumerate()
                .collect();
            entries.extend([(threshold, -1.0), (excess, -1.0)]);
            self.less.push((entries, 0.0));
            self.less.push((vec![(excess, -1.0)], 0.0));
        }
    }

    fn solve(&self) -> Result<Vec<f64>, SolverStatus> {
        let solution = self.run()?.0;
        let scale = self.scale.map_or(1.0, |scale| solution[scale]);
        if scale <= 0.0 {
            return Err(SolverStatus::NumericalError);
        }
        Ok(solution[..self.assets]
            .iter()
            .map(|value| value / scale)
            .collect())
    }

    fn solve_value(&self) -> Result<f64, SolverStatus> {
        Ok(self.run()?.1)
    }

    fn run(&self) -> Result<(Vec<f64>, f64), SolverStatus> {
        let lines: Vec<&Line> = self
            .equal
            .iter()
            .chain(&self.less)
            .chain(&self.cone)
            .collect();
        let right: Vec<f64> = lines.iter().map(|(_, right)| *right).collect();
        let mut cones: Vec<SupportedConeT<f64>> = vec![
            ZeroConeT(self.equal.len()),
            NonnegativeConeT(self.less.len()),
        ];
        if !self.cone.is_empty() {
            cones.push(SecondOrderConeT(self.cone.len()));
        }
        let settings = DefaultSettings {
            verbose: false,
            tol_gap_abs: 1e-10,
            tol_gap_rel: 1e-10,
            tol_feas: 1e-10,
            ..DefaultSettings::default()
        };
        let (matrix, quadratic) = (compressed(&lines, self.variables), self.upper_triangle());
        let mut solver =
            DefaultSolver::new(&quadratic, &self.cost, &matrix, &right, &cones, settings);
        solver.solve();
        match solver.solution.status {
            SolverStatus::Solved | SolverStatus::AlmostSolved => {
                Ok((solver.solution.x.clone(), solver.solution.obj_val))
            }
            other => Err(other),
        }
    }

    fn upper_triangle(&self) -> CscMatrix<f64> {
        let (mut starts, mut rows, mut values) = (vec![0], Vec::new(), Vec::new());
        for j in 0..self.variables {
            if let Some((matrix, factor)) = self.quadratic
                && j < self.assets
            {
                rows.extend(0..=j);
                values.extend(matrix.row(j)[..=j].iter().map(|value| factor * value));
            }
            starts.push(rows.len());
        }
        CscMatrix::new(self.variables, self.variables, starts, rows, values)
    }
}

/// Lines as a matrix by columns.
fn compressed(lines: &[&Line], variables: usize) -> CscMatrix<f64> {
    let mut columns: Vec<Vec<(usize, f64)>> = vec![Vec::new(); variables];
    for (row, (entries, _)) in lines.iter().enumerate() {
        for (variable, value) in entries {
            columns[*variable].push((row, *value));
        }
    }
    let mut starts = vec![0];
    let mut rows = Vec::new();
    let mut values = Vec::new();
    for column in columns {
        for (row, value) in column {
            rows.push(row);
            values.push(value);
        }
        starts.push(rows.len());
    }
    CscMatrix::new(lines.len(), variables, starts, rows, values)
}
