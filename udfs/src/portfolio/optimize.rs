//! `portfolio_optimize()`: the best weights by an objective, one portfolio a group.
//!
//! With returns r a period, m the expected returns and S the covariance of a year, and weights that sum to 1:
//!
//! | objective | what |
//! |---|---|
//! | `max_sharpe` | greatest (m'w − `risk_free_rate`) / √(w'Sw) |
//! | `min_volatility` | least w'Sw |
//! | `max_utility` | greatest m'w − ½ `risk_aversion` w'Sw |
//! | `efficient_return` | least w'Sw with m'w ≥ `target_return` |
//! | `efficient_risk` | greatest m'w with √(w'Sw) ≤ `target_volatility` |
//! | `min_cvar` | least mean loss of the worst 1 − `confidence_level` of the periods, with m'w ≥ `target_return` if given |
//! | `max_diversification` | greatest Σ w σ / √(w'Sw) |
//! | `risk_parity` | equal shares of the variance, or `risk_budgets => (SELECT asset, value)` |
//! | `hrp` | hierarchical risk parity, clusters by `linkage` |
//! | `equal_weight`, `inverse_variance` | 1 / n; in proportion to 1 / S_ii |
//!
//! - Assets go by name. Only `hrp` hangs on their order, as every such tree does: PyPortfolioOpt on sorted columns agrees.
//! - Units: returns, volatilities and rates are a year's, as decimals (`periods_per_year`, 252 by default).
//! - `expected_returns`: `mean` (compounded: Π(1 + r)^(periods / T) − 1), `arithmetic_mean`, `ema` (`ema_span`), `capm` (the market
//!   is the mean of the assets, or weighted by `market_caps`), or `(SELECT asset, value)`.
//! - `covariance`: `ledoit_wolf`, `sample`, `oas`, `ewma` (`ewma_span`). A singular one gets 1e-10 of its mean variance on the
//!   diagonal, so that equal assets have equal weights.
//! - `weight_bounds`: of each weight, `ARRAY[0, 1]` by default; `'-Infinity'` and `'Infinity'` are allowed.
//! - `constraints => (SELECT kind, member, lower, upper)`: `asset` bounds one weight in place of `weight_bounds`; `group` bounds the sum
//!   of the assets that `groups => (SELECT asset, member_of)` puts in it, or of a list such as `'A, B'`; `turnover` bounds Σ |w − current| from
//!   above; `cardinality` the number of weights that are not zero, and a lower `weight_bounds` then binds only the assets held.
//! - `transaction_cost`: a decimal of what is traded, Σ |w − `current_weights`|. It is taken off the return; `min_volatility` and `min_cvar` add
//!   it to what they minimise, as PyPortfolioOpt does.
//! - `views => (SELECT asset, versus, view_return, confidence)`: Black and Litterman, with `tau`; the prior is what `market_caps` imply at
//!   `market_risk_aversion`, else `expected_returns`. A view without confidence is as uncertain as the prior.
//! - Relations with the id columns are read by group, others are all groups'.
//! - `portfolio_return` is before costs. `risk_contribution` is the share w (Sw) / w'Sw of the variance; the shares sum to 1.
//! - `status`: `optimal`; `feasible: at most … % from the optimum` where a cardinality search was cut short; `left out: …` of an asset with too
//!   few observations; else why there is no portfolio, such as `infeasible: asset "A" lower 0.7 against group "tech" upper 0.5`.
//!
//! Reference values: PyPortfolioOpt 1.6, cvxpy 1.9.3.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::Result;
use crate::math::matrix::dot;
use crate::relation::{
    Bound, Failure, Group, Layout, Options, Output, Signature, TableFunction, joined,
};

use super::arguments::*;
use super::goal;
use super::model::volatility;
use super::panel::value_column;
use super::plan::{Plan, status, statuses};

static SIGNATURE: Signature = Signature {
    name: "portfolio_optimize",
    arguments: &joined::<{ OF_OPTIMISERS + GOAL.len() }>(&[
        PANEL, GOAL, ESTIMATES, MANDATE, COMPLETE,
    ]),
};

/// The table function `portfolio_optimize`.
#[derive(Debug, Default)]
pub(super) struct PortfolioOptimize;

impl TableFunction for PortfolioOptimize {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        value_column(layout, SIGNATURE.name)?;
        let asset = layout
            .field(layout.column("asset_col")?)
            .data_type()
            .clone();
        let numbers = [
            "weight",
            "risk_contribution",
            "expected_return",
            "portfolio_return",
            "portfolio_volatility",
            "sharpe_ratio",
        ];
        let numbers = numbers
            .into_iter()
            .map(|name| Field::new(name, DataType::Float64, true));
        Ok(std::iter::once(Field::new("asset", asset, true))
            .chain(numbers)
            .collect())
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let objective = goal::objective(layout, options)?;
        Ok(Arc::new(BoundOptimize(Plan::new(
            layout, options, objective,
        )?)))
    }
}

#[derive(Debug)]
struct BoundOptimize(Plan);

impl Bound for BoundOptimize {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let prepared = self.0.prepare(group)?;
        let panel = &prepared.panel;
        let estimates = self.0.model.estimate(&panel.columns, &prepared.beliefs)?;
        let portfolio = prepared.best(&estimates, &panel.columns)?;
        let weights = &portfolio.weights;
        let volatility = volatility(&estimates.covariance, weights);
        let expected = dot(weights, &estimates.expected);
        let product = estimates.covariance.multiply(weights);
        let variance = volatility * volatility;
        let shares = weights
            .iter()
            .zip(&product)
            .map(|(weight, product)| weight * product / variance);
        let sharpe = (expected - self.0.model.risk_free_rate) / volatility;
        let out = panel.left_out.len();
        let count = weights.len();
        let each = |values: &mut dyn Iterator<Item = f64>, rest: Option<f64>| -> ArrayRef {
            let known = values.map(|value| value.is_finite().then_some(value));
            Arc::new(
                known
                    .chain(std::iter::repeat_n(rest, out))
                    .collect::<Float64Array>(),
            )
        };
        let all = |value: f64| each(&mut std::iter::repeat_n(value, count), None);
        let columns = vec![
            Arc::clone(&panel.assets),
            each(&mut weights.iter().copied(), Some(0.0)),
            each(&mut shares.into_iter(), Some(0.0)),
            each(&mut estimates.expected.iter().copied(), None),
            all(expected),
            all(volatility),
            all(sharpe),
        ];
        Ok(Output::new(columns).with_status(statuses(panel, &status(&portfolio))))
    }

    fn takes_any_order(&self) -> bool {
        true
    }

    /// The values as numbers, sorted into a panel, as returns, centred; and some matrices, each smaller than a history that says something.
    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(16 * 8)
    }
}
