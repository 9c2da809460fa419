-- Monthly returns of the simulated shares in 2025, in per cent.
WITH closing AS (
  SELECT DISTINCT ON (asset, date_trunc('month', day)) asset, day, price
  FROM prices
  ORDER BY asset, date_trunc('month', day), day DESC
), returns AS (
  SELECT asset, day, 100 * (price / lag(price) OVER (PARTITION BY asset ORDER BY day) - 1) AS percent
  FROM closing
)
SELECT asset, to_char(day, 'YYYY-MM') AS month, round(percent::numeric, 2) AS return_percent
FROM returns
WHERE day >= '2025-01-01'
ORDER BY asset, month;
