use crate::testing::Server;

const VISITS: &str = "CREATE TABLE visits AS SELECT * FROM (VALUES
    ('web', 1, TIMESTAMP '2024-01-03 10:00:00', 'view'), ('web', 1, TIMESTAMP '2024-01-03 10:05:00', 'cart'),
    ('web', 1, TIMESTAMP '2024-02-10 09:00:00', 'buy'), ('web', 2, TIMESTAMP '2024-01-20 12:00:00', 'view'),
    ('web', 2, TIMESTAMP '2024-01-20 12:10:00', 'cart'), ('web', 2, TIMESTAMP '2024-01-20 12:20:00', 'buy'),
    ('web', 3, TIMESTAMP '2024-02-02 08:00:00', 'cart'), ('web', 3, TIMESTAMP '2024-03-02 08:00:00', 'view'),
    ('app', 4, TIMESTAMP '2024-03-01 00:00:00', 'view'), ('app', NULL, TIMESTAMP '2024-03-01 00:00:00', 'view')
) AS t(channel, who, at, event)";

/// By hand.
#[tokio::test]
async fn cohorts_by_hand() {
    let server = Server::after(2, VISITS).await;
    let sql = "SELECT channel, cohort, cohort_size, period, active, retention, status
               FROM cohort_retention(visits, user_col => who, timestamp_col => at, id_cols => channel) ORDER BY 1, 2, 4";
    assert_eq!(
        server.rows(sql).await,
        [
            "app|2024-03-01T00:00:00|1|0|1|1.0|",
            "web|2024-01-01T00:00:00|2|0|2|1.0|",
            "web|2024-01-01T00:00:00|2|1|1|0.5|",
            "web|2024-01-01T00:00:00|2|2|0|0.0|",
            "web|2024-02-01T00:00:00|1|0|1|1.0|",
            "web|2024-02-01T00:00:00|1|1|1|1.0|",
        ]
    );
    let sql = "SELECT cohort, period, active FROM cohort_retention((SELECT at::date AS day, who FROM visits WHERE channel = 'web'),
               user_col => who, period => 'week', periods => 1) ORDER BY 1, 2";
    assert_eq!(
        server.rows(sql).await,
        [
            "2024-01-01|0|1",
            "2024-01-01|1|0",
            "2024-01-15|0|1",
            "2024-01-15|1|0",
            "2024-01-29|0|1",
            "2024-01-29|1|0"
        ]
    );
}

/// By hand: user 1 buys after a month, user 3 views after the cart.
#[tokio::test]
async fn a_funnel_by_hand() {
    let server = Server::after(2, VISITS).await;
    let call = |rest: &str| {
        format!(
            "SELECT channel, step, event, users, round(conversion, 3), round(step_conversion, 3), median_seconds
             FROM funnel(visits, user_col => who, event_col => event, timestamp_col => at, id_cols => channel,
                         steps => ('view', 'cart', 'buy'){rest}) ORDER BY 1, 2"
        )
    };
    assert_eq!(
        server.rows(&call("")).await,
        [
            "app|1|view|1|1.0|1.0|",
            "app|2|cart|0|0.0|0.0|",
            "app|3|buy|0|0.0||",
            "web|1|view|3|1.0|1.0|",
            "web|2|cart|2|0.667|0.667|450.0",
            "web|3|buy|2|0.667|1.0|1639950.0",
        ]
    );
    let soon = server.rows(&call(", within => '1 day'")).await;
    assert_eq!(soon[5], "web|3|buy|1|0.333|0.5|600.0");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::after(1, VISITS).await;
    let found = server
        .refusal("SELECT * FROM funnel(visits, user_col => who, event_col => event, timestamp_col => at, steps => ('view'), within => 'soon')")
        .await;
    assert_eq!(
        found.message,
        "invalid value for argument \"within\": \"soon\""
    );
    let found = server
        .refusal("SELECT * FROM cohort_retention(visits, timestamp_col => at)")
        .await;
    assert_eq!(
        found.message,
        "function \"cohort_retention\" needs the argument \"user_col\""
    );
    let found = server
        .refusal("SELECT * FROM cohort_retention(visits, user_col => who, timestamp_col => who)")
        .await;
    assert!(
        found.message.contains("must be a date or timestamp"),
        "{found}"
    );
}
