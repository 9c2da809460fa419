//! The simple protocol: tags, blocks, notices, errors and rows.

use postgres_protocol::message::frontend;

use crate::client::{Client, values};
use crate::harness::{PASSWORD, Server};

#[test]
fn every_statement_has_its_command_tag() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    for (sql, tag) in [
        ("CREATE TABLE t (id int, s text)", "CREATE TABLE"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT 0 2"),
        ("UPDATE t SET s = 'c' WHERE id = 1", "UPDATE 1"),
        ("DELETE FROM t WHERE id = 9", "DELETE 0"),
        ("SELECT * FROM t", "SELECT 2"),
        ("VALUES (1)", "SELECT 1"),
        ("TABLE t", "SELECT 2"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "SELECT 1"),
        ("CREATE TABLE u AS SELECT * FROM t", "SELECT 2"),
        ("INSERT INTO t VALUES (5, 'x') RETURNING id", "INSERT 0 1"),
        ("CREATE VIEW v AS SELECT 1 AS one", "CREATE VIEW"),
        ("ALTER TABLE t ADD COLUMN n int", "ALTER TABLE"),
        ("TRUNCATE u", "TRUNCATE TABLE"),
        ("COMMENT ON TABLE t IS 'x'", "COMMENT"),
        ("CREATE SCHEMA s", "CREATE SCHEMA"),
        ("DROP SCHEMA s", "DROP SCHEMA"),
        ("DROP VIEW v", "DROP VIEW"),
        ("DROP TABLE u", "DROP TABLE"),
        ("BEGIN", "BEGIN"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("ROLLBACK TO a", "ROLLBACK"),
        ("RELEASE a", "RELEASE"),
        ("COMMIT", "COMMIT"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("ABORT", "ROLLBACK"),
        ("SET application_name = 'x'", "SET"),
        ("RESET application_name", "RESET"),
        ("SHOW application_name", "SHOW"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("EXECUTE p", "SELECT 1"),
        ("DEALLOCATE p", "DEALLOCATE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("DISCARD ALL", "DISCARD ALL"),
        ("GRANT SELECT ON t TO PUBLIC", "GRANT"),
        ("REVOKE SELECT ON t FROM PUBLIC", "REVOKE"),
    ] {
        let reply = client.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        assert_eq!(reply.tags(), [tag], "{sql}");
    }
}

#[test]
fn several_statements_are_one_implicit_transaction() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let reply = client.simple("CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t");
    assert_eq!(reply.tags(), ["CREATE TABLE", "INSERT 0 1", "SELECT 1"]);
    assert_eq!(reply.status, 'I');
    let reply = client.simple("INSERT INTO t VALUES (2); SELECT 1 / 0; INSERT INTO t VALUES (3)");
    assert_eq!((reply.code(), reply.tags().len()), ("22012", 1));
    assert_eq!(client.value("SELECT count(*) FROM t"), "1");
    // An explicit COMMIT inside the text keeps what came before it.
    let reply = client.simple("BEGIN; INSERT INTO t VALUES (4); COMMIT; SELECT 1 / 0");
    assert_eq!(reply.code(), "22012");
    assert_eq!(client.value("SELECT count(*) FROM t"), "2");
}

#[test]
fn an_empty_query_gets_its_own_answer() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    for sql in ["", ";", "  ", "-- a comment"] {
        assert_eq!(client.simple(sql).trace, "IZ", "{sql:?}");
    }
    let reply = client.simple("SELECT 1;; SELECT 2;");
    assert_eq!(reply.tags(), ["SELECT 1", "SELECT 1"]);
}

#[test]
fn the_status_follows_the_transaction() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    assert_eq!(client.simple("SELECT 1").status, 'I');
    assert_eq!(client.simple("BEGIN").status, 'T');
    assert_eq!(client.simple("SELECT 1 / 0").status, 'E');
    let reply = client.simple("SELECT 1");
    assert_eq!((reply.code(), reply.status), ("25P02", 'E'));
    let reply = client.simple("COMMIT");
    assert_eq!((reply.tags(), reply.status), (vec!["ROLLBACK"], 'I'));
}

#[test]
fn notices_come_and_can_be_silenced() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let reply = client.simple("DROP TABLE IF EXISTS nosuch");
    assert_eq!(reply.notices.len(), 1);
    let notice = &reply.notices[0];
    assert_eq!((notice.field('S'), notice.code()), ("NOTICE", "00000"));
    assert_eq!(
        notice.message(),
        "table \"nosuch\" does not exist, skipping"
    );
    client.run("SET client_min_messages = warning");
    assert!(
        client
            .simple("DROP TABLE IF EXISTS nosuch")
            .notices
            .is_empty()
    );
    let reply = client.simple("COMMIT");
    assert_eq!(
        reply.notices.first().map(|notice| notice.code()),
        Some("25P01")
    );
}

#[test]
fn errors_carry_position_detail_and_names() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let error = client.fail("SELECT 1, nope FROM (SELECT 1 AS a) AS t");
    assert_eq!(
        (error.code(), error.field('S'), error.field('V')),
        ("42703", "ERROR", "ERROR")
    );
    assert_eq!(error.field('P'), "11");
    client.run("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0))");
    client.run("INSERT INTO t VALUES (1, 1)");
    let error = client.fail("INSERT INTO t VALUES (1, 2)");
    assert_eq!(
        error.message(),
        "duplicate key value violates unique constraint \"t_pkey\""
    );
    assert_eq!(error.field('D'), "Key (id)=(1) already exists.");
    assert_eq!(
        (error.field('s'), error.field('t'), error.field('n')),
        ("public", "t", "t_pkey")
    );
    let error = client.fail("INSERT INTO t VALUES (2, NULL)");
    assert_eq!(
        (error.code(), error.field('t'), error.field('c')),
        ("23502", "t", "n")
    );
    let error = client.fail("INSERT INTO t VALUES (2, -5)");
    assert_eq!((error.code(), error.field('n')), ("23514", "t_n_check"));
}

#[test]
fn wide_and_long_results_stream() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    assert_eq!(
        client
            .rows("SELECT n FROM generate_series(1, 200000) AS n")
            .len(),
        200_000
    );
    assert_eq!(
        client.value("SELECT length(repeat('x', 5000000))"),
        "5000000"
    );
    assert_eq!(client.value("SELECT repeat('é', 1000000)").len(), 2_000_000);
    let many: Vec<String> = (1..=400).map(|n| format!("{n} AS c{n}")).collect();
    assert_eq!(
        client.rows(&format!("SELECT {}", many.join(", ")))[0].len(),
        400
    );
}

#[test]
fn bad_bytes_in_a_query_are_refused() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let mut packet = vec![b'Q', 0, 0, 0, 15];
    packet.extend_from_slice(b"SELECT '\xff'\0");
    packet[4] = (packet.len() - 1) as u8;
    client.send_bytes(&packet);
    let reply = client.reply();
    assert_eq!((reply.code(), reply.status), ("22021", 'I'));
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn data_rows_hold_null_apart_from_empty() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.send(|buf| frontend::query("SELECT NULL::text, ''", buf));
    assert_eq!(client.read().tag, 'T');
    assert_eq!(values(&client.read().body), [None, Some(Vec::new())]);
    client.reply();
    let again = Client::login(
        server.address(),
        "no such database",
        "nobody",
        PASSWORD,
        &[],
    );
    assert_eq!(
        again
            .err()
            .map(|error| error.field('S').to_owned())
            .as_deref(),
        Some("FATAL")
    );
}
