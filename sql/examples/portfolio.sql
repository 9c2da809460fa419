-- The portfolio of the simulated shares with the best Sharpe ratio over the last year, no share above a fifth of it,
-- and how many shares that is for 100,000.
WITH last_year AS (
  SELECT day, asset, price FROM prices WHERE day >= '2025-01-01'
), weights AS (
  SELECT asset, weight, portfolio_return, portfolio_volatility
  FROM portfolio_optimize(last_year, asset_col => asset, timestamp_col => day, price_col => price,
                          objective => 'max_sharpe', risk_free_rate => 0.02, weight_bounds => ARRAY[0, 0.2])
)
SELECT asset, round((100 * weight)::numeric, 1) AS weight_percent, shares, round(cash_left::numeric, 2) AS cash_left,
       round((100 * portfolio_return)::numeric, 1) AS return_percent, round((100 * portfolio_volatility)::numeric, 1) AS volatility_percent
FROM weights
JOIN discrete_allocation(last_year, asset_col => asset, timestamp_col => day, price_col => price,
                         weights => (SELECT asset, weight FROM weights), budget => 100000) AS bought USING (asset)
ORDER BY weight DESC, asset;
