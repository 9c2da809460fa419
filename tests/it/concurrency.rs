//! Sessions that change the same rows at the same time: who waits, who is refused, and that nothing is lost.
//!
//! Every test also holds on PostgreSQL.

use std::sync::mpsc;
use std::time::Duration;

use crate::client::Client;
use crate::harness::{Server, Tenant};

/// Long enough for a session that does not wait to have answered.
const A_WHILE: Duration = Duration::from_millis(400);

fn accounts(server: &Server) -> Tenant {
    let tenant = server.tenant();
    tenant.connect().run(
        "CREATE TABLE accounts (id int, balance int); INSERT INTO accounts VALUES (1, 100), (2, 100);
         CREATE TABLE other (id int); INSERT INTO other VALUES (1)",
    );
    tenant
}

/// Sends a statement from another thread; what it answers comes through the channel.
fn send(mut client: Client, sql: &'static str) -> mpsc::Receiver<(Client, String)> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let code = client.simple(sql).code().to_owned();
        let _ = sender.send((client, code));
    });
    receiver
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
