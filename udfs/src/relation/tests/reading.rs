//! What a call reads: queries, tables, views and CTEs, by group or whole.

use super::*;

#[tokio::test]
async fn reads_queries_tables_views_and_ctes() {
    let server = sales(2).await;
    for (call, rows) in [
        (
            "probe((SELECT day, units FROM sales WHERE units < 20))",
            "3",
        ),
        ("probe(northern)", "3"),
        ("probe(NORTHERN)", "3"),
        ("probe(data => northern)", "3"),
        ("probe((northern))", "3"),
        ("probe(public.northern)", "3"),
        ("probe(other.\"Sales\")", "2"),
        ("probe(sales, x => units)", "6"),
        (
            "probe((SELECT s.day, t.units FROM sales s JOIN sales t USING (id)))",
            "6",
        ),
        (
            "probe((WITH w AS (SELECT day, units FROM sales) SELECT * FROM w LIMIT 4))",
            "4",
        ),
    ] {
        let sql = format!("SELECT rows FROM {call}");
        assert_eq!(server.rows(&sql).await, [rows], "{call}");
    }
    for sql in [
        "WITH mine AS (SELECT day, units FROM sales LIMIT 2) SELECT rows FROM probe(mine)",
        "WITH sales AS (SELECT day, units FROM other.\"Sales\" CROSS JOIN (SELECT 1 AS units)) SELECT rows FROM probe(sales)",
        "SELECT (SELECT rows FROM probe((SELECT * FROM northern WHERE units < 12)))",
        "SELECT 2 FROM northern WHERE units IN (SELECT total + 0.5 FROM probe((SELECT day, units FROM northern WHERE units = 10.5)))
         UNION ALL SELECT rows FROM probe(other.\"Sales\")",
    ] {
        let rows = server.rows(sql).await;
        assert!(!rows.is_empty() && rows.iter().all(|row| row == "2"), "{sql}: {rows:?}");
    }
}

#[tokio::test]
async fn groups_by_every_type() {
    let server = sales(3).await;
    let sql = "SELECT region, rows, total FROM probe(sales, id_cols => region, x => units) ORDER BY region";
    assert_eq!(
        server.rows(sql).await,
        ["north|3|33.5", "south|2|NaN", "|1|24.0"]
    );
    for id in [
        "id::smallint",
        "id::bigint",
        "id::real",
        "id::numeric(8, 1)",
        "id > 3",
        "day",
        "day::timestamp",
        "region",
        "arrow_cast(region, 'Utf8View')",
        "arrow_cast(region, 'Dictionary(Int32, Utf8)')",
        "region::bytea",
        "make_array(id)",
    ] {
        let sql = format!(
            "SELECT arrow_typeof(key) = arrow_typeof({id}) AND sum(rows) OVER () = 6
             FROM probe((SELECT day AS at, units, {id} AS key FROM sales), id_cols => key, at => at, x => units)
             CROSS JOIN (SELECT * FROM sales LIMIT 1)"
        );
        let rows = server.rows(&sql).await;
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row == "true"),
            "{id}: {rows:?}"
        );
    }
    let sql = "SELECT key, region, rows FROM probe((SELECT *, id > 1 AS key FROM sales), id_cols => (key, 'region'), x => units) ORDER BY 1, 2";
    assert_eq!(
        server.rows(sql).await,
        ["false|north|1", "true|north|2", "true|south|2", "true||1"]
    );
}

#[tokio::test]
async fn the_name_or_the_alias_qualifies_columns() {
    let server = sales(2).await;
    assert_eq!(
        server.rows("SELECT probe.rows FROM probe(northern)").await,
        ["3"]
    );
    assert_eq!(
        server.rows("SELECT p.rows FROM probe(northern) AS p").await,
        ["3"]
    );
    assert_eq!(
        server
            .rows("SELECT n FROM probe(northern) AS p(n, t, p, w, s)")
            .await,
        ["3"]
    );
    let sql = "SELECT s.id FROM sales s JOIN probe(sales, id_cols => region, x => units) p ON s.region = p.region WHERE p.rows = 2";
    assert_eq!(server.rows(sql).await, ["4", "5"]);
}

#[tokio::test]
async fn further_relations_come_by_group_or_whole() {
    for partitions in [1, 4] {
        let server = sales(partitions).await;
        let sql = "SELECT region, rows, total, past, weights FROM probe(
            (SELECT day, region, units FROM sales WHERE day = DATE '2024-01-01'),
            id_cols => region,
            past => (SELECT units::int AS units, region, day::timestamp AS day, 7 AS more FROM sales WHERE day > DATE '2024-01-01'),
            weights => (SELECT 'a' AS asset, 0.25 AS weight UNION ALL SELECT 'b', 0.5)
        ) ORDER BY region";
        assert_eq!(
            server.rows(sql).await,
            [
                "north|1|10.5|23.0|0.75",
                "south|1|20.0|NaN|0.75",
                "|0|0.0|24.0|0.75"
            ]
        );
        let sql =
            "SELECT rows, past, weights FROM probe(northern, past => northern, weights => 'equal')";
        assert_eq!(server.rows(sql).await, ["3|33.5|"]);
    }
}
