use crate::testing::Server;

const DATA: &str = "CREATE TABLE d AS SELECT * FROM (VALUES
    (1, 2.5, 1.0, 'a', 'x'), (2, 3.1, 2.0, 'b', 'x'), (3, 2.9, 3.5, 'a', 'y'), (4, 4.0, 3.0, 'b', 'y'), (5, 3.6, 5.0, 'a', 'x'),
    (6, 5.2, 6.5, 'b', 'y'), (7, 4.1, 7.0, 'a', 'x'), (8, NULL, 8.0, 'b', 'y'), (9, 4.4, NULL, 'a', 'y'), (10, 6.0, 9.5, 'b', 'y')
) AS t(i, x, y, g, h)";

async fn row(sql: &str) -> String {
    Server::after(2, DATA).await.rows(sql).await.join("\n")
}

/// scipy 1.17: ttest_1samp.
#[tokio::test]
async fn tests_answer_records() {
    let sql = "SELECT round(t['statistic'], 9), round(t['p_value'], 9), t['df'] FROM (SELECT ttest_1samp(x, mu => 3) AS t FROM d)";
    assert_eq!(row(sql).await, "2.619001223|0.030698051|8.0");
}

#[tokio::test]
async fn nothing_and_constants_answer_null() {
    let all: Vec<&str> = super::aggregates()
        .map(|spec| spec.declaration.name)
        .collect();
    assert!(all.len() > 45);
    let server = Server::after(2, DATA).await;
    for spec in super::aggregates() {
        let name = spec.declaration.name;
        let values = spec.declaration.values();
        let order = if spec.declaration.role == crate::function::Role::OrderedAggregate {
            " ORDER BY i"
        } else {
            ""
        };
        for x in [
            "x",
            "CAST(NULL AS DOUBLE)",
            "CAST('NaN' AS DOUBLE)",
            "1.0",
            "1e300 * i",
        ] {
            let args = vec![x; values].join(", ");
            for filter in ["false", "i = 1", "true"] {
                let sql = format!("SELECT {name}({args}{order}) FROM d WHERE {filter}");
                let found = server.rows(&sql).await.join("\n");
                assert!(filter != "false" || found.is_empty(), "{sql}: {found}");
                assert!(!found.contains("inf"), "{sql}: {found}");
            }
        }
    }
}

#[tokio::test]
async fn the_order_of_rows_and_threads_change_no_bit() {
    let (one_thread, threads) = (Server::after(1, DATA).await, Server::after(4, DATA).await);
    for spec in super::aggregates() {
        let declaration = &spec.declaration;
        let ordered = declaration.role == crate::function::Role::OrderedAggregate;
        let order = if ordered { " ORDER BY i" } else { "" };
        let args = ["x", "y", "x"][..declaration.values()].join(", ");
        let call = format!("SELECT g, {}({args}{order}) AS r FROM ", declaration.name);
        let plain = format!("{call} d GROUP BY g ORDER BY g");
        let shuffled = format!("{call} (SELECT * FROM d ORDER BY -i) GROUP BY g ORDER BY g");
        let one = one_thread.rows(&plain).await;
        assert_eq!(one, threads.rows(&shuffled).await, "{plain}");
    }
}

/// Two calls that differ in their options alone are two answers.
#[tokio::test]
async fn calls_with_other_options_answer_for_themselves() {
    let sql = "SELECT g, a['statistic'] > b['statistic'], cardinality(c) < cardinality(t) FROM (
        SELECT g, ttest_1samp(x, mu => 1) AS a, ttest_1samp(x, mu => 3) AS b,
            acf(x, lags => 1 ORDER BY i) AS c, acf(x, lags => 2 ORDER BY i) AS t
        FROM d GROUP BY g) AS q ORDER BY g";
    assert_eq!(row(sql).await, "a|true|true\nb|true|true");
}
