//! TLS: offered where it is configured, bound to the login, and never a way around it.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::harness::{ADMIN_PASSWORD, PASSWORD, Server, Tessera, run_to_end};

/// A server with a certificate of its own, and what a client needs to trust it.
struct Secure {
    server: Tessera,
    certificate: CertificateDer<'static>,
    _files: tempfile::TempDir,
}

fn write_config(folder: &Path) -> (String, CertificateDer<'static>) {
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    std::fs::write(&certificate, made.cert.pem()).expect("the certificate can be written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("the key can be written");
    let config = folder.join("tessera.toml");
    let text = format!(
        "[listen]\ntls_certificate_file = {:?}\ntls_key_file = {:?}\n",
        certificate.display().to_string(),
        key.display().to_string()
    );
    std::fs::write(&config, text).expect("the config can be written");
    (config.display().to_string(), made.cert.der().clone())
}

fn secure() -> Option<Secure> {
    let files = tempfile::tempdir().expect("a folder");
    let (config, certificate) = write_config(files.path());
    let server = Server::tessera_with(&["--config", &config])?;
    server.two_tenants();
    Some(Secure {
        server,
        certificate,
        _files: files,
    })
}

impl Secure {
    fn wrap(&self, socket: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
        self.wrap_with(socket, &[])
    }

    /// TLS with the names of protocols that the client offers.
    fn wrap_with(
        &self,
        socket: TcpStream,
        protocols: &[&str],
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("the certificate is one");
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("TLS 1.2 and 1.3")
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        let name = ServerName::try_from("localhost").expect("a name");
        StreamOwned::new(
            ClientConnection::new(Arc::new(config), name).expect("a connection"),
            socket,
        )
    }

    fn dial(&self, binding: Option<Vec<u8>>) -> Client {
        let mut client = Client::dial(self.server.address()).expect("connects");
        client.start_tls(|socket| self.wrap(socket), binding);
        client
    }

    fn hash(&self) -> Vec<u8> {
        Sha256::digest(&self.certificate).to_vec()
    }
}

#[test]
fn a_login_over_tls_works_with_and_without_channel_binding() {
    let Some(secure) = secure() else { return };
    let mut plain = secure.dial(None);
    plain
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("logs in");
    assert_eq!(plain.value("SELECT count(*) FROM sales"), "3");
    let mut bound = secure.dial(Some(secure.hash()));
    bound
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("logs in");
    assert_eq!(
        bound.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
        "t"
    );
}

#[test]
fn tls_begins_without_asking_when_the_protocol_is_named() {
    let Some(secure) = secure() else { return };
    let mut client = Client::dial(secure.server.address()).expect("connects");
    let wrap = |socket| secure.wrap_with(socket, &["postgresql"]);
    client.start_tls_directly(wrap, Some(secure.hash()));
    client
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("logs in");
    assert_eq!(client.value("SELECT count(*) FROM sales"), "3");
    // The name may be given after asking too, as libpq 17 does.
    let mut asking = Client::dial(secure.server.address()).expect("connects");
    asking.start_tls(wrap, None);
    asking
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("logs in");
}

#[test]
fn tls_without_asking_and_without_the_protocols_name_is_refused() {
    let Some(secure) = secure() else { return };
    for protocols in [&[][..], &["h2", "http/1.1"][..]] {
        let mut client = Client::dial(secure.server.address()).expect("connects");
        client.start_tls_directly(|socket| secure.wrap_with(socket, protocols), None);
        let startup = b"\0\0\0\x22\0\x03\0\0user\0alice\0database\0acme\0\0";
        let _ = client.try_send_bytes(startup);
        let answer = client.read_to_close();
        assert_ne!(
            answer.first(),
            Some(&b'R'),
            "{protocols:?}: a password is asked for"
        );
    }
    secure
        .dial(None)
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("others are not disturbed");
}

#[test]
fn a_login_bound_to_another_certificate_is_refused() {
    let Some(secure) = secure() else { return };
    let mut client = secure.dial(Some(Sha256::digest(b"another certificate").to_vec()));
    let error = client
        .log_in("acme", "alice", PASSWORD, &[])
        .expect_err("refused");
    assert!(
        matches!(error.code(), "28P01" | "28000" | "08P01"),
        "{error}"
    );
}

#[test]
fn plain_text_sent_ahead_of_the_handshake_is_not_obeyed() {
    let Some(secure) = secure() else { return };
    let mut client = Client::dial(secure.server.address()).expect("connects");
    // An SSLRequest and a start-up packet in one breath, as one in the middle would inject it.
    let mut packet = vec![0, 0, 0, 8, 4, 210, 22, 47];
    let body = b"\0\x03\0\0user\0alice\0database\0acme\0\0";
    packet.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    packet.extend_from_slice(body);
    client.send_bytes(&packet);
    client.set_read_timeout(Duration::from_secs(5));
    let answer = client.read_to_close();
    // A yes to TLS may come, and an error after it; a request for a password may not.
    let first_message = answer.strip_prefix(b"S").unwrap_or(&answer).first();
    assert_ne!(
        first_message,
        Some(&b'R'),
        "the injected packet was answered"
    );
    let mut honest = secure.dial(None);
    honest
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("others are not disturbed");
}

#[test]
fn tls_that_cannot_start_keeps_the_server_from_starting() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let (files, data) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let (config, _) = write_config(files.path());
    std::fs::write(files.path().join("server.key"), "not a key").expect("the key can be spoilt");
    let folder = data.path().display().to_string();
    let arguments = [
        "serve",
        "--data",
        &folder,
        "--listen",
        "127.0.0.1:0",
        "--config",
        &config,
    ];
    let output = run_to_end(&arguments, &[("TESSERA_ADMIN_PASSWORD", ADMIN_PASSWORD)]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("server.key"),
        "{said}"
    );
    assert!(
        !said.contains("not a key"),
        "the key's content is not shown: {said}"
    );
}
