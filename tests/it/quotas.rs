//! Quotas and plans: what is refused, what waits, what an operator's change does to open sessions,
//! and that what was used is still known after a restart.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::harness::{PASSWORD, Server, Tessera};
use crate::wire::ENDLESS;

/// Waits until a query of the operator answers so.
#[track_caller]
fn until(operator: &mut Client, sql: &str, expected: &str) {
    let begin = Instant::now();
    loop {
        let value = operator.value(sql);
        if value == expected {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "{sql}: {value}, not {expected}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn in_use(quota: &str) -> String {
    format!(
        "SELECT in_use FROM tessera.quotas WHERE tenantname = 'acme' AND rolename IS NULL AND quota = '{quota}'"
    )
}

fn two_tenants() -> Option<(Tessera, Client)> {
    let server = Server::tessera()?;
    let operator = server.two_tenants();
    Some((server, operator))
}

#[test]
fn connections_are_counted_by_tenant_and_by_role() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    operator.run("CREATE PLAN small WITH (connections = 2)");
    operator.run("ALTER TENANT acme SET PLAN small");
    let first = server.session("acme", "alice");
    let second = server.session("acme", "boss");
    until(&mut operator, &in_use("connections"), "2");
    let refused = |role: &str| {
        let error = server.login("acme", role, PASSWORD).err();
        error.map(|error| (error.code().to_owned(), error.message().to_owned()))
    };
    let expected = "too many connections for database \"acme\"".to_owned();
    assert_eq!(refused("alice"), Some(("53300".to_owned(), expected)));
    // The plan's next word counts for the next login.
    operator.run("ALTER PLAN small SET (connections = 3)");
    let third = server.session("acme", "alice");
    operator.run("ALTER TENANT acme SET QUOTA (connections = none)");
    operator.run("ALTER ROLE alice IN TENANT acme SET QUOTA (connections = 2)");
    let expected = "too many connections for role \"alice\"".to_owned();
    assert_eq!(refused("alice"), Some(("53300".to_owned(), expected)));
    assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    drop((first, second, third));
    assert_eq!(
        operator.value(
            "SELECT rejected FROM tessera.tenant_usage WHERE tenantname = 'acme' AND period = 'day'"
        ),
        "2"
    );
    assert_eq!(
        operator.value("SELECT rejected FROM tessera.tenant_usage WHERE tenantname = 'globex' AND period = 'day'"),
        "0"
    );
}

#[test]
fn statements_beyond_the_limit_wait_and_too_many_are_refused() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    operator.run("ALTER TENANT acme SET QUOTA (statements = 1, queued_statements = 1)");
    std::thread::scope(|scope| {
        let mut running = server.session("acme", "alice");
        let running = scope.spawn(move || running.simple(ENDLESS));
        until(&mut operator, &in_use("statements"), "1");
        let mut waiting = server.session("acme", "alice");
        let waiting = scope.spawn(move || waiting.simple("SELECT count(*) FROM sales"));
        until(&mut operator, &in_use("queued_statements"), "1");
        let mut third = server.session("acme", "boss");
        let error = third.fail("SELECT 1");
        assert_eq!(error.code(), "53400", "{error}");
        assert_eq!(
            error.message(),
            "too many statements of database \"acme\" are waiting"
        );
        assert!(error.field('H').contains("fewer statements"), "{error:?}");
        // What does not work needs no place, others are free, and so is the operator.
        assert_eq!(third.value("SHOW server_encoding"), "UTF8");
        third.run("BEGIN; ROLLBACK");
        assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
        assert_eq!(server.operator_in("acme").value("SELECT 1"), "1");
        // One place more lets in who waits, at once.
        operator.run("ALTER TENANT acme SET QUOTA (statements = 2)");
        let reply = waiting.join().expect("it ends");
        assert_eq!(reply.code(), "", "{:?}", reply.error);
        assert_eq!(third.value("SELECT 1"), "1");
        operator.run(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = 'acme' AND state = 'active'",
        );
        let reply = running.join().expect("it ends");
        assert_eq!(reply.code(), "57014", "{:?}", reply.error);
    });
    until(&mut operator, &in_use("statements"), "0");
}

#[test]
fn who_holds_a_lock_does_not_wait_for_those_who_wait_for_it() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    operator.run("ALTER TENANT acme SET QUOTA (statements = 1)");
    let mut holder = server.session("acme", "alice");
    holder.run("BEGIN");
    holder.run("UPDATE sales SET region = 'held' WHERE id = 1");
    std::thread::scope(|scope| {
        let mut waiter = server.session("acme", "alice");
        let waiter =
            scope.spawn(move || waiter.simple("UPDATE sales SET region = 'after' WHERE id = 1"));
        until(&mut operator, &in_use("statements"), "1");
        holder.run("UPDATE sales SET amount = 11 WHERE id = 1");
        holder.run("COMMIT");
        let reply = waiter.join().expect("it ends");
        // The first to come changed the row: read committed reads it anew.
        assert_eq!(reply.code(), "", "{:?}", reply.error);
    });
    assert_eq!(
        holder.value("SELECT amount || region FROM sales WHERE id = 1"),
        "11.00after"
    );
}

#[test]
fn a_role_waits_at_its_own_limit_while_others_go_on() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    operator.run("ALTER ROLE alice IN TENANT acme SET QUOTA (statements = 1)");
    std::thread::scope(|scope| {
        let mut running = server.session("acme", "alice");
        let running = scope.spawn(move || running.simple(ENDLESS));
        until(&mut operator, &in_use("statements"), "1");
        let mut waiting = server.session("acme", "alice");
        waiting.run("SET statement_timeout = '300ms'");
        assert_eq!(waiting.fail("SELECT 1").code(), "57014");
        assert_eq!(server.session("acme", "boss").value("SELECT 1"), "1");
        operator.run(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = 'acme' AND state = 'active'",
        );
        running.join().expect("it ends");
        assert_eq!(waiting.value("SELECT 1"), "1");
    });
}

#[test]
fn changes_bind_open_sessions_and_prepared_statements() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    let mut client = server.session("acme", "alice");
    client.run("PREPARE many AS SELECT * FROM generate_series(1, 100)");
    assert_eq!(client.rows("EXECUTE many").len(), 100);
    operator.run("ALTER TENANT acme SET QUOTA (result_rows = 99, statement_time = '1s')");
    let error = client.fail("EXECUTE many");
    assert_eq!(error.code(), "54000", "{error}");
    assert!(error.field('H').contains("LIMIT"), "{error:?}");
    // A session cannot give itself more time than the operator did.
    client.run("SET statement_timeout = 0");
    assert_eq!(client.fail(ENDLESS).code(), "57014");
    operator.run("CREATE PLAN plain WITH (sentiment = off)");
    client.run("PREPARE mood AS SELECT sentiment('good')");
    client.run("EXECUTE mood");
    operator.run("ALTER TENANT acme SET PLAN plain");
    let error = client.fail("EXECUTE mood");
    assert_eq!(error.code(), "42501", "{error}");
    assert!(error.message().contains("plan \"plain\""), "{error}");
    operator.run("ALTER PLAN plain SET (sentiment = on)");
    client.run("EXECUTE mood");
    operator.run("ALTER TENANT acme RESET QUOTA");
    assert_eq!(client.rows("EXECUTE many").len(), 100);
}

#[test]
fn a_roles_part_of_memory_binds_it_alone() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    operator.run("ALTER ROLE alice IN TENANT acme SET QUOTA (memory = '16MB')");
    let big =
        "SELECT cardinality(array_agg(repeat('x', 1000) || n)) FROM generate_series(1, 40000) AS n";
    let error = server.session("acme", "alice").fail(big);
    assert_eq!(error.code(), "53200", "{error}");
    assert_eq!(server.session("acme", "boss").value(big), "40000");
}

#[test]
fn storage_is_bounded_at_the_commit_and_deleting_frees_it() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE noise (n bigint, label text)");
    let rows = "INSERT INTO noise SELECT n, md5(n::text) FROM generate_series(1, 20000) AS n";
    client.run(rows);
    let stored: u64 = operator
        .value(&in_use("storage"))
        .parse()
        .expect("a number");
    assert!(stored > 100_000, "{stored}");
    operator.run(&format!(
        "ALTER TENANT acme SET QUOTA (storage = {})",
        stored + 1000
    ));
    let error = client.fail(rows);
    assert_eq!(error.code(), "53400", "{error}");
    assert!(error.field('H').contains("Delete rows"), "{error:?}");
    client.run("BEGIN");
    client.run(rows);
    assert_eq!(client.fail("COMMIT").code(), "53400");
    assert_eq!(client.value("SELECT count(*) FROM noise"), "20000");
    // What makes less of it is never refused.
    operator.run("ALTER TENANT acme SET QUOTA (storage = 1)");
    client.run("DELETE FROM noise WHERE n % 2 = 0");
    let less: u64 = operator
        .value(&in_use("storage"))
        .parse()
        .expect("a number");
    assert!(less < stored, "{less} of {stored}");
    let reply = client.copy_in("COPY noise FROM STDIN", &[b"1\tx\n"]);
    assert_eq!(reply.code(), "53400", "{:?}", reply.error);
    client.run("DROP TABLE noise");
    // Its part of the common table is still there.
    let rest: u64 = operator
        .value(&in_use("storage"))
        .parse()
        .expect("a number");
    assert!(rest > 0 && rest < less, "{rest}");
    assert_eq!(
        server
            .session("globex", "boss")
            .value("CREATE TABLE t AS SELECT 1 AS n; SELECT count(*) FROM t"),
        "1"
    );
}

#[test]
fn what_was_used_outlives_the_server() {
    let Some((mut server, mut operator)) = two_tenants() else {
        return;
    };
    let mut client = server.session("acme", "alice");
    client.run("INSERT INTO sales (id, region, amount) VALUES (9, 'west', 1)");
    for _ in 0..5 {
        client.value("SELECT count(*) FROM sales");
    }
    let used = "SELECT queries, rows_written, connections, storage_bytes FROM tessera.tenant_usage \
                WHERE tenantname = 'acme' AND period = 'month'";
    let before = operator.rows(used);
    assert_eq!(before[0][..3], ["6", "1", "1"]);
    drop((client, operator));
    server.stop();
    server.launch();
    let mut operator = server.operator();
    assert_eq!(operator.rows(used), before);
    // The quota of a tenant that is gone goes with it.
    operator.run("DROP TENANT acme CASCADE");
    assert!(operator.rows(used).is_empty());
}

#[test]
fn copy_keeps_to_its_rate() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    operator.run("ALTER TENANT acme SET QUOTA (copy_rate = '100kB/s')");
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE t (label text)");
    let line = format!("{}\n", "x".repeat(99));
    let data = line.repeat(1_000);
    let begin = Instant::now();
    // Three times what goes at once.
    let parts: Vec<&[u8]> = (0..3).map(|_| data.as_bytes()).collect();
    let reply = client.copy_in("COPY t FROM STDIN", &parts);
    assert_eq!(reply.code(), "", "{:?}", reply.error);
    assert!(
        begin.elapsed() > Duration::from_millis(1500),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(client.value("SELECT count(*) FROM t"), "3000");
}

#[test]
fn a_suspended_tenant_keeps_its_data_and_lets_nobody_in() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    let mut open = server.session("acme", "alice");
    operator.run("ALTER TENANT acme SUSPEND");
    assert_eq!(open.simple("SELECT 1").code(), "57P01");
    let error = server
        .login("acme", "alice", PASSWORD)
        .err()
        .expect("refused");
    assert_eq!((error.code(), error.field('S')), ("55000", "FATAL"));
    assert_eq!(
        error.message(),
        "database \"acme\" is not currently accepting connections"
    );
    // Without the password it looks as any other.
    let error = server.login("acme", "alice", "wrong").err();
    assert_eq!(error.expect("refused").code(), "28P01");
    assert_eq!(
        server
            .operator_in("acme")
            .value("SELECT count(*) FROM sales"),
        "3"
    );
    operator.run("ALTER TENANT acme RESUME");
    let mut again = server.session("acme", "alice");
    assert_eq!(again.value("SELECT count(*) FROM sales"), "3");
    assert_eq!(
        operator.fail("ALTER TENANT acme RENAME TO apex").code(),
        "55006"
    );
    drop(again);
    until(&mut operator, &in_use("connections"), "0");
    operator.run("ALTER TENANT acme RENAME TO apex");
    assert_eq!(
        server
            .session("apex", "alice")
            .value("SELECT count(*) FROM sales"),
        "3"
    );
}

/// Begins a COPY and sends a part of its rows: one whole, and the head of a message.
fn begin_copy(client: &mut Client) {
    assert!(client.simple("COPY t FROM STDIN").trace.ends_with('G'));
    client.send_bytes(b"d\0\0\0\x06a\n");
    client.send_bytes(b"d\0\0\x10\0half a message");
}

#[test]
fn copy_in_ends_with_its_time_and_when_it_is_cancelled() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE t (label text)");
    operator.run("ALTER TENANT acme SET QUOTA (statement_time = '1s')");
    begin_copy(&mut client);
    let ended = client.reply();
    assert_eq!(ended.code(), "57014");
    let error = ended.error.expect("an error");
    assert_eq!(
        error.message(),
        "canceling statement due to statement timeout"
    );
    // The rest of what was on its way is not taken for something else.
    client.send_bytes(&[b'x'; 0x1000 - 4 - 14]);
    client.send_bytes(b"c\0\0\0\x04");
    assert_eq!(client.value("SELECT count(*) FROM t"), "0");
    operator.run("ALTER TENANT acme RESET QUOTA (statement_time)");
    begin_copy(&mut client);
    until(
        &mut operator,
        "SELECT state FROM pg_stat_activity WHERE datname = 'acme' AND usename = 'boss'",
        "active",
    );
    operator.run(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = 'acme' AND usename = 'boss'",
    );
    assert_eq!(client.reply().code(), "57014");
    client.send_bytes(&[b'x'; 0x1000 - 4 - 14]);
    assert_eq!(client.value("SELECT count(*) FROM t"), "0");
}

#[test]
fn planning_and_writing_files_is_processor_time_of_the_tenant() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    let mut client = server.session("acme", "boss");
    let mut used = || -> f64 {
        let sql = "SELECT cpu_seconds FROM tessera.tenant_usage WHERE tenantname = 'acme' AND period = 'day'";
        operator.value(sql).parse().expect("a number")
    };
    let joined = (0..12).map(|n| format!("sales AS s{n} ON s{n}.id = sales.id"));
    let joins = joined.collect::<Vec<_>>().join(" JOIN ");
    let before = used();
    for _ in 0..5 {
        // Nothing of it runs.
        client.run(&format!("EXPLAIN SELECT count(*) FROM sales JOIN {joins}"));
    }
    let planned = used();
    assert!(planned > before, "{before} then {planned}");
    client.run("CREATE TABLE t (n bigint, label text)");
    let line = |n: usize| format!("{n}\tlabel {}\n", n % 1000);
    let data: String = (0..200_000).map(line).collect();
    let before = used();
    let reply = client.copy_in("COPY t FROM STDIN", &[data.as_bytes()]);
    assert_eq!(reply.code(), "", "{:?}", reply.error);
    assert!(used() > before);
    // What another tenant's session used is not among it.
    let mine = used();
    server
        .session("globex", "boss")
        .run(&format!("EXPLAIN SELECT count(*) FROM sales JOIN {joins}"));
    assert_eq!(used(), mine);
}

#[test]
fn temporary_files_of_all_tenants_keep_within_the_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("tessera.toml");
    let text = "[resources]\ntemporary_disk_limit_bytes = 16000000\n";
    std::fs::write(&config, text).expect("written");
    let path = config.display().to_string();
    let Some(server) = Server::tessera_with(&["--config", &path]) else {
        return;
    };
    let mut operator = server.two_tenants();
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    let declare = "DECLARE c SCROLL CURSOR FOR SELECT n, repeat(md5(n::text), 32) AS noise FROM generate_series(1, 10000) AS n";
    for client in [&mut acme, &mut globex] {
        client.run("BEGIN");
        client.run(declare);
    }
    // Some ten of sixteen million bytes.
    acme.run("MOVE ALL FROM c");
    let error = globex.fail("MOVE ALL FROM c");
    assert_eq!(error.code(), "53400");
    globex.run("ROLLBACK");
    let used = "SELECT in_use FROM tessera.quotas WHERE tenantname = 'acme' AND rolename IS NULL AND quota = 'spill'";
    let held: u64 = operator.value(used).parse().expect("a number");
    assert!((8_000_000..16_000_000).contains(&held), "{held}");
    acme.run("ROLLBACK");
    until(&mut operator, used, "0");
    globex.run("BEGIN");
    globex.run(declare);
    globex.run("MOVE ALL FROM c");
    globex.run("ROLLBACK");
}

#[test]
fn a_plan_without_a_family_of_functions_has_it_in_no_expression_of_a_table() {
    let Some((server, mut operator)) = two_tenants() else {
        return;
    };
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE judged (w text, s float8 GENERATED ALWAYS AS (sentiment(w)) STORED)");
    client.run("CREATE TABLE checked (w text, CHECK (sentiment(w) > -2))");
    client.run("CREATE TABLE plain (w text, s float8 DEFAULT sentiment('good'))");
    client.run("INSERT INTO judged VALUES ('good')");
    operator.run("CREATE PLAN small WITH (sentiment = off)");
    operator.run("ALTER TENANT acme SET PLAN small");
    for sql in [
        "INSERT INTO judged VALUES ('good')",
        "UPDATE judged SET w = 'bad'",
        "INSERT INTO checked VALUES ('good')",
        "INSERT INTO plain (w) VALUES ('good')",
        "COPY judged (w) FROM STDIN",
        "COPY checked FROM STDIN",
        "COPY plain (w) FROM STDIN",
        "COPY plain (w, s) FROM STDIN WHERE sentiment(w) > 0",
    ] {
        let error = client.fail(sql);
        assert_eq!(error.code(), "42501", "{sql}");
        assert!(error.message().contains("small"), "{sql}: {error:?}");
    }
    assert_eq!(client.value("SELECT count(*) FROM judged"), "1");
    client.run("INSERT INTO plain VALUES ('good', 1)");
}
