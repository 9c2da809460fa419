//! A portfolio to be found: what is known of the assets, what is wanted, and what the weights must fulfil.
//!
//! Bounds alone go to the active-set method of [`frontier`](super::frontier) and to [`tail`](super::tail), groups and trades to
//! that of [`restricted`](super::restricted); whatever else there is, and what has no solution, goes to [`conic`](super::conic).
//! The weights always sum to 1.

use crate::math::matrix::{Symmetric, dot};

use super::cardinality;
use super::conic;
use super::frontier::Frontier;
use super::hierarchy::{Linkage, hierarchical};
use super::parity::risk_parity;
use super::path::Path;
use super::refusal::Refusal;
use super::restricted;
use super::tail::{Tail, conditional_value_at_risk, least_tail};

/// What is known of the assets, a year each.
#[derive(Debug, Clone, Copy)]
pub struct Assets<'a> {
    /// The covariance of the returns.
    pub covariance: &'a Symmetric,
    /// The expected returns.
    pub expected: &'a [f64],
    /// The returns of each asset, period by period, for what looks at more than mean and variance.
    pub columns: &'a [Vec<f64>],
}

/// What makes a portfolio the best. Below, c is the transaction cost times what is traded.
#[derive(Debug, Clone, PartialEq)]
pub enum Objective {
    /// Greatest (m'w − c − rate) / √(w'Sw).
    MaxSharpe {
        /// What earns without risk, a year.
        risk_free_rate: f64,
    },
    /// Least w'Sw + c.
    MinVolatility,
    /// Greatest m'w − ½ aversion w'Sw − c.
    MaxUtility {
        /// The price of variance.
        aversion: f64,
    },
    /// Least w'Sw with m'w − c of at least the target.
    EfficientReturn {
        /// The return a year.
        target: f64,
    },
    /// Greatest m'w − c with √(w'Sw) of at most the target.
    EfficientRisk {
        /// The volatility a year.
        target: f64,
    },
    /// Greatest Σ w σ / √(w'Sw).
    MaxDiversification,
    /// Least CVaR + c, with m'w − c of at least the target if there is one.
    MinCvar {
        /// The level.
        level: f64,
        /// The return a year.
        target: Option<f64>,
    },
    /// Risk shared by budgets that sum to 1.
    RiskParity {
        /// The budgets; none: equal ones.
        budgets: Option<Vec<f64>>,
    },
    /// Risk shared along a tree of clusters.
    Hierarchical(Linkage),
    /// The same weight for all.
    Equal,
    /// Weights in inverse proportion to the variances.
    InverseVariance,
}

/// What the weights must fulfil beside summing to 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mandate {
    /// The lower bounds of all weights.
    pub lower: Vec<f64>,
    /// The upper bounds of all weights.
    pub upper: Vec<f64>,
    /// Bounds of an asset's own, which took the place of the common ones; they are named when they contradict others.
    pub own: Vec<OwnBound>,
    /// Bounds of sums of weights.
    pub groups: Vec<GroupBound>,
    /// The weights from which trades are counted.
    pub current: Option<Vec<f64>>,
    /// The greatest Σ |w − current|.
    pub turnover: Option<f64>,
    /// What a trade of 1 costs, as a decimal of the portfolio.
    pub cost: f64,
    /// The greatest number of weights that are not zero.
    pub cardinality: Option<usize>,
}

/// A bound of one asset.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnBound {
    /// The asset.
    pub asset: usize,
    /// Whether it is the lower bound, in place of which the common one stands.
    pub lower: bool,
    /// The common bound.
    pub common: f64,
    /// Its name.
    pub label: String,
}

/// A bound of the sum of some weights.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupBound {
    /// The assets.
    pub members: Vec<usize>,
    /// Whether the sum must be at least the bound; else at most.
    pub lower: bool,
    /// The bound.
    pub bound: f64,
    /// Its name.
    pub label: String,
}

/// A portfolio and how good it is known to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Portfolio {
    /// The weights.
    pub weights: Vec<f64>,
    /// By how much, relatively, the objective may miss the optimum; zero when it is proven.
    pub gap: f64,
}

impl Mandate {
    /// Weights between 0 and 1.
    pub fn long_only(assets: usize) -> Self {
        Self {
            lower: vec![0.0; assets],
            upper: vec![1.0; assets],
            ..Self::default()
        }
    }

    /// Whether bounds are all there is.
    pub fn is_simple(&self) -> bool {
        self.groups.is_empty()
            && self.turnover.is_none()
            && (self.cost == 0.0 || self.current.is_none())
    }
}

impl Objective {
    /// Whether a mandate means anything to it: the others give weights by a formula.
    pub fn optimises(&self) -> bool {
        match self {
            Objective::MaxSharpe { .. }
            | Objective::MinVolatility
            | Objective::MaxUtility { .. }
            | Objective::EfficientReturn { .. }
            | Objective::EfficientRisk { .. }
            | Objective::MaxDiversification
            | Objective::MinCvar { .. } => true,
            Objective::RiskParity { .. }
            | Objective::Hierarchical(_)
            | Objective::Equal
            | Objective::InverseVariance => false,
        }
    }

    /// How bad weights are: the lower the better.
    pub(super) fn loss(&self, assets: &Assets<'_>, mandate: &Mandate, weights: &[f64]) -> f64 {
        let cost = match &mandate.current {
            Some(current) => {
                let traded = weights
                    .iter()
                    .zip(current)
                    .map(|(w, c)| (w - c).abs())
                    .sum::<f64>();
                mandate.cost * traded
            }
            None => 0.0,
        };
        let variance = assets.covariance.quadratic(weights).max(0.0);
        let expected = dot(weights, assets.expected) - cost;
        match self {
            Objective::MaxSharpe { risk_free_rate } => {
                -(expected - risk_free_rate) / variance.sqrt()
            }
            Objective::MaxUtility { aversion } => 0.5 * aversion * variance - expected,
            Objective::EfficientRisk { .. } => -expected,
            Objective::MaxDiversification => {
                -dot(weights, &deviations(assets.covariance)) / variance.sqrt()
            }
            Objective::MinCvar { level, .. } => {
                conditional_value_at_risk(assets.columns, weights, *level) + cost
            }
            Objective::EfficientReturn { .. } => variance,
            _ => variance + cost,
        }
    }
}

/// Finds the best portfolio.
///
/// # Errors
/// When there is none, or the data does not tell.
pub fn optimise(
    assets: &Assets<'_>,
    objective: &Objective,
    mandate: &Mandate,
) -> Result<Portfolio, Refusal> {
    check(assets)?;
    let count = assets.covariance.order();
    let weights = match objective {
        Objective::RiskParity { budgets } => {
            let equal = vec![1.0 / count as f64; count];
            risk_parity(assets.covariance, budgets.as_deref().unwrap_or(&equal))?
        }
        Objective::Hierarchical(linkage) => hierarchical(assets.covariance, *linkage)?,
        Objective::Equal => vec![1.0 / count as f64; count],
        Objective::InverseVariance => inverse_variance(assets.covariance)?,
        _ => match mandate.cardinality {
            Some(most) if most < count => {
                return cardinality::search(assets, objective, mandate, most);
            }
            _ => solve(assets, objective, mandate)?,
        },
    };
    Ok(Portfolio { weights, gap: 0.0 })
}

/// Portfolios of the least variance for returns from that of the least variance to the highest, in equal steps.
///
/// # Errors
/// When there is none, or the return has no highest.
pub fn frontier(
    assets: &Assets<'_>,
    mandate: &Mandate,
    points: usize,
) -> Result<Vec<Portfolio>, Refusal> {
    check(assets)?;
    let least = optimise(
        assets,
        &Objective::MinVolatility,
        &Mandate {
            cost: 0.0,
            ..mandate.clone()
        },
    )?;
    let net =
        |weights: &[f64]| -Objective::EfficientRisk { target: 0.0 }.loss(assets, mandate, weights);
    let first = net(&least.weights);
    let last = match (mandate.is_simple(), mandate.cardinality) {
        (true, None) => Frontier::new(
            assets.covariance,
            assets.expected,
            &mandate.lower,
            &mandate.upper,
        )?
        .highest(),
        // The risk is no limit where it is beyond that of every asset.
        _ => {
            let target = 1e3 * assets.covariance.trace().sqrt();
            net(&optimise(assets, &Objective::EfficientRisk { target }, mandate)?.weights)
        }
    };
    if !last.is_finite() {
        return Err(Refusal::Unbounded);
    }
    let mut found = vec![least];
    for point in 1..points {
        let share = point as f64 / (points - 1) as f64;
        // The last is the highest itself, which rounding must not pass.
        let target = (first + share * (last - first)).min(last - 1e-12 * last.abs());
        found.push(optimise(
            assets,
            &Objective::EfficientReturn { target },
            mandate,
        )?);
    }
    Ok(found)
}

/// The best portfolio whatever the number of its assets.
pub(super) fn solve(
    assets: &Assets<'_>,
    objective: &Objective,
    mandate: &Mandate,
) -> Result<Vec<f64>, Refusal> {
    if !mandate.is_simple() {
        return match restricted::solve(assets, objective, mandate) {
            Ok(weights) => Ok(weights),
            Err(refusal @ Refusal::RiskTooLow { .. }) => Err(refusal),
            Err(_) => conic::solve(assets, objective, mandate),
        };
    }
    let bounded = || -> Result<Vec<f64>, Refusal> {
        let (lower, upper) = (&mandate.lower, &mandate.upper);
        if let Objective::MinCvar { level, target } = objective {
            let target = target.map(|target| (assets.expected, target));
            let Assets {
                columns,
                covariance,
                ..
            } = *assets;
            return least_tail(&Tail {
                columns,
                covariance,
                level: *level,
                lower,
                upper,
                target,
            });
        }
        let deviations = match objective {
            Objective::MaxDiversification => deviations(assets.covariance),
            _ => Vec::new(),
        };
        let mean = if deviations.is_empty() {
            assets.expected
        } else {
            &deviations
        };
        let mut frontier = Frontier::new(assets.covariance, mean, lower, upper)?;
        match objective {
            Objective::MaxSharpe { risk_free_rate } => frontier.greatest_ratio(*risk_free_rate)?,
            Objective::MaxUtility { aversion } => frontier.greatest_utility(*aversion)?,
            Objective::EfficientReturn { target } => frontier.least_variance_for_return(*target)?,
            Objective::EfficientRisk { target } => frontier.greatest_return_for_risk(*target)?,
            Objective::MaxDiversification => frontier.greatest_ratio(0.0)?,
            _ => frontier.least_variance()?,
        }
        Ok(frontier.weights().to_vec())
    };
    match bounded() {
        // With bounds of their own the assets can be named.
        Err(Refusal::BoundsSum { .. }) if !mandate.own.is_empty() => Err(conic::conflict(mandate)),
        // Rounding kept the fast methods from their end.
        Err(Refusal::NoSolution) => conic::solve(assets, objective, mandate),
        other => other,
    }
}

/// The square roots of the variances.
pub(super) fn deviations(covariance: &Symmetric) -> Vec<f64> {
    covariance
        .diagonal()
        .iter()
        .map(|variance| variance.max(0.0).sqrt())
        .collect()
}

fn inverse_variance(covariance: &Symmetric) -> Result<Vec<f64>, Refusal> {
    let diagonal = covariance.diagonal();
    if let Some(asset) = diagonal.iter().position(|variance| *variance <= 0.0) {
        return Err(Refusal::Constant { asset });
    }
    let sum: f64 = diagonal.iter().map(|variance| 1.0 / variance).sum();
    Ok(diagonal
        .iter()
        .map(|variance| 1.0 / variance / sum)
        .collect())
}

fn check(assets: &Assets<'_>) -> Result<(), Refusal> {
    if assets.covariance.order() == 0 {
        return Err(Refusal::TooFewObservations { got: 0, need: 1 });
    }
    let finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
    if !finite(assets.expected) {
        return Err(Refusal::NotFinite {
            what: "an expected return",
        });
    }
    match (0..assets.covariance.order()).all(|i| finite(assets.covariance.row(i))) {
        true => Ok(()),
        false => Err(Refusal::NotFinite {
            what: "the covariance",
        }),
    }
}
