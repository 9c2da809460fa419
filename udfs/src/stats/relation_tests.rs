//! Tests of the functions on relations: regressions, clusters, components.

use crate::testing::Server;

fn data(name: &str) -> Vec<Vec<String>> {
    let text = match name {
        "regression" => include_str!("../../../tests/data/stats/regression.csv"),
        _ => include_str!("../../../tests/data/stats/expected.csv"),
    };
    let rows = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect());
    rows.collect()
}

/// A table `r` of tests/data/stats/regression.csv.
async fn regression() -> Server {
    let rows = data("regression");
    let values: Vec<String> = rows[1..]
        .iter()
        .map(|row| format!("({})", row.join(",")))
        .collect();
    let columns: Vec<String> = rows[0]
        .iter()
        .map(|name| format!("CAST({name} AS DOUBLE) AS {name}"))
        .collect();
    Server::after(
        2,
        &format!(
            "CREATE TABLE r AS SELECT {} FROM (VALUES {}) AS t({})",
            columns.join(", "),
            values.join(","),
            rows[0].join(",")
        ),
    )
    .await
}

fn expected(test: &str, metric: &str) -> Option<f64> {
    let rows = data("expected");
    let row = rows
        .iter()
        .find(|row| row[0] == test && row.iter().any(|cell| cell == metric))?;
    row[row.len() - 2].parse().ok()
}

/// statsmodels 0.15 and scikit-learn 1.9, in tests/data/stats/expected.csv.
#[tokio::test]
async fn regressions_agree_with_the_references() {
    let server = regression().await;
    let mut compared = 0;
    for (test, arguments) in [
        ("ols", "y_col => y, model => 'ols'"),
        ("ols_HC0", "y_col => y, vcov => 'HC0'"),
        ("ols_HC1", "y_col => y, vcov => 'HC1'"),
        ("ols_HC3", "y_col => y, vcov => 'HC3'"),
        ("ridge_alpha1", "y_col => y, model => 'ridge', alpha => 1"),
        (
            "lasso_alpha0.1",
            "y_col => y, model => 'lasso', alpha => 0.1",
        ),
        (
            "elasticnet_alpha0.1_l1r0.5",
            "y_col => y, model => 'elastic_net', alpha => 0.1",
        ),
        ("logit", "y_col => y_bin, model => 'logit'"),
        ("poisson", "y_col => y_count, model => 'poisson'"),
    ] {
        let terms = ["x1", "x2", "x3"].into_iter();
        let used: Vec<&str> = terms
            .filter(|x| test.starts_with("ols") || expected(test, &format!("coef_{x}")).is_some())
            .collect();
        let sql = format!(
            "SELECT term, estimate, std_error FROM regress(r, {arguments}, x_cols => ({}))",
            used.join(", ")
        );
        for row in server.rows(&sql).await {
            let cells: Vec<&str> = row.split('|').collect();
            for (cell, metric) in [(cells[1], "coef"), (cells[2], "se")] {
                let Some(wanted) = expected(test, &format!("{metric}_{}", cells[0])) else {
                    continue;
                };
                let found: f64 = cell.parse().unwrap();
                assert!(
                    (found - wanted).abs() <= 1e-6 * wanted.abs(),
                    "{test} {row}: {wanted}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "{compared}");
}

#[tokio::test]
async fn terms_are_named_and_collinear_ones_told() {
    let server = regression().await;
    let sql = "SELECT term, estimate IS NULL, n > 100, status
               FROM regress((SELECT y, x1, 2 * x1 AS twice, x2 FROM r), y_col => y, x_cols => (x1, twice, x2))";
    assert_eq!(
        server.rows(sql).await,
        [
            "const|false|true|",
            "x1|false|true|",
            "twice|true|true|collinear",
            "x2|false|true|"
        ]
    );
    let sql = "SELECT g, count(*), max(status) FROM regress((SELECT CASE WHEN y_bin = 1 THEN 'one' ELSE 'all' END AS g, * FROM r
               UNION ALL SELECT 'few', * FROM (SELECT * FROM r LIMIT 2)), y_col => y_bin, x_cols => x1, id_cols => g, model => 'logit')
               GROUP BY g ORDER BY g";
    assert_eq!(
        server.rows(sql).await,
        [
            "all|1|y is constant",
            "few|1|too few observations: 2 < 3",
            "one|1|y is constant"
        ]
    );
}

#[tokio::test]
async fn what_has_no_meaning_together_is_refused() {
    let server = regression().await;
    for (arguments, message) in [
        (
            "model => 'lasso', vcov => 'HC0'",
            "invalid value for argument \"vcov\": \"robust\"",
        ),
        (
            "model => 'logit', vcov => 'HC3'",
            "invalid value for argument \"vcov\": \"HC2 or HC3\"",
        ),
        (
            "model => 'ridge', intercept => false",
            "invalid value for argument \"intercept\": \"false\"",
        ),
        (
            "model => 'ridge', alpha => -1",
            "invalid value for argument \"alpha\": \"-1\"",
        ),
        (
            "model => 'forest'",
            "invalid value for argument \"model\": \"forest\"",
        ),
    ] {
        let sql = format!("SELECT * FROM regress(r, y_col => y, x_cols => x1, {arguments})");
        assert_eq!(server.refusal(&sql).await.message, message);
    }
}

const BLOBS: &str = "CREATE TABLE blobs AS SELECT i, CASE WHEN i % 5 < 2 THEN 0.0 ELSE 10.0 END + 0.1 * (i % 7) AS x,
    CASE WHEN i % 5 < 2 THEN 3.0 ELSE -3.0 END + 0.01 * (i % 3) AS y FROM generate_series(1, 50) AS s(i)
    UNION ALL SELECT 51, NULL, 0.0";

#[tokio::test]
async fn clusters_follow_the_points() {
    let server = Server::after(2, BLOBS).await;
    let sql = "SELECT cluster, count(*), min(i), max(distance) < 1 FROM kmeans(blobs, key_col => i, x_cols => (x, y), k => 2)
               GROUP BY 1 ORDER BY 1";
    assert_eq!(server.rows(sql).await, ["1|30|2|true", "2|20|1|true"]);
    let sql = "SELECT cluster, size, term, round(center) FROM kmeans_centers(blobs, x_cols => (x, y), k => 2, scale => 'zscore') ORDER BY 1, 3";
    assert_eq!(
        server.rows(sql).await,
        ["1|30|x|10.0", "1|30|y|-3.0", "2|20|x|0.0", "2|20|y|3.0"]
    );
    let sql =
        "SELECT status FROM kmeans((SELECT 1 AS i, 2.0 AS x), key_col => i, x_cols => x, k => 2)";
    assert_eq!(server.rows(sql).await, ["too few observations: 1 < 2"]);
    let refusal = server
        .refusal("SELECT * FROM kmeans(blobs, key_col => i, x_cols => x, id_cols => i)")
        .await;
    assert_eq!(
        refusal.message,
        "invalid value for argument \"key_col\": \"i\""
    );
}

#[tokio::test]
async fn components_share_the_variance() {
    let server = Server::after(2, BLOBS).await;
    let sql = "SELECT component, round(sum(loading * loading), 9), round(min(share), 3), count(*)
               FROM pca(blobs, x_cols => (x, y), scale => 'zscore') GROUP BY 1 ORDER BY 1";
    let rows = server.rows(sql).await;
    assert_eq!(rows.len(), 2);
    assert!(rows[0].starts_with("1|1.0|1.0"), "{rows:?}");
    // The scores along a component vary as much as it says, and their mean is zero.
    let sql = "SELECT abs(avg(score)) < 1e-9, abs(var_samp(score) - (SELECT max(variance) FROM pca(blobs, x_cols => (x, y)))) < 1e-9
               FROM pca_scores(blobs, key_col => i, x_cols => (x, y), n_components => 1)";
    assert_eq!(server.rows(sql).await, ["true|true"]);
}

#[tokio::test]
async fn equal_rows_in_another_order_give_equal_bits() {
    let (one, many) = (Server::after(1, BLOBS).await, Server::after(4, BLOBS).await);
    for call in [
        "SELECT * FROM kmeans(DATA, key_col => i, x_cols => (x, y), k => 3) ORDER BY i",
        "SELECT * FROM pca(DATA, x_cols => (x, y))",
        "SELECT * FROM regress(DATA, y_col => x, x_cols => y, vcov => 'HC3')",
    ] {
        let plain = one.rows(&call.replace("DATA", "blobs")).await;
        let turned = call.replace("DATA", "(SELECT * FROM blobs ORDER BY -i)");
        assert_eq!(plain, many.rows(&turned).await, "{call}");
    }
}
