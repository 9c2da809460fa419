//! Sessions that change the same rows at the same time: who waits, who is refused, and that nothing is lost.
//!
//! Every test also holds on PostgreSQL.

use crate::client::{A_WHILE, Client, send};
use crate::harness::{Server, Tenant};

fn accounts(server: &Server) -> Tenant {
    let tenant = server.tenant();
    tenant.connect().run(
        "CREATE TABLE accounts (id int, balance int); INSERT INTO accounts VALUES (1, 100), (2, 100);
         CREATE TABLE other (id int); INSERT INTO other VALUES (1)",
    );
    tenant
}

#[test]
fn updates_of_many_sessions_all_count() {
    let server = Server::start();
    let tenant = accounts(&server);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut client = tenant.connect();
            scope.spawn(move || {
                for _ in 0..10 {
                    client.run("UPDATE accounts SET balance = balance + 1 WHERE id = 1");
                }
            });
        }
    });
    let mut client = tenant.connect();
    let balances = "SELECT balance FROM accounts ORDER BY id";
    assert_eq!(client.rows(balances), [["180"], ["100"]]);
}

#[test]
fn a_second_change_waits_for_the_first_and_sees_it() {
    let server = Server::start();
    let tenant = accounts(&server);
    let mut first = tenant.connect();
    first.run("BEGIN");
    first.run("UPDATE accounts SET balance = balance - 30 WHERE id = 1");
    let second = send(
        tenant.connect(),
        "UPDATE accounts SET balance = balance * 2 WHERE id = 1",
    );
    assert!(second.recv_timeout(A_WHILE).is_err(), "it waits");
    // Readers do not.
    let mut reader = tenant.connect();
    let balance = "SELECT balance FROM accounts WHERE id = 1";
    assert_eq!(reader.value(balance), "100");
    first.run("COMMIT");
    let (_, code) = second.recv().expect("it goes on");
    assert_eq!(code, "");
    assert_eq!(reader.value(balance), "140");
}

#[test]
fn a_snapshot_of_before_is_refused_to_change_what_others_changed() {
    let server = Server::start();
    let tenant = accounts(&server);
    let mut first = tenant.connect();
    first.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    first.run("SELECT * FROM accounts");
    tenant
        .connect()
        .run("UPDATE accounts SET balance = 0 WHERE id = 1");
    let reply = first.simple("UPDATE accounts SET balance = balance + 1 WHERE id = 1");
    let reply = match reply.code() {
        "" => first.simple("COMMIT"),
        _ => reply,
    };
    assert_eq!(reply.code(), "40001");
}

#[test]
fn a_row_can_be_locked_before_it_is_changed() {
    let server = Server::start();
    let tenant = accounts(&server);
    let mut first = tenant.connect();
    first.run("BEGIN");
    assert_eq!(
        first.value("SELECT balance FROM accounts WHERE id = 1 FOR UPDATE"),
        "100"
    );
    let mut second = tenant.connect();
    let error = second.fail("SELECT balance FROM accounts WHERE id = 1 FOR UPDATE NOWAIT");
    assert_eq!(error.code(), "55P03");
    second.run("SET lock_timeout = '200ms'");
    let error = second.fail("UPDATE accounts SET balance = 0 WHERE id = 1");
    assert_eq!(error.code(), "55P03");
    // An error of the first frees the row.
    first.fail("SELECT 1 / 0 FROM accounts");
    first.run("ROLLBACK");
    second.run("UPDATE accounts SET balance = 7 WHERE id = 1");
    second.run("BEGIN READ ONLY");
    let error = second.fail("SELECT balance FROM accounts FOR UPDATE");
    assert_eq!(error.code(), "25006");
}

#[test]
fn two_that_would_wait_for_each_other_do_not_wait_for_ever() {
    let server = Server::start();
    let tenant = accounts(&server);
    let (mut first, mut second) = (tenant.connect(), tenant.connect());
    first.run("BEGIN");
    second.run("BEGIN");
    first.run("UPDATE accounts SET balance = 1 WHERE id = 1");
    second.run("UPDATE other SET id = 2");
    let waiting = send(first, "UPDATE other SET id = 3");
    assert!(waiting.recv_timeout(A_WHILE).is_err(), "it waits");
    let refused = second
        .simple("UPDATE accounts SET balance = 2 WHERE id = 1")
        .code()
        .to_owned();
    // PostgreSQL refuses whichever looks first.
    let (_first, code) = match refused.as_str() {
        "40P01" => {
            second.run("ROLLBACK");
            waiting.recv().expect("the first goes on")
        }
        _ => waiting.recv().expect("the first is refused"),
    };
    let mut codes = [refused.as_str(), code.as_str()];
    codes.sort_unstable();
    assert_eq!(codes, ["", "40P01"]);
}

#[test]
fn who_stops_waiting_leaves_the_line() {
    let server = Server::start();
    let tenant = accounts(&server);
    let mut first = tenant.connect();
    first.run("BEGIN");
    first.run("DELETE FROM accounts WHERE id = 2");
    let mut impatient = tenant.connect();
    impatient.run("SET statement_timeout = '300ms'");
    let error = impatient.fail("DELETE FROM accounts WHERE id = 2");
    assert_eq!(error.code(), "57014");
    first.run("ROLLBACK");
    impatient.run("UPDATE accounts SET balance = 5 WHERE id = 2");
    assert_eq!(
        first.value("SELECT balance FROM accounts WHERE id = 2"),
        "5"
    );
}

#[test]
fn a_repeatable_read_is_of_one_moment_for_all_tables() {
    let server = Server::start();
    let tenant = accounts(&server);
    let (mut reader, mut writer) = (tenant.connect(), tenant.connect());
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(reader.value("SELECT sum(balance) FROM accounts"), "200");
    writer.run("BEGIN; UPDATE accounts SET balance = 0; UPDATE other SET id = 9; COMMIT");
    writer.run("CREATE TABLE later (id int); INSERT INTO later VALUES (1)");
    assert_eq!(reader.value("SELECT id FROM other"), "1");
    assert_eq!(reader.value("SELECT sum(balance) FROM accounts"), "200");
    reader.run("COMMIT");
    assert_eq!(reader.value("SELECT id FROM other"), "9");
}

/// The codes of two statements of which one at most may fail.
fn first_failure(client: &mut Client, statements: [&str; 2]) -> String {
    for statement in statements {
        let code = client.simple(statement).code().to_owned();
        if !code.is_empty() {
            return code;
        }
    }
    String::new()
}

#[test]
fn serializable_transactions_do_not_skew_what_they_read() {
    let server = Server::start();
    let tenant = accounts(&server);
    let (mut first, mut second) = (tenant.connect(), tenant.connect());
    // Each reads what the other writes, in one table and in two.
    for (reads, writes) in [
        (
            ["SELECT sum(balance) FROM accounts"; 2],
            [
                "UPDATE accounts SET balance = balance - 150 WHERE id = 1",
                "UPDATE accounts SET balance = balance - 150 WHERE id = 2",
            ],
        ),
        (
            [
                "SELECT count(*) FROM other",
                "SELECT count(*) FROM accounts",
            ],
            [
                "INSERT INTO accounts VALUES (3, 1)",
                "INSERT INTO other VALUES (2)",
            ],
        ),
        (
            [
                "SELECT count(*) FROM other WHERE id > 100",
                "SELECT count(*) FROM accounts WHERE id > 100",
            ],
            [
                "INSERT INTO accounts VALUES (101, 1)",
                "INSERT INTO other VALUES (101)",
            ],
        ),
    ] {
        first.run("BEGIN ISOLATION LEVEL SERIALIZABLE");
        second.run("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE");
        first.run(reads[0]);
        second.run(reads[1]);
        first.run(writes[0]);
        first.run("COMMIT");
        let code = first_failure(&mut second, [writes[1], "COMMIT"]);
        assert_eq!(code, "40001", "{writes:?}");
        second.run("ROLLBACK");
        // Again from its beginning, it is done.
        second.run("BEGIN ISOLATION LEVEL SERIALIZABLE");
        second.run(reads[1]);
        second.run(writes[1]);
        second.run("COMMIT");
    }
    // Who reads alone, or what nobody changes, goes on.
    first.run("BEGIN ISOLATION LEVEL SERIALIZABLE");
    first.run("SELECT * FROM accounts");
    second.run("UPDATE accounts SET balance = 5");
    assert_eq!(
        first.value("SELECT count(*) FROM accounts WHERE balance = 5"),
        "0"
    );
    first.run("COMMIT");
    first.run("SET default_transaction_isolation = 'serializable'");
    first.run("BEGIN");
    assert_eq!(first.value("SHOW transaction_isolation"), "serializable");
    first.run("INSERT INTO other SELECT count(*) FROM accounts");
    second.run("INSERT INTO other VALUES (7)");
    first.run("COMMIT");
}

#[test]
fn serializable_counters_lose_nothing() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant.connect().run(
        "CREATE TABLE a (n int); CREATE TABLE b (n int);
         INSERT INTO a VALUES (0); INSERT INTO b VALUES (0)",
    );
    // Each writes one more than the sum of what it sees: done one after another, no number comes twice.
    let step = |client: &mut Client, table: &str| loop {
        client.run("BEGIN ISOLATION LEVEL SERIALIZABLE");
        let insert = format!(
            "INSERT INTO {table} SELECT 1 + greatest((SELECT max(n) FROM a), (SELECT max(n) FROM b))"
        );
        match first_failure(client, [&insert, "COMMIT"]).as_str() {
            "" => return,
            "40001" => client.run("ROLLBACK"),
            other => panic!("{other}"),
        }
    };
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let mut client = tenant.connect();
            let table = if worker % 2 == 0 { "a" } else { "b" };
            scope.spawn(move || {
                for _ in 0..5 {
                    step(&mut client, table);
                }
            });
        }
    });
    let numbers = "SELECT count(*), count(DISTINCT n), max(n) \
                   FROM (SELECT n FROM a UNION ALL SELECT n FROM b) AS s WHERE n > 0";
    assert_eq!(tenant.connect().rows(numbers), [["20", "20", "20"]]);
}

#[test]
fn an_operators_union_over_tenants_is_of_one_moment() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut writer = server.two_tenants();
    writer.run("CREATE TABLE ledger (n int)");
    writer.run("INSERT INTO ledger VALUES ('acme', 0), ('globex', 0)");
    let mut reader = server.operator();
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            for _ in 0..40 {
                writer.run("INSERT INTO ledger VALUES ('acme', 1), ('globex', -1)");
            }
        });
        while !writing.is_finished() {
            assert_eq!(reader.value("SELECT sum(n) FROM ledger"), "0");
        }
    });
    assert_eq!(reader.value("SELECT count(*) FROM ledger"), "82");
    // A transaction that asked for one state keeps it.
    reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(reader.value("SELECT count(*) FROM ledger"), "82");
    server
        .operator()
        .run("INSERT INTO ledger VALUES ('acme', 5)");
    assert_eq!(reader.value("SELECT count(*) FROM ledger"), "82");
    reader.run("COMMIT");
    assert_eq!(reader.value("SELECT count(*) FROM ledger"), "83");
}
