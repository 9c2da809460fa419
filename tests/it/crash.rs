//! Kill -9 while writing: what was acknowledged is there, what was not is there whole or not at all.
//!
//! The number of rounds is `TESSERA_TEST_KILLS`, 8 unless it is set; `tests/long` sets more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rand::Rng;

use crate::client::Client;
use crate::harness::{PASSWORD, Server, Tessera, quoted};

const TENANTS: [&str; 2] = ["acme", "globex"];
const WRITERS: usize = 4;

/// A transfer that a writer began, and whether the server said that it is done.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    id: i64,
    tenant: usize,
    amount: i64,
    acknowledged: bool,
}

fn rounds() -> u32 {
    std::env::var("TESSERA_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8)
}

fn prepare(server: &Tessera) {
    let mut operator = server.operator();
    operator.run("CREATE TABLE entries (id bigint, account int, amount bigint)");
    for tenant in TENANTS {
        let password = quoted(PASSWORD);
        operator.run(&format!(
            "CREATE TENANT {tenant} WITH (admin = 'boss', password = '{password}')"
        ));
        let mut boss = server.session(tenant, "boss");
        boss.run("CREATE TABLE journal (id bigint PRIMARY KEY, amount bigint)");
        boss.run("CREATE TABLE balance (account int, total bigint)");
        boss.run("INSERT INTO balance VALUES (0, 0), (1, 0)");
    }
}

/// Writes until the connection breaks. Each transfer touches three tables in one transaction, and
/// its halves sum to nothing, so that a torn one shows.
fn write(
    mut client: Client,
    tenant: usize,
    ids: &AtomicI64,
    stop: &AtomicBool,
    log: &Mutex<Vec<Transfer>>,
) {
    client.set_read_timeout(Duration::from_secs(30));
    while !stop.load(Ordering::Relaxed) {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let amount = rand::rng().random_range(1..1000);
        let at = {
            let mut log = log.lock().expect("no panic");
            log.push(Transfer {
                id,
                tenant,
                amount,
                acknowledged: false,
            });
            log.len() - 1
        };
        let sql = format!(
            "BEGIN; INSERT INTO journal VALUES ({id}, {amount}); \
             INSERT INTO entries (id, account, amount) VALUES ({id}, 0, -{amount}), ({id}, 1, {amount}); \
             UPDATE balance SET total = total + CASE account WHEN 0 THEN -{amount} ELSE {amount} END; COMMIT"
        );
        let packet = frame(&sql);
        if client.try_send_bytes(&packet).is_err() {
            return;
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.reply()));
        let Ok(reply) = outcome else { return };
        match (reply.status, reply.code()) {
            ('I', "") => log.lock().expect("no panic")[at].acknowledged = true,
            ('-', _) => return,
            // A conflict is an honest answer; the transfer did not happen.
            (_, "40001" | "40P01") => {
                client.simple("ROLLBACK");
            }
            (_, "57P01" | "57P03") => return,
            (status, code) => panic!("{status} {code}: {:?}", reply.error),
        }
    }
}

fn frame(sql: &str) -> Vec<u8> {
    let mut packet = vec![b'Q'];
    packet.extend_from_slice(&(sql.len() as u32 + 5).to_be_bytes());
    packet.extend_from_slice(sql.as_bytes());
    packet.push(0);
    packet
}

/// Compares what a tenant's tables hold with what its writers were told.
fn check(server: &Tessera, tenant: usize, log: &[Transfer]) {
    let mut client = server.session(TENANTS[tenant], "boss");
    let number = |text: &str| text.parse::<i64>().expect("a number");
    let journal: std::collections::BTreeMap<i64, i64> = client
        .rows("SELECT id, amount FROM journal")
        .iter()
        .map(|row| (number(&row[0]), number(&row[1])))
        .collect();
    let own: Vec<&Transfer> = log
        .iter()
        .filter(|transfer| transfer.tenant == tenant)
        .collect();
    for transfer in own.iter().filter(|transfer| transfer.acknowledged) {
        assert_eq!(
            journal.get(&transfer.id),
            Some(&transfer.amount),
            "lost: {transfer:?}"
        );
    }
    for (id, amount) in &journal {
        assert!(
            own.iter()
                .any(|transfer| transfer.id == *id && transfer.amount == *amount),
            "phantom: {id}"
        );
    }
    assert_eq!(
        client.value("SELECT count(*) FROM journal"),
        journal.len().to_string(),
        "doubled in the journal"
    );
    let entries =
        client.rows("SELECT count(*), count(DISTINCT id), coalesce(sum(amount), 0) FROM entries");
    assert_eq!(
        entries,
        [[
            (journal.len() * 2).to_string(),
            journal.len().to_string(),
            "0".to_owned()
        ]],
        "torn"
    );
    let torn = client.value("SELECT count(*) FROM entries e FULL JOIN journal j ON e.id = j.id WHERE e.id IS NULL OR j.id IS NULL");
    assert_eq!(torn, "0");
    let sum: i64 = journal.values().sum();
    assert_eq!(
        client.rows("SELECT total FROM balance ORDER BY account"),
        [[(-sum).to_string()], [sum.to_string()]],
        "the balance is the sum of the journal"
    );
}

#[test]
fn kill_while_writing_loses_and_tears_nothing() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    prepare(&server);
    let ids = AtomicI64::new(1);
    let log = Mutex::new(Vec::new());
    for round in 0..rounds() {
        let stop = AtomicBool::new(false);
        let clients: Vec<Client> = (0..WRITERS)
            .map(|n| server.session(TENANTS[n % 2], "boss"))
            .collect();
        std::thread::scope(|scope| {
            for (n, client) in clients.into_iter().enumerate() {
                let (ids, stop, log) = (&ids, &stop, &log);
                scope.spawn(move || write(client, n % 2, ids, stop, log));
            }
            std::thread::sleep(Duration::from_millis(rand::rng().random_range(50..1500)));
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        let begin = Instant::now();
        server.launch();
        assert!(
            begin.elapsed() < Duration::from_secs(5),
            "recovery took {:?} in round {round}",
            begin.elapsed()
        );
        let log = log.lock().expect("no panic");
        (0..TENANTS.len()).for_each(|tenant| check(&server, tenant, &log));
        let mut operator = server.operator();
        assert_eq!(
            operator.value("SELECT coalesce(sum(amount), 0) FROM entries"),
            "0"
        );
        let done = log.iter().filter(|transfer| transfer.acknowledged).count();
        println!("round {round}: {done} transfers acknowledged so far");
    }
    let done = log
        .lock()
        .expect("no panic")
        .iter()
        .filter(|transfer| transfer.acknowledged)
        .count();
    assert!(done > 0, "the writers wrote nothing at all");
}

#[test]
fn kill_during_copy_leaves_all_or_nothing() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    prepare(&server);
    server
        .session("acme", "boss")
        .run("CREATE TABLE bulk (batch int, n int)");
    let mut acknowledged = Vec::new();
    for batch in 0..rounds().div_ceil(2) {
        let mut client = server.session("acme", "boss");
        let rows: String = (0..20_000).map(|n| format!("{batch}\t{n}\n")).collect();
        let (kill_after, begin) = (
            Duration::from_millis(rand::rng().random_range(1..300)),
            Instant::now(),
        );
        let copy = std::thread::spawn(move || {
            client
                .copy_in("COPY bulk FROM STDIN", &[rows.as_bytes()])
                .tags()
                .concat()
        });
        std::thread::sleep(kill_after.saturating_sub(begin.elapsed()));
        server.kill();
        if copy.join().is_ok_and(|tag| tag == "COPY 20000") {
            acknowledged.push(batch.to_string());
        }
        server.launch();
        let found = server
            .session("acme", "boss")
            .rows("SELECT batch, count(*) FROM bulk GROUP BY batch ORDER BY batch");
        assert!(found.iter().all(|row| row[1] == "20000"), "torn: {found:?}");
        assert!(
            acknowledged
                .iter()
                .all(|batch| found.iter().any(|row| row[0] == *batch)),
            "lost: {found:?} of {acknowledged:?}"
        );
    }
}

#[test]
fn ddl_survives_a_kill() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    prepare(&server);
    let mut boss = server.session("acme", "boss");
    for sql in [
        "CREATE TABLE kept (a int, b text DEFAULT 'x')",
        "INSERT INTO kept (a) VALUES (1)",
        "ALTER TABLE kept ADD COLUMN c int DEFAULT 7",
        "ALTER TABLE kept RENAME COLUMN a TO renamed",
        "CREATE VIEW kept_view AS SELECT renamed + c AS sum FROM kept",
        "CREATE ROLE carol LOGIN PASSWORD 'a role''s password'",
        "GRANT SELECT ON kept_view TO carol",
        "DROP TABLE balance",
    ] {
        boss.run(sql);
    }
    server.kill();
    server.launch();
    assert_eq!(
        server
            .session("acme", "carol")
            .value("SELECT sum FROM kept_view"),
        "8"
    );
    let mut boss = server.session("acme", "boss");
    assert_eq!(boss.rows("SELECT * FROM kept"), [["1", "x", "7"]]);
    assert_eq!(boss.fail("SELECT * FROM balance").code(), "42P01");
}
