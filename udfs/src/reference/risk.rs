//! Pages of risk.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Risk",
    introduction: "Returns are per period, as decimals (0.01 is one per cent); a loss is positive. `risk_free_rate` and `required_return` are annual and \
spread evenly over `periods_per_year` (252; 12 for monthly returns). Results of a year are marked so, others are per period or plain ratios.\n\n\
NULLs are left out, NaN makes the result NaN; what is not defined (too few values, no variation, nothing lost) is NULL. Sums are exact: the same bits \
in any order and on any number of threads. Every aggregate is a rolling measure too: `sharpe_ratio(r) OVER (ORDER BY day ROWS 59 PRECEDING)`. What \
depends on order takes `ORDER BY` inside its brackets and is an error without.\n\n\
![Returns of 500 days, the value at risk and the expected shortfall](pictures/value_at_risk.svg)\n\n\
![How far a fund was below its last peak, with peak, trough and recovery](pictures/drawdown.svg)",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "value_at_risk",
        "The loss that is not exceeded with the probability `confidence_level`, over `horizon` periods. `historical`: minus the quantile of the returns at place \
(1 − c)(n − 1), interpolated linearly as numpy's and `percentile_cont`'s. `normal`: −(hμ + √h σ z). `t`: Student's t, fitted by maximum likelihood. \
`cornish_fisher`: z + (z² − 1)S/6 + (z³ − 3z)K/24 − (2z³ − 5z)S²/36 in place of z. `monte_carlo`: `simulations` paths of normal returns, compounded, from \
`seed`. Under `historical`, `t` and `cornish_fisher` the horizon scales by √h.\n\n\
Source: Jorion, *Value at Risk*; Zangari (1996). Reference values: numpy, scipy.",
        "SELECT round(value_at_risk(fund)::numeric, 5) AS historical, round(value_at_risk(fund, confidence_level => 0.99, method => 'cornish_fisher')::numeric, 5) AS tail,
       round(value_at_risk(fund, method => 'normal', horizon => 10)::numeric, 5) AS ten_days
  FROM returns",
    ),
    page(
        "expected_shortfall",
        "The mean loss where the value at risk is exceeded, by the same methods: of the returns at or below the quantile; −(hμ − √h σ φ(z)/(1 − c)) for `normal`; \
McNeil, Frey and Embrechts for `t`. Reference values: numpy, scipy.",
        "SELECT round(expected_shortfall(fund)::numeric, 5) AS historical, round(expected_shortfall(fund, method => 'normal')::numeric, 5) AS normal FROM returns",
    ),
    page(
        "annual_return",
        "(Π (1 + r))^(periods / n) − 1, of a year; −1 after a total loss. Reference values: empyrical.",
        "SELECT round(annual_return(fund)::numeric, 4) AS fund, round(annual_return(market)::numeric, 4) AS market FROM returns",
    ),
    page(
        "volatility",
        "The standard deviation of a year, s √periods with n − 1 below; NULL for fewer than two returns. Reference values: numpy.",
        "SELECT round(volatility(fund)::numeric, 4) AS volatility FROM returns",
    ),
    page(
        "downside_deviation",
        "√(mean(min(r − q, 0)²) periods) of a year, with q the `required_return` of a period. Reference values: empyrical's `downside_risk`.",
        "SELECT round(downside_deviation(fund, required_return => 0.02)::numeric, 4) AS deviation FROM returns",
    ),
    page(
        "sharpe_ratio",
        "mean(e) / s(e) √periods of the excess returns e = r − rate. Source: Sharpe (1994). Reference values: empyrical.",
        "SELECT round(sharpe_ratio(fund, risk_free_rate => 0.02)::numeric, 4) AS sharpe FROM returns",
    ),
    page(
        "sortino_ratio",
        "mean(e) periods / the downside deviation of e; NULL where nothing was lost. Source: Sortino and Price (1994). Reference values: empyrical.",
        "SELECT round(sortino_ratio(fund)::numeric, 4) AS sortino FROM returns",
    ),
    page(
        "omega_ratio",
        "Σ gains / Σ losses of the excess returns; NULL where nothing was lost. Source: Keating and Shadwick (2002). Reference values: empyrical.",
        "SELECT round(omega_ratio(fund)::numeric, 4) AS omega FROM returns",
    ),
    page(
        "tail_ratio",
        "|95 % quantile| / |5 % quantile| of the returns. Reference values: empyrical.",
        "SELECT round(tail_ratio(fund)::numeric, 4) AS tail FROM returns",
    ),
    page(
        "information_ratio",
        "mean(d) / s(d) √periods of the active returns d = r − benchmark. Rows in which either is NULL are left out, here and below. Reference values: \
empyrical.",
        "SELECT round(information_ratio(fund, market)::numeric, 4) AS information FROM returns",
    ),
    page(
        "tracking_error",
        "s(r − benchmark) √periods, of a year.",
        "SELECT round(tracking_error(fund, market)::numeric, 4) AS error FROM returns",
    ),
    page(
        "market_beta",
        "cov(r, benchmark) / var(benchmark); NULL where the benchmark does not vary. Reference values: empyrical.",
        "SELECT round(market_beta(fund, market)::numeric, 4) AS beta FROM returns",
    ),
    page(
        "jensen_alpha",
        "(1 + mean(r − f) − β mean(b − f))^periods − 1, of a year. Source: Jensen (1968). Reference values: empyrical.",
        "SELECT round(jensen_alpha(fund, market, risk_free_rate => 0.02)::numeric, 4) AS alpha FROM returns",
    ),
    page(
        "treynor_ratio",
        "mean(r − f) periods / β. Source: Treynor (1965).",
        "SELECT round(treynor_ratio(fund, market)::numeric, 4) AS treynor FROM returns",
    ),
    page(
        "up_capture",
        "The annual return over the benchmark's, of the periods in which the benchmark rose. Reference values: empyrical.",
        "SELECT round(up_capture(fund, market)::numeric, 4) AS captured FROM returns",
    ),
    page(
        "down_capture",
        "The same of the periods in which it fell.",
        "SELECT round(down_capture(fund, market)::numeric, 4) AS captured FROM returns",
    ),
    page(
        "max_drawdown",
        "The greatest 1 − W / max W of the wealth W = Π (1 + r), which starts at 1; 0 if nothing was lost. Reference values: empyrical, with the sign turned.",
        "SELECT round(max_drawdown(fund ORDER BY day)::numeric, 4) AS deepest FROM returns",
    ),
    page(
        "drawdown_info",
        "The deepest drawdown: `max_drawdown`, `peak_at`, `trough_at`, `recovered_at` (NULL while it lasts; a NULL peak is the start) in the type of the key of \
`ORDER BY`, and `periods` from the peak to the recovery or the end.",
        "SELECT round((d).max_drawdown::numeric, 4) AS deepest, (d).peak_at, (d).trough_at, (d).recovered_at, (d).periods
  FROM (SELECT drawdown_info(fund ORDER BY day) AS d FROM returns) AS found",
    ),
    page(
        "calmar_ratio",
        "The annual return / the maximal drawdown; NULL if nothing was lost. Source: Young (1991). Reference values: empyrical.",
        "SELECT round(calmar_ratio(fund ORDER BY day)::numeric, 4) AS calmar FROM returns",
    ),
    page(
        "ulcer_index",
        "√mean(d²) of the drawdowns d after each period. Source: Martin and McCann (1989).",
        "SELECT round(ulcer_index(fund ORDER BY day)::numeric, 4) AS ulcer FROM returns",
    ),
    page(
        "pain_index",
        "mean(d) of the drawdowns d after each period.",
        "SELECT round(pain_index(fund ORDER BY day)::numeric, 4) AS pain FROM returns",
    ),
    page(
        "simple_return",
        "p / p₋₁ − 1 against the row before; NULL in the first row, beside a NULL and after a price of zero.",
        "SELECT day, price, round(simple_return(price) OVER (ORDER BY day)::numeric, 5) AS ret FROM prices WHERE asset = 'gold' ORDER BY day LIMIT 3",
    ),
    page(
        "log_return",
        "ln(p / p₋₁); NULL also where a price is not positive.",
        "SELECT day, price, round(log_return(price) OVER (ORDER BY day)::numeric, 5) AS ret FROM prices WHERE asset = 'gold' ORDER BY day LIMIT 3",
    ),
    page(
        "drawdown",
        "1 − p / the highest price so far, a positive fraction.",
        "SELECT asset, round(max(depth)::numeric, 4) AS deepest
  FROM (SELECT asset, drawdown(price) OVER (PARTITION BY asset ORDER BY day) AS depth FROM prices) AS d GROUP BY asset ORDER BY asset",
    ),
    page(
        "ewma_volatility",
        "√v per period, v = λ v₋₁ + (1 − λ) r², which starts with the mean square of the first `warm_up` returns. Source: RiskMetrics (1996).",
        "SELECT day, round(ewma_volatility(fund, lambda => 0.94) OVER (ORDER BY day)::numeric, 5) AS volatility FROM returns ORDER BY day DESC LIMIT 2",
    ),
    page(
        "garch_forecast",
        "Volatility that clusters: `garch` (Bollerslev 1986), `gjr` (Glosten, Jagannathan and Runkle 1993) or `egarch` (Nelson 1991) with `p` and `q` lags and \
`normal` or `t` innovations, by maximum likelihood. One row a step: `volatility`, `value_at_risk` and `expected_shortfall` of that single period, \
and `persistence`; by recursion, beyond the first step of `egarch` by simulation from `seed`. At least 50 returns. Reference values: arch 8.0.",
        "SELECT step, forecast_timestamp, round(volatility::numeric, 5) AS volatility, round(value_at_risk::numeric, 5) AS var, round(persistence::numeric, 3) AS persistence
  FROM garch_forecast(returns, timestamp_col => day, data_col => fund, horizon => 3) ORDER BY step",
    ),
    page(
        "garch_fit",
        "The same models' parameters, a row each: `mu`, `omega`, `alpha[i]`, `gamma[i]`, `beta[i]`, `nu`, then `persistence`, `last_volatility`, `log_likelihood`, \
`aic`, `bic` and `n`. In units of the returns. Reference values: arch 8.0.",
        "SELECT term, round(estimate::numeric, 4) AS estimate FROM garch_fit(returns, timestamp_col => day, data_col => fund) WHERE term IN ('alpha[1]', 'beta[1]', 'n') ORDER BY 1",
    ),
    page(
        "var_backtest",
        "Whether losses exceeded the value at risk as often as they should have, and not in clusters. The value at risk is `var_col`, or the historical one of the \
`window` returns before each. Statistics and p-values of Kupiec (1995), of independence, and of Christoffersen (1998), who joins the two; `zone` is the Basel \
committee's traffic light (1996). Reference values: scipy.",
        "SELECT n, breaches, expected, round(kupiec_p_value::numeric, 4) AS kupiec, round(christoffersen_p_value::numeric, 4) AS christoffersen, zone
  FROM var_backtest(returns, timestamp_col => day, data_col => fund, window => 100)",
    ),
    page(
        "portfolio_risk",
        "What each asset adds to what a weighted portfolio may lose, one row an asset: `marginal` is the derivative by its weight, `component` = weight × marginal, \
`percent` its share, and the totals stand on each row. `normal` takes means of zero, and components sum to the value at risk; under `historical` and \
`monte_carlo` they sum to the expected shortfall (Euler's principle). Times at which an asset with weight has no return are left out. Reference values: numpy.",
        "WITH r AS (SELECT asset, day, simple_return(price) OVER (PARTITION BY asset ORDER BY day) AS ret FROM prices)
SELECT asset, weight, round(component::numeric, 5) AS component, round(percent::numeric, 1) AS percent, round(value_at_risk::numeric, 5) AS total
  FROM portfolio_risk(r, timestamp_col => day, asset_col => asset, return_col => ret,
       weights => (SELECT * FROM (VALUES ('bonds', 0.5), ('gold', 0.2), ('tech', 0.3)) AS w(asset, weight))) ORDER BY asset",
    ),
    page(
        "stress_test",
        "The loss of a weighted portfolio under each scenario's shocks (returns, as decimals). With `propagate => true` the assets without a shock move by what the \
sample's covariance expects of them, given the shocks.",
        "WITH r AS (SELECT asset, day, simple_return(price) OVER (PARTITION BY asset ORDER BY day) AS ret FROM prices)
SELECT scenario, round(loss::numeric, 4) AS loss
  FROM stress_test(r, timestamp_col => day, asset_col => asset, return_col => ret,
       weights => (SELECT * FROM (VALUES ('bonds', 0.5), ('gold', 0.2), ('tech', 0.3)) AS w(asset, weight)),
       scenarios => (SELECT * FROM (VALUES ('crash', 'tech', -0.4), ('crash', 'gold', 0.1), ('rates', 'bonds', -0.1)) AS s(scenario, asset, shock))) ORDER BY 1",
    ),
    page(
        "risk_assess",
        "One row an entity: the usual measures of its returns, a `score` from 0 (risky) to 100 and a `grade`: A from 80, B from 65, C from 50, D from 35, E from 20, \
else F. A risk x of a year has 100 h / (h + x) points, with h .20 for the volatility, .33 for the value at risk, .42 for the shortfall and .30 for the maximal \
drawdown; a Sharpe ratio s has 100 / (1 + e^(−2s)). The score is their mean with the weights .25, .15, .20, .25 and .15, or those of \
`weights => (SELECT measure, weight …)`, in which what is not named has none. At least 20 returns.",
        "SELECT n, round(volatility::numeric, 4) AS volatility, round(max_drawdown::numeric, 4) AS drawdown, round(score::numeric, 1) AS score, grade
  FROM risk_assess(returns, timestamp_col => day, data_col => fund)",
    ),
    page(
        "expected_loss",
        "pd · lgd · ead, in the unit of the exposure; NULL unless pd is between 0 and 1 and lgd not negative.",
        "SELECT expected_loss(0.02, 0.45, 100000) AS loss",
    ),
    page(
        "irb_capital",
        "Capital for unexpected loss of a corporate exposure under the internal-ratings-based approach, in the unit of `ead`: K of the Basel framework, CRE31, \
without the scaling factor 1.06. `maturity` in years.",
        "SELECT round(irb_capital(0.01, 0.45)::numeric, 6) AS share, round(irb_capital(0.01, 0.45, ead => 100000, maturity => 1)::numeric, 2) AS capital",
    ),
    page(
        "altman_z",
        "Altman's score of a firm from its figures; higher is safer. `public` (1968): distress below 1.81, safe above 2.99; `private` (1983): 1.23 and 2.9; \
`non_manufacturer` (1995): 1.1 and 2.6.",
        "SELECT round(altman_z(working_capital => 20, retained_earnings => 30, ebit => 15, equity => 80, sales => 120, total_assets => 100, total_liabilities => 50)::numeric, 4) AS z",
    ),
    page(
        "merton_pd",
        "The probability that a firm's assets are worth less than its `debt` in so many `years`, under the risk-neutral measure. Value and volatility of the assets \
follow from the equity's. Source: Merton (1974).",
        "SELECT round(merton_pd(equity_value => 40, equity_volatility => 0.5, debt => 60, risk_free_rate => 0.03)::numeric, 5) AS pd",
    ),
    page(
        "distance_to_default",
        "The same as a distance: how many standard deviations the assets lie above the debt.",
        "SELECT round(distance_to_default(equity_value => 40, equity_volatility => 0.5, debt => 60, risk_free_rate => 0.03)::numeric, 4) AS distance",
    ),
    page(
        "credit_scorecard",
        "A logistic scorecard of who defaults (`target_col` true or 1), with rows of kind `coefficient` (estimate, standard error, z, p), `metric` (log likelihood, \
McFadden's R², AUC, Gini, KS, Brier score), `bin` (weight of evidence in `bins` quantiles) and `iv` (information value). Rows with a NULL are left \
out; columns that tell the outcomes apart without error are named in `status`. Reference values: statsmodels, scikit-learn.",
        "SELECT kind, term, round(estimate::numeric, 4) AS estimate, round(p_value::numeric, 4) AS p_value
  FROM credit_scorecard(loans, target_col => defaulted, x_cols => (income, debt_ratio))
 WHERE kind = 'coefficient' OR term IN ('auc', 'ks') ORDER BY 1, 2",
    ),
    page(
        "credit_score",
        "Each row's probability of default by that model, and points: `base_score` where `base_odds` good come to one bad, and `points_to_double_odds` more for \
odds twice as good.",
        "SELECT key, round(probability_of_default::numeric, 4) AS probability, round(score::numeric, 1) AS score
  FROM credit_score(loans, key_col => id, target_col => defaulted, x_cols => (income, debt_ratio)) ORDER BY score DESC, key LIMIT 2",
    ),
];
