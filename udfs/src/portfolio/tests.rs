//! What the functions on portfolios answer through SQL.

use datafusion::arrow::array::RecordBatch;

use crate::testing::Server;

/// Prices of four shares on 120 days for two clients: deterministic waves around a trend.
const PRICES: &str = "CREATE TABLE prices AS
    SELECT client, asset, arrow_cast(arrow_cast(19723 + t, 'Int32'), 'Date32') AS day,
           (100 + k) * exp(0.0005 * k * t + 0.02 * k * sin(t * (1.3 + 0.7 * k) + length(client))) AS price
    FROM (VALUES ('one'), ('other')) AS c(client),
         (VALUES ('A', 1.0), ('B', 2.0), ('C', 3.0), ('D', 4.0)) AS a(asset, k),
         generate_series(0, 119) AS d(t)";

async fn server() -> Server {
    Server::after(2, PRICES).await
}

fn one(server_sql: &str) -> String {
    format!(
        "(SELECT asset, day, price FROM prices WHERE client = 'one'), timestamp_col => day, price_col => price{server_sql}"
    )
}

async fn optimize(server: &Server, arguments: &str, columns: &str) -> Vec<String> {
    server
        .rows(&format!(
            "SELECT {columns} FROM portfolio_optimize({}) ORDER BY 1",
            one(arguments)
        ))
        .await
}

#[tokio::test]
async fn gives_each_asset_a_row() {
    let server = server().await;
    let plan = server
        .plan(&format!("SELECT * FROM portfolio_optimize({})", one("")))
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
            "asset Utf8",
            "weight Float64",
            "risk_contribution Float64",
            "expected_return Float64",
            "portfolio_return Float64",
            "portfolio_volatility Float64",
            "sharpe_ratio Float64",
            "status Utf8",
        ]
    );
    let rows = optimize(
        &server,
        ", objective => 'equal_weight'",
        "asset, weight, status",
    )
    .await;
    assert_eq!(
        rows,
        [
            "A|0.25|optimal",
            "B|0.25|optimal",
            "C|0.25|optimal",
            "D|0.25|optimal"
        ]
    );
}

#[tokio::test]
async fn every_objective_gives_weights_that_sum_to_one() {
    let server = server().await;
    for objective in super::arguments::OBJECTIVES {
        let more = match *objective {
            "efficient_return" => ", target_return => 0.2",
            "efficient_risk" => ", target_volatility => 0.9",
            _ => "",
        };
        for covariance in ["ledoit_wolf", "sample", "oas", "ewma"] {
            let arguments =
                format!(", objective => '{objective}', covariance => '{covariance}'{more}");
            let rows = optimize(
                &server,
                &arguments,
                "round(sum(weight), 8) AS s, round(sum(risk_contribution), 8) AS r, min(status) AS status, count(*) AS n",
            )
            .await;
            assert_eq!(rows, ["1.0|1.0|optimal|4"], "{objective} {covariance}");
        }
    }
}

#[tokio::test]
async fn groups_have_portfolios_and_relations_of_their_own() {
    let server = server().await;
    server
        .run(
            "CREATE TABLE limits AS SELECT * FROM (VALUES
                ('one', 'asset', 'A', NULL, 0.1), ('other', 'asset', 'A', 0.7, NULL), ('other', 'group', 'B, C', 0.2, NULL)
             ) AS t(client, kind, member, lower, upper)",
        )
        .await;
    let sql = "SELECT client, asset, round(weight, 4) AS w FROM portfolio_optimize(prices, timestamp_col => day, price_col => price,
        asset_col => asset, id_cols => client, objective => 'min_volatility', constraints => limits)
        WHERE asset = 'A' ORDER BY 1";
    assert_eq!(server.rows(sql).await, ["one|A|0.1", "other|A|0.7"]);
    // Without the id column the same rows are everyone's.
    let sql = sql.replace(
        "constraints => limits",
        "constraints => (SELECT 'asset' AS kind, 'A' AS member, 0.3 AS upper)",
    );
    assert_eq!(server.rows(&sql).await, ["one|A|0.3", "other|A|0.3"]);
}

#[tokio::test]
async fn infeasible_problems_name_the_constraint() {
    let server = server().await;
    for (constraints, status) in [
        (
            "('asset', 'A', 0.7, NULL), ('asset', 'B', 0.6, NULL)",
            "infeasible: asset \"A\" lower 0.7 against asset \"B\" lower 0.6",
        ),
        (
            "('asset', 'A', 0.7, NULL), ('group', 'A, C', NULL, 0.5), ('group', 'B', NULL, 0.9)",
            "infeasible: asset \"A\" lower 0.7 against group \"A, C\" upper 0.5",
        ),
        (
            "('asset', 'A', 0.7, 0.6)",
            "infeasible: asset \"A\" lower 0.7 against upper 0.6",
        ),
        (
            "('asset', 'X', 0.7, NULL)",
            "constraints names \"X\", which is no asset of the data",
        ),
        (
            "('turnover', NULL, NULL, 0.1)",
            "constraint turnover needs current_weights",
        ),
        (
            "('luck', NULL, NULL, 0.1)",
            "unknown kind of constraint \"luck\": not asset, group, turnover or cardinality",
        ),
    ] {
        let constraints = format!(
            ", objective => 'min_volatility', constraints => (SELECT * FROM (VALUES ('turnover', 'none', NULL, NULL), {constraints})
             AS t(kind, member, lower, upper) WHERE member IS DISTINCT FROM 'none')"
        );
        let constraints =
            constraints.replace("NULL, NULL)", "CAST(NULL AS double), CAST(NULL AS double))");
        assert_eq!(
            optimize(&server, &constraints, "status").await,
            [status],
            "{constraints}"
        );
    }
    for (arguments, status) in [
        (
            ", objective => 'efficient_return', target_return => 900",
            "infeasible: target_return 900 is above the highest possible",
        ),
        (
            ", objective => 'efficient_risk', target_volatility => 0.0001",
            "infeasible: target_volatility 0.0001 is below the lowest possible",
        ),
        (
            ", risk_free_rate => 900",
            "infeasible: no portfolio is expected to earn more than risk_free_rate",
        ),
        (
            ", weight_bounds => ARRAY[0, 0.2]",
            "infeasible: the upper bounds of the weights sum to 0.8, less than 1",
        ),
    ] {
        let rows = optimize(&server, arguments, "status").await;
        assert!(rows[0].starts_with(status) && rows.len() == 1, "{rows:?}");
    }
}

#[tokio::test]
async fn wrong_calls_are_errors_while_planning() {
    let server = server().await;
    let refusal = async |arguments: &str| {
        server
            .refusal(&format!(
                "SELECT * FROM portfolio_optimize({})",
                one(arguments)
            ))
            .await
            .message
    };
    assert_eq!(
        refusal(", objective => 'luck'").await,
        "invalid value for argument \"objective\": \"luck\""
    );
    assert_eq!(
        refusal(", objective => 'hrp', weight_bounds => ARRAY[0, 0.5]").await,
        "argument \"weight_bounds\" with objective 'hrp' is not supported"
    );
    assert_eq!(
        refusal(", objective => 'min_volatility', target_return => 0.1").await,
        "argument \"target_return\" with objective 'min_volatility' is not supported"
    );
    assert_eq!(
        refusal(", objective => 'efficient_return'").await,
        "function \"portfolio_optimize\" needs the argument \"target_return\""
    );
    assert_eq!(
        refusal(", transaction_cost => 0.01").await,
        "function \"portfolio_optimize\" needs the argument \"current_weights\""
    );
    assert_eq!(
        refusal(", weight_bounds => ARRAY[1, 0]").await,
        "invalid value for argument \"weight_bounds\": \"(1, 0)\""
    );
    let none = server
        .refusal("SELECT * FROM portfolio_optimize((SELECT asset, day FROM prices), timestamp_col => day)")
        .await;
    assert_eq!(
        none.message,
        "function \"portfolio_optimize\" needs the argument \"price_col\""
    );
}

#[tokio::test]
async fn costs_turnover_and_cardinality_hold() {
    let server = server().await;
    let held = ", current_weights => (SELECT * FROM (VALUES ('A', 1.0)) AS t(asset, weight))";
    let turnover = format!(
        "{held}, constraints => (SELECT 'turnover' AS kind, 0.5 AS upper), objective => 'max_utility'"
    );
    assert_eq!(
        optimize(
            &server,
            &turnover,
            "round(sum(abs(weight - CASE asset WHEN 'A' THEN 1 ELSE 0 END)), 6) AS traded"
        )
        .await,
        ["0.5"]
    );
    let dear = format!("{held}, transaction_cost => 1, objective => 'min_volatility'");
    assert_eq!(
        optimize(&server, &dear, "asset, round(weight, 6)").await[0],
        "A|1.0"
    );
    let few = ", constraints => (SELECT 'cardinality' AS kind, 2 AS upper), objective => 'max_diversification'";
    assert_eq!(
        optimize(&server, few, "count(*) FILTER (WHERE weight > 0) AS held").await,
        ["2"]
    );
}

#[tokio::test]
async fn views_and_given_returns_move_the_weights() {
    let server = server().await;
    let given = ", objective => 'max_utility', expected_returns => (SELECT asset, CASE asset WHEN 'C' THEN 9.0 ELSE 0 END AS value FROM prices GROUP BY asset)";
    assert_eq!(
        optimize(&server, given, "asset, round(weight, 6), expected_return").await[2],
        "C|1.0|9.0"
    );
    let market = ", market_caps => (SELECT * FROM (VALUES ('A', 1), ('B', 1), ('C', 1), ('D', 1)) AS t(asset, market_cap)), objective => 'max_utility', risk_aversion => 2.5";
    let rows = optimize(&server, market, "asset, round(weight, 6)").await;
    assert_eq!(rows, ["A|0.25", "B|0.25", "C|0.25", "D|0.25"]);
    let views = format!(
        "{market}, views => (SELECT 'A' AS asset, 'D' AS versus, 0.5 AS view_return, 0.9 AS confidence)"
    );
    let rows = optimize(&server, &views, "asset, weight > 0.25").await;
    assert_eq!((rows[0].as_str(), rows[3].as_str()), ("A|true", "D|false"));
    let unknown = format!("{market}, views => (SELECT 'X' AS asset, 0.5 AS view_return)");
    assert_eq!(
        optimize(&server, &unknown, "status").await,
        ["views names \"X\", which is no asset of the data"]
    );
    let missing = ", market_caps => (SELECT 'A' AS asset, 1 AS market_cap)";
    assert_eq!(
        optimize(&server, missing, "status").await,
        ["market_caps has no value of asset \"B\""]
    );
}

#[tokio::test]
async fn what_is_missing_is_dealt_with_or_named() {
    let server = server().await;
    let of = async |values: &str, arguments: &str| {
        let sql = format!(
            "SELECT asset, round(weight, 3) AS w, status FROM portfolio_optimize((SELECT * FROM (VALUES {values}) AS t(asset, day, price)),
             timestamp_col => day, price_col => price, objective => 'inverse_variance'{arguments}) ORDER BY 1"
        );
        server.rows(&sql).await
    };
    let a = "('A', 1, 10.0), ('A', 2, 11.0), ('A', 3, 10.0), ('A', 4, 12.0)";
    assert_eq!(
        of(&format!("{a}, ('B', 4, 7.0)"), "").await,
        [
            "A|1.0|optimal",
            "B|0.0|left out: too few observations: 0 < 2"
        ]
    );
    assert_eq!(
        of("('A', 1, 10.0), ('A', 2, 10.0)", "").await,
        ["||too few observations: 1 < 2"]
    );
    assert_eq!(
        of(&format!("{a}, ('A', 4, 12.0)"), "").await,
        ["||asset \"A\" has two rows at 4"]
    );
    assert_eq!(
        of("('A', 1, 10.0), ('A', 2, -1.0), ('A', 3, 3.0)", "").await,
        ["||price of asset \"A\" is not positive"]
    );
    assert_eq!(
        of(
            &format!("{a}, ('B', 1, 7.0), ('B', 2, 7.0), ('B', 3, 7.0), ('B', 4, 7.0)"),
            ", covariance => 'sample'"
        )
        .await,
        ["||return of asset \"B\" never changes"]
    );
    let gap = format!("{a}, ('B', 1, 7.0), ('B', 2, NULL), ('B', 3, 7.5), ('B', 4, 7.0)");
    assert_eq!(of(&gap, "").await.len(), 2);
    assert_eq!(of(&gap, ", missing => 'fill'").await.len(), 2);
    assert_eq!(
        of(&gap, ", missing => 'error'").await,
        ["||asset \"B\" has no value at 2"]
    );
    let late = format!("{a}, ('B', 3, 7.0), ('B', 4, 7.5), ('B', 5, 7.0)");
    assert_eq!(
        of(&late, "").await,
        ["||too few observations: 1 < 2 that all of 2 assets have"]
    );
    let empty = "SELECT * FROM portfolio_optimize((SELECT asset, day, price FROM prices WHERE false), timestamp_col => day, price_col => price)";
    assert!(server.rows(empty).await.is_empty());
}

#[tokio::test]
async fn the_frontier_rises() {
    let server = server().await;
    let sql = format!(
        "SELECT count(*), count(DISTINCT point), bool_and(step >= 0), round(max(total), 9), round(min(total), 9), min(status) FROM (
            SELECT point, status, portfolio_volatility - lag(portfolio_volatility, 1, 0.0) OVER (ORDER BY point, asset) AS step,
                   sum(weight) OVER (PARTITION BY point) AS total
            FROM efficient_frontier({}, points => 7))",
        one("")
    );
    assert_eq!(server.rows(&sql).await, ["28|7|true|1.0|1.0|optimal"]);
}

#[tokio::test]
async fn covariances_come_in_pairs() {
    let server = server().await;
    let sql = format!(
        "SELECT count(*), bool_and(asset_1 <> asset_2 OR correlation = 1), bool_and(abs(correlation) <= 1),
         round(max(covariance) FILTER (WHERE asset_1 = 'B' AND asset_2 = 'B') / 252 / (
             SELECT var_samp(r) FROM (SELECT price / lag(price) OVER (ORDER BY day) - 1 AS r FROM prices WHERE client = 'one' AND asset = 'B')), 9)
         FROM covariance_matrix({})",
        one(", covariance => 'sample'")
    );
    assert_eq!(server.rows(&sql).await, ["16|true|true|1.0"]);
}

#[tokio::test]
async fn a_backtest_sees_no_future() {
    let server = server().await;
    let backtest = |until: &str| {
        format!(
            "SELECT date, value, turnover FROM portfolio_backtest((SELECT asset, day, price FROM prices WHERE client = 'one' AND day <= DATE '{until}'),
             timestamp_col => day, price_col => price, objective => 'min_volatility', lookback => 30, rebalance => 'weekly', transaction_cost => 0.001)
             WHERE date <= DATE '2024-03-01' ORDER BY date"
        )
    };
    let short = server.rows(&backtest("2024-03-01")).await;
    assert_eq!(short, server.rows(&backtest("2024-04-29")).await);
    assert_eq!(short.len(), 31);
    assert!(short[0].starts_with("2024-01-31|0.999|1.0"), "{}", short[0]);
    let trades = short.iter().filter(|row| !row.ends_with("|0.0")).count();
    assert_eq!(trades, 1 + 4, "{short:?}");
    // One asset alone earns what it earns.
    let sql = "SELECT round(max(value) FILTER (WHERE date = DATE '2024-04-29') / (
            SELECT max(price) FILTER (WHERE day = DATE '2024-04-29') / max(price) FILTER (WHERE day = DATE '2024-01-31') FROM prices WHERE client = 'one' AND asset = 'A'), 9)
        FROM portfolio_backtest((SELECT * FROM prices WHERE client = 'one' AND asset = 'A'), timestamp_col => day, price_col => price, asset_col => asset,
             objective => 'equal_weight', lookback => 30)";
    assert_eq!(server.rows(sql).await, ["1.0"]);
    let sql = format!(
        "SELECT status FROM portfolio_backtest({})",
        one(", lookback => 500")
    );
    assert_eq!(server.rows(&sql).await, ["too few observations: 119 < 501"]);
}

#[tokio::test]
async fn a_budget_buys_whole_shares() {
    let server = server().await;
    // PyPortfolioOpt 1.6, DiscreteAllocation(...).greedy_portfolio(): 5, 9 and 28 shares, 2 left.
    let sql = "SELECT asset, shares, cash_left, status FROM discrete_allocation(
        (SELECT * FROM (VALUES ('a', 0.5), ('b', 0.3), ('c', 0.2)) AS t(asset, weight)), weight_col => weight,
        prices => (SELECT * FROM (VALUES ('a', 101.0), ('b', 33.0), ('c', 7.0), ('d', 1.0)) AS t(asset, price)), budget => 1000) ORDER BY 1";
    assert_eq!(
        server.rows(sql).await,
        ["a|5|2.0|", "b|9|2.0|", "c|28|2.0|"]
    );
    let last = "SELECT asset, shares FROM discrete_allocation(
        (SELECT asset, day, round(price) AS price FROM prices WHERE client = 'one'), timestamp_col => day, price_col => price,
        weights => (SELECT 'B' AS asset, 1.0 AS weight), budget => $1) ORDER BY 1";
    let last = last.replace("$1", "1e4");
    let rows = server.rows(&last).await;
    assert!(rows[0] == "A|0" && rows[1] != "B|0", "{rows:?}");
    let no_price = sql.replace("('c', 7.0), ", "");
    assert_eq!(
        server.rows(&no_price).await,
        ["|||prices has no value of asset \"c\""]
    );
}

/// The bits of a thousand clients' portfolios.
async fn thousand(partitions: usize) -> (usize, Vec<u64>) {
    let server = Server::new(partitions);
    let sql = "SELECT client, asset, weight FROM portfolio_optimize(
        (SELECT c AS client, 'asset ' || a AS asset, d AS day, 0.01 * sin(c + a * (1.7 + 0.3 * d)) + 0.0005 * a AS r
         FROM generate_series(1, 1000) AS x(c), generate_series(1, 5) AS y(a), generate_series(1, 12) AS z(d)),
        asset_col => asset, timestamp_col => day, return_col => r, id_cols => client) ORDER BY client, asset";
    let batches: Vec<RecordBatch> = server.run(sql).await;
    let mut bits = Vec::new();
    for batch in &batches {
        let weights = datafusion::arrow::array::AsArray::as_primitive::<
            datafusion::arrow::datatypes::Float64Type,
        >(batch.column(2));
        bits.extend(weights.values().iter().map(|weight| weight.to_bits()));
    }
    (batches.iter().map(RecordBatch::num_rows).sum(), bits)
}

#[tokio::test]
async fn a_thousand_groups_have_the_same_bits_on_one_thread_and_two() {
    let (rows, one) = thousand(1).await;
    assert_eq!(rows, 5_000);
    assert_eq!(one, thousand(2).await.1);
}
