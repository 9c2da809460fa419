//! Pages of descriptions, models and measures of forecasts.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Descriptions, models, measures",
    introduction: "Aggregates skip NULL and propagate NaN; too few values give NULL. The order of rows and the number of threads change no bit.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "regress",
        "A regression of each group, one row a term: `ols` (with `vcov` HC0 to HC3 for robust errors), `logit`, `poisson`, `ridge`, `lasso`, `elastic_net`. \
A column that is a combination of others has NULLs and the status `collinear`.",
        "SELECT shop, term, round(estimate::numeric, 3) AS estimate, round(std_error::numeric, 3) AS std_error, round(r_squared::numeric, 3) AS r2
  FROM regress(sales, y_col => units, x_cols => price, id_cols => shop, vcov => 'HC1') ORDER BY 1, 2",
    ),
    page(
        "ols_fit",
        "Least squares as an aggregate: `ols_fit(y, ARRAY[x1, x2])` answers coefficients, terms, R² and F in one record.",
        "SELECT round((f).r_squared::numeric, 4) AS r2, (f).n AS n FROM (SELECT ols_fit(after, ARRAY[before, age]) AS f FROM trial) AS q",
    ),
    page(
        "kmeans",
        "Points to the nearest of `k` centres (k-means++, the best of `n_init` starts): a row a point.",
        "SELECT cluster, count(*), round(avg(before)::numeric, 1) AS before FROM kmeans(trial, key_col => patient, x_cols => (before, after), k => 2) AS k
  JOIN trial USING (patient) GROUP BY 1 ORDER BY 1",
    ),
    page(
        "kmeans_centers",
        "The centres of the same: a row a cluster and column.",
        "SELECT cluster, size, term, round(center::numeric, 2) AS center FROM kmeans_centers(trial, x_cols => (before, after), k => 2) ORDER BY 1, 3",
    ),
    page(
        "pca",
        "Principal components: a row a component and column. `scale => 'zscore'` takes correlations.",
        "SELECT component, term, round(loading::numeric, 4) AS loading, round(share::numeric, 4) AS share
  FROM pca(trial, x_cols => (before, after, age), scale => 'zscore', n_components => 1) ORDER BY 1, 2",
    ),
    page(
        "pca_scores",
        "The points' coordinates along the components.",
        "SELECT patient, component, round(score::numeric, 3) AS score FROM pca_scores(trial, key_col => patient, x_cols => (before, after), n_components => 1) ORDER BY 1 LIMIT 2",
    ),
    page("skewness", "The skewness of the population, or with `bias => false` of the sample.", "SELECT round(skewness(age)::numeric, 4) AS skewness FROM trial"),
    page("kurtosis", "The excess kurtosis, likewise.", "SELECT round(kurtosis(age)::numeric, 4) AS kurtosis FROM trial"),
    page("gini", "The Gini coefficient of values that are not negative.", "SELECT round(gini(units)::numeric, 4) AS gini FROM sales"),
    page("entropy", "The entropy of a column's values, in nats or by `base`.", "SELECT entropy(arm, base => 2) AS bits FROM trial"),
    page("iqr", "The distance of the quartiles by linear interpolation.", "SELECT iqr(age) AS iqr FROM trial"),
    page("median_absolute_deviation", "The median distance from the median.", "SELECT median_absolute_deviation(age) AS mad FROM trial"),
    page("trimmed_mean", "The mean without a share of the values at either end.", "SELECT round(trimmed_mean(age, proportion => 0.1)::numeric, 4) AS mean FROM trial"),
    page("histogram", "Counts in bins of equal width.", "SELECT histogram(age, bins => 4) AS h FROM trial"),
    page("bootstrap_ci", "The interval of a statistic by resampling; the same seed gives the same bits.", "SELECT round((b).ci_lower::numeric, 2) AS low, round((b).ci_upper::numeric, 2) AS high FROM (SELECT bootstrap_ci(age) AS b FROM trial) AS q"),
    page("acf", "Autocorrelations at lags 1 to `lags`.", "SELECT acf(units, lags => 2 ORDER BY month) AS acf FROM sales WHERE shop = 'south'"),
    page("pacf", "Partial autocorrelations.", "SELECT pacf(units, lags => 2 ORDER BY month) AS pacf FROM sales WHERE shop = 'south'"),
    page("mae", "The mean absolute error.", "SELECT mae(after, before) FROM trial"),
    page("mse", "The mean squared error.", "SELECT round(mse(after, before)::numeric, 4) AS mse FROM trial"),
    page("rmse", "Its root.", "SELECT round(rmse(after, before)::numeric, 4) AS rmse FROM trial"),
    page("bias", "The mean of predicted less actual.", "SELECT round(bias(after, before)::numeric, 4) AS bias FROM trial"),
    page("mape", "The mean absolute error in per cent of the actual values; those of zero don't count.", "SELECT round(mape(after, before)::numeric, 4) AS mape FROM trial"),
    page("smape", "Its symmetric form, 0 to 200 as in the M competitions.", "SELECT round(smape(after, before)::numeric, 4) AS smape FROM trial"),
    page("wape", "Σ |error| / Σ |actual|, per cent.", "SELECT round(wape(after, before)::numeric, 4) AS wape FROM trial"),
    page("mase", "The mean absolute error in units of the history's seasonal differences; rows without a prediction are the history.", "SELECT round(mase(units, CASE WHEN month >= '2024-01-01' THEN 300 END, period => 12 ORDER BY month)::numeric, 4) AS mase FROM sales WHERE shop = 'south'"),
    page("rmsse", "The same with squares.", "SELECT round(rmsse(units, CASE WHEN month >= '2024-01-01' THEN 300 END, period => 12 ORDER BY month)::numeric, 4) AS rmsse FROM sales WHERE shop = 'south'"),
    page("r2_score", "1 − Σ error² / Σ (actual − mean)².", "SELECT round(r2_score(after, before)::numeric, 4) AS r2 FROM trial"),
    page("coverage", "The share of actual values within bounds.", "SELECT round(coverage(after, before - 10, before)::numeric, 4) AS coverage FROM trial"),
    page("pinball_loss", "How good predicted quantiles were.", "SELECT round(pinball_loss(after, before, quantile => 0.9)::numeric, 4) AS loss FROM trial"),
];
