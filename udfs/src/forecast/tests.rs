use crate::testing::Server;

const SALES: &str = "CREATE TABLE sales AS SELECT * FROM (VALUES
    (DATE '2024-01-01', 'north', 10), (DATE '2024-01-02', 'north', 11), (DATE '2024-01-03', 'north', 12),
    (DATE '2024-01-01', 'south', 20), (DATE '2024-01-02', 'south', 22), (DATE '2024-01-03', 'south', 24)
) AS t(day, region, units)";

async fn naive(values: &str, arguments: &str) -> Vec<String> {
    let server = Server::new(2);
    let sql = format!(
        "SELECT forecast_timestamp, forecast_value, status
         FROM forecast((SELECT * FROM (VALUES {values}) AS t(ts, value)), model => 'naive', horizon => 2 {arguments})
         ORDER BY 1"
    );
    server.rows(&sql).await
}

#[tokio::test]
async fn forecasts_every_group() {
    let server = Server::after(2, SALES).await;
    let sql = "SELECT region, forecast_timestamp, forecast_value, confidence_level, model, status
               FROM forecast(sales, id_cols => region, horizon => 2, model => 'naive', confidence_level => 0.9)
               ORDER BY region, forecast_timestamp";
    assert_eq!(
        server.rows(sql).await,
        [
            "north|2024-01-04|12.0|0.9|Naive|",
            "north|2024-01-05|12.0|0.9|Naive|",
            "south|2024-01-04|24.0|0.9|Naive|",
            "south|2024-01-05|24.0|0.9|Naive|",
        ]
    );
}

#[tokio::test]
async fn describes_the_columns_of_the_manual() {
    let server = Server::after(2, SALES).await;
    let plan = server
        .plan("SELECT * FROM forecast(sales, id_cols => (region))")
        .await
        .unwrap();
    let columns: Vec<String> = plan
        .schema()
        .fields()
        .iter()
        .map(|f| format!("{} {}", f.name(), f.data_type()))
        .collect();
    assert_eq!(
        columns,
        [
            "region Utf8",
            "forecast_timestamp Date32",
            "forecast_value Float64",
            "prediction_interval_lower_bound Float64",
            "prediction_interval_upper_bound Float64",
            "confidence_level Float64",
            "model Utf8",
            "status Utf8",
        ]
    );
}

#[tokio::test]
async fn keeps_the_type_of_time() {
    for (first, second, next) in [
        ("DATE '2024-02-27'", "DATE '2024-02-28'", "2024-02-29"),
        (
            "TIMESTAMP '2024-02-27 06:00:00'",
            "TIMESTAMP '2024-02-28 06:00:00'",
            "2024-02-29T06:00:00",
        ),
        (
            "arrow_cast(TIMESTAMP '2024-02-27 06:00:00', 'Timestamp(Second, None)')",
            "arrow_cast(TIMESTAMP '2024-02-28 06:00:00', 'Timestamp(Second, None)')",
            "2024-02-29T06:00:00",
        ),
        (
            "arrow_cast(TIMESTAMP '2024-02-27 06:00:00', 'Timestamp(Microsecond, Some(\"UTC\"))')",
            "arrow_cast(TIMESTAMP '2024-02-28 06:00:00', 'Timestamp(Microsecond, Some(\"UTC\"))')",
            "2024-02-29T06:00:00Z",
        ),
    ] {
        let rows = naive(&format!("({first}, 1.5), ({second}, 2.5)"), "").await;
        assert_eq!(rows[0], format!("{next}|2.5|"));
    }
}

#[tokio::test]
async fn days_keep_their_hour_through_daylight_saving() {
    // In New York clocks went from -05 to -04 on 2024-03-10.
    let zone = |time: &str| {
        format!(
            "arrow_cast(TIMESTAMP '{time}', 'Timestamp(Microsecond, Some(\"America/New_York\"))')"
        )
    };
    let values = [
        "2024-03-08 00:00:00",
        "2024-03-09 00:00:00",
        "2024-03-10 00:00:00",
    ]
    .map(zone);
    let values: Vec<String> = values.iter().map(|time| format!("({time}, 1)")).collect();
    let rows = naive(&values.join(", "), "").await;
    assert_eq!(
        rows,
        [
            "2024-03-11T00:00:00-04:00|1.0|",
            "2024-03-12T00:00:00-04:00|1.0|"
        ]
    );
}

#[tokio::test]
async fn takes_every_number_type() {
    for data_type in [
        "smallint",
        "int",
        "bigint",
        "real",
        "double precision",
        "numeric(10, 2)",
    ] {
        let values =
            format!("(DATE '2024-01-01', 3::{data_type}), (DATE '2024-01-02', 4::{data_type})");
        assert_eq!(
            naive(&values, "").await[0],
            "2024-01-03|4.0|",
            "{data_type}"
        );
    }
}

#[tokio::test]
async fn integers_are_time_when_asked() {
    let rows = naive(
        "(10, 1.0), (12, 2.0), (16, 4.0)",
        ", timestamp_col => ts, data_col => value",
    )
    .await;
    assert_eq!(rows, ["18|4.0|", "20|4.0|"]);
    let rows = naive(
        "(10, 1.0), (16, 4.0)",
        ", timestamp_col => ts, data_col => value, frequency => '3'",
    )
    .await;
    assert_eq!(rows, ["19|4.0|", "22|4.0|"]);
}

#[tokio::test]
async fn an_empty_input_gives_no_rows() {
    let server = Server::after(2, SALES).await;
    for ids in ["", ", id_cols => region"] {
        let sql = format!("SELECT * FROM forecast((SELECT * FROM sales WHERE units < 0){ids})");
        assert!(server.rows(&sql).await.is_empty());
    }
}

#[tokio::test]
async fn too_little_is_a_status() {
    assert_eq!(
        naive("(DATE '2024-01-01', 1)", "").await,
        ["||too few observations: 1 < 2"]
    );
    assert_eq!(
        naive("(DATE '2024-01-01', NULL::int), (NULL, 2)", "").await,
        ["||too few observations: 0 < 1"]
    );
}

#[tokio::test]
async fn a_bad_group_spoils_no_other() {
    let server = Server::after(2, SALES).await;
    let sql = "SELECT region, forecast_value, model, status FROM forecast(
                 (SELECT * FROM sales WHERE region = 'north' OR units = 20),
                 id_cols => region, horizon => 1, model => 'naive') ORDER BY region";
    assert_eq!(
        server.rows(sql).await,
        ["north|12.0|Naive|", "south|||too few observations: 1 < 2"]
    );
    let refusal = server
        .refusal(&sql.replace("horizon", "on_error => 'abort', horizon"))
        .await;
    assert_eq!(
        refusal.message,
        "function \"forecast\" failed: too few observations: 1 < 2"
    );
    assert_eq!(refusal.detail, "The group is region = south.");
}

#[tokio::test]
async fn fills_gaps_or_names_them() {
    let values = "(DATE '2024-01-01', 1), (DATE '2024-01-02', 2), (DATE '2024-01-05', 5), (DATE '2024-01-04', NULL)";
    let history = ", output_history => true";
    assert_eq!(
        naive(values, history).await,
        [
            "2024-01-01|1.0|",
            "2024-01-02|2.0|",
            "2024-01-03|3.0|",
            "2024-01-04|4.0|",
            "2024-01-05|5.0|",
            "2024-01-06|5.0|",
            "2024-01-07|5.0|",
        ]
    );
    assert_eq!(
        naive(values, ", on_gap => 'error'").await,
        ["||no value at 2024-01-03"]
    );
}

#[tokio::test]
async fn merges_duplicates_or_names_them() {
    let values = "(DATE '2024-01-01', 1), (DATE '2024-01-02', 4), (DATE '2024-01-02', 2)";
    assert_eq!(naive(values, "").await[0], "2024-01-03|3.0|");
    assert_eq!(
        naive(values, ", on_duplicate => 'sum'").await[0],
        "2024-01-03|6.0|"
    );
    assert_eq!(
        naive(values, ", on_duplicate => 'error'").await,
        ["||several values at 2024-01-02"]
    );
}

#[tokio::test]
async fn a_given_frequency_gathers_finer_rows() {
    let values = "(DATE '2024-01-01', 1), (DATE '2024-01-02', 2), (DATE '2024-01-08', 5), (DATE '2024-01-15', 7)";
    let rows = naive(
        values,
        ", frequency => 'week', on_duplicate => 'sum', output_history => true",
    )
    .await;
    assert_eq!(rows[0], "2024-01-01|3.0|");
    assert_eq!(rows[3], "2024-01-22|7.0|");
    let rows = naive(values, ", frequency => 'week', on_duplicate => 'error'").await;
    assert_eq!(rows, ["||several values at 2024-01-01"]);
}

#[tokio::test]
async fn months_end_where_they_end() {
    let values = "(DATE '2023-11-30', 1), (DATE '2023-12-31', 2), (DATE '2024-01-31', 3)";
    assert_eq!(
        naive(values, "").await,
        ["2024-02-29|3.0|", "2024-03-31|3.0|"]
    );
}

#[tokio::test]
async fn the_default_model_follows_trend_and_season() {
    let server = Server::new(2);
    // The pattern goes on with 1300 to 1340 on five days and 850 and 860 on two, exactly.
    let sql = "SELECT forecast_timestamp, forecast_value, model LIKE 'auto%',
                      prediction_interval_lower_bound <= forecast_value AND forecast_value <= prediction_interval_upper_bound, status
               FROM forecast((SELECT TIMESTAMP '2024-01-01 00:00:00' + (i || ' days')::interval AS ts,
                                     100 + 10 * i + CASE WHEN i % 7 < 5 THEN 500 ELSE 0 END AS value
                              FROM generate_series(0, 69) AS g(i)), horizon => 7) ORDER BY 1";
    let rows = server.rows(sql).await;
    assert_eq!(rows[0], "2024-03-11T00:00:00|1300.0|true|true|");
    assert_eq!(rows[6], "2024-03-17T00:00:00|860.0|true|true|");
}

#[tokio::test]
async fn nan_and_infinity_are_never_returned() {
    let values = "(DATE '2024-01-01', 1.0), (DATE '2024-01-02', 'NaN'::double precision), (DATE '2024-01-03', 3.0)";
    assert_eq!(naive(values, "").await[0], "2024-01-04|3.0|");
}

#[tokio::test]
async fn refuses_a_series_of_countless_steps() {
    let values = "(TIMESTAMP '1970-01-01 00:00:00', 1), (TIMESTAMP '1970-01-01 00:00:01', 1), (TIMESTAMP '2024-01-01 00:00:00', 2)";
    let rows = naive(values, "").await;
    assert!(
        rows[0].contains("too many steps from first to last"),
        "{rows:?}"
    );
}

#[tokio::test]
async fn history_has_no_bounds() {
    let server = Server::after(1, SALES).await;
    let sql = "SELECT count(*), count(prediction_interval_lower_bound), count(confidence_level), count(model)
               FROM forecast(sales, id_cols => region, horizon => 2, model => 'naive', output_history => true)";
    assert_eq!(server.rows(sql).await, ["10|4|4|4"]);
}

#[tokio::test]
async fn names_what_is_not_built_or_wrong() {
    let server = Server::after(1, SALES).await;
    for (arguments, message) in [
        (
            "exog_cols => units",
            "function \"forecast\" needs the argument \"future\"",
        ),
        (
            "future => (SELECT day, region FROM sales)",
            "function \"forecast\" needs the argument \"exog_cols\"",
        ),
        (
            "model => 'nonsense'",
            "invalid value for argument \"model\": \"nonsense\"",
        ),
        (
            "frequency => 'nonsense'",
            "invalid value for argument \"frequency\": \"nonsense\"",
        ),
        (
            "confidence_level => 1",
            "invalid value for argument \"confidence_level\": \"1\"",
        ),
        (
            "horizon => 0",
            "invalid value for argument \"horizon\": \"0\"",
        ),
        (
            "seasonal_periods => 'weekly'",
            "invalid value for argument \"seasonal_periods\": \"weekly\"",
        ),
    ] {
        let sql = format!(
            "SELECT * FROM forecast(sales, timestamp_col => day, data_col => units, {arguments})"
        );
        assert_eq!(server.refusal(&sql).await.message, message);
    }
}

#[tokio::test]
async fn seasonal_periods_may_be_a_word_a_number_or_a_list() {
    let server = Server::after(1, SALES).await;
    for periods in ["'auto'", "2", "'2'", "(2, 3)", "ARRAY[2, 3]", "'{2,3}'"] {
        let sql = format!(
            "SELECT * FROM forecast(sales, id_cols => region, model => 'naive', seasonal_periods => {periods})"
        );
        assert_eq!(server.rows(&sql).await.len(), 20, "{periods}");
    }
}

#[tokio::test]
async fn partitions_change_no_forecast() {
    let sql = "SELECT * FROM forecast(
                 (SELECT i % 5 AS shop, TIMESTAMP '2024-01-01 00:00:00' + (i / 5 || ' hours')::interval AS ts,
                         100 + (i * 37) % 11 + i / 9.0 AS value FROM generate_series(0, 399) AS g(i)),
                 id_cols => shop, horizon => 3, seed => 7) ORDER BY shop, forecast_timestamp";
    let one = Server::new(1).rows(sql).await;
    assert_eq!(one.len(), 15);
    assert_eq!(one, Server::new(4).rows(sql).await);
}

const LINE: &str =
    "CREATE TABLE line AS SELECT DATE '2024-01-01' + i * INTERVAL '1 day' AS day, 10.0 + 2 * i AS x
    FROM generate_series(0, 29) AS s(i)";

#[tokio::test]
async fn past_forecasts_are_judged() {
    let server = Server::after(2, LINE).await;
    let sql = "SELECT model, fold, cutoff, min(forecast_timestamp), max(forecast_timestamp), count(*), max(abs(actual - forecast_value)) < 1e-9
        FROM forecast_backtest(line, timestamp_col => day, data_col => x, models => ('drift', 'naive'), horizon => 3, n_folds => 2, gap => 1)
        GROUP BY model, fold, cutoff ORDER BY 1, 2";
    let found: Vec<String> = server.rows(sql).await;
    assert_eq!(
        found
            .iter()
            .map(|row| row.replace("T00:00:00", ""))
            .collect::<Vec<_>>(),
        [
            "drift|1|2024-01-23|2024-01-25|2024-01-27|3|true",
            "drift|2|2024-01-26|2024-01-28|2024-01-30|3|true",
            "naive|1|2024-01-23|2024-01-25|2024-01-27|3|false",
            "naive|2|2024-01-26|2024-01-28|2024-01-30|3|false",
        ]
    );
    // By hand: naive is off by 2, 4, 6; the history's steps over a week are 14.
    let sql = "SELECT model, folds, round(mae, 9), round(mase, 9), round(bias, 9), rank, status
        FROM forecast_evaluate(line, timestamp_col => day, data_col => x, models => ('drift', 'naive'), horizon => 3, n_folds => 2)
        ORDER BY rank";
    assert_eq!(
        server.rows(sql).await,
        ["drift|2|0.0|0.0|0.0|1|", "naive|2|4.0|0.285714286|-4.0|2|"]
    );
    let sql = "SELECT count(*), max(status) FROM forecast_evaluate((SELECT * FROM line LIMIT 3), timestamp_col => day, data_col => x, horizon => 9)";
    assert_eq!(server.rows(sql).await, ["1|too few observations: 3 < 11"]);
    let sql = "SELECT * FROM forecast_backtest(line, timestamp_col => day, data_col => x, models => ('oracle'))";
    assert!(server.refusal(sql).await.message.contains("oracle"));
}

#[tokio::test]
async fn sliding_windows_forget_the_past() {
    let server = Server::new(1);
    let sql = "SELECT round(max(forecast_value), 6) FROM forecast_backtest((SELECT i, CASE WHEN i < 20 THEN 100.0 ELSE 1.0 + 0.01 * i END AS x
            FROM generate_series(0, 59) AS s(i)), timestamp_col => i, data_col => x, models => ('mean'), n_folds => 2, horizon => 5, ";
    let expanding = server
        .rows(&format!("{sql} window_type => 'expanding')"))
        .await;
    let sliding = server
        .rows(&format!(
            "{sql} window_type => 'sliding', initial_train_size => 10)"
        ))
        .await;
    assert!(
        expanding[0].parse::<f64>().unwrap() > 20.0 && sliding[0].parse::<f64>().unwrap() < 2.0
    );
}

/// A price that lowers sales by two for each unit, and a holiday that adds 40, both known ahead.
const SHOP: &str = "CREATE TABLE shop AS
    SELECT g, DATE '2024-01-01' + i AS day, 1.0 * ((i * 7) % 5) AS price,
           100 - 2.0 * ((i * 7) % 5) + 0.1 * ((i * 31) % 7) + CASE WHEN i IN (24, 55, 85, 105) THEN 40 ELSE 0 END AS units
      FROM generate_series(0, 119) AS s(i), (VALUES ('a'), ('b')) AS g(g)";
const DAYS: &str = "(SELECT 'fair' AS holiday, DATE '2024-01-01' + i AS day FROM (VALUES (24), (55), (85), (105)) AS f(i))";

#[tokio::test]
async fn regressors_and_holidays_are_known_ahead() {
    let server = Server::after(2, SHOP).await;
    for model in ["auto", "arima", "ets", "prophet"] {
        let sql = format!(
            "SELECT g, count(*), max(abs(forecast_value - units)) < 1.5, max(status)
             FROM forecast((SELECT * FROM shop WHERE day < DATE '2024-04-10'), timestamp_col => day, data_col => units, id_cols => g,
                  exog_cols => price, future => (SELECT g, day, price FROM shop WHERE day >= DATE '2024-04-10'),
                  holidays => {DAYS}, horizon => 10, model => '{model}', seasonal_periods => 1) AS f
             JOIN shop AS s USING (g) WHERE s.day = f.forecast_timestamp GROUP BY g ORDER BY g"
        );
        let rows = server.rows(&sql).await;
        assert_eq!(rows, ["a|10|true|", "b|10|true|"], "{model}");
    }
}

#[tokio::test]
async fn a_step_ahead_without_its_regressor_is_refused() {
    let server = Server::after(1, SHOP).await;
    let sql = "SELECT status FROM forecast((SELECT * FROM shop WHERE g = 'a'), timestamp_col => day, data_col => units,
               exog_cols => price, future => (SELECT DATE '2024-04-30' AS day, 1.0 AS price), horizon => 2, model => 'arima')";
    assert_eq!(
        server.rows(sql).await,
        ["no value of \"price\" at 2024-05-01"]
    );
}

#[tokio::test]
async fn holidays_of_other_steps_than_days_mark_the_step_they_lie_in() {
    let server = Server::new(1);
    // Every December is 50 higher; the holiday lies inside the month.
    let sql = "SELECT forecast_timestamp, forecast_value > 130 FROM forecast((
                 SELECT TIMESTAMP '2015-01-01 00:00:00' + i * INTERVAL '1 month' AS at, 100.0 + CASE WHEN i % 12 = 11 THEN 50 ELSE 0 END + i % 3 AS x
                 FROM generate_series(0, 58) AS s(i)), timestamp_col => at, data_col => x, horizon => 2, model => 'prophet',
                 seasonal_periods => 1,
                 holidays => (SELECT 'christmas' AS holiday, DATE '2015-12-25' + y * INTERVAL '1 year' AS day FROM generate_series(0, 9) AS s(y)))";
    assert_eq!(
        server.rows(sql).await,
        ["2019-12-01T00:00:00|true", "2020-01-01T00:00:00|false"]
    );
}

#[tokio::test]
async fn a_backtest_knows_the_regressors() {
    let server = Server::after(1, SHOP).await;
    let sql = format!(
        "SELECT mae < 1, status FROM forecast_evaluate((SELECT * FROM shop WHERE g = 'a'), timestamp_col => day, data_col => units,
         exog_cols => price, holidays => {DAYS}, horizon => 5, n_folds => 3, models => 'arima', seasonal_periods => 1)"
    );
    assert_eq!(server.rows(&sql).await, ["true|"]);
}
