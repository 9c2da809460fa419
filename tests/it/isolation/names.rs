//! What a tenant can write about names answers the same whether another tenant has that name or nobody has.

use super::{prepare, told};

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
