//! Catalogs, numbers, quotas and signals are the tenant's own.

use super::{assert_own, prepare, told};
use crate::client::Client;
use crate::harness::Server;

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
