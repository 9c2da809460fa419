//! Calls by name, orders and states, through SQL.

use crate::error::Error;
use crate::testing::Server;

const RETURNS: &str = "(VALUES (1, 0.01, 'a'), (2, -0.02, 'a'), (3, 0.015, 'b'), (4, NULL, 'b'), (5, -0.03, 'b'), \
     (6, 0.02, 'c')) AS r(day, ret, kind)";

async fn rows(sql: &str) -> Vec<String> {
    Server::new(1).await_rows(sql).await
}

impl Server {
    async fn await_rows(&self, sql: &str) -> Vec<String> {
        self.rows(&sql.replace("RETURNS", RETURNS)).await
    }
}

async fn error(sql: &str) -> Error {
    let failed = Server::new(1)
        .try_run(&sql.replace("RETURNS", RETURNS))
        .await
        .unwrap_err();
    Error::find(&failed)
        .unwrap_or_else(|| panic!("not ours: {failed}"))
        .clone()
}

#[tokio::test]
async fn arguments_go_by_name_or_by_place() {
    let by_name = rows("SELECT volatility(ret, periods_per_year => 1), value_at_risk(ret, method => 'normal') FROM RETURNS").await;
    assert_eq!(
        by_name,
        rows("SELECT volatility(ret, 1), value_at_risk(ret, 0.95, 'normal') FROM RETURNS").await
    );
    assert_eq!(by_name, rows("SELECT volatility(periods_per_year => 1.0, ret => ret), value_at_risk(seed => 3, method => 'NORMAL', ret => ret) FROM RETURNS").await);
}

#[tokio::test]
async fn wrong_calls_are_refused_by_name() {
    let unknown = error("SELECT volatility(ret, periods => 1) FROM RETURNS").await;
    assert!(matches!(unknown, Error::UnknownArgument { argument, .. } if argument == "periods"));
    let value =
        error("SELECT value_at_risk(ret, method => 'tea leaves') FROM RETURNS WHERE false").await;
    assert!(matches!(value, Error::InvalidValue { argument, .. } if argument == "method"));
    let twice = error("SELECT volatility(ret, ret => ret) FROM RETURNS").await;
    assert!(matches!(twice, Error::DuplicateArgument { .. }));
    let place = error("SELECT volatility(periods_per_year => 1, ret) FROM RETURNS").await;
    assert_eq!(place, Error::PositionalAfterNamed);
    let many = error("SELECT volatility(ret, 1, 2) FROM RETURNS").await;
    assert!(matches!(many, Error::TooManyArguments { .. }));
    let missing = error("SELECT volatility() FROM RETURNS").await;
    assert!(matches!(missing, Error::MissingArgument { argument, .. } if argument == "ret"));
    let varies = error("SELECT volatility(ret, periods_per_year => day) FROM RETURNS").await;
    assert!(matches!(varies, Error::NotConstant { argument } if argument == "periods_per_year"));
    let null = error("SELECT volatility(ret, periods_per_year => NULL) FROM RETURNS").await;
    assert!(matches!(null, Error::NullValue { .. }));
}

#[tokio::test]
async fn what_needs_an_order_is_refused_without() {
    for sql in [
        "SELECT max_drawdown(ret) FROM RETURNS",
        "SELECT max_drawdown(ret) OVER () FROM RETURNS",
        "SELECT drawdown(ret) OVER (PARTITION BY day) FROM RETURNS",
    ] {
        assert!(matches!(error(sql).await, Error::NoOrder { .. }), "{sql}");
    }
    assert!(matches!(
        error("SELECT drawdown(ret) FROM RETURNS").await,
        Error::NoWindow { .. }
    ));
}

#[tokio::test]
async fn text_is_no_number() {
    let failed = Server::new(1)
        .try_run(&format!("SELECT volatility(kind) FROM {RETURNS}"))
        .await
        .unwrap_err();
    assert!(
        failed
            .to_string()
            .contains("function volatility(text) does not exist"),
        "{failed}"
    );
}

#[tokio::test]
async fn the_order_is_that_of_the_call() {
    let forth = rows(
        "SELECT max_drawdown(ret ORDER BY day), max_drawdown(ret ORDER BY day DESC) FROM RETURNS",
    )
    .await;
    let back = rows("SELECT max_drawdown(ret ORDER BY -day DESC), max_drawdown(ret ORDER BY -day) FROM (SELECT * FROM RETURNS ORDER BY ret) AS x").await;
    assert_eq!(forth, back);
    // 1.01 → 0.9898 → 1.004647 → 0.97450759, by hand.
    assert!(forth[0].starts_with("0.03514"), "{forth:?}");
}

#[tokio::test]
async fn rows_of_many_partitions_give_the_same_bits() {
    let numbers = "SELECT i AS day, sin(i * 12.9898) * 0.03 AS ret, cos(i * 4.1414) * 0.02 AS bench, i % 3 AS part \
                   FROM generate_series(1, 5000) AS g(i)";
    let sql = format!(
        "SELECT part, volatility(ret), sharpe_ratio(ret), market_beta(ret, bench), \
         value_at_risk(ret), expected_shortfall(ret, 0.99), value_at_risk(ret, method => 't'), \
         expected_shortfall(ret, method => 'cornish_fisher'), value_at_risk(ret, method => 'monte_carlo', simulations => 1000), \
         max_drawdown(ret ORDER BY day), up_capture(ret, bench), annual_return(ret) FROM ({numbers}) AS n GROUP BY part ORDER BY part"
    );
    let one = Server::new(1).rows(&sql).await;
    assert_eq!(one.len(), 3);
    assert_eq!(one, Server::new(4).rows(&sql).await);
}

#[tokio::test]
async fn frames_forget_what_leaves_them() {
    let sql = "SELECT volatility(ret) OVER w, value_at_risk(ret) OVER w, max_drawdown(ret) OVER w FROM RETURNS WINDOW w AS (ORDER BY day ROWS 1 PRECEDING)";
    let rolling = rows(sql).await;
    let alone = rows("SELECT volatility(ret), value_at_risk(ret), max_drawdown(ret ORDER BY day) FROM RETURNS WHERE day IN (2, 3)").await;
    assert_eq!(rolling[2], alone[0]);
    // The fourth return is NULL.
    assert!(
        rolling[3].starts_with(" |") || rolling[3].starts_with('|'),
        "{rolling:?}"
    );
}
