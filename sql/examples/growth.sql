-- Each month of 2025 against the month a year before, and the mean of the last twelve.
SELECT * FROM (
  SELECT series, at::date AS month, value,
         round((100 * (value / lag(value, 12) OVER by_month - 1))::numeric, 1) AS growth_percent,
         round(avg(value) OVER (by_month ROWS 11 PRECEDING)::numeric, 1) AS mean_of_year
  FROM sales
  WHERE frequency = 'monthly'
  WINDOW by_month AS (PARTITION BY series ORDER BY at)
) AS months
WHERE month >= '2025-01-01'
ORDER BY series, month;
