//! Start-up: parameters, options, versions, and what is no start-up packet.

use std::time::Duration;

use postgres_protocol::message::frontend;

use crate::client::Client;
use crate::harness::{PASSWORD, Server};

#[test]
fn start_up_tells_parameters_and_a_cancel_key() {
    let server = Server::start();
    let client = server
        .tenant()
        .connect_with(&[("application_name", "the test")])
        .expect("logs in");
    for (name, value) in [
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("application_name", "the test"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("is_superuser", "off"),
    ] {
        assert_eq!(
            client.parameters.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    for name in ["server_version", "TimeZone", "session_authorization"] {
        assert!(client.parameters.contains_key(name), "{name}");
    }
    assert_ne!(client.process_id, 0);
    assert_eq!(client.secret_key.len(), 4);
}

#[test]
fn start_up_settings_and_options_take_effect() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = tenant
        .connect_with(&[
            ("TimeZone", "Asia/Tokyo"),
            ("options", "-c statement_timeout=7s -cextra_float_digits=2"),
            ("search_path", "public"),
        ])
        .expect("logs in");
    assert_eq!(client.value("SHOW timezone"), "Asia/Tokyo");
    assert_eq!(client.value("SHOW statement_timeout"), "7s");
    assert_eq!(client.value("SHOW extra_float_digits"), "2");
    assert_eq!(client.value("SHOW search_path"), "public");
    client.run("SET timezone = 'UTC'");
    assert_eq!(
        client.parameters.get("TimeZone").map(String::as_str),
        Some("UTC")
    );
    client.run("RESET timezone");
    assert_eq!(client.value("SHOW timezone"), "Asia/Tokyo");
    let error = tenant
        .connect_with(&[("no_such_setting", "1")])
        .err()
        .expect("an unknown setting is fatal");
    assert_eq!((error.code(), error.field('S')), ("42704", "FATAL"));
}

#[test]
fn what_the_server_tells_is_not_for_a_client_to_say() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let log_in = |options: &[(&str, &str)]| {
        let login = Client::login(server.address(), "acme", "alice", PASSWORD, options);
        login.map(drop).map_err(|error| error.code().to_owned())
    };
    assert_eq!(log_in(&[("row_security", "off")]), Ok(()));
    for name in ["is_superuser", "session_authorization", "server_version"] {
        let refused = Err("55P02".to_owned());
        let option = format!("-c {name}=x");
        assert_eq!(log_in(&[(name, "x")]), refused, "{name}");
        assert_eq!(log_in(&[("options", &option)]), refused, "{name}");
    }
    assert_eq!(log_in(&[("memory_limit", "99GB")]), Err("42501".to_owned()));
    assert_eq!(
        log_in(&[("options", "-c role=boss")]),
        Err("0A000".to_owned())
    );
}

#[test]
fn a_newer_minor_version_and_unknown_options_are_negotiated() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = Client::dial(server.address()).expect("connects");
    let mut body = Vec::new();
    body.extend_from_slice(&(3_u32 << 16 | 9999).to_be_bytes());
    for text in [
        "user",
        &tenant.admin,
        "database",
        &tenant.name,
        "_pq_.nonsense",
        "1",
    ] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    client.send_bytes(&packet);
    let answer = client.read();
    assert_eq!(answer.tag, 'v');
    let text = String::from_utf8_lossy(&answer.body[8..]).into_owned();
    assert_eq!(
        i32::from_be_bytes(answer.body[4..8].try_into().expect("4 bytes")),
        1
    );
    assert_eq!(text.trim_end_matches('\0'), "_pq_.nonsense");
    assert_eq!(client.read().tag, 'R');
}

#[test]
fn ssl_and_gss_requests_get_one_byte() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 8, 4, 210, 22, 48]);
    let gss = client.read_byte();
    assert!(gss == b'N' || server.is_postgres() && gss == b'G');
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 8, 4, 210, 22, 47]);
    assert!(matches!(client.read_byte(), b'N' | b'S'));
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 8, 4, 210, 22, 47]);
    if client.read_byte() == b'N' {
        client
            .log_in(&tenant.name, &tenant.admin, PASSWORD, &[])
            .expect("plain text goes on after a no");
    }
}

#[test]
fn malformed_first_packets_end_one_connection_alone() {
    let server = Server::start();
    let tenant = server.tenant();
    let packets: [&[u8]; 9] = [
        &[0, 0, 0, 0],
        &[0, 0, 0, 3],
        &[0, 0, 0, 7, 0, 3, 0],
        &[0xff; 8],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, 0],
        &[0, 0, 0, 14, 0, 3, 0, 0, b'u', b's', b'e', b'r', 0, b'x'],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for packet in packets {
        let mut client = Client::dial(server.address()).expect("connects");
        client.set_read_timeout(Duration::from_secs(20));
        let _ = client.try_send_bytes(packet);
        // An error or a close; both are an answer. Silence is not.
        if let Ok(Some(message)) = client.try_read() {
            assert_eq!(message.tag, 'E', "{packet:?}");
        }
    }
    assert_eq!(tenant.connect().value("SELECT 1"), "1");
}

#[test]
fn nothing_runs_before_the_password() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = Client::dial(server.address()).expect("connects");
    client.send(|buf| {
        frontend::startup_message([("user", &*tenant.admin), ("database", &*tenant.name)], buf)
    });
    assert_eq!(client.read().tag, 'R');
    client.send(|buf| frontend::query("SELECT 1", buf));
    while let Ok(Some(message)) = client.try_read() {
        assert_eq!(message.tag, 'E');
    }
    assert_eq!(tenant.connect().value("SELECT 1"), "1");
}
