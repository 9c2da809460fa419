//! What is refused at planning, and what becomes of a group that has no answer.

use super::*;

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let server = sales(2).await;
    for (call, message, hint) in [
        (
            "probe(northern, horizon => 1)",
            "function \"probe\" has no argument named \"horizon\"",
            "Its arguments are: data, at, x, id_cols, past, weights, limit, share, steps, tags, exact, on_error.",
        ),
        (
            "probe(northern, limit => 1, limit => 2)",
            "argument name \"limit\" used more than once",
            "",
        ),
        (
            "probe(northern, 12)",
            "function \"probe\" takes its options by name",
            "Only the first argument may go without a name",
        ),
        (
            "probe()",
            "function \"probe\" needs the argument \"data\"",
            "Write probe((SELECT ...), ...).",
        ),
        (
            "probe('northern')",
            "argument \"data\" must be a query in parentheses or the name of a table",
            "Write a query",
        ),
        (
            "probe(northern, past => 'sales')",
            "argument \"past\" must be a query",
            "",
        ),
        (
            "probe(sales, x => unit)",
            "column \"unit\" of argument \"x\" does not exist",
            "The columns are: id, day, region, units.",
        ),
        (
            "probe(sales, x => \"Units\")",
            "column \"Units\" of argument \"x\" does not exist",
            "",
        ),
        (
            "probe(sales, x => region)",
            "column \"region\" of argument \"x\" must be a number, not text",
            "",
        ),
        (
            "probe(sales, x => (id, units))",
            "argument \"x\" must be one column, not a list",
            "",
        ),
        (
            "probe(sales, x => s.units)",
            "argument \"x\" must be the name of a column",
            "",
        ),
        (
            "probe(sales, x => id + 1)",
            "argument \"x\" must be the name of a column",
            "",
        ),
        (
            "probe(sales, id_cols => (region, region), x => id)",
            "invalid value for argument \"id_cols\": \"region\"",
            "Each column",
        ),
        (
            "probe(sales)",
            "cannot tell which column is \"x\"",
            "Write x => and one of: id, units.",
        ),
        (
            "probe((SELECT region, id FROM sales))",
            "cannot tell which column is \"at\"",
            "There is no column that is a date, timestamp or integer.",
        ),
        (
            "probe((SELECT s.day, t.day, s.units FROM sales s, sales t), at => day)",
            "column reference \"day\" of argument \"at\" is ambiguous",
            "Give",
        ),
        (
            "probe(northern, limit => 1.5)",
            "argument \"limit\" must be an integer, not double precision",
            "",
        ),
        (
            "probe(northern, limit => 'many')",
            "argument \"limit\" must be an integer, not text",
            "",
        ),
        (
            "probe(northern, limit => true)",
            "argument \"limit\" must be an integer, not boolean",
            "",
        ),
        (
            "probe(northern, limit => (1, 2))",
            "argument \"limit\" must be an integer, not a list",
            "",
        ),
        (
            "probe(northern, limit => 500 * 3)",
            "invalid value for argument \"limit\": \"1500\"",
            "It must be between 1 and 1000.",
        ),
        (
            "probe(northern, limit => NULL)",
            "argument \"limit\" must not be null",
            "",
        ),
        (
            "probe(northern, limit => units)",
            "argument \"limit\" must be a constant",
            "",
        ),
        (
            "probe(northern, limit => (SELECT 1))",
            "argument \"limit\" must be a constant",
            "",
        ),
        (
            "probe(northern, limit => 1 + (SELECT 1))",
            "argument \"limit\" must be a constant",
            "",
        ),
        (
            "probe(northern, share => random())",
            "argument \"share\" must be a constant",
            "",
        ),
        (
            "probe(northern, share => 'NaN')",
            "argument \"share\" must be a number, not text",
            "",
        ),
        (
            "probe(northern, share => -0.5)",
            "invalid value for argument \"share\": \"-0.5\"",
            "It must be between 0 and 1.",
        ),
        (
            "probe(northern, exact => 3)",
            "argument \"exact\" must be boolean, not bigint",
            "",
        ),
        (
            "probe(northern, steps => (1, 100))",
            "invalid value for argument \"steps\": \"100\"",
            "It must be between 1 and 99.",
        ),
        (
            "probe(northern, tags => 7)",
            "argument \"tags\" must be text, not bigint",
            "",
        ),
        (
            "probe(northern, on_error => 'ignore')",
            "invalid value for argument \"on_error\": \"ignore\"",
            "Allowed are: status, abort.",
        ),
        (
            "probe(northern, past => (SELECT 1 AS units))",
            "column \"day\" of argument \"past\" does not exist",
            "The columns are: units.",
        ),
        (
            "probe(northern, weights => (SELECT 'a' AS asset))",
            "column \"weight\" of argument \"weights\" does not exist",
            "",
        ),
        (
            "probe(northern, weights => (SELECT 1 AS asset, 1 AS weight))",
            "column \"asset\" of argument \"weights\" must be text, not bigint",
            "",
        ),
        (
            "probe(northern, weights => 'heavy')",
            "invalid value for argument \"weights\": \"heavy\"",
            "Allowed are: equal.",
        ),
        (
            "sales s, LATERAL probe((SELECT s.day, s.units))",
            "LATERAL in function \"probe\" is not supported",
            "",
        ),
        (
            "probe(northern) WITH ORDINALITY",
            "WITH ORDINALITY in function \"probe\" is not supported",
            "",
        ),
    ] {
        let refusal = server.refusal(&format!("SELECT * FROM {call}")).await;
        assert!(refusal.message.starts_with(message), "{call}: {refusal}");
        assert!(refusal.hint.starts_with(hint), "{call}: {refusal}");
    }
    let own = "SELECT rows FROM probe((SELECT day, units FROM sales s WHERE EXISTS (SELECT 1 FROM sales u WHERE u.id = s.id + 1)))";
    assert_eq!(
        server
            .rows(&own.replace("probe((", "probe(x => units, data => ("))
            .await,
        ["5"]
    );
    let deep = "SELECT (SELECT rows FROM probe((SELECT day, units FROM sales s WHERE EXISTS (SELECT 1 FROM sales u WHERE u.id = t.id)))) FROM sales t";
    let shallow = "SELECT (SELECT rows FROM probe((SELECT day, units FROM sales s WHERE s.id = t.id))) FROM sales t";
    for correlated in [shallow, deep] {
        assert_eq!(
            server.refusal(correlated).await.message,
            "a reference to an outer query in function \"probe\" is not supported"
        );
    }
}

#[tokio::test]
async fn a_refused_group_is_a_row_or_the_end() {
    let server = sales(2).await;
    let sql = "SELECT region, rows, status FROM probe(sales, id_cols => region, x => units, limit => 2) ORDER BY region";
    assert_eq!(
        server.rows(sql).await,
        ["north||too many rows: 3 > 2", "south|2|", "|1|"]
    );
    let refusal = server
        .refusal(&sql.replace("limit", "on_error => 'abort', limit"))
        .await;
    assert_eq!(
        refusal.message,
        "function \"probe\" failed: too many rows: 3 > 2"
    );
    assert_eq!(refusal.detail, "The group is region = north.");
}
