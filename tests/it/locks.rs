//! LOCK TABLE, row locks, advisory locks and `pg_locks`, between sessions of one database.
//!
//! Every test also holds on PostgreSQL.

use std::time::Duration;

use crate::client::{A_WHILE, send};
use crate::harness::{Server, Tenant};

fn jobs(server: &Server) -> Tenant {
    let tenant = server.tenant();
    tenant.connect().run(
        "CREATE TABLE jobs (id int, state text); INSERT INTO jobs VALUES (1, 'new'), (2, 'new');
         CREATE TABLE logs (id int); INSERT INTO logs VALUES (1)",
    );
    tenant
}

#[test]
fn modes_keep_out_what_postgresql_keeps_out() {
    let server = Server::start();
    let tenant = jobs(&server);
    let (mut first, mut second) = (tenant.connect(), tenant.connect());
    // https://www.postgresql.org/docs/15/explicit-locking.html, table 13.2.
    let modes = [
        ("ACCESS SHARE", "       x"),
        ("ROW SHARE", "      xx"),
        ("ROW EXCLUSIVE", "    xxxx"),
        ("SHARE UPDATE EXCLUSIVE", "   xxxxx"),
        ("SHARE", "  xx xxx"),
        ("SHARE ROW EXCLUSIVE", "  xxxxxx"),
        ("EXCLUSIVE", " xxxxxxx"),
        ("ACCESS EXCLUSIVE", "xxxxxxxx"),
    ];
    for (held, row) in modes {
        for ((asked, _), mark) in modes.iter().zip(row.chars()) {
            first.run("BEGIN");
            first.run(&format!("LOCK TABLE jobs, ONLY logs IN {held} MODE"));
            second.run("BEGIN");
            let reply = second.simple(&format!("LOCK jobs IN {asked} MODE NOWAIT"));
            let code = if mark == 'x' { "55P03" } else { "" };
            assert_eq!(reply.code(), code, "{held} then {asked}");
            second.run("ROLLBACK");
            first.run("COMMIT");
        }
    }
    let error = first.fail("LOCK TABLE jobs");
    assert_eq!(error.code(), "25P01");
    first.run("BEGIN");
    assert_eq!(first.fail("LOCK nothing").code(), "42P01");
    first.run("ROLLBACK");
    first.run("BEGIN");
    first.run("LOCK jobs");
    second.run("BEGIN");
    let error = second.fail("LOCK jobs NOWAIT");
    assert_eq!(
        error.message(),
        "could not obtain lock on relation \"jobs\""
    );
    second.run("ROLLBACK");
}

#[test]
fn statements_wait_for_a_locked_table() {
    let server = Server::start();
    let tenant = jobs(&server);
    let mut first = tenant.connect();
    first.run("BEGIN");
    first.run("LOCK TABLE jobs IN SHARE MODE");
    let mut other = tenant.connect();
    other.run("SET lock_timeout = '200ms'");
    assert_eq!(other.value("SELECT count(*) FROM jobs"), "2");
    for change in [
        "INSERT INTO jobs VALUES (3, 'new')",
        "UPDATE jobs SET state = 'old'",
        "DELETE FROM jobs",
        "TRUNCATE jobs",
        "ALTER TABLE jobs ADD COLUMN n int",
        "DROP TABLE jobs",
    ] {
        assert_eq!(other.fail(change).code(), "55P03", "{change}");
    }
    let waiting = send(tenant.connect(), "INSERT INTO jobs VALUES (3, 'new')");
    assert!(waiting.recv_timeout(A_WHILE).is_err(), "it waits");
    first.run("COMMIT");
    assert_eq!(waiting.recv().expect("it goes on").1, "");
    // Whoever reads in a block keeps the table from going away, and nobody from reading.
    first.run("BEGIN");
    assert_eq!(first.value("SELECT count(*) FROM jobs"), "3");
    assert_eq!(other.fail("TRUNCATE jobs").code(), "55P03");
    other.run("BEGIN");
    other.run("SAVEPOINT a");
    other.run("LOCK TABLE logs");
    other.run("ROLLBACK TO a");
    first.run("INSERT INTO logs VALUES (2)");
    first.run("COMMIT");
    other.run("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE");
    first.run("SET lock_timeout = '200ms'");
    assert_eq!(first.fail("SELECT * FROM jobs").code(), "55P03");
    other.run("COMMIT");
    other.run("DROP TABLE jobs");
}

#[test]
fn workers_take_each_job_once() {
    let server = Server::start();
    let tenant = jobs(&server);
    let mut setup = tenant.connect();
    setup.run("INSERT INTO jobs SELECT i, 'new' FROM generate_series(3, 12) AS s(i)");
    let take = "UPDATE jobs SET state = 'taken' WHERE id = (SELECT id FROM jobs WHERE state = 'new' \
                ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id";
    let mut taken: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let mut worker = tenant.connect();
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    while let Some(row) = worker.rows(take).pop() {
                        taken.extend(row);
                    }
                    taken
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker"))
            .collect()
    });
    taken.sort_by_key(|id| id.parse::<i32>().expect("a number"));
    let all: Vec<String> = (1..=12).map(|id| id.to_string()).collect();
    assert_eq!(taken, all);
}

#[test]
fn locked_rows_are_skipped_or_refused() {
    let server = Server::start();
    let tenant = jobs(&server);
    let (mut first, mut second) = (tenant.connect(), tenant.connect());
    first.run("BEGIN");
    first.run("SELECT * FROM jobs FOR UPDATE");
    for (sql, rows) in [
        ("SELECT id FROM jobs FOR UPDATE SKIP LOCKED", "0"),
        ("SELECT id FROM jobs FOR NO KEY UPDATE SKIP LOCKED", "0"),
        ("SELECT id FROM jobs", "2"),
        (
            "SELECT l.id FROM logs l LEFT JOIN jobs j ON true FOR UPDATE OF l SKIP LOCKED",
            "2",
        ),
        (
            "SELECT l.id FROM logs l, jobs j FOR UPDATE OF l, j SKIP LOCKED",
            "0",
        ),
        (
            "SELECT id FROM logs WHERE id IN (SELECT id FROM jobs) FOR UPDATE SKIP LOCKED",
            "1",
        ),
    ] {
        assert_eq!(second.rows(sql).len().to_string(), rows, "{sql}");
    }
    let count = "SELECT count(*) FROM (SELECT id FROM jobs FOR SHARE SKIP LOCKED) AS s";
    assert_eq!(second.value(count), "0");
    let error = second.fail("SELECT id FROM jobs FOR SHARE NOWAIT");
    assert_eq!(error.code(), "55P03");
    assert_eq!(
        error.message(),
        "could not obtain lock on row in relation \"jobs\""
    );
    first.run("COMMIT");
    // Those who only share do not keep each other out.
    first.run("BEGIN");
    first.run("SELECT * FROM jobs FOR SHARE");
    assert_eq!(
        second
            .rows("SELECT id FROM jobs FOR KEY SHARE NOWAIT")
            .len(),
        2
    );
    assert_eq!(
        second.fail("SELECT id FROM jobs FOR UPDATE NOWAIT").code(),
        "55P03"
    );
    first.run("COMMIT");
}

#[test]
fn advisory_locks_are_held_by_sessions_and_transactions() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut first, mut second) = (tenant.connect(), tenant.connect());
    first.run("SELECT pg_advisory_lock(7)");
    first.run("SELECT pg_advisory_lock(7)");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(7)"), "f");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(0, 7)"), "t");
    assert_eq!(second.value("SELECT pg_try_advisory_lock_shared(7)"), "f");
    assert_eq!(first.value("SELECT pg_advisory_unlock(7)"), "t");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(7)"), "f");
    assert_eq!(first.value("SELECT pg_advisory_unlock(7)"), "t");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(7)"), "t");
    let reply = first.simple("SELECT pg_advisory_unlock(7)");
    assert_eq!(reply.rows(), [["f"]]);
    assert_eq!(reply.notices.len(), 1);
    assert_eq!(reply.notices[0].code(), "01000");
    assert_eq!(
        reply.notices[0].message(),
        "you don't own a lock of type ExclusiveLock"
    );
    second.run("SELECT pg_advisory_unlock_all()");
    assert_eq!(first.value("SELECT pg_try_advisory_lock(7)"), "t");
    first.run("SELECT pg_advisory_unlock_all()");

    // Of a transaction: they end with it, or with the savepoint's rollback.
    first.run("BEGIN");
    first.run("SELECT pg_advisory_xact_lock_shared(66001), pg_advisory_xact_lock(2, 3)");
    assert_eq!(
        second.value("SELECT pg_try_advisory_xact_lock_shared(66001)"),
        "t"
    );
    assert_eq!(second.value("SELECT pg_try_advisory_xact_lock(66001)"), "f");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(2, 3)"), "f");
    assert_eq!(first.value("SELECT pg_advisory_unlock(2, 3)"), "f");
    first.run("SAVEPOINT a");
    first.run("SELECT pg_advisory_xact_lock(9)");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(9)"), "f");
    first.run("ROLLBACK TO a");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(9)"), "t");
    first.fail("SELECT 1 / 0");
    first.run("ROLLBACK");
    assert_eq!(second.value("SELECT pg_try_advisory_lock(2, 3)"), "t");
    assert_eq!(first.value("SELECT pg_try_advisory_lock(NULL)"), "NULL");

    // A session's end gives back what it held; its error and its transaction's end do not.
    drop(second);
    first.run("SET statement_timeout = '20s'");
    first.run("SELECT pg_advisory_lock(9)");
    first.run("BEGIN");
    first.run("SELECT pg_advisory_lock(10)");
    first.run("ROLLBACK");
    let mut third = tenant.connect();
    assert_eq!(third.value("SELECT pg_try_advisory_lock(10)"), "f");
    first.run("DISCARD ALL");
    assert_eq!(third.value("SELECT pg_try_advisory_lock(10)"), "t");
}

#[test]
fn waiting_for_an_advisory_lock_ends_as_any_wait() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut first, mut second) = (tenant.connect(), tenant.connect());
    first.run("SELECT pg_advisory_lock(88001)");
    second.run("SET lock_timeout = '200ms'");
    assert_eq!(
        second.fail("SELECT pg_advisory_lock(88001)").code(),
        "55P03"
    );
    second.run("RESET lock_timeout; SET statement_timeout = '200ms'");
    assert_eq!(
        second.fail("SELECT pg_advisory_lock(88001)").code(),
        "57014"
    );
    second.run("RESET statement_timeout");
    second.run("SELECT pg_advisory_lock(88002)");
    let waiting = send(second, "SELECT pg_advisory_lock(88001)");
    assert!(waiting.recv_timeout(A_WHILE).is_err(), "it waits");
    // Each would wait for the other; PostgreSQL refuses whichever looks first.
    let asking = send(first, "SELECT pg_advisory_lock(88002)");
    let (refused, left) = loop {
        if let Ok(answer) = waiting.recv_timeout(A_WHILE) {
            break (answer, asking);
        }
        if let Ok(answer) = asking.recv_timeout(A_WHILE) {
            break (answer, waiting);
        }
    };
    assert_eq!(refused.1, "40P01");
    // The end of its session gives back what the other waits for.
    drop(refused);
    assert_eq!(left.recv().expect("it goes on").1, "");
}

#[test]
fn many_that_wait_keep_nobody_from_working() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut holder = tenant.connect();
    holder.run("SELECT pg_advisory_lock(77001)");
    let waiting: Vec<_> = (0..40)
        .map(|_| send(tenant.connect(), "SELECT pg_advisory_xact_lock(77001)"))
        .collect();
    let queued = "SELECT count(*) FROM pg_locks WHERE objid = 77001 AND NOT granted";
    while holder.value(queued) != "40" {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        tenant
            .connect()
            .value("SELECT sum(i) FROM generate_series(1, 1000) AS s(i)"),
        "500500"
    );
    holder.run("SELECT pg_advisory_unlock(77001)");
    for waiting in waiting {
        assert_eq!(waiting.recv().expect("it goes on").1, "");
    }
}

#[test]
fn locks_are_listed() {
    let server = Server::start();
    let tenant = jobs(&server);
    let mut first = tenant.connect();
    first.run("SELECT pg_advisory_lock(4294967298), pg_advisory_lock_shared(5, 6)");
    let listed = "SELECT classid, objid, objsubid, mode, granted, pid = pg_backend_pid() FROM pg_locks \
                  WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1, 2";
    assert_eq!(
        first.rows(listed),
        [
            ["1", "2", "1", "ExclusiveLock", "t", "t"],
            ["5", "6", "2", "ShareLock", "t", "t"]
        ]
    );
    first.run("BEGIN");
    first.run("LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE");
    let listed = "SELECT l.mode, l.granted, l.database = d.oid FROM pg_locks l, pg_database d \
                  WHERE l.relation = 'jobs'::regclass AND d.datname = current_database() \
                  AND l.locktype = 'relation' ORDER BY granted DESC, mode";
    assert_eq!(
        tenant.connect().rows(listed),
        [["ShareRowExclusiveLock", "t", "t"]]
    );
    let waiting = send(tenant.connect(), "INSERT INTO jobs VALUES (9, 'new')");
    while tenant.connect().rows(listed).len() < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        tenant.connect().rows(listed)[1],
        ["RowExclusiveLock", "f", "t"]
    );
    first.run("COMMIT");
    assert_eq!(waiting.recv().expect("it goes on").1, "");
    assert!(tenant.connect().rows(listed).is_empty());
}
