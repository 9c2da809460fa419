//! A full disk: a clean error, nothing half, and a server that goes on.
//!
//! The server gets a small file system of its own in a mount namespace.

use std::process::Command;

use crate::client::Client;
use crate::harness::{Server, Tessera};

/// Room for the catalog and a few files.
const DISK_BYTES: usize = 64 << 20;

/// A server on a small disk, or None where this process may not mount one.
fn server_on_a_small_disk() -> Option<Tessera> {
    Server::tessera()?;
    let mut unshare = vec!["unshare".to_owned(), "--mount".to_owned()];
    if !may_unshare(&unshare) {
        unshare.push("--map-root-user".to_owned());
        if !may_unshare(&unshare) {
            println!("no mount namespace can be made here: the test is left out");
            return None;
        }
    }
    let data = tempfile::tempdir().expect("a temporary folder");
    let script = format!("mount -t tmpfs -o size={DISK_BYTES} none \"$0\" && exec \"$@\"");
    let folder = data.path().to_str().expect("a path in UTF-8").to_owned();
    unshare.extend(["sh".to_owned(), "-c".to_owned(), script, folder]);
    Some(Tessera::start_by(unshare, data, &[]))
}

fn may_unshare(unshare: &[String]) -> bool {
    let status = Command::new(&unshare[0])
        .args(&unshare[1..])
        .arg("true")
        .status();
    status.is_ok_and(|status| status.success())
}

/// Texts that do not compress.
fn noise(rows: usize) -> String {
    format!(
        "SELECT n, md5(n::text) || md5((n + 1)::text) || md5((n * 7)::text) || md5((n * 11)::text) \
         FROM generate_series(1, {rows}) AS n"
    )
}

fn fill(client: &mut Client, rows: usize) -> usize {
    for round in 0..1000 {
        let reply = client.simple(&format!("INSERT INTO filler {}", noise(rows)));
        match reply.code() {
            "" => {}
            "53100" => return round,
            code => panic!("{code}: {:?}", reply.error),
        }
    }
    panic!("the disk never fills");
}

#[test]
fn a_full_disk_gives_an_error_and_the_server_goes_on() {
    let Some(mut server) = server_on_a_small_disk() else {
        return;
    };
    server.two_tenants();
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE filler (n bigint, noise text)");
    boss.run("CREATE TABLE kept (n bigint PRIMARY KEY)");
    boss.run("INSERT INTO kept VALUES (1), (2), (3)");
    // One statement that is larger than the disk leaves nothing.
    let error = boss.fail(&format!("INSERT INTO filler {}", noise(1_500_000)));
    assert_eq!(error.code(), "53100", "{error}");
    assert_eq!(boss.value("SELECT count(*) FROM filler"), "0");
    boss.run("DELETE FROM kept WHERE n = 2");
    // Statements that fill it bit by bit: each is there whole or not at all.
    let mut rounds = fill(&mut boss, 20_000) * 20_000;
    rounds += fill(&mut boss, 100) * 100;
    assert!(rounds > 0);
    assert_eq!(
        boss.value("SELECT count(*) FROM filler"),
        rounds.to_string()
    );
    assert!(server.lives());
    // Others can work with what is there, and a start finds all of it.
    let mut alice = server.session("globex", "alice");
    assert_eq!(alice.value("SELECT sum(amount) FROM sales"), "8000.00");
    assert_eq!(boss.rows("SELECT n FROM kept ORDER BY n"), [["1"], ["3"]]);
    let status = server.stop();
    assert!(status.success(), "{status}");
}

#[test]
fn rows_can_be_deleted_when_not_a_byte_is_free() {
    let Some(server) = server_on_a_small_disk() else {
        return;
    };
    server.two_tenants();
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE filler (n bigint, noise text)");
    fill(&mut boss, 20_000);
    fill(&mut boss, 100);
    boss.run("DELETE FROM filler");
    assert_eq!(boss.value("SELECT count(*) FROM filler"), "0");
}

#[test]
fn a_spill_that_fills_the_disk_ends_its_statement_alone() {
    let Some(mut server) = server_on_a_small_disk() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (memory_limit = '32MB', statement_timeout = '120s')");
    let mut boss = server.session("acme", "boss");
    let sql = format!(
        "SELECT count(*) FROM (SELECT noise, lag(noise) OVER (ORDER BY noise) AS before FROM ({}) AS t (n, noise)) AS s \
         WHERE before <= noise",
        noise(1_500_000)
    );
    let reply = boss.simple(&sql);
    assert!(
        matches!(reply.code(), "53100" | "53200"),
        "{:?}",
        reply.error
    );
    assert!(server.lives());
    assert_eq!(boss.value("SELECT count(*) FROM sales"), "3");
    assert_eq!(
        boss.value(
            "SELECT count(*) FROM (SELECT n FROM generate_series(1, 100) AS n ORDER BY n DESC) AS s"
        ),
        "100"
    );
}

#[test]
fn some_rows_can_be_deleted_when_not_a_byte_is_free() {
    let Some(server) = server_on_a_small_disk() else {
        return;
    };
    server.two_tenants();
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE filler (n bigint, noise text)");
    boss.run("CREATE TABLE kept (n bigint, noise text)");
    boss.run(&format!("INSERT INTO kept {}", noise(10_000)));
    fill(&mut boss, 20_000);
    fill(&mut boss, 100);
    boss.run("DELETE FROM kept WHERE n > 7000");
    assert_eq!(boss.value("SELECT count(*) FROM kept"), "7000");
    boss.run("DROP TABLE filler");
    assert_eq!(boss.value("SELECT sum(n) FROM kept"), "24503500");
}
