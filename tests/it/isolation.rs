//! Every kind of statement tried across the tenant border.
//!
//! Two ways of looking. What a tenant can write about rows must answer from its own rows alone.
//! What it can write about names must answer the same, to the letter, whether another tenant has
//! that name or nobody has.

use crate::client::{Client, Reply};
use crate::harness::{PASSWORD, Server, Tessera, quoted};

/// What only globex has; none of it may ever reach acme.
const FOREIGN: &[&str] = &["globex", "7000", "launch", "gina"];

/// Two tenants, and in globex a table, view, schema and role of its own.
fn prepare() -> Option<Tessera> {
    let server = Server::tessera()?;
    let mut operator = server.two_tenants();
    operator.run(&format!(
        "CREATE ROLE gina IN TENANT globex LOGIN PASSWORD '{}'",
        quoted(PASSWORD)
    ));
    let mut globex = server.session("globex", "boss");
    for sql in [
        "CREATE TABLE secret (id int PRIMARY KEY NOT ENFORCED, word text)",
        "INSERT INTO secret VALUES (1, 'launch code 7000'), (2, 'launch date')",
        "CREATE VIEW secret_view AS SELECT word FROM secret",
        "CREATE SCHEMA secret_schema",
        "CREATE TYPE secret_mood AS ENUM ('launch', 'hold')",
        "CREATE DOMAIN secret_size AS int CONSTRAINT launch_size CHECK (VALUE > 7000)",
        "CREATE TABLE secret_types (m secret_mood, s secret_size)",
        "CREATE TABLE secret_schema.inner_secret (id int)",
        "COMMENT ON TABLE secret IS 'launch plans'",
    ] {
        globex.run(sql);
    }
    Some(server)
}

/// Everything a reply says, in one string.
fn told(reply: &Reply) -> String {
    let fields = |error: &crate::client::ServerError| {
        let fields = error
            .0
            .iter()
            .filter(|(letter, _)| !"FLR".contains(**letter));
        fields
            .map(|(letter, text)| format!("{letter}={text}\n"))
            .collect::<String>()
    };
    let mut text = String::new();
    for answer in &reply.answers {
        answer
            .columns
            .iter()
            .for_each(|column| text.push_str(&format!("{} ", column.name)));
        answer
            .text()
            .iter()
            .for_each(|row| text.push_str(&format!("{row:?}\n")));
        text.push_str(answer.tag.as_deref().unwrap_or_default());
    }
    reply
        .error
        .iter()
        .chain(&reply.notices)
        .for_each(|error| text.push_str(&fields(error)));
    text
}

#[track_caller]
fn assert_own(sql: &str, text: &str) {
    for foreign in FOREIGN {
        assert!(
            !text.contains(foreign),
            "{sql}\ntells of {foreign}:\n{text}"
        );
    }
}

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
fn a_name_that_another_tenant_has_answers_as_one_that_nobody_has() {
    let Some(server) = prepare() else { return };
    for role in ["alice", "boss"] {
        let mut client = server.session("acme", role);
        for template in [
            "SELECT * FROM secret",
            "SELECT * FROM public.secret",
            "SELECT * FROM globex.public.secret",
            "SELECT * FROM globex.secret",
            "SELECT * FROM secret_view",
            "SELECT * FROM secret_schema.inner_secret",
            "SELECT nextval('secret_seq')",
            "SELECT 'secret'::regclass",
            "SELECT to_regclass('secret')",
            "SELECT to_regclass('secret_schema.inner_secret')",
            "SELECT has_table_privilege('secret', 'SELECT')",
            "SELECT pg_relation_size('secret')",
            "SELECT pg_total_relation_size('secret')",
            "SELECT obj_description('secret'::regclass)",
            "SELECT * FROM forecast(secret, timestamp_col => id, data_col => id)",
            "SELECT * FROM forecast(sales, timestamp_col => id, data_col => amount, exog_cols => id, future => secret)",
            "SELECT * FROM forecast(sales, timestamp_col => id, data_col => amount, holidays => (SELECT * FROM secret))",
            "SELECT * FROM regress(secret, y_col => id, x_cols => id)",
            "SELECT * FROM kmeans(secret, key_col => id, x_cols => id)",
            "SELECT * FROM kmeans_centers((SELECT * FROM secret), x_cols => id)",
            "SELECT * FROM pca(secret, x_cols => id)",
            "SELECT * FROM pca_scores(secret, key_col => id, x_cols => id)",
            "SELECT * FROM cohort_retention(secret, user_col => id, timestamp_col => id)",
            "SELECT * FROM funnel(secret, user_col => id, timestamp_col => id, event_col => id, steps => ('a'))",
            "SELECT * FROM portfolio_optimize(secret, asset_col => id, timestamp_col => id, price_col => id)",
            "SELECT * FROM portfolio_optimize(sales, asset_col => id, timestamp_col => id, price_col => amount, constraints => secret)",
            "SELECT * FROM portfolio_optimize(sales, asset_col => id, timestamp_col => id, price_col => amount, views => (SELECT * FROM secret))",
            "SELECT * FROM efficient_frontier(secret, asset_col => id, timestamp_col => id, price_col => id)",
            "SELECT * FROM portfolio_backtest(secret, asset_col => id, timestamp_col => id, price_col => id)",
            "SELECT * FROM covariance_matrix(secret, asset_col => id, timestamp_col => id, price_col => id)",
            "SELECT * FROM discrete_allocation(secret, asset_col => id, price_col => id, weight_col => id, budget => 1)",
            "SELECT * FROM secret FOR VERSION AS OF 1",
            "EXPLAIN SELECT * FROM secret",
            "PREPARE q AS SELECT * FROM secret",
            "COPY secret TO STDOUT",
            "COPY secret FROM STDIN",
            "INSERT INTO secret VALUES (1)",
            "UPDATE secret SET id = 1",
            "DELETE FROM secret",
            "MERGE INTO secret USING sales ON secret.id = sales.id WHEN MATCHED THEN DELETE",
            "TRUNCATE secret",
            "DROP TABLE secret",
            "DROP TABLE IF EXISTS secret",
            "DROP VIEW secret_view",
            "DROP SCHEMA secret_schema",
            "ALTER TABLE secret ADD COLUMN x int",
            "COMMENT ON TABLE secret IS 'x'",
            "GRANT SELECT ON secret TO alice",
            "REVOKE SELECT ON secret FROM alice",
            "CREATE POLICY p ON secret USING (true)",
            "CREATE VIEW mine AS SELECT * FROM secret",
            "CREATE INDEX ON secret (id)",
            "DROP INDEX secret_pkey",
            "ALTER INDEX secret_pkey RENAME TO mine",
            "REINDEX TABLE secret",
            "CREATE TABLE mine (id int REFERENCES secret)",
            "CREATE TABLE mine (id int, FOREIGN KEY (id) REFERENCES public.secret (id) NOT ENFORCED)",
            "CREATE TABLE mine (LIKE secret INCLUDING ALL)",
            "CREATE TABLE mine AS SELECT * FROM secret WITH NO DATA",
            "SELECT * INTO mine FROM secret",
            "CREATE MATERIALIZED VIEW mine AS SELECT * FROM secret",
            "REFRESH MATERIALIZED VIEW secret",
            "DROP MATERIALIZED VIEW secret",
            "ALTER TABLE secret ALTER COLUMN id TYPE text",
            "ANALYZE secret",
            "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM secret",
            "SET search_path = secret_schema; SELECT * FROM inner_secret; RESET search_path",
            "SET ROLE gina",
            "ALTER ROLE gina LOGIN",
            "DROP ROLE gina",
            "GRANT gina TO alice",
            "SELECT pg_has_role('gina', 'USAGE')",
            "SELECT 'gina'::regrole",
            "DROP TENANT globex",
            "ALTER TENANT globex SUSPEND",
            "ALTER TENANT globex ROTATE KEY",
            "ALTER TENANT globex SET ENCRYPTION ON",
            "ALTER SYSTEM ROTATE MASTER KEY",
            "ALTER DATABASE globex RENAME TO other",
            "SELECT has_database_privilege('globex', 'CONNECT')",
            "SELECT pg_database_size('globex')",
            "CREATE ROLE intruder IN TENANT globex LOGIN",
            "GRANT SELECT ON sales TO ROLE gina IN TENANT globex",
            "SELECT current_setting('tessera.tenant'), set_config('tessera.tenant', 'globex', false)",
            "SET tenant = 'globex'",
            "SELECT 'launch'::secret_mood",
            "SELECT 'nothing'::public.secret_mood",
            "SELECT NULL::secret_mood[]",
            "SELECT enum_range(NULL::secret_mood)",
            "SELECT 1::secret_size",
            "SELECT 'secret_mood'::regtype",
            "SELECT to_regtype('secret_size')",
            "SELECT has_type_privilege('secret_mood', 'USAGE')",
            "CREATE TABLE mine (m secret_mood)",
            "CREATE TABLE mine (m secret_size[])",
            "ALTER TABLE sales ADD COLUMN mine secret_size",
            "CREATE DOMAIN mine AS secret_mood",
            "PREPARE q (secret_mood) AS SELECT $1",
            "ALTER TYPE secret_mood ADD VALUE 'x'",
            "ALTER TYPE secret_mood RENAME VALUE 'launch' TO 'x'",
            "ALTER DOMAIN secret_size DROP CONSTRAINT launch_size",
            "DROP TYPE secret_mood",
            "DROP TYPE IF EXISTS secret_mood CASCADE",
            "DROP DOMAIN secret_size CASCADE",
            "COMMENT ON TYPE secret_mood IS 'x'",
            "GRANT USAGE ON TYPE secret_mood TO alice",
        ] {
            let mut ask = |sql: &str| {
                let text = told(&client.simple(sql));
                client.simple("ROLLBACK; DISCARD ALL");
                text
            };
            let present = ask(template);
            let swap = |text: &str| {
                text.replace("secret", "absent")
                    .replace("gina", "nora")
                    .replace("globex", "nobody")
            };
            let absent = ask(&swap(template));
            assert_eq!(swap(&present), absent, "{role}: {template}");
        }
    }
    let mut globex = server.session("globex", "boss");
    assert_eq!(globex.value("SELECT count(*) FROM secret_view"), "2");
}

#[test]
fn quotas_plans_and_usage_tell_a_tenant_of_itself_alone() {
    let Some(server) = prepare() else { return };
    let mut operator = server.operator();
    for sql in [
        "CREATE PLAN globex_launch WITH (tables = 7000, forecast = off)",
        "CREATE PLAN plain WITH (tables = 100)",
        "ALTER TENANT globex SET PLAN globex_launch",
        "ALTER TENANT globex SET QUOTA (result_rows = 7000)",
        "ALTER TENANT acme SET PLAN plain",
    ] {
        operator.run(sql);
    }
    let _other = server.session("globex", "gina");
    for role in ["alice", "boss"] {
        let mut client = server.session("acme", role);
        for (sql, expected) in [
            (
                "SELECT string_agg(DISTINCT tenantname, ',') FROM tessera.tenant_usage",
                "acme",
            ),
            (
                "SELECT string_agg(DISTINCT tenantname, ',') FROM tessera.quotas",
                "acme",
            ),
            (
                "SELECT string_agg(planname, ',') FROM tessera.plans",
                "plain",
            ),
            ("SELECT count(tenants) FROM tessera.plans", "0"),
            (
                "SELECT count(*) FROM tessera.tenant_usage WHERE tenantname = 'globex' OR true",
                "2",
            ),
            (
                "SELECT count(*) FROM (SELECT * FROM tessera.quotas WHERE value = 7000) AS q",
                "0",
            ),
            (
                "SELECT in_use FROM tessera.quotas WHERE quota = 'connections' AND rolename IS NULL",
                "1",
            ),
        ] {
            let text = told(&client.simple(sql));
            assert_own(sql, &text);
            assert_eq!(client.value(sql), expected, "{role}: {sql}");
        }
        for sql in [
            "TABLE tessera.tenant_usage",
            "TABLE tessera.quotas",
            "TABLE tessera.encryption",
            "EXPLAIN ANALYZE SELECT * FROM tessera.encryption",
            "COPY tessera.encryption TO STDOUT",
            "TABLE tessera.plans",
            "EXPLAIN ANALYZE SELECT * FROM tessera.tenant_usage",
            "COPY tessera.quotas TO STDOUT",
            "SELECT * FROM tessera.tenant_usage AS u JOIN tessera.quotas AS q USING (tenantname)",
        ] {
            assert_own(sql, &told(&client.simple(sql)));
        }
        for sql in [
            "ALTER TENANT acme SET QUOTA (tables = none)",
            "ALTER TENANT acme RESET QUOTA",
            "ALTER TENANT acme SET ENCRYPTION OFF",
            "ALTER TENANT acme ROTATE KEY",
            "UPDATE tessera.encryption SET encrypted = false",
            "ALTER TENANT acme SET PLAN globex_launch",
            "ALTER TENANT acme RESET PLAN",
            "CREATE PLAN mine WITH (tables = 100)",
            "ALTER PLAN plain SET (tables = none)",
            "ALTER PLAN globex_launch RENAME TO mine",
            "DROP PLAN globex_launch",
            "ALTER ROLE gina IN TENANT globex SET QUOTA (statements = 1)",
            "INSERT INTO tessera.quotas (tenantname) VALUES ('acme')",
            "UPDATE tessera.tenant_usage SET queries = 0",
            "DELETE FROM tessera.tenant_usage",
        ] {
            let reply = client.simple(sql);
            assert_ne!(reply.code(), "", "{role}: {sql}");
            // The name of a plan that the statement itself holds may come back.
            let text = told(&reply).replace("globex_launch", "");
            assert_own(sql, &text);
        }
        // Whether there is a plan of that name is not told.
        let answer = |name: &str, client: &mut Client| {
            let reply = client.simple(&format!("DROP PLAN {name}"));
            told(&reply).replace(name, "NAME")
        };
        let (present, absent) = (
            answer("globex_launch", &mut client),
            answer("nothing_of_it", &mut client),
        );
        assert_eq!(present, absent);
    }
    assert_eq!(
        operator.value("SELECT count(*) FROM tessera.tenant_usage WHERE period = 'day'"),
        "2"
    );
}

#[test]
fn a_tenant_may_use_the_names_of_another() {
    let Some(server) = prepare() else { return };
    let mut client = server.session("acme", "boss");
    for sql in [
        "CREATE TABLE secret (other text)",
        "INSERT INTO secret VALUES ('own')",
        "CREATE VIEW secret_view AS SELECT other FROM secret",
        "CREATE SCHEMA secret_schema",
        "CREATE TYPE secret_mood AS ENUM ('own')",
        "CREATE DOMAIN secret_size AS text",
        "CREATE ROLE gina",
    ] {
        client.run(sql);
    }
    assert_eq!(client.value("SELECT other FROM secret_view"), "own");
    assert_eq!(
        server
            .session("globex", "gina")
            .value("SELECT current_tenant()"),
        "globex"
    );
}

#[test]
fn catalogs_hold_the_tenants_own() {
    let Some(server) = prepare() else { return };
    let _globex = server.session("globex", "gina");
    for role in ["alice", "boss"] {
        let mut client = server.session("acme", role);
        let catalogs = client.rows(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname IN ('pg_catalog', 'information_schema', 'tessera') AND c.relkind IN ('r', 'v') ORDER BY 1",
        );
        let names: Vec<String> = catalogs.into_iter().map(|mut row| row.remove(0)).collect();
        assert!(names.len() > 40, "the catalogs list themselves: {names:?}");
        for name in names {
            let sql = format!("SELECT * FROM {name}");
            let reply = client.simple(&sql);
            assert!(
                matches!(reply.code(), "" | "42501"),
                "{sql}: {:?}",
                reply.error
            );
            // Regina is a place in Canada.
            assert_own(
                &sql,
                &told(&reply).replace("launchd", "").replace("Regina", ""),
            );
        }
        assert_eq!(client.rows("SELECT datname FROM pg_database"), [["acme"]]);
        assert_eq!(
            client.value(
                "SELECT count(DISTINCT datname) FROM pg_stat_activity WHERE datname IS NOT NULL"
            ),
            "1"
        );
        assert_own("SHOW ALL", &told(&client.simple("SHOW ALL")));
    }
}

#[test]
fn numbers_tell_nothing_of_others() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    // Much work in globex moves no counter in acme.
    let oid = |client: &mut Client, name: &str| -> i64 {
        client.run(&format!("CREATE TABLE {name} (n int)"));
        client
            .value(&format!("SELECT '{name}'::regclass::oid::bigint"))
            .parse()
            .expect("a number")
    };
    let first = oid(&mut acme, "first");
    for n in 0..20 {
        oid(&mut globex, &format!("g{n}"));
    }
    let second = oid(&mut acme, "second");
    acme.run("CREATE TABLE third (n int)");
    let third: i64 = acme
        .value("SELECT 'third'::regclass::oid::bigint")
        .parse()
        .expect("a number");
    assert_eq!(second - first, third - second, "{first} {second} {third}");
    assert!(
        first >= 1 << 30,
        "tenants' objects count from 2^30: {first}"
    );
    let xid = |client: &mut Client| -> i64 {
        client
            .value("SELECT txid_current()")
            .parse()
            .expect("a number")
    };
    let before = xid(&mut acme);
    (0..20).for_each(|_| globex.run("INSERT INTO g0 VALUES (1)"));
    assert!(xid(&mut acme) - before <= 2);
    // A common table has one OID everywhere.
    let sales = "SELECT 'sales'::regclass::oid";
    assert_eq!(acme.value(sales), globex.value(sales));
    assert_eq!(acme.value(sales), operator.value(sales));
}

#[test]
fn cancel_and_signals_stop_at_the_border() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut globex = server.session("globex", "boss");
    let pid: i64 = globex
        .value("SELECT pg_backend_pid()")
        .parse()
        .expect("a number");
    let mut acme = server.session("acme", "boss");
    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        let foreign = told(&acme.simple(&format!("SELECT {function}({pid})")));
        let absent = told(&acme.simple(&format!("SELECT {function}({})", pid ^ 1)));
        assert_eq!(
            foreign.replace(&pid.to_string(), "PID"),
            absent.replace(&(pid ^ 1).to_string(), "PID")
        );
    }
    assert_eq!(globex.value("SELECT 1"), "1");
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
fn locks_and_unique_keys_do_not_reach_across() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("CREATE TABLE keyed (id int PRIMARY KEY, n int)");
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("BEGIN");
    globex.run("INSERT INTO keyed (id) VALUES (1)");
    globex.run("SELECT pg_advisory_lock(42)");
    acme.run("SET statement_timeout = '5s'");
    acme.run("INSERT INTO keyed (id) VALUES (1)");
    acme.run("SELECT pg_advisory_lock(42)");
    globex.run("LOCK TABLE keyed IN ACCESS EXCLUSIVE MODE");
    assert_eq!(acme.value("SELECT count(*) FROM keyed"), "1");
    globex.run("COMMIT");
    assert_eq!(operator.value("SELECT count(*) FROM keyed"), "2");
    assert_eq!(
        acme.fail("INSERT INTO keyed (id) VALUES (1)").code(),
        "23505"
    );
}

#[test]
fn locks_on_shared_tables_are_felt_by_no_other() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("CREATE SHARED TABLE lent_out (id int)");
    operator.run("GRANT SELECT ON lent_out TO PUBLIC");
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("BEGIN");
    globex.run("SELECT * FROM lent_out");
    operator.run("SET lock_timeout = '2s'");
    operator.run("TRUNCATE lent_out");
    operator.run("BEGIN");
    operator.run("LOCK TABLE lent_out");
    acme.run("SET lock_timeout = '2s'");
    assert_eq!(acme.value("SELECT count(*) FROM lent_out"), "0");
    acme.run("BEGIN");
    let error = acme.fail("LOCK TABLE lent_out IN ACCESS SHARE MODE");
    assert_eq!(error.code(), "0A000");
    acme.run("ROLLBACK");
    acme.run("BEGIN");
    assert_eq!(acme.fail("LOCK TABLE lent_out").code(), "42501");
}

#[test]
fn locks_and_messages_of_one_tenant_are_not_seen_in_another() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("LISTEN news");
    globex.run("SELECT pg_advisory_lock(5)");
    globex.run("BEGIN");
    globex.run("LOCK TABLE sales IN SHARE MODE");
    let locks = "SELECT count(*) FROM pg_locks";
    assert_eq!(acme.value(locks), "0");
    assert_eq!(acme.value("SELECT count(*) FROM pg_lock_status()"), "0");
    assert_eq!(globex.value(locks), "2");
    assert_eq!(operator.value(locks), "2");
    globex.run("COMMIT");
    assert_eq!(acme.value("SELECT pg_advisory_unlock(5)"), "f");
    acme.run("NOTIFY news, 'of acme'");
    operator.run("NOTIFY news, 'of the operator'");
    let reply = globex.simple("NOTIFY news, 'own'");
    // One message came, its own.
    assert_eq!(reply.trace, "CAZ");
    assert_eq!(acme.rows("SELECT * FROM pg_listening_channels()").len(), 0);
    // An operator in the tenant's database is heard there.
    server
        .operator_in("globex")
        .run("NOTIFY news, 'from inside'");
    assert_eq!(globex.read().tag, 'A');
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

#[test]
fn policies_and_masks_stop_at_the_border() {
    let Some(server) = prepare() else { return };
    let mut globex = server.session("globex", "boss");
    for sql in [
        "CREATE POLICY launch ON secret TO gina USING (word = 'launch code 7000')",
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
        "CREATE MASKING POLICY launch USING ('7000') TO gina",
        "ALTER TABLE secret ALTER COLUMN word SET MASKING POLICY launch",
        "CREATE POLICY launch ON sales TO gina USING (true)",
    ] {
        globex.run(sql);
    }
    let mut acme = server.session("acme", "boss");
    for sql in [
        "SELECT * FROM pg_policies",
        "SELECT * FROM pg_policy",
        "SELECT * FROM tessera.masking_policies",
        "SELECT * FROM tessera.column_masks",
        "SELECT relname FROM pg_class WHERE relrowsecurity",
    ] {
        let reply = acme.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        let text = told(&reply);
        assert!(
            FOREIGN.iter().all(|foreign| !text.contains(foreign)),
            "{sql}: {text}"
        );
    }
    // What globex has answers as what nobody has.
    for template in [
        "CREATE POLICY p ON {} USING (true)",
        "CREATE POLICY p ON sales USING (id IN (SELECT id FROM {}))",
        "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
        "DROP POLICY launch ON {}",
        "ALTER TABLE {} ALTER COLUMN word SET MASKING POLICY launch",
    ] {
        let ours = acme.fail(&template.replace("{}", "secret"));
        let nobodys = acme.fail(&template.replace("{}", "nosuch"));
        assert_eq!(ours.code(), nobodys.code(), "{template}");
        assert_eq!(
            ours.message().replace("secret", "nosuch"),
            nobodys.message(),
            "{template}"
        );
    }
    assert_eq!(
        acme.fail("CREATE POLICY p ON sales TO gina USING (true)")
            .message(),
        "role \"gina\" does not exist"
    );
    assert_eq!(
        acme.fail("ALTER TABLE sales ALTER COLUMN amount SET MASKING POLICY launch")
            .message(),
        "masking policy \"launch\" does not exist"
    );
    assert_eq!(
        acme.fail("CREATE POLICY p ON sales TO alice IN TENANT globex USING (true)")
            .code(),
        "42501"
    );
    // The same names are free here.
    acme.run("CREATE MASKING POLICY launch USING FULL");
    acme.run("DROP MASKING POLICY launch");
}

#[test]
fn the_operators_policies_bind_open_sessions_at_once() {
    let Some(server) = prepare() else { return };
    let mut operator = server.operator();
    let mut acme = server.session("acme", "boss");
    let mut globex = server.session("globex", "boss");
    let count = "SELECT count(*) FROM sales";
    for session in [&mut acme, &mut globex] {
        session.run("PREPARE q AS SELECT count(*) FROM sales");
        assert_ne!(session.value("EXECUTE q"), "0");
    }
    operator.run("ALTER TABLE sales ENABLE ROW LEVEL SECURITY");
    for session in [&mut acme, &mut globex] {
        assert_eq!(session.value("EXECUTE q"), "0");
        assert_eq!(session.value(count), "0");
        assert_eq!(
            session
                .fail("INSERT INTO sales (id, amount) VALUES (1, 1)")
                .code(),
            "42501"
        );
        // Nothing of a tenant's own lifts it.
        session.run("CREATE POLICY mine ON sales USING (true)");
        session.run("ALTER TABLE sales ENABLE ROW LEVEL SECURITY");
        session.run("ALTER TABLE sales DISABLE ROW LEVEL SECURITY");
        assert_eq!(session.value(count), "0");
    }
    operator
        .run("CREATE POLICY of_acme ON sales TO tenant_admin USING (current_tenant() = 'acme')");
    assert_ne!(acme.value("EXECUTE q"), "0");
    assert_eq!(globex.value("EXECUTE q"), "0");
    operator.run("CREATE POLICY of_alice ON sales TO alice IN TENANT globex USING (true)");
    assert_eq!(globex.value("EXECUTE q"), "0");
    let mut alice = server.session("globex", "alice");
    globex.run("GRANT SELECT ON sales TO alice");
    assert_ne!(alice.value(count), "0");
    acme.run("GRANT SELECT ON sales TO alice");
    let mut alice = server.session("acme", "alice");
    assert_eq!(alice.value(count), "0");
    operator.run("ALTER TABLE sales DISABLE ROW LEVEL SECURITY");
    assert_ne!(globex.value("EXECUTE q"), "0");
}
