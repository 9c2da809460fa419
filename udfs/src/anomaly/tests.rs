use crate::testing::Server;

/// A wave with a spike at 40 in group a; group b is constant, group c too short.
const WAVES: &str = "CREATE TABLE waves AS
    SELECT 'a' AS g, t, 10 + 3 * sin(t * 0.5235987755982988) + 0.1 * ((t * 7919) % 13) + CASE WHEN t = 40 THEN 9 ELSE 0 END AS x
      FROM generate_series(1, 72) AS s(t)
    UNION ALL SELECT 'b', t, 5.0 FROM generate_series(1, 30) AS s(t)
    UNION ALL SELECT 'c', t, 1.0 * t FROM generate_series(1, 2) AS s(t)";

const PART: &str = "(SELECT t, x FROM waves WHERE g = 'a')";

async fn flagged(arguments: &str) -> Vec<String> {
    let server = Server::after(2, WAVES).await;
    let sql = format!(
        "SELECT time_series_timestamp FROM detect_anomalies({PART}, timestamp_col => t, data_col => x, {arguments})
         WHERE is_anomaly ORDER BY 1"
    );
    server.rows(&sql).await
}

#[tokio::test]
async fn every_method_finds_the_spike() {
    for arguments in [
        "method => 'zscore'",
        "method => 'mad', anomaly_prob_threshold => 0.999",
        "method => 'iqr'",
        "method => 'gesd'",
        "method => 'stl', seasonal_periods => 12, threshold => 15",
        "method => 'iforest', threshold => 0.69",
        "method => 'forecast', model => 'ets', seasonal_periods => 12, anomaly_prob_threshold => 0.99999",
    ] {
        let found = flagged(arguments).await;
        assert!(found.contains(&"40".to_owned()), "{arguments}: {found:?}");
        assert!(found.len() < 6, "{arguments}: {found:?}");
    }
}

#[tokio::test]
async fn groups_without_spread_have_a_status() {
    let server = Server::after(2, WAVES).await;
    let sql = "SELECT g, count(*), max(status) FROM detect_anomalies(waves, timestamp_col => t, data_col => x, id_cols => g,
               method => 'zscore') GROUP BY g ORDER BY g";
    let rows = server.rows(sql).await;
    assert_eq!(
        rows,
        [
            "a|72|",
            "b|1|the values have no spread",
            "c|1|too few observations: 2 < 3"
        ]
    );
}

#[tokio::test]
async fn history_alone_says_what_is_usual() {
    let server = Server::after(2, WAVES).await;
    for method in ["zscore", "mad", "iqr", "iforest", "stl", "forecast"] {
        let sql = format!(
            "SELECT count(*), min(time_series_timestamp), count(anomaly_score) FROM detect_anomalies(
               (SELECT t, x FROM waves WHERE g = 'a' AND t > 60),
               timestamp_col => t, data_col => x, method => '{method}', seasonal_periods => 12, model => 'ets',
               history => (SELECT t, x FROM waves WHERE g = 'a' AND t <= 60))"
        );
        assert_eq!(server.rows(&sql).await, ["12|61|12"], "{method}");
    }
}

#[tokio::test]
async fn rows_without_a_value_have_no_score() {
    let server = Server::new(1);
    let sql = "SELECT count(*), count(is_anomaly), count(time_series_data) FROM detect_anomalies((SELECT * FROM (VALUES
        (1, 1.0), (2, 2.0), (3, NULL), (4, 'NaN'), (5, 3.0)) AS v(t, x)), timestamp_col => t, data_col => x, method => 'mad')";
    assert_eq!(server.rows(sql).await, ["5|3|3"]);
}

#[tokio::test]
async fn wrong_calls_are_refused() {
    let server = Server::after(1, WAVES).await;
    let both = "SELECT * FROM detect_anomalies(waves, timestamp_col => t, data_col => x, threshold => 3, anomaly_prob_threshold => 0.9)";
    let refusal = server.refusal(both).await;
    assert_eq!(
        refusal.hint,
        "Give either threshold or anomaly_prob_threshold."
    );
    let two = "SELECT * FROM detect_anomalies(waves, timestamp_col => t, data_col => (x, t), method => 'mad')";
    assert!(server.refusal(two).await.message.contains("one column"));
    let history = "SELECT * FROM detect_anomalies(waves, timestamp_col => t, data_col => x, method => 'gesd', history => waves)";
    assert!(
        server
            .refusal(history)
            .await
            .message
            .ends_with("is not supported")
    );
}

#[tokio::test]
async fn one_and_two_threads_give_the_same_bits() {
    let sql = "SELECT * FROM detect_anomalies(waves, timestamp_col => t, data_col => x, id_cols => g, method => 'iforest')
               ORDER BY g, time_series_timestamp";
    let one = Server::after(1, WAVES).await.rows(sql).await;
    assert_eq!(one, Server::after(4, WAVES).await.rows(sql).await);
}

const STEPS: &str = "CREATE TABLE steps AS SELECT t, CASE WHEN t > 60 THEN 20.0 ELSE 10.0 END + ((t * 31) % 7) * 0.2 AS x
    FROM generate_series(1, 100) AS s(t)";

#[tokio::test]
async fn a_step_is_a_change() {
    let server = Server::after(2, STEPS).await;
    for arguments in [
        "cost => 'l2'",
        "cost => 'l1'",
        "cost => 'normal'",
        "method => 'bocpd'",
    ] {
        let sql = format!(
            "SELECT time FROM detect_changepoints(steps, timestamp_col => t, data_col => x, {arguments}) WHERE is_changepoint"
        );
        assert_eq!(server.rows(&sql).await, ["61"], "{arguments}");
    }
    let sql = "SELECT count(*), count(*) FILTER (WHERE is_changepoint) FROM detect_changepoints((SELECT t, 1.0 AS x FROM steps),
               timestamp_col => t, data_col => x)";
    assert_eq!(server.rows(sql).await, ["100|0"]);
    let sql = "SELECT status FROM detect_changepoints((SELECT t, x FROM steps WHERE t = 1), timestamp_col => t, data_col => x)";
    assert_eq!(server.rows(sql).await, ["too few observations: 1 < 2"]);
}

/// By hand: 1, 2, 3, 4, 100 and their statistics; NULLs have no score and are not counted.
#[tokio::test]
async fn scores_over_windows_by_hand() {
    let server = Server::after(
        2,
        "CREATE TABLE w AS SELECT * FROM (VALUES (1, 1.0), (2, 2.0), (3, 3.0), (4, NULL), (5, 4.0), (6, 100.0)) AS t(i, x)",
    )
    .await;
    let sql = "SELECT i, round(anomaly_score_zscore(x) OVER w, 6), round(anomaly_score_mad(x) OVER w, 4), anomaly_score_iqr(x, k => 2) OVER w
               FROM w WINDOW w AS (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) ORDER BY i";
    let rows = server.rows(sql).await;
    assert_eq!(rows[5], "6|1.788267|65.4265|24.0");
    assert_eq!(rows[3], "4|||");
    let sql = "SELECT i, anomaly_score_mad(x) OVER (ORDER BY i ROWS BETWEEN 4 PRECEDING AND 1 PRECEDING) FROM w ORDER BY i";
    assert_eq!(
        server.rows(sql).await,
        ["1|", "2|", "3|", "4|", "5|1.349", "6|65.4265"]
    );
}

/// Frames that move, grow and jump give what the same frame gives alone.
#[tokio::test]
async fn scores_follow_their_frames() {
    let server = Server::after(2, WAVES).await;
    for name in [
        "anomaly_score_zscore",
        "anomaly_score_mad",
        "anomaly_score_iqr",
    ] {
        let sql = format!(
            "SELECT count(*) FROM (SELECT t, {name}(x) OVER (ORDER BY t ROWS BETWEEN 20 PRECEDING AND CURRENT ROW) AS s FROM {PART}) AS a
             JOIN (SELECT max(t) AS t, max(s) AS s FROM (SELECT o.t AS last, i.t, {name}(i.x) OVER (PARTITION BY o.t) AS s
                   FROM {PART} AS o JOIN {PART} AS i ON i.t BETWEEN o.t - 20 AND o.t) AS q WHERE q.t = q.last GROUP BY last) AS b USING (t)
             WHERE a.s = b.s OR a.s IS NULL AND b.s IS NULL"
        );
        assert_eq!(server.rows(&sql).await, ["72"], "{name}");
    }
}
