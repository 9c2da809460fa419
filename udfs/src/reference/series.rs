//! Pages of forecasts and series.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Series and forecasts",
    introduction: "Table functions over a sub-query or the name of a table, view or CTE. `id_cols` runs them once for each group. \
The frequency is found in the timestamps (seconds to years, business days, month ends; daylight saving and leap days are counted right), \
or given as `frequency => '15 minutes'`. Unsorted rows, gaps and duplicates are allowed (`on_gap`, `on_duplicate`). A group that has no answer \
has the reason in `status`; `on_error => 'abort'` makes it an error.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "forecast",
        "The next `horizon` values with their interval.\n\n\
![Values, forecast and intervals](pictures/forecast.svg)\n\n\
`model => 'auto'` (the default) combines ETS, the optimised and the dynamic Theta model and seasonal ARIMA; with a season ETS and Theta once more on \
what loess leaves without its seasons. Members weigh as the inverse squares of their errors at up to 24 earlier origins of the same series, with \
few origins as the inverses. The interval is calibrated: the models' deviations, times what the combination has missed from those origins, recent ones \
above all. Where one season is given or follows from the frequency, a longer one, such as the week behind the day, joins it when the values show it: \
it must foretell cycles that it has not seen a fifth better, and not by chance. A series that is exactly a pattern on a line goes on so. Demand that is mostly zero goes to Croston's method.\n\n\
Others: `ets` (all admissible forms, by AICc), `theta`, `theta_standard`, `theta_optimised`, `theta_dynamic`, `arima` (seasonal, orders by AICc), `mstl`, \
`prophet` (piecewise trend, waves, regressors), `seasonal_naive`, `naive`, `drift`, `mean`, `ses`, `holt`, `holt_winters`, `croston`, `croston_sba`, `tsb`.\n\n\
Regressors known ahead: `exog_cols => price, future => (SELECT …)` with the columns of `exog_cols` at every step ahead; and \
`holidays => (SELECT holiday, day [, lower_window, upper_window] …)`. Under every model but `prophet` they are taken out by a regression with ARIMA \
errors, and added again ahead.",
        "SELECT shop, forecast_timestamp, round(forecast_value::numeric, 1) AS expected, round(prediction_interval_lower_bound::numeric, 1) AS low,
       round(prediction_interval_upper_bound::numeric, 1) AS high, model
  FROM forecast(sales, timestamp_col => month, data_col => units, id_cols => shop, model => 'ets', horizon => 2, confidence_level => 0.8)
 ORDER BY 1, 2",
    ),
    page(
        "forecast_backtest",
        "What models would have forecast at earlier cut-offs, beside what came. The last fold ends with the series, each fold `horizon` values before the next; \
`gap` leaves values out between a fold's end and its first forecast; `window_type` is `expanding` or `sliding`.",
        "SELECT model, fold, cutoff, forecast_timestamp, actual, round(forecast_value::numeric, 1) AS forecast
  FROM forecast_backtest((SELECT * FROM sales WHERE shop = 'north'), timestamp_col => month, data_col => units,
       models => ('seasonal_naive', 'drift'), horizon => 1, n_folds => 2)
 ORDER BY 1, 2",
    ),
    page(
        "forecast_evaluate",
        "One row a model: errors over all folds of a backtest. `mape` and `smape` in per cent; `mase` and `rmsse` in units of the training data's seasonal \
differences; `coverage` is the share of values within the bounds; `rank` 1 has the least `mase`.",
        "SELECT shop, model, round(smape::numeric, 2) AS smape, round(mase::numeric, 3) AS mase, rank
  FROM forecast_evaluate(sales, timestamp_col => month, data_col => units, id_cols => shop, models => ('ets', 'naive'), horizon => 3, n_folds => 4)
 ORDER BY shop, rank",
    ),
    page(
        "ts_decompose",
        "Trend, season and remainder by loess: STL as in statsmodels, MSTL with several `seasonal_periods`.",
        "SELECT time, observed, round(trend::numeric, 2) AS trend, round(seasonal::numeric, 2) AS seasonal, round(remainder::numeric, 2) AS remainder
  FROM ts_decompose((SELECT month, units FROM sales WHERE shop = 'south'), timestamp_col => month, data_col => units) ORDER BY time LIMIT 3",
    ),
    page(
        "ts_fill_gaps",
        "A row for every step of the frequency, with the value where there is one and a filled one elsewhere.",
        "SELECT * FROM ts_fill_gaps((SELECT month, units FROM sales WHERE shop = 'north' AND month < '2021-06-01' AND month <> '2021-03-01'),
       timestamp_col => month, data_col => units) ORDER BY 1",
    ),
    page(
        "ts_features",
        "What a series is like: strengths of trend and season, spectral entropy, autocorrelations and others; one row a series, one column a feature.",
        "SELECT shop, n, period, round(trend_strength::numeric, 3) AS trend, round(seasonal_strength::numeric, 3) AS season, round(spectral_entropy::numeric, 3) AS entropy
  FROM ts_features(sales, timestamp_col => month, data_col => units, id_cols => shop) ORDER BY shop",
    ),
    page(
        "ts_detect_periods",
        "The lengths of seasons that the values show, the strongest first.",
        "SELECT * FROM ts_detect_periods(sales, timestamp_col => month, data_col => units, id_cols => shop) ORDER BY 1, 2",
    ),
];
