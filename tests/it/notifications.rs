//! LISTEN and NOTIFY between sessions of one database.
//!
//! Every test also holds on PostgreSQL.

use std::time::Duration;

use postgres_protocol::message::frontend;

use crate::client::{Client, Cursor, Message};
use crate::harness::Server;

/// Long enough for a message that is not held back to have come.
const A_WHILE: Duration = Duration::from_millis(300);

/// Channel, payload and the sender's number.
fn notification(message: &Message) -> (String, String, i32) {
    assert_eq!(message.tag, 'A');
    let mut body = Cursor(&message.body);
    let pid = body.i32();
    (body.string(), body.string(), pid)
}

/// What a session hears beside the answer to a statement.
fn hear(client: &mut Client, sql: &str) -> Vec<(String, String)> {
    client.send(|buf| frontend::query(sql, buf));
    let mut heard = Vec::new();
    loop {
        let message = client.read();
        match message.tag {
            'A' => {
                let (channel, payload, _) = notification(&message);
                heard.push((channel, payload));
            }
            'E' => panic!("{sql}: {message:?}"),
            'Z' => return heard,
            _ => {}
        }
    }
}

fn said(heard: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(channel, payload): &(&str, &str)| ((*channel).to_owned(), (*payload).to_owned());
    heard.iter().map(own).collect()
}

#[test]
fn an_idle_session_hears_when_another_commits() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut listener, mut speaker) = (tenant.connect(), tenant.connect());
    listener.run("LISTEN news");
    listener.run("LISTEN \"Other News\"");
    let pid: i32 = speaker
        .value("SELECT pg_backend_pid()")
        .parse()
        .expect("a number");
    speaker.run("NOTIFY news, 'first'");
    let first = ("news".to_owned(), "first".to_owned(), pid);
    assert_eq!(notification(&listener.read()), first);
    speaker.run("BEGIN");
    speaker.run("NOTIFY news");
    speaker.run("SELECT pg_notify('Other News', 'a' || 'b')");
    speaker.run("NOTIFY unheard, 'x'");
    // The same is said once.
    speaker.run("NOTIFY news, ''");
    speaker.run("SELECT pg_notify('news', NULL)");
    speaker.run("SAVEPOINT a");
    speaker.run("NOTIFY news, 'taken back'");
    speaker.run("SELECT pg_notify('news', 'taken back too')");
    speaker.run("ROLLBACK TO a");
    listener.set_read_timeout(A_WHILE);
    assert!(listener.try_read().is_err(), "nothing before the commit");
    listener.set_read_timeout(Duration::from_secs(60));
    speaker.run("NOTIFY news, 'last'");
    speaker.run("COMMIT");
    for (channel, payload) in [("news", ""), ("Other News", "ab"), ("news", "last")] {
        let (heard, what, from) = notification(&listener.read());
        assert_eq!(
            (heard.as_str(), what.as_str(), from),
            (channel, payload, pid)
        );
    }
    speaker.run("BEGIN");
    speaker.run("NOTIFY news, 'never'");
    speaker.run("ROLLBACK");
    speaker.simple("NOTIFY news, 'nor this'; SELECT 1 / 0");
    listener.set_read_timeout(A_WHILE);
    assert!(listener.try_read().is_err(), "nothing of what was undone");
}

#[test]
fn a_session_hears_between_its_transactions() {
    let server = Server::start();
    let tenant = server.tenant();
    let (mut listener, mut speaker) = (tenant.connect(), tenant.connect());
    listener.run("BEGIN");
    listener.run("LISTEN a");
    // Not heard: it does not listen yet.
    speaker.run("NOTIFY a, 'early'");
    listener.run("COMMIT");
    listener.run("BEGIN");
    speaker.run("NOTIFY a, 'while busy'");
    assert_eq!(hear(&mut listener, "SELECT 1"), []);
    assert_eq!(hear(&mut listener, "COMMIT"), said(&[("a", "while busy")]));
    // Its own, before it is ready for more.
    let heard = hear(
        &mut listener,
        "SELECT pg_notify('a', i::text) FROM generate_series(1, 3) AS s(i)",
    );
    assert_eq!(heard, said(&[("a", "1"), ("a", "2"), ("a", "3")]));
    let channels = "SELECT * FROM pg_listening_channels() ORDER BY 1";
    listener.run("LISTEN b");
    assert_eq!(listener.rows(channels), [["a"], ["b"]]);
    listener.run("BEGIN");
    listener.run("UNLISTEN a");
    listener.run("ROLLBACK");
    assert_eq!(hear(&mut listener, "NOTIFY a, '4'"), said(&[("a", "4")]));
    listener.run("UNLISTEN a");
    assert_eq!(hear(&mut listener, "NOTIFY a"), []);
    assert_eq!(hear(&mut listener, "NOTIFY b"), said(&[("b", "")]));
    listener.run("UNLISTEN *");
    assert_eq!(hear(&mut listener, "NOTIFY b"), []);
    assert!(listener.rows(channels).is_empty());
    listener.run("LISTEN c");
    listener.run("DISCARD ALL");
    assert!(listener.rows(channels).is_empty());
    let reply = listener.extended("SELECT pg_notify($1, $2)", &[Some("c"), Some("x")], 0);
    assert_eq!(reply.rows(), [[""]]);
    assert_eq!(reply.answers[0].columns[0].type_oid, 2278);
}

#[test]
fn names_and_payloads_have_limits() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    for (sql, message) in [
        ("SELECT pg_notify('', 'x')", "channel name cannot be empty"),
        (
            "SELECT pg_notify(NULL, 'x')",
            "channel name cannot be empty",
        ),
        (
            "SELECT pg_notify(repeat('c', 64), 'x')",
            "channel name too long",
        ),
        (
            "SELECT pg_notify('c', repeat('x', 8000))",
            "payload string too long",
        ),
    ] {
        let error = client.fail(sql);
        assert_eq!((error.code(), error.message()), ("22023", message), "{sql}");
    }
    client.run("SELECT pg_notify(repeat('c', 63), repeat('x', 7999))");
    // What other tests say at this moment may be in it.
    assert_eq!(
        client.value("SELECT pg_notification_queue_usage() < 0.01"),
        "t"
    );
}
