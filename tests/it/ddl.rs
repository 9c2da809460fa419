//! DDL that spans sessions: what one makes another sees at once, and what is used is protected.

use crate::harness::Server;

#[test]
fn another_session_sees_a_change_once_it_is_committed() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run("BEGIN");
    one.run("CREATE TABLE t (n int)");
    one.run("INSERT INTO t VALUES (1)");
    assert_eq!(two.fail("SELECT * FROM t").code(), "42P01");
    one.run("COMMIT");
    assert_eq!(two.value("SELECT n FROM t"), "1");
    one.run("ALTER TABLE t ADD COLUMN m int DEFAULT 2");
    assert_eq!(two.rows("SELECT * FROM t"), [["1", "2"]]);
    one.run("DROP TABLE t");
    assert_eq!(two.fail("SELECT * FROM t").code(), "42P01");
}

#[test]
fn two_sessions_cannot_make_the_same_name() {
    let server = Server::start();
    let tenant = server.tenant();
    let made: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut client = tenant.connect();
                scope.spawn(move || client.simple("CREATE TABLE same (n int)").code().to_owned())
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        made.iter().filter(|code| code.is_empty()).count(),
        1,
        "{made:?}"
    );
    // PostgreSQL reports the loser of a race by the catalog's own unique index.
    assert!(
        made.iter()
            .all(|code| matches!(code.as_str(), "" | "42P07" | "23505")),
        "{made:?}"
    );
}

#[test]
fn temporary_tables_belong_to_one_session() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run("CREATE TEMP TABLE mine (n int); INSERT INTO mine VALUES (1)");
    assert_eq!(two.fail("SELECT * FROM mine").code(), "42P01");
    two.run("CREATE TEMP TABLE mine (other text)");
    assert_eq!(one.value("SELECT n FROM mine"), "1");
}

#[test]
fn a_reader_sees_one_state_of_the_table() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run("CREATE TABLE t (n int); INSERT INTO t SELECT * FROM generate_series(1, 100)");
    two.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(two.value("SELECT sum(n) FROM t"), "5050");
    one.run("UPDATE t SET n = n + 1");
    one.run("DELETE FROM t WHERE n > 50");
    assert_eq!(two.value("SELECT sum(n) FROM t"), "5050");
    two.run("COMMIT");
    assert_ne!(two.value("SELECT sum(n) FROM t"), "5050");
}

#[test]
fn concurrent_writers_lose_nothing() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant.connect().run("CREATE TABLE t (writer int, n int)");
    let (writers, rows) = (4, 25);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let mut client = tenant.connect();
            scope.spawn(move || {
                for n in 0..rows {
                    loop {
                        let reply = client.simple(&format!("INSERT INTO t VALUES ({writer}, {n})"));
                        match reply.code() {
                            "" => break,
                            "40001" => {}
                            other => panic!("{other}: {:?}", reply.error),
                        }
                    }
                }
            });
        }
    });
    let mut client = tenant.connect();
    assert_eq!(
        client.rows("SELECT count(*), count(DISTINCT (writer, n)) FROM t"),
        [[(writers * rows).to_string(), (writers * rows).to_string()]]
    );
}
