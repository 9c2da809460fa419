use crate::testing::Server;

const WAVE: &str = "CREATE TABLE wave AS SELECT DATE '2024-01-01' + t * INTERVAL '1 day' AS day,
    100 + 0.5 * t + CASE t % 7 WHEN 0 THEN 9 WHEN 3 THEN -5 ELSE 0 END AS x
    FROM generate_series(0, 69) AS s(t)";

#[tokio::test]
async fn parts_sum_to_the_series() {
    let server = Server::after(2, WAVE).await;
    for method in [
        "method => 'stl'",
        "method => 'stl', robust => true",
        "method => 'mstl'",
    ] {
        let sql = format!(
            "SELECT count(*), max(abs(observed - trend - seasonal - remainder)) < 1e-9, max(abs(remainder)) < 1
             FROM ts_decompose(wave, timestamp_col => day, data_col => x, {method})"
        );
        assert_eq!(server.rows(&sql).await, ["70|true|true"], "{method}");
    }
    let sql = "SELECT status FROM ts_decompose((SELECT * FROM wave LIMIT 9), timestamp_col => day, data_col => x, seasonal_periods => 7)";
    assert_eq!(server.rows(sql).await, ["too few observations: 9 < 14"]);
}

#[tokio::test]
async fn gaps_are_filled_as_asked() {
    let server = Server::new(2);
    let gap =
        "(SELECT * FROM (VALUES (1, 1.0), (2, 2.0), (4, 4.0), (5, NULL), (7, 7.0)) AS v(t, x))";
    for (method, expected) in [
        ("linear", "[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]"),
        ("forward", "[1.0, 2.0, 2.0, 4.0, 4.0, 4.0, 7.0]"),
        ("zero", "[1.0, 2.0, 0.0, 4.0, 0.0, 0.0, 7.0]"),
        ("mean", "[1.0, 2.0, 3.5, 4.0, 3.5, 3.5, 7.0]"),
        ("none", "[1.0, 2.0, , 4.0, , , 7.0]"),
    ] {
        let sql = format!(
            "SELECT array_agg(value ORDER BY time), count(*) FILTER (WHERE is_filled)
             FROM ts_fill_gaps({gap}, timestamp_col => t, data_col => x, method => '{method}', frequency => '1')"
        );
        assert_eq!(
            server.rows(&sql).await,
            [format!("{expected}|3")],
            "{method}"
        );
    }
}

#[tokio::test]
async fn features_and_periods_of_a_weekly_wave() {
    let server = Server::after(2, WAVE).await;
    let sql = "SELECT n, missing, period, seasonal_strength > 0.9, trend_strength > 0.9, round(linearity, 1)
               FROM ts_features(wave, timestamp_col => day, data_col => x)";
    assert_eq!(server.rows(sql).await, ["70|0|7|true|true|0.5"]);
    let sql = "SELECT rank, period, strength > 0.9 FROM ts_detect_periods(wave, timestamp_col => day, data_col => x)";
    assert_eq!(server.rows(sql).await, ["1|7|true"]);
    let sql = "SELECT status FROM ts_detect_periods((SELECT day, 1.0 AS x FROM wave), timestamp_col => day, data_col => x)";
    assert_eq!(server.rows(sql).await, ["no season was found"]);
}
