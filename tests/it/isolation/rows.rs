//! What a tenant can write about rows answers from its own rows alone.

use super::{assert_own, prepare, told};
use crate::client::Client;
use crate::harness::Server;

#[test]
fn reads_of_a_common_table_see_own_rows() {
    let Some(server) = prepare() else { return };
    for role in ["alice", "boss"] {
        let mut client = server.session("acme", role);
        for (sql, expected) in [
            ("SELECT count(*) FROM sales", "3"),
            ("SELECT sum(amount) FROM sales", "60.50"),
            ("SELECT max(amount) FROM sales", "30.50"),
            ("SELECT min(id) || '-' || max(id) FROM sales", "1-3"),
            ("SELECT count(DISTINCT tenant_id) FROM sales", "1"),
            ("SELECT count(*) FROM public.sales", "3"),
            (
                "SELECT count(*) FROM sales WHERE true OR tenant_id = 'globex'",
                "3",
            ),
            ("SELECT count(*) FROM sales WHERE tenant_id = 'globex'", "0"),
            (
                "SELECT count(*) FROM sales a JOIN sales b ON a.id = b.id",
                "3",
            ),
            ("SELECT count(*) FROM sales a CROSS JOIN sales b", "9"),
            (
                "SELECT count(*) FROM sales a FULL JOIN sales b ON false",
                "6",
            ),
            (
                "WITH s AS (SELECT * FROM sales) SELECT count(*) FROM s",
                "3",
            ),
            (
                "WITH s AS MATERIALIZED (SELECT * FROM sales) SELECT count(*) FROM s",
                "3",
            ),
            (
                "WITH RECURSIVE r AS (SELECT id FROM sales UNION SELECT r.id FROM r JOIN sales USING (id)) SELECT count(*) FROM r",
                "3",
            ),
            ("SELECT (SELECT count(*) FROM sales)", "3"),
            (
                "SELECT count(*) FROM generate_series(1, 10) AS n WHERE n IN (SELECT id FROM sales)",
                "3",
            ),
            (
                "SELECT count(*) FROM generate_series(1, 10) AS n WHERE n = ANY (SELECT id FROM sales)",
                "3",
            ),
            (
                "SELECT count(*) FROM generate_series(1, 10) AS n WHERE n <> ALL (SELECT id FROM sales)",
                "7",
            ),
            (
                "SELECT count(*) FROM generate_series(1, 10) AS n WHERE EXISTS (SELECT 1 FROM sales WHERE id = n)",
                "3",
            ),
            (
                "SELECT count(*) FROM generate_series(1, 10) AS n WHERE NOT EXISTS (SELECT 1 FROM sales WHERE id = n)",
                "7",
            ),
            ("SELECT array_length(ARRAY(SELECT id FROM sales), 1)", "3"),
            (
                "SELECT count(*) FROM sales s, LATERAL (SELECT * FROM sales t WHERE t.id = s.id) AS l",
                "3",
            ),
            ("SELECT count(s) FROM sales s", "3"),
            (
                "SELECT string_agg(DISTINCT to_jsonb(s) ->> 'tenant_id', ',') FROM sales s",
                "acme",
            ),
            (
                "SELECT count(*) FROM sales TABLESAMPLE BERNOULLI (100)",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT id FROM generate_series(1, 9) AS id LIMIT (SELECT count(*) FROM sales)) AS l",
                "3",
            ),
            (
                "SELECT count(*) FROM sales s, LATERAL (SELECT t.id FROM sales t WHERE t.id <= s.id ORDER BY t.id LIMIT 5) AS l",
                "6",
            ),
            (
                "SELECT count(*) FROM sales s LEFT JOIN LATERAL (SELECT count(*) AS n FROM sales t WHERE t.id > s.id) AS l ON l.n > 0",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT generate_series(1, id) FROM sales) AS g",
                "6",
            ),
            (
                "SELECT count(*) FROM sales s, generate_series(1, s.id) WITH ORDINALITY AS g (x, n)",
                "6",
            ),
            (
                "SELECT count(*) FROM sales s, jsonb_each_text(to_jsonb(s)) AS e WHERE e.value = 'globex'",
                "0",
            ),
            (
                "SELECT sum((SELECT count(*) FROM sales t WHERE t.id < s.id)) FROM sales s",
                "3",
            ),
            (
                "SELECT count(*) FROM sales WHERE (id, tenant_id) IN (SELECT id, tenant_id FROM sales)",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT tenant_id FROM sales INTERSECT ALL SELECT tenant_id FROM sales) AS i",
                "3",
            ),
            (
                "SELECT count(*) FROM sales a FULL JOIN sales b USING (id)",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT * FROM sales UNION ALL SELECT * FROM sales) AS u",
                "6",
            ),
            (
                "SELECT count(*) FROM (SELECT id FROM sales INTERSECT SELECT id FROM sales) AS u",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT n FROM generate_series(1, 9) AS n EXCEPT SELECT id FROM sales) AS u",
                "6",
            ),
            (
                "SELECT count(*) FROM (SELECT rank() OVER (ORDER BY amount) AS r FROM sales) AS w",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT region FROM sales GROUP BY ROLLUP (region)) AS g",
                "3",
            ),
            (
                "SELECT count(*) FROM (SELECT DISTINCT ON (region) * FROM sales ORDER BY region) AS d",
                "2",
            ),
            (
                "SELECT string_agg(region, ',' ORDER BY id) FROM sales",
                "north,south,north",
            ),
            ("SELECT count(*) FROM (TABLE sales) AS t", "3"),
            ("SELECT count(*) FROM sales HAVING count(*) > 0", "3"),
            (
                "SELECT count(*) FROM sales ORDER BY (SELECT max(amount) FROM sales)",
                "3",
            ),
        ] {
            assert_eq!(client.value(sql), expected, "{role}: {sql}");
            assert_eq!(
                client.extended(sql, &[], 0).rows(),
                [[expected]],
                "{role}, extended: {sql}"
            );
        }
        let rows = client.simple("SELECT * FROM sales");
        assert_own("SELECT * FROM sales", &told(&rows));
        client.run("PREPARE p AS SELECT count(*) FROM sales");
        assert_eq!(client.value("EXECUTE p"), "3");
        let (data, _) = client.copy_out("COPY sales TO STDOUT");
        assert_own("COPY sales TO STDOUT", &String::from_utf8_lossy(&data));
        assert_eq!(data.iter().filter(|&&byte| byte == b'\n').count(), 3);
        let (data, _) = client.copy_out("COPY (SELECT * FROM sales) TO STDOUT (FORMAT csv)");
        assert_own("COPY (query) TO STDOUT", &String::from_utf8_lossy(&data));
        client.run("BEGIN; DECLARE c CURSOR FOR SELECT * FROM sales");
        let fetched = client.simple("FETCH ALL FROM c");
        assert_own("FETCH ALL", &told(&fetched));
        assert_eq!(fetched.rows().len(), 3);
        client.run("ROLLBACK");
        for sql in [
            "EXPLAIN SELECT * FROM sales",
            "EXPLAIN ANALYZE SELECT * FROM sales",
            "EXPLAIN (FORMAT JSON) SELECT * FROM sales",
        ] {
            assert_own(sql, &told(&client.simple(sql)));
        }
    }
}

/// All rows of globex as the operator sees them.
fn globex_rows(operator: &mut Client) -> Vec<Vec<String>> {
    operator.rows("SELECT * FROM sales WHERE tenant_id = 'globex' ORDER BY id, amount")
}

#[test]
fn writes_touch_own_rows_alone() {
    let Some(server) = prepare() else { return };
    let mut operator = server.operator();
    let before = globex_rows(&mut operator);
    for role in ["alice", "boss"] {
        let mut client = server.session("acme", role);
        for sql in [
            "UPDATE sales SET amount = 0",
            "UPDATE sales SET amount = 0 WHERE tenant_id = 'globex'",
            "UPDATE sales SET amount = s.amount FROM sales s WHERE s.id = sales.id",
            "DELETE FROM sales",
            "DELETE FROM sales WHERE tenant_id = 'globex'",
            "DELETE FROM sales USING sales s WHERE s.id <> 0",
            "MERGE INTO sales USING (SELECT 7 AS id) AS x ON sales.id = x.id WHEN MATCHED THEN DELETE",
            "WITH gone AS (DELETE FROM sales RETURNING *) SELECT * FROM gone",
            "WITH u AS (UPDATE sales SET id = id RETURNING *), i AS (INSERT INTO sales (id) SELECT id FROM u RETURNING *) SELECT * FROM i",
            "DELETE FROM sales USING sales s RETURNING s.*",
            "MERGE INTO sales USING sales s ON sales.id = s.id WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id) RETURNING *",
            "EXPLAIN ANALYZE DELETE FROM sales RETURNING *",
            "INSERT INTO sales (id) SELECT id FROM sales RETURNING *",
            "INSERT INTO sales SELECT * FROM sales",
            "TRUNCATE sales",
            "DROP TABLE sales",
            "ALTER TABLE sales ADD COLUMN x int",
            "ALTER TABLE sales RENAME TO mine",
            "ALTER TABLE sales DISABLE ROW LEVEL SECURITY",
            "VACUUM sales",
            "ANALYZE sales",
        ] {
            client.run("BEGIN");
            let reply = client.simple(sql);
            let text = told(&reply);
            assert!(
                !text.contains("7000") && !text.contains("globex-"),
                "{sql}: {text}"
            );
            client.simple("ROLLBACK");
            // Once more for good, on a copy of the state that the operator puts back.
            client.simple(sql);
            assert_eq!(globex_rows(&mut operator), before, "{role}: {sql}");
        }
        for sql in [
            "INSERT INTO sales VALUES ('globex', 99, 'x', 1)",
            "INSERT INTO sales (tenant_id, id) VALUES ('nosuch', 99)",
            "INSERT INTO sales (tenant_id, id) SELECT 'globex', 99",
        ] {
            let error = client.fail(sql);
            assert_eq!(error.code(), "42501", "{role}: {sql}");
            assert_eq!(
                error.message(),
                "new row violates row-level security policy for table \"sales\""
            );
        }
        let reply = client.copy_in(
            "COPY sales FROM STDIN (FORMAT csv)",
            &[b"acme,50,a,1\nglobex,51,b,2\n"],
        );
        assert_eq!(reply.code(), "42501", "{role}");
        assert_eq!(
            client.value("SELECT count(*) FROM sales WHERE id = 50"),
            "0"
        );
        client.simple("INSERT INTO sales (id, amount) VALUES (1, 1)");
        let moved = client.simple("UPDATE sales SET tenant_id = 'globex'");
        assert_eq!(moved.code(), "42501", "{role}");
        assert_eq!(globex_rows(&mut operator), before, "{role}");
    }
}

#[test]
fn expressions_fail_on_own_rows_alone() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run(
        "INSERT INTO sales (tenant_id, id, region, amount) VALUES ('globex', 0, 'not a number', 0)",
    );
    let mut client = server.session("acme", "alice");
    assert_eq!(
        client.value("SELECT count(*) FROM sales WHERE 1 / id >= 0"),
        "3"
    );
    assert!(
        !client
            .fail("SELECT region::int FROM sales")
            .message()
            .contains("not a number")
    );
}

#[test]
fn foreign_keys_look_at_own_rows_alone() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("CREATE TABLE lent (id int PRIMARY KEY)");
    operator.run("CREATE TABLE refers (id int REFERENCES lent ON DELETE CASCADE)");
    operator.run("GRANT REFERENCES ON lent TO tenant_admin");
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("INSERT INTO lent (id) VALUES (7000)");
    globex.run("INSERT INTO refers (id) VALUES (7000)");
    globex.run("CREATE TABLE launch (id int REFERENCES lent)");
    globex.run("INSERT INTO launch VALUES (7000)");
    // Another tenant's key is none.
    let error = acme.fail("INSERT INTO refers (id) VALUES (7000)");
    assert_eq!(error.code(), "23503");
    assert_eq!(
        error.field('D'),
        "Key (id)=(7000) is not present in table \"lent\"."
    );
    // Another tenant's reference holds nothing here, nor does its transaction.
    acme.run("INSERT INTO lent (id) VALUES (7000)");
    acme.run("INSERT INTO refers (id) VALUES (7000)");
    globex.run("BEGIN");
    globex.run("INSERT INTO refers (id) VALUES (7000)");
    acme.run("DELETE FROM lent");
    assert_eq!(acme.value("SELECT count(*) FROM refers"), "0");
    globex.run("COMMIT");
    assert_eq!(globex.value("SELECT count(*) FROM refers"), "2");
    for sql in [
        "SELECT * FROM pg_constraint WHERE contype = 'f'",
        "SELECT * FROM information_schema.referential_constraints",
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint",
    ] {
        assert_own(sql, &told(&acme.simple(sql)));
    }
    // What the operator is told names the constraint, and its statement changes nothing.
    let error = operator.fail("DELETE FROM lent WHERE tenant_id = 'globex'");
    assert_eq!(error.code(), "23503");
    assert_eq!(globex.value("SELECT count(*) FROM lent"), "1");
    operator.run("DELETE FROM lent WHERE tenant_id = 'acme'");
}

#[test]
fn a_pooled_session_carries_nothing_over() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut client = server.session("acme", "alice");
    client.run("CREATE TEMP TABLE mine AS SELECT * FROM sales");
    client.run("PREPARE p AS SELECT * FROM sales");
    client.run("SET search_path = pg_temp");
    client.run("DISCARD ALL");
    assert_eq!(client.fail("SELECT * FROM mine").code(), "42P01");
    assert_eq!(client.fail("EXECUTE p").code(), "26000");
    assert_eq!(client.value("SELECT count(*) FROM sales"), "3");
}
