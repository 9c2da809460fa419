//! Pages of tests of hypotheses.

use super::{Chapter, Page, page};

pub(super) static CHAPTER: Chapter = Chapter {
    title: "Tests of hypotheses",
    introduction: "Aggregates that answer a record: `(ttest_1samp(x)).p_value`. NULLs are left out, a NaN makes the answer NaN, too few values or none without \
spread where it is needed give NULL. p-values are two-sided unless `alternative` says `less` or `greater`. Values agree with scipy 1.17 and statsmodels 0.15.",
    pages: PAGES,
};

const PAGES: &[Page] = &[
    page(
        "ttest_1samp",
        "Whether the mean is `mu`, with its confidence interval.",
        "SELECT round((t).statistic::numeric, 4) AS t, round((t).p_value::numeric, 4) AS p FROM (SELECT ttest_1samp(after - before, mu => 0) AS t FROM trial) AS q",
    ),
    page(
        "ttest_2samp",
        "Whether two samples have the same mean: Welch's test, or with `equal_var => true` Student's. The samples are two columns, or one column and a group of two values.",
        "SELECT round((t).statistic::numeric, 4) AS t, round((t).p_value::numeric, 4) AS p FROM (SELECT ttest_2samp(after - before, arm) AS t FROM trial) AS q",
    ),
    page(
        "ttest_paired",
        "Whether the mean of pairs' differences is zero.",
        "SELECT round((ttest_paired(before, after)).p_value::numeric, 6) AS p FROM trial",
    ),
    page(
        "mann_whitney_u",
        "Whether values of one sample tend to be larger, by ranks; exact for small samples without ties.",
        "SELECT (mann_whitney_u(after - before, arm)).statistic AS u, round((mann_whitney_u(after - before, arm)).p_value::numeric, 6) AS p FROM trial",
    ),
    page(
        "wilcoxon_signed_rank",
        "Whether differences are symmetric about zero, by signed ranks.",
        "SELECT (wilcoxon_signed_rank(before, after)).statistic AS w, round((wilcoxon_signed_rank(before, after)).p_value::numeric, 6) AS p FROM trial",
    ),
    page(
        "anova_oneway",
        "Whether groups have the same mean.",
        "SELECT round((anova_oneway(units, price::int)).statistic::numeric, 4) AS f, round((anova_oneway(units, price::int)).p_value::numeric, 4) AS p FROM sales WHERE shop = 'south'",
    ),
    page(
        "kruskal",
        "The same by ranks (Kruskal and Wallis).",
        "SELECT round((kruskal(units, price::int)).statistic::numeric, 4) AS h, round((kruskal(units, price::int)).p_value::numeric, 4) AS p FROM sales WHERE shop = 'south'",
    ),
    page(
        "levene",
        "Whether groups have the same spread; `center` is `median` (Brown and Forsythe), `mean` or `trimmed`.",
        "SELECT round((levene(after, arm)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "bartlett",
        "The same for normal groups.",
        "SELECT round((bartlett(after, arm)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "chisq_independence",
        "Whether two categories are independent, counted by rows or weighted with `frequency`.",
        "SELECT round((chisq_independence(arm, cured)).statistic::numeric, 4) AS chi2, round((chisq_independence(arm, cured)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "chisq_gof",
        "Whether counts follow the expected ones, which are scaled to the same sum.",
        "SELECT round((chisq_gof(n)).statistic::numeric, 4) AS chi2, round((chisq_gof(n)).p_value::numeric, 4) AS p FROM (VALUES (18), (22), (35)) AS v(n)",
    ),
    page(
        "fisher_exact",
        "The exact test of a table of two by two, with its odds ratio.",
        "SELECT round((fisher_exact(arm, cured)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "shapiro_wilk",
        "Whether values are normal.",
        "SELECT round((shapiro_wilk(age)).statistic::numeric, 4) AS w, round((shapiro_wilk(age)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "jarque_bera",
        "Whether skewness and kurtosis are a normal distribution's.",
        "SELECT round((jarque_bera(age)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "dagostino_k2",
        "The same by D'Agostino and Pearson.",
        "SELECT round((dagostino_k2(age)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "anderson_darling",
        "The Anderson–Darling statistic of normality with its critical values.",
        "SELECT round((anderson_darling(age)).statistic::numeric, 4) AS a2 FROM trial",
    ),
    page(
        "ks_test",
        "Whether two samples have the same distribution.",
        "SELECT round((ks_test(after, arm)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "ks_test_normal",
        "Whether values follow a normal distribution, by default that of their mean and deviation.",
        "SELECT round((ks_test_normal(age)).p_value::numeric, 4) AS p FROM trial",
    ),
    page(
        "pearson_test",
        "The linear correlation, its test and interval.",
        "SELECT round((pearson_test(before, after)).statistic::numeric, 4) AS r, round((pearson_test(before, after)).p_value::numeric, 8) AS p FROM trial",
    ),
    page(
        "spearman_test",
        "The correlation of ranks.",
        "SELECT round((spearman_test(before, after)).statistic::numeric, 4) AS rho FROM trial",
    ),
    page(
        "kendall_test",
        "Kendall's τ-b.",
        "SELECT round((kendall_test(before, after)).statistic::numeric, 4) AS tau FROM trial",
    ),
    page(
        "adf_test",
        "The augmented Dickey–Fuller test: a small p-value speaks against a unit root. Needs ORDER BY inside the call.",
        "SELECT shop, round((adf_test(units ORDER BY month)).statistic::numeric, 4) AS statistic FROM sales GROUP BY shop ORDER BY shop",
    ),
    page(
        "kpss_test",
        "Whether a series is stationary around a mean (`c`) or a line (`ct`); p-values lie between 0.01 and 0.1.",
        "SELECT shop, round((kpss_test(units ORDER BY month)).p_value::numeric, 4) AS p FROM sales GROUP BY shop ORDER BY shop",
    ),
    page(
        "ljung_box",
        "Whether autocorrelations up to `lags` are zero.",
        "SELECT round((ljung_box(units, lags => 6 ORDER BY month)).p_value::numeric, 4) AS p FROM sales WHERE shop = 'south'",
    ),
    page(
        "box_pierce",
        "The older form of the same.",
        "SELECT round((box_pierce(units, lags => 6 ORDER BY month)).p_value::numeric, 4) AS p FROM sales WHERE shop = 'south'",
    ),
    page(
        "durbin_watson",
        "The Durbin–Watson statistic of residuals: 2 without correlation from row to row.",
        "SELECT round(durbin_watson(after - before ORDER BY patient)::numeric, 4) AS dw FROM trial",
    ),
    page(
        "arch_test",
        "Engle's test of changing variance.",
        "SELECT round((arch_test(units, lags => 2 ORDER BY month)).p_value::numeric, 4) AS p FROM sales WHERE shop = 'south'",
    ),
    page(
        "granger_causality",
        "Whether `x` helps to predict `y` beyond y's own past.",
        "SELECT round((granger_causality(units, price, lags => 1 ORDER BY month)).p_value::numeric, 4) AS p FROM sales WHERE shop = 'south'",
    ),
    page(
        "diebold_mariano",
        "Whether the first of two forecasts loses more than the second: losses |error|^`power`, Harvey's correction, as R's `dm.test`.",
        "SELECT round((d).statistic::numeric, 4) AS statistic, round((d).p_value::numeric, 4) AS p
  FROM (SELECT diebold_mariano(units, 300, 305 ORDER BY month) AS d FROM sales WHERE shop = 'south') AS q",
    ),
];
