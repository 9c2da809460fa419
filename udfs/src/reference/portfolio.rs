//! Pages of portfolios.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Portfolios",
    introduction: "Table functions over rows of asset, time and `price_col` or `return_col`, in any order; `id_cols` gives one portfolio a client. Returns, \
volatilities and rates are a year's, as decimals (`periods_per_year`, 252). `missing => 'common'` keeps the times at which every asset has a value, `'fill'` takes \
the price before (a return of zero), `'error'` refuses; an asset with fewer returns than `min_observations` is left out, and its row says so in `status`. \
Assets go by name. What else is given comes as relations by `asset`; with the id columns they are read by group, without they are everybody's.\n\n\
![The frontier of five funds, and the portfolio of the greatest ratio](pictures/frontier.svg)",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "portfolio_optimize",
        "The best weights, one row an asset; they sum to 1. With m the expected returns and S the covariance, `objective` is\n\n\
| objective | what |\n\
|---|---|\n\
| `max_sharpe` | greatest (m'w − `risk_free_rate`) / √(w'Sw) |\n\
| `min_volatility` | least w'Sw |\n\
| `max_utility` | greatest m'w − ½ `risk_aversion` w'Sw |\n\
| `efficient_return` | least w'Sw with m'w ≥ `target_return` |\n\
| `efficient_risk` | greatest m'w with √(w'Sw) ≤ `target_volatility` |\n\
| `min_cvar` | least mean loss of the worst 1 − `confidence_level` of the periods, with m'w ≥ `target_return` if given |\n\
| `max_diversification` | greatest Σ w σ / √(w'Sw) |\n\
| `risk_parity` | equal shares of the variance, or `risk_budgets => (SELECT asset, value)` |\n\
| `hrp` | hierarchical risk parity, clusters by `linkage` |\n\
| `equal_weight`, `inverse_variance` | 1 / n; in proportion to 1 / S_ii |\n\n\
`expected_returns`: `mean` (compounded), `arithmetic_mean`, `ema`, `capm`, or `(SELECT asset, value)`. `covariance`: `ledoit_wolf`, `sample`, `oas`, `ewma`; \
a singular one gets 1e-10 of its mean variance on the diagonal.\n\n\
`weight_bounds => ARRAY[0, 1]` bounds each weight. `constraints => (SELECT kind, member, lower, upper)`: of kind `asset` one weight; `group` the sum of \
the assets that `groups => (SELECT asset, member_of)` puts in it, or of a list such as `'A, B'`; `turnover` Σ |w − `current_weights`|; `cardinality` the number \
of weights that are not zero. `transaction_cost` is a decimal of what is traded. `views => (SELECT asset, versus, view_return, confidence)`: Black and \
Litterman, with `tau`; the prior is what `market_caps` imply at `market_risk_aversion`, else `expected_returns`.\n\n\
`status` is `optimal`; `feasible: at most … % from the optimum` where the search for a cardinality was cut short; or why there is no portfolio, with the \
constraints at fault, such as `infeasible: asset \"A\" lower 0.7 against group \"tech\" upper 0.5`. Reference values: PyPortfolioOpt 1.6, cvxpy 1.9.",
        "SELECT asset, round(weight::numeric, 4) AS weight, round(risk_contribution::numeric, 4) AS risk, round(portfolio_volatility::numeric, 4) AS volatility, status
  FROM portfolio_optimize(prices, asset_col => asset, timestamp_col => day, price_col => price, objective => 'min_volatility',
       constraints => (SELECT 'asset' AS kind, 'bonds' AS member, 0.6 AS upper)) ORDER BY asset",
    ),
    page(
        "efficient_frontier",
        "Portfolios of the least volatility for returns from that of the least volatile portfolio to the highest possible, in `points` equal steps; a row a point \
and asset. Arguments, units and estimates are those of `portfolio_optimize`.",
        "SELECT point, round(portfolio_return::numeric, 4) AS ret, round(portfolio_volatility::numeric, 4) AS volatility,
       round(max(weight) FILTER (WHERE asset = 'bonds')::numeric, 3) AS bonds, round(max(weight) FILTER (WHERE asset = 'tech')::numeric, 3) AS tech
  FROM efficient_frontier(prices, asset_col => asset, timestamp_col => day, price_col => price, points => 3) GROUP BY 1, 2, 3 ORDER BY 1",
    ),
    page(
        "portfolio_backtest",
        "What a rule of `portfolio_optimize` would have earned. The first portfolio is bought at the end of the first `lookback` returns; weights are then computed \
anew from the last `lookback` returns at the first time of each day, week, month, quarter or year, every so many periods (`rebalance => 21`), or `never`, and \
drift with prices between. What is decided at a time knows the returns up to it and earns from the next on. `value` is of one unit at the start, after \
`transaction_cost` times `turnover`; `status` says why weights were kept when a trade was due.",
        "SELECT date, round(value::numeric, 5) AS value, round(turnover::numeric, 4) AS turnover
  FROM portfolio_backtest(prices, asset_col => asset, timestamp_col => day, price_col => price, objective => 'risk_parity', lookback => 60, rebalance => 'monthly',
       transaction_cost => 0.001) WHERE turnover > 0 ORDER BY date",
    ),
    page(
        "covariance_matrix",
        "The covariance, of a year, and correlation of each pair of assets, those of an asset with itself included, by the estimators of `portfolio_optimize`. An \
asset whose return never changes has no correlation: NULL. Reference values: scikit-learn 1.9, PyPortfolioOpt 1.6.",
        "SELECT asset_1, asset_2, round(covariance::numeric, 6) AS covariance, round(correlation::numeric, 4) AS correlation
  FROM covariance_matrix(prices, asset_col => asset, timestamp_col => day, price_col => price, covariance => 'sample') WHERE asset_1 < asset_2 ORDER BY 1, 2",
    ),
    page(
        "discrete_allocation",
        "How many whole shares a `budget` buys: the whole part of each asset's share first, then one at a time of the asset that lags most behind its weight and \
can be paid. Weights that sum to less than 1 leave the rest in cash; negative ones are sold short. With `timestamp_col` the data are prices, of which the last \
counts. Reference values: PyPortfolioOpt's `greedy_portfolio`.",
        "SELECT asset, shares, round(cash_left::numeric, 2) AS cash_left
  FROM discrete_allocation(prices, asset_col => asset, price_col => price, timestamp_col => day, budget => 5000,
       weights => (SELECT * FROM (VALUES ('bonds', 0.5), ('gold', 0.2), ('tech', 0.3)) AS w(asset, weight))) ORDER BY asset",
    ),
];
