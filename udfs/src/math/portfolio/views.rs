//! Black and Litterman: what the market's weights, or a history, say of expected returns, corrected by views.
//!
//! With prior π, uncertainty τS of it, and views Pm = q with uncertainty Ω,
//!
//! ```text
//! m  = π + τSP' (PτSP' + Ω)⁻¹ (q − Pπ)
//! S* = S + τS − τSP' (PτSP' + Ω)⁻¹ PτS
//! ```
//!
//! Source: Black, Litterman (1992), "Global portfolio optimization"; Ω = diag(PτSP') by He, Litterman (1999), times
//! (1 − c) / c for a view of confidence c by Idzorek (2005), as PyPortfolioOpt computes it.

use crate::math::cholesky::Cholesky;
use crate::math::matrix::{Symmetric, add_scaled, dot};

use super::refusal::Refusal;

/// A confidence below this counts as this: such a view moves nothing.
const LEAST_CONFIDENCE: f64 = 1e-9;

/// An opinion on the expected return of an asset, or of how much more it is than another's.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The asset.
    pub asset: usize,
    /// The asset that it is compared with.
    pub versus: Option<usize>,
    /// The return a year.
    pub expected: f64,
    /// From 0 to 1; none: as uncertain as the prior, which is a confidence of a half.
    pub confidence: Option<f64>,
}

/// The returns that make a market portfolio optimal: aversion · S w.
pub fn implied_returns(covariance: &Symmetric, market: &[f64], aversion: f64) -> Vec<f64> {
    let mut returns = covariance.multiply(market);
    returns.iter_mut().for_each(|value| *value *= aversion);
    returns
}

/// Expected returns and covariance once the views are known.
///
/// # Errors
/// [`Refusal::Conflict`] when views of full confidence repeat or contradict each other.
pub fn posterior(
    covariance: &Symmetric,
    prior: &[f64],
    views: &[View],
    tau: f64,
) -> Result<(Vec<f64>, Symmetric), Refusal> {
    let order = covariance.order();
    // τSP', a column for each view.
    let columns: Vec<Vec<f64>> = views
        .iter()
        .map(|view| {
            let mut column: Vec<f64> = covariance.row(view.asset).to_vec();
            if let Some(versus) = view.versus {
                add_scaled(&mut column, -1.0, covariance.row(versus));
            }
            column.iter_mut().for_each(|value| *value *= tau);
            column
        })
        .collect();
    let seen =
        |view: &View, of: &[f64]| of[view.asset] - view.versus.map_or(0.0, |other| of[other]);
    let mut inner = Symmetric::zeros(views.len());
    for (i, view) in views.iter().enumerate() {
        for (j, column) in columns.iter().enumerate().take(i + 1) {
            inner.set(i, j, seen(view, column));
        }
        let confidence = view.confidence.unwrap_or(0.5).clamp(LEAST_CONFIDENCE, 1.0);
        let own = inner.get(i, i);
        inner.set(i, i, own + own * (1.0 - confidence) / confidence);
    }
    let Some(factor) = Cholesky::new(&inner) else {
        return Err(Refusal::Conflict(vec![
            "views that repeat or contradict each other".to_owned(),
        ]));
    };
    let mut surprise: Vec<f64> = views
        .iter()
        .map(|view| view.expected - seen(view, prior))
        .collect();
    factor.solve(&mut surprise);
    let mut expected = prior.to_vec();
    for (column, weight) in columns.iter().zip(&surprise) {
        add_scaled(&mut expected, *weight, column);
    }
    // The columns of L⁻¹ PτS, for each asset.
    let halves: Vec<Vec<f64>> = (0..order)
        .map(|asset| {
            let mut half: Vec<f64> = columns.iter().map(|column| column[asset]).collect();
            factor.solve_lower(&mut half);
            half
        })
        .collect();
    let mut updated = covariance.clone();
    updated.scale(1.0 + tau);
    for i in 0..order {
        for j in 0..=i {
            updated.set(i, j, updated.get(i, j) - dot(&halves[i], &halves[j]));
        }
    }
    Ok((expected, updated))
}
