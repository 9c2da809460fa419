//! Properties that hold for whole families of functions, tried on series that are nothing, one value, constant, full of NULL, infinite,
//! tiny or huge: there is an answer or none, never an infinity, and never one that hangs on the order of rows or on threads.

use crate::function::{AggregateSpec, Role, Takes};
use crate::relation::{Class, ValueType};
use crate::testing::Server;

/// Series by name, each of dated values; `y` goes with `x`, `h` is a text.
const SERIES: &str = "CREATE TABLE series AS
    SELECT kind, (TIMESTAMP '2021-01-01 00:00:00' + (i || ' days')::interval) AS t, i, x::double precision AS x, 0.5 * x::double precision + 0.01 * (i % 5) AS y,
           CASE WHEN i % 3 = 0 THEN 'a' ELSE 'b' END AS h
    FROM (SELECT 'one' AS kind, 0 AS i, 7.0 AS x
    UNION ALL SELECT 'two', i, 1.0 + i FROM generate_series(0, 1) AS g(i)
    UNION ALL SELECT 'constant', i, 3.5 FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'zeros', i, 0.0 FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'nulls', i, NULL FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'holes', i, CASE WHEN i % 4 = 1 THEN NULL ELSE sin(i * 1.7) END FROM generate_series(0, 79) AS g(i)
    UNION ALL SELECT 'endless', i, CASE WHEN i = 20 THEN 'Infinity'::double precision ELSE sin(i * 1.7) END FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'nan', i, CASE WHEN i = 20 THEN 'NaN'::double precision ELSE sin(i * 1.7) END FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'tiny', i, 1e-12 * (sin(i * i) + 0.3 * sin(i * 0.9)) FROM generate_series(0, 99) AS g(i)
    UNION ALL SELECT 'huge', i, 1e12 * (sin(i * i) + 0.3 * sin(i * 0.9)) FROM generate_series(0, 99) AS g(i)
    UNION ALL SELECT 'largest', i, CASE WHEN i % 2 = 0 THEN 1.7e308 ELSE -1.7e308 END FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'alternating', i, CASE WHEN i % 2 = 0 THEN 1.0 ELSE -1.0 END FROM generate_series(0, 59) AS g(i)
    UNION ALL SELECT 'usual', i, 0.02 * sin(i * i) + 0.001 FROM generate_series(0, 99) AS g(i)) AS s";

/// The calls of functions over relations; `DATA` is the series.
const TABLES: &[&str] = &[
    "forecast(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 3)",
    "forecast(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 3, model => 'arima')",
    "forecast(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 3, model => 'ets', seasonal_periods => 7)",
    "forecast(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 3, model => 'prophet')",
    "forecast(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 3, model => 'croston')",
    "forecast_evaluate(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 2, n_folds => 2, models => ('theta', 'naive'))",
    "ts_decompose(DATA, timestamp_col => t, data_col => x, id_cols => kind)",
    "ts_fill_gaps(DATA, timestamp_col => t, data_col => x, id_cols => kind)",
    "ts_features(DATA, timestamp_col => t, data_col => x, id_cols => kind)",
    "ts_detect_periods(DATA, timestamp_col => t, data_col => x, id_cols => kind)",
    "detect_anomalies(DATA, timestamp_col => t, data_col => x, id_cols => kind, model => 'ets')",
    "detect_anomalies(DATA, timestamp_col => t, data_col => x, id_cols => kind, method => 'stl')",
    "detect_anomalies(DATA, timestamp_col => t, data_col => x, id_cols => kind, method => 'mad')",
    "detect_anomalies(DATA, timestamp_col => t, data_col => x, id_cols => kind, method => 'zscore')",
    "detect_anomalies(DATA, timestamp_col => t, data_col => x, id_cols => kind, method => 'iqr')",
    "detect_anomalies(DATA, timestamp_col => t, data_col => x, id_cols => kind, method => 'gesd')",
    "detect_anomalies(DATA, timestamp_col => t, data_col => (x, y), id_cols => kind, method => 'iforest', trees => 10)",
    "detect_changepoints(DATA, timestamp_col => t, data_col => x, id_cols => kind)",
    "detect_changepoints(DATA, timestamp_col => t, data_col => x, id_cols => kind, cost => 'l1')",
    "detect_changepoints(DATA, timestamp_col => t, data_col => x, id_cols => kind, cost => 'normal')",
    "detect_changepoints(DATA, timestamp_col => t, data_col => x, id_cols => kind, method => 'bocpd')",
    "garch_forecast(DATA, timestamp_col => t, data_col => x, id_cols => kind, horizon => 2)",
    "garch_fit(DATA, timestamp_col => t, data_col => x, id_cols => kind, variant => 'egarch', distribution => 't')",
    "var_backtest(DATA, timestamp_col => t, data_col => x, id_cols => kind, window => 20)",
    "risk_assess(DATA, timestamp_col => t, data_col => x, id_cols => kind)",
    "sentiment_index(DATA, timestamp_col => t, text_col => h, id_cols => kind)",
    "regress(DATA, y_col => y, x_cols => (x, i), id_cols => kind)",
    "regress(DATA, y_col => y, x_cols => x, id_cols => kind, model => 'lasso')",
    "kmeans(DATA, key_col => i, x_cols => (x, y), id_cols => kind, k => 2)",
    "pca(DATA, x_cols => (x, y), id_cols => kind)",
    "portfolio_optimize(DATA, asset_col => h, timestamp_col => t, return_col => x, id_cols => kind)",
    "covariance_matrix(DATA, asset_col => h, timestamp_col => t, return_col => x, id_cols => kind)",
];

/// What becomes of an aggregate when its values are multiplied: the power of the factor.
const DEGREES: &[(&str, i32)] = &[
    ("skewness(x)", 0),
    ("kurtosis(x)", 0),
    ("iqr(x)", 1),
    ("median_absolute_deviation(x)", 1),
    ("trimmed_mean(x)", 1),
    ("mae(x, y)", 1),
    ("rmse(x, y)", 1),
    ("mse(x, y)", 2),
    ("bias(x, y)", 1),
    ("r2_score(x, y)", 0),
    ("durbin_watson(x ORDER BY i)", 0),
    ("(pearson_test(x, y))['statistic']", 0),
    ("(spearman_test(x, y))['statistic']", 0),
    ("(mann_whitney_u(x, y))['p_value']", 0),
    ("(ttest_2samp(x, y))['statistic']", 0),
    ("(wilcoxon_signed_rank(x, y))['p_value']", 0),
    ("(levene(x, h))['p_value']", 0),
    ("(adf_test(x ORDER BY i))['statistic']", 0),
    ("(kpss_test(x ORDER BY i))['statistic']", 0),
    ("(ljung_box(x ORDER BY i))['statistic']", 0),
    ("(jarque_bera(x))['statistic']", 0),
    ("(shapiro_wilk(x))['statistic']", 0),
    ("volatility(x)", 1),
    ("sharpe_ratio(x)", 0),
    ("sortino_ratio(x)", 0),
    ("omega_ratio(x)", 0),
    ("tail_ratio(x)", 0),
    ("downside_deviation(x)", 1),
    ("tracking_error(x, y)", 1),
    ("information_ratio(x, y)", 0),
    ("market_beta(x, y)", 0),
    ("value_at_risk(x)", 1),
    ("expected_shortfall(x, method => 'normal')", 1),
    ("value_at_risk(x, method => 't')", 1),
    ("value_at_risk(x, method => 'cornish_fisher')", 1),
];

/// What a shift of all values leaves as it is.
const UNSHIFTED: &[&str] = &[
    "skewness(x)",
    "kurtosis(x)",
    "iqr(x)",
    "median_absolute_deviation(x)",
    "mae(x, y)",
    "rmse(x, y)",
    "volatility(x)",
    "tracking_error(x, y)",
    "market_beta(x, y)",
    "durbin_watson(x - y ORDER BY i)",
    "(pearson_test(x, y))['statistic']",
    "(mann_whitney_u(x, y))['p_value']",
    "(ttest_2samp(x, y))['statistic']",
    "(levene(x, h))['statistic']",
    "(shapiro_wilk(x))['statistic']",
    "(adf_test(x ORDER BY i))['statistic']",
];

/// An aggregate over the series' columns.
fn call(spec: &AggregateSpec) -> String {
    let mut numbers = ["x", "y", "x"].into_iter().cycle();
    let mut arguments = Vec::new();
    for parameter in spec.declaration.parameters {
        let value = match parameter.takes {
            Takes::Value(Class::Text | Class::Key) => "h",
            Takes::Value(Class::Time) => "t",
            Takes::Value(_) => numbers.next().unwrap(),
            Takes::Option(ValueType::Integer { .. }) if parameter.required => "2",
            Takes::Option(_) if parameter.required => "0.1",
            Takes::Option(_) | Takes::OrderKey => continue,
        };
        arguments.push(format!("{} => {value}", parameter.name));
    }
    let order = match spec.declaration.role {
        Role::OrderedAggregate => " ORDER BY i",
        _ => "",
    };
    format!("{}({}{order})", spec.declaration.name, arguments.join(", "))
}

fn assert_finite(rows: &[String], sql: &str) {
    for row in rows {
        assert!(!row.contains("inf"), "{sql}: {row}");
    }
}

#[tokio::test]
async fn aggregates_answer_odd_series_alike_in_any_order_and_on_any_thread() {
    let (one, many) = (
        Server::after(1, SERIES).await,
        Server::after(3, SERIES).await,
    );
    for spec in crate::aggregates() {
        let call = call(spec);
        let sql = format!("SELECT kind, {call} AS r FROM series GROUP BY kind ORDER BY kind");
        let found = one.rows(&sql).await;
        assert_eq!(found.len(), 13, "{sql}");
        assert_finite(&found, &sql);
        let shuffled = format!(
            "SELECT kind, {call} AS r FROM (SELECT * FROM series ORDER BY (i * 7919) % 101, kind DESC) AS s GROUP BY kind ORDER BY kind"
        );
        assert_eq!(found, many.rows(&shuffled).await, "{sql}");
        let nothing = format!("SELECT {call} AS r FROM series WHERE false");
        assert_eq!(one.rows(&nothing).await, [""], "{nothing}");
    }
}

#[tokio::test]
async fn table_functions_answer_odd_series_alike_in_any_order_and_on_any_thread() {
    let (one, many) = (
        Server::after(1, SERIES).await,
        Server::after(3, SERIES).await,
    );
    for call in TABLES {
        let of = |data: &str| {
            let call = call.replace("DATA", data);
            format!("SELECT * FROM {call} AS f")
        };
        let sql = of("series");
        let mut found = one.rows(&sql).await;
        found.sort();
        let known: std::collections::BTreeSet<&str> = found
            .iter()
            .map(|row| row.split('|').next().unwrap())
            .collect();
        // A group in which nothing is found has no row, where rows are findings.
        assert!(known.len() >= 10, "{sql}: {known:?}");
        let answers = found.iter().filter(|row| !row.starts_with("endless|"));
        let answers: Vec<String> = answers.cloned().collect();
        assert_finite(&answers, &sql);
        let mut again = many
            .rows(&of(
                "(SELECT * FROM series ORDER BY (i * 7919) % 101, kind DESC)",
            ))
            .await;
        again.sort();
        assert_eq!(found, again, "{sql}");
        assert!(
            one.rows(&of("(SELECT * FROM series WHERE false)"))
                .await
                .len()
                <= 1
        );
    }
}

async fn number(server: &Server, call: &str, data: &str) -> f64 {
    let sql = format!("SELECT {call} AS r FROM {data} AS s");
    let rows = server.rows(&sql).await;
    rows[0]
        .parse()
        .unwrap_or_else(|_| panic!("{sql}: {rows:?}"))
}

#[tokio::test]
async fn aggregates_follow_the_scale_of_their_values() {
    let server = Server::after(2, SERIES).await;
    for (call, degree) in DEGREES {
        let plain = number(&server, call, "(SELECT * FROM series WHERE kind = 'usual')").await;
        for factor in [1e-12, 3.0, 1e12] {
            let data = format!(
                "(SELECT i, t, h, x * {factor:e} AS x, y * {factor:e} AS y FROM series WHERE kind = 'usual')"
            );
            let found = number(&server, call, &data).await;
            let expected = plain * f64::powi(factor, *degree);
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs(),
                "{call} × {factor}: {found} is not {expected}"
            );
        }
    }
}

#[tokio::test]
async fn aggregates_of_spread_do_not_see_a_shift() {
    let server = Server::after(2, SERIES).await;
    for call in UNSHIFTED {
        let plain = number(&server, call, "(SELECT * FROM series WHERE kind = 'usual')").await;
        for shift in [0.5, 1000.0] {
            let data = format!(
                "(SELECT i, t, h, x + {shift:e} AS x, y + {shift:e} AS y FROM series WHERE kind = 'usual')"
            );
            let found = number(&server, call, &data).await;
            assert!(
                (found - plain).abs() <= 1e-7 * plain.abs().max(1e-3),
                "{call} + {shift}: {found} is not {plain}"
            );
        }
    }
}
