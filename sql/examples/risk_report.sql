-- The tenant's companies, worst grade first: what the news feels like, the loss that is expected of a bad day tomorrow
-- (GJR-GARCH), the worst that has been, and a grade.
WITH daily AS (
  SELECT asset, day, simple_return(price) OVER (PARTITION BY asset ORDER BY day) AS ret FROM prices
), feeling AS (
  SELECT asset, min(company) AS company, avg((sentiment_analyze(line, model => 'finance')).score) AS news FROM news GROUP BY asset
), tomorrow AS (
  SELECT asset, expected_shortfall FROM garch_forecast(daily, timestamp_col => day, data_col => ret, id_cols => asset,
                                                       variant => 'gjr', distribution => 't', horizon => 1)
), judged AS (
  SELECT asset, max_drawdown, score, grade FROM risk_assess(daily, timestamp_col => day, data_col => ret, id_cols => asset)
)
SELECT company, round(news::numeric, 2) AS news, round((100 * expected_shortfall)::numeric, 1) AS bad_day_percent,
       round((100 * max_drawdown)::numeric, 1) AS worst_fall_percent, round(score::numeric, 1) AS score, grade
FROM feeling JOIN tomorrow USING (asset) JOIN judged USING (asset)
ORDER BY score;
