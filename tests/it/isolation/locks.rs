//! Locks, keys and messages of one tenant are not felt in another.

use crate::harness::Server;

#[test]
fn locks_and_unique_keys_do_not_reach_across() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("CREATE TABLE keyed (id int PRIMARY KEY, n int)");
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("BEGIN");
    globex.run("INSERT INTO keyed (id) VALUES (1)");
    globex.run("SELECT pg_advisory_lock(42)");
    acme.run("SET statement_timeout = '5s'");
    acme.run("INSERT INTO keyed (id) VALUES (1)");
    acme.run("SELECT pg_advisory_lock(42)");
    globex.run("LOCK TABLE keyed IN ACCESS EXCLUSIVE MODE");
    assert_eq!(acme.value("SELECT count(*) FROM keyed"), "1");
    globex.run("COMMIT");
    assert_eq!(operator.value("SELECT count(*) FROM keyed"), "2");
    assert_eq!(
        acme.fail("INSERT INTO keyed (id) VALUES (1)").code(),
        "23505"
    );
}

#[test]
fn locks_on_shared_tables_are_felt_by_no_other() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("CREATE SHARED TABLE lent_out (id int)");
    operator.run("GRANT SELECT ON lent_out TO PUBLIC");
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("BEGIN");
    globex.run("SELECT * FROM lent_out");
    operator.run("SET lock_timeout = '2s'");
    operator.run("TRUNCATE lent_out");
    operator.run("BEGIN");
    operator.run("LOCK TABLE lent_out");
    acme.run("SET lock_timeout = '2s'");
    assert_eq!(acme.value("SELECT count(*) FROM lent_out"), "0");
    acme.run("BEGIN");
    let error = acme.fail("LOCK TABLE lent_out IN ACCESS SHARE MODE");
    assert_eq!(error.code(), "0A000");
    acme.run("ROLLBACK");
    acme.run("BEGIN");
    assert_eq!(acme.fail("LOCK TABLE lent_out").code(), "42501");
}

#[test]
fn locks_and_messages_of_one_tenant_are_not_seen_in_another() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    let (mut acme, mut globex) = (
        server.session("acme", "boss"),
        server.session("globex", "boss"),
    );
    globex.run("LISTEN news");
    globex.run("SELECT pg_advisory_lock(5)");
    globex.run("BEGIN");
    globex.run("LOCK TABLE sales IN SHARE MODE");
    let locks = "SELECT count(*) FROM pg_locks";
    assert_eq!(acme.value(locks), "0");
    assert_eq!(acme.value("SELECT count(*) FROM pg_lock_status()"), "0");
    assert_eq!(globex.value(locks), "2");
    assert_eq!(operator.value(locks), "2");
    globex.run("COMMIT");
    assert_eq!(acme.value("SELECT pg_advisory_unlock(5)"), "f");
    acme.run("NOTIFY news, 'of acme'");
    operator.run("NOTIFY news, 'of the operator'");
    let reply = globex.simple("NOTIFY news, 'own'");
    // One message came, its own.
    assert_eq!(reply.trace, "CAZ");
    assert_eq!(acme.rows("SELECT * FROM pg_listening_channels()").len(), 0);
    // An operator in the tenant's database is heard there.
    server
        .operator_in("globex")
        .run("NOTIFY news, 'from inside'");
    assert_eq!(globex.read().tag, 'A');
}
