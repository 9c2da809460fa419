//! Cancel and time-outs, and messages that nobody knows.

use std::time::{Duration, Instant};

use postgres_protocol::message::frontend;

use crate::client::{Client, error_fields};
use crate::harness::Server;

/// A statement that runs for minutes unless it is stopped, and that the optimiser cannot shorten.
pub(crate) const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b \
                                  WHERE (a::bigint * 7919 + b) % 1000003 = 5";

fn cancel(address: &str, process_id: i32, key: i32) {
    let mut client = Client::dial(address).expect("connects");
    client.send(|buf| {
        frontend::cancel_request(process_id, key, buf);
        Ok(())
    });
    assert!(
        matches!(client.try_read(), Ok(None)),
        "a cancel request gets no answer"
    );
}

#[test]
fn cancel_stops_a_statement_and_a_wrong_key_does_nothing() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let key = i32::from_be_bytes(client.secret_key[..4].try_into().expect("4 bytes"));
    let process_id = client.process_id;
    client.send(|buf| frontend::query(ENDLESS, buf));
    std::thread::sleep(Duration::from_millis(500));
    cancel(server.address(), process_id, key.wrapping_add(1));
    client.set_read_timeout(Duration::from_millis(1500));
    assert!(
        client.try_read().is_err(),
        "a wrong key must not stop the statement"
    );
    client.set_read_timeout(Duration::from_secs(30));
    let begin = Instant::now();
    cancel(server.address(), process_id, key);
    let reply = client.reply();
    assert_eq!((reply.code(), reply.status), ("57014", 'I'));
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn statement_timeout_is_57014() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("SET statement_timeout = '300ms'");
    let begin = Instant::now();
    let error = client.fail(ENDLESS);
    assert_eq!(
        (error.code(), error.message()),
        ("57014", "canceling statement due to statement timeout")
    );
    assert!(
        begin.elapsed() < Duration::from_millis(2300),
        "{:?}",
        begin.elapsed()
    );
    client.run("SET statement_timeout = 0");
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn unknown_messages_end_the_connection_alone() {
    let server = Server::start();
    let tenant = server.tenant();
    for packet in [
        &b"z\0\0\0\x04"[..],
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"B\0\0\0\x05\0",
        b"Q\0\0\0\x06ab",
    ] {
        let mut client = tenant.connect();
        client.set_read_timeout(Duration::from_secs(20));
        let _ = client.try_send_bytes(packet);
        let first = client
            .try_read()
            .expect("an answer or a close, not silence");
        if let Some(message) = first {
            assert_eq!(message.tag, 'E', "{packet:?}");
            assert_eq!(error_fields(&message.body).code(), "08P01", "{packet:?}");
        }
    }
    assert_eq!(tenant.connect().value("SELECT 1"), "1");
}
