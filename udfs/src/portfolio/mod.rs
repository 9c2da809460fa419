//! Portfolios: which weights are best, what they would have earned, and how many shares that is.
//!
//! The functions read rows of asset, time and price or return (`panel`), and compute in
//! [`math::portfolio`](crate::math::portfolio). What else they take comes as relations of fixed columns, by asset (`names`).

mod allocation;
mod arguments;
mod backtest;
mod covariance;
mod frontier;
mod goal;
mod mandate;
mod model;
mod names;
mod optimize;
mod panel;
mod plan;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::relation::TableFunction;

/// The table functions of this topic.
pub(crate) fn table_functions() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(optimize::PortfolioOptimize),
        Arc::new(frontier::EfficientFrontier),
        Arc::new(backtest::PortfolioBacktest),
        Arc::new(covariance::CovarianceMatrix),
        Arc::new(allocation::DiscreteAllocation),
    ]
}
