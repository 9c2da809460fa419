//! The command line: one line when ready, a clean stop, one clear line when it cannot start.

use crate::client::error_fields;
use crate::harness::{ADMIN_PASSWORD, Server, run_to_end};

const WITH_PASSWORD: &[(&str, &str)] = &[("TESSERA_ADMIN_PASSWORD", ADMIN_PASSWORD)];

/// Checks that a start failed and said so in one line that holds the words.
#[track_caller]
fn assert_refused(output: &std::process::Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("is ready"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_string_lossy().into_owned();
    assert_refused(
        &run_to_end(
            &["serve", "--data", &folder, "--listen", &address],
            WITH_PASSWORD,
        ),
        &[&address],
    );
}

#[test]
fn one_folder_has_one_server() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let folder = server.data().to_string_lossy().into_owned();
    assert_refused(
        &run_to_end(
            &["serve", "--data", &folder, "--listen", "127.0.0.1:0"],
            WITH_PASSWORD,
        ),
        &[&folder],
    );
    assert_eq!(server.operator().value("SELECT 1"), "1");
}

#[test]
fn other_addresses_than_loopback_want_tls() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_string_lossy().into_owned();
    assert_refused(
        &run_to_end(
            &["serve", "--data", &folder, "--listen", "0.0.0.0:0"],
            WITH_PASSWORD,
        ),
        &["TLS"],
    );
}

#[test]
fn the_first_start_wants_a_password() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_string_lossy().into_owned();
    let output = run_to_end(
        &["serve", "--data", &folder, "--listen", "127.0.0.1:0"],
        &[],
    );
    assert_refused(&output, &["TESSERA_ADMIN_PASSWORD"]);
}

#[test]
fn sigterm_stops_cleanly_and_start_finds_the_data() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut client = server.session("acme", "alice");
    let status = server.stop();
    assert!(status.success(), "{status}");
    // An idle session hears why before it is closed.
    if let Ok(Some(message)) = client.try_read() {
        assert_eq!(error_fields(&message.body).code(), "57P01");
    }
    server.launch();
    assert_eq!(
        server
            .session("acme", "alice")
            .value("SELECT count(*) FROM sales"),
        "3"
    );
}
