//! Pages of anomalies and changes.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Anomalies and changes",
    introduction: "Table functions over series, and scores over windows.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "detect_anomalies",
        "Values that are unlike the others: `forecast` (residuals of a model), `stl`, `mad`, `zscore`, `iqr`, `gesd`, `iforest` (several columns). With \
`history => (SELECT …)` the method learns from one relation and scores another. `anomaly_probability` is the share of normal values that lie closer to the \
expected one.\n\n\
![Values, bounds and anomalies](pictures/anomalies.svg)",
        "SELECT shop, time_series_timestamp, time_series_data, round(anomaly_score::numeric, 2) AS score
  FROM detect_anomalies(sales, timestamp_col => month, data_col => units, id_cols => shop, method => 'iqr')
 WHERE is_anomaly ORDER BY 1, 2",
    ),
    page(
        "detect_changepoints",
        "Where a series changes: `pelt` finds the partition with the least cost and penalty, equal to ruptures' `Pelt` with `jump = 1`. `cost` is `l2` (changes of \
the mean), `l1` (of the median, whatever the outliers; at most 200,000 values) or `normal` (of mean or variance). `bocpd` \
tells the probability that a segment begins, as Adams and MacKay's online method sees it `lag` values later.\n\n\
![Values, segments and changes](pictures/changepoints.svg)",
        "SELECT i, value, round(score::numeric, 2) AS score
  FROM detect_changepoints((SELECT i, CASE WHEN i < 30 THEN 5 ELSE 9 END + (i * 7 % 5) * 0.2 AS x FROM generate_series(1, 60) AS s(i)),
       timestamp_col => i, data_col => x) AS f(i, value, is_changepoint, score, status)
 WHERE is_changepoint",
    ),
    page(
        "anomaly_score_zscore",
        "|x − mean| / standard deviation of the frame (n − 1). NULL with fewer than 3 values in the frame, or without spread.",
        "SELECT month, units, round(anomaly_score_zscore(units) OVER (ORDER BY month ROWS BETWEEN 12 PRECEDING AND 1 PRECEDING)::numeric, 2) AS score
  FROM sales WHERE shop = 'south' ORDER BY 3 DESC NULLS LAST LIMIT 2",
    ),
    page(
        "anomaly_score_mad",
        "0.6745 |x − median| / MAD of the frame (Iglewicz and Hoaglin). NULL with fewer than 3 values in the frame.",
        "SELECT month, units, round(anomaly_score_mad(units) OVER (ORDER BY month ROWS BETWEEN 12 PRECEDING AND 1 PRECEDING)::numeric, 2) AS score
  FROM sales WHERE shop = 'south' ORDER BY 3 DESC NULLS LAST LIMIT 2",
    ),
    page(
        "anomaly_score_iqr",
        "The distance from the nearer quartile in units of `k` interquartile ranges: above 1 lies what Tukey's fences leave out. NULL with fewer than 4 values.",
        "SELECT month, units, round(anomaly_score_iqr(units, k => 1.5) OVER ()::numeric, 2) AS score
  FROM sales WHERE shop = 'south' ORDER BY 3 DESC, 1 LIMIT 2",
    ),
];
