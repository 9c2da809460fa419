//! Enforced keys, as sessions side by side see them.

use crate::client::Client;
use crate::harness::{Server, Tenant};

/// Codes of the statements that the sessions ran, each session its own list side by side.
fn side_by_side(tenant: &Tenant, statements: &[Vec<String>]) -> Vec<String> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = statements
            .iter()
            .map(|own| {
                let mut client: Client = tenant.connect();
                scope.spawn(move || {
                    let run = |sql: &String| client.simple(sql).code().to_owned();
                    own.iter().map(run).collect::<Vec<_>>()
                })
            })
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<String>>| {
            thread.join().expect("no panic")
        };
        threads.into_iter().flat_map(join).collect()
    })
}

#[test]
fn the_error_names_key_and_constraint() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int PRIMARY KEY, a text, b date, CONSTRAINT ab UNIQUE (a, b))");
    client.run("INSERT INTO t VALUES (1, 'x', '2026-01-02')");
    let error = client.fail("INSERT INTO t VALUES (1, 'y', NULL)");
    assert_eq!(error.code(), "23505");
    assert_eq!(
        error.message(),
        "duplicate key value violates unique constraint \"t_pkey\""
    );
    assert_eq!(error.field('D'), "Key (id)=(1) already exists.");
    let error = client.fail("INSERT INTO t VALUES (2, 'x', '2026-01-02')");
    assert_eq!(
        error.field('D'),
        "Key (a, b)=(x, 2026-01-02) already exists."
    );
    client.run("INSERT INTO t VALUES (2, 'x', NULL)");
    let error = client.fail("ALTER TABLE t ADD CONSTRAINT only_a UNIQUE (a)");
    assert_eq!(error.message(), "could not create unique index \"only_a\"");
    assert_eq!(error.field('D'), "Key (a)=(x) is duplicated.");
}

#[test]
fn of_two_inserts_of_one_key_one_wins() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant
        .connect()
        .run("CREATE TABLE t (id int PRIMARY KEY, session int)");
    let (sessions, keys) = (6, 40);
    // Each session has its own order, so that they meet at different keys.
    let statements: Vec<Vec<String>> = (0..sessions)
        .map(|session| {
            let key = |n: i32| (n * (2 * session + 1) + 7 * session) % keys;
            let insert = |n| format!("INSERT INTO t VALUES ({}, {session})", key(n));
            (0..keys).map(insert).collect()
        })
        .collect();
    let codes = side_by_side(&tenant, &statements);
    let won = codes.iter().filter(|code| code.is_empty()).count();
    let mut client = tenant.connect();
    assert_eq!(
        client.rows("SELECT count(*), count(DISTINCT id) FROM t"),
        [[won.to_string(), won.to_string()]]
    );
    let lost = codes.iter().filter(|code| *code == "23505").count();
    assert_eq!(won + lost, codes.len(), "{codes:?}");
    assert!(won >= 39, "{won} keys of {keys}");
}

#[test]
fn a_transaction_loses_to_one_that_committed_the_key_first() {
    let Some(server) = Server::tessera() else {
        // PostgreSQL lets the second wait.
        return;
    };
    let server = Server::Tessera(server);
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run("CREATE TABLE t (id bigint PRIMARY KEY)");
    one.run("BEGIN");
    one.run("INSERT INTO t VALUES (1), (2)");
    two.run("INSERT INTO t VALUES (2), (3)");
    let error = one.fail("COMMIT");
    assert_eq!(error.code(), "23505");
    assert_eq!(error.field('D'), "Key (id)=(2) already exists.");
    assert_eq!(one.rows("SELECT id FROM t ORDER BY id"), [["2"], ["3"]]);
    // A file that is written before the commit.
    one.run("BEGIN");
    one.run("INSERT INTO t SELECT * FROM generate_series(10, 10010)");
    two.run("INSERT INTO t VALUES (10005)");
    let error = one.fail("COMMIT");
    assert_eq!(error.field('D'), "Key (id)=(10005) already exists.");
    assert_eq!(one.value("SELECT count(*) FROM t"), "3");
    // A key that was taken and is free again.
    one.run("BEGIN");
    one.run("INSERT INTO t VALUES (20)");
    two.run("INSERT INTO t VALUES (20)");
    two.run("DELETE FROM t WHERE id = 20");
    one.run("COMMIT");
    assert_eq!(one.value("SELECT count(*) FROM t"), "4");
}

#[test]
fn copy_keeps_to_keys() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int PRIMARY KEY, x text)");
    client.run("INSERT INTO t VALUES (5, 'there')");
    let twice = client.copy_in("COPY t FROM STDIN (FORMAT csv)", &[b"1,a\n2,b\n1,c\n"]);
    assert_eq!(twice.code(), "23505");
    let there = client.copy_in("COPY t FROM STDIN (FORMAT csv)", &[b"4,a\n5,b\n"]);
    assert_eq!(there.code(), "23505");
    let fits = client.copy_in("COPY t FROM STDIN (FORMAT csv)", &[b"1,a\n2,b\n"]);
    assert_eq!(fits.code(), "");
    assert_eq!(
        client.rows("SELECT id FROM t ORDER BY id"),
        [["1"], ["2"], ["5"]]
    );
}

#[test]
fn keys_hold_after_a_restart() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    let mut operator = server.operator();
    operator.run("SET search_path = internal");
    operator.run("CREATE TABLE t (id text PRIMARY KEY, x int)");
    operator.run("INSERT INTO t SELECT 'key ' || n, n FROM generate_series(1, 6000) g (n)");
    server.kill();
    server.launch();
    let mut operator = server.operator();
    operator.run("SET search_path = internal");
    assert_eq!(
        operator.fail("INSERT INTO t VALUES ('key 4711', 1)").code(),
        "23505"
    );
    operator.run("INSERT INTO t VALUES ('key 6001', 1)");
    assert_eq!(operator.value("SELECT count(DISTINCT id) FROM t"), "6001");
}

#[test]
fn a_new_key_and_new_rows_do_not_pass_each_other() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let server = Server::Tessera(server);
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run("CREATE TABLE t (id int)");
    one.run("INSERT INTO t VALUES (1)");
    one.run("BEGIN");
    one.run("ALTER TABLE t ADD PRIMARY KEY (id)");
    two.run("SET lock_timeout = '200ms'");
    assert_eq!(two.fail("INSERT INTO t VALUES (1)").code(), "55P03");
    one.run("COMMIT");
    assert_eq!(two.fail("INSERT INTO t VALUES (1)").code(), "23505");
    one.run("ALTER TABLE t DROP CONSTRAINT t_pkey");
    two.run("BEGIN");
    two.run("INSERT INTO t VALUES (1)");
    one.run("SET lock_timeout = '200ms'");
    let added = "ALTER TABLE t ADD PRIMARY KEY (id)";
    assert_eq!(one.fail(added).code(), "55P03");
    two.run("COMMIT");
    assert_eq!(one.fail(added).code(), "23505");
    two.run("DELETE FROM t");
    one.run(added);
}

#[test]
fn counters_side_by_side_count_all() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant
        .connect()
        .run("CREATE TABLE counted (word text PRIMARY KEY, n int)");
    let upsert = "INSERT INTO counted VALUES ('w', 1) \
                  ON CONFLICT (word) DO UPDATE SET n = counted.n + excluded.n";
    let (sessions, rounds) = (4, 15);
    let statements = vec![vec![upsert.to_owned(); rounds]; sessions];
    let codes = side_by_side(&tenant, &statements);
    assert!(codes.iter().all(String::is_empty), "{codes:?}");
    assert_eq!(
        tenant.connect().rows("SELECT * FROM counted"),
        [["w".to_owned(), (sessions * rounds).to_string()]]
    );
}
