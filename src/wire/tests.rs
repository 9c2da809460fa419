//! The protocol through a socket: a real server over the session, real clients and raw bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{SinkExt, StreamExt};
use tessera_catalog::id::{DatabaseId, Oid, TenantId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::auth::{Candidate, Directory, PasswordEncryption, make_verifier};
use crate::config::Config;
use crate::error::Result;
use crate::server::Server;
use crate::session::Engine;

struct Users;

#[async_trait]
impl Directory for Users {
    async fn find(&self, user: &str, database: &str) -> Result<Option<Candidate>> {
        let encryption = match user {
            "alice" | "admin" => PasswordEncryption::ScramSha256 { iterations: 4096 },
            "argon" => PasswordEncryption::Argon2id,
            _ => return Ok(None),
        };
        let operator = user == "admin";
        if database != "acme" && !operator {
            return Ok(None);
        }
        let id = DatabaseId::Tenant(TenantId::generate());
        Ok(Some(Candidate {
            user: user.to_owned(),
            role: Oid(10),
            operator,
            superuser: operator,
            can_login: true,
            password: Some(make_verifier("secret", encryption)?),
            valid_until: None,
            role_connection_limit: -1,
            database: (database == "acme").then(|| (id, database.to_owned())),
            may_connect: true,
            database_connection_limit: None,
        }))
    }

    async fn argon2id_share(&self) -> f64 {
        0.0
    }
}

/// A running server; it stops when this is dropped.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    done: tokio::task::JoinHandle<()>,
}

async fn serve(mut config: Config) -> Running {
    config.listen.address = SocketAddr::from(([127, 0, 0, 1], 0));
    let cpu = tokio::runtime::Handle::current();
    let server = Server::bind(
        &config,
        Arc::new(Engine::default()),
        Arc::new(Users),
        [1; 32],
        cpu,
    )
    .await
    .unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running {
        address,
        stop: Some(stop),
        done,
    }
}

impl Running {
    async fn connect(&self) -> Client {
        self.try_connect("alice", "acme", "secret").await.unwrap()
    }

    async fn try_connect(
        &self,
        user: &str,
        database: &str,
        password: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let port = self.address.port();
        let text =
            format!("host=127.0.0.1 port={port} user={user} dbname={database} password={password}");
        let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("", |code| code.code())
}

#[tokio::test]
async fn logins_that_fail_look_the_same() {
    let server = serve(Config::default()).await;
    for (user, database, password) in [
        ("alice", "acme", "wrong"),
        ("nobody", "acme", "secret"),
        ("alice", "globex", "secret"),
        ("argon", "acme", "secret"),
    ] {
        let error = server
            .try_connect(user, database, password)
            .await
            .err()
            .unwrap();
        assert_eq!(code(&error), "28P01", "{user}");
        let message = error.as_db_error().unwrap().message().to_owned();
        assert_eq!(
            message,
            format!("password authentication failed for user \"{user}\"")
        );
    }
    let error = server
        .try_connect("admin", "globex", "secret")
        .await
        .err()
        .unwrap();
    assert_eq!(code(&error), "3D000");
    server.try_connect("admin", "acme", "secret").await.unwrap();
}

#[tokio::test]
async fn both_protocols_answer() {
    let server = serve(Config::default()).await;
    let client = server.connect().await;
    let messages = client
        .simple_query("select 1; ; begin; select user; commit")
        .await
        .unwrap();
    let values: Vec<&str> = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(values, ["1", "alice"]);
    let row = client.query_one("select $1::int", &[&7i32]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 7);
    assert_eq!(
        client.query("select series", &[]).await.unwrap().len(),
        20_000
    );
    client.simple_query("").await.unwrap();
    let error = client.simple_query("selec").await.unwrap_err();
    assert_eq!(code(&error), "42601");
    // An error within the rows leaves the session in order.
    let error = client.query("select failing", &[]).await.unwrap_err();
    assert_eq!(code(&error), "22012");
    assert_eq!(client.query("select 1", &[]).await.unwrap().len(), 1);
    client.batch_execute("notice; set").await.unwrap();
}

#[tokio::test]
async fn values_travel_in_binary_both_ways() {
    let server = serve(Config::default()).await;
    let client = server.connect().await;
    let uuid = uuid::Uuid::from_u128(7);
    let row = client.query_one("echo uuid", &[&uuid]).await.unwrap();
    assert_eq!(row.get::<_, uuid::Uuid>(0), uuid);
    let day = chrono::NaiveDate::from_ymd_opt(1969, 7, 20).unwrap();
    assert_eq!(
        client
            .query_one("echo date", &[&day])
            .await
            .unwrap()
            .get::<_, chrono::NaiveDate>(0),
        day
    );
    let now = chrono::Utc::now();
    let back: chrono::DateTime<chrono::Utc> = client
        .query_one("echo timestamptz", &[&now])
        .await
        .unwrap()
        .get(0);
    assert_eq!(back.timestamp_micros(), now.timestamp_micros());
    let json = serde_json::json!({"a": [1, null]});
    assert_eq!(
        client
            .query_one("echo jsonb", &[&json])
            .await
            .unwrap()
            .get::<_, serde_json::Value>(0),
        json
    );
    let list = vec![Some("a".to_owned()), None];
    assert_eq!(
        client
            .query_one("echo text[]", &[&list])
            .await
            .unwrap()
            .get::<_, Vec<Option<String>>>(0),
        list
    );
    let row = client
        .query_one("echo int8", &[&None::<i64>])
        .await
        .unwrap();
    assert_eq!(row.get::<_, Option<i64>>(0), None);
}

#[tokio::test]
async fn portals_are_read_in_parts_and_side_by_side() {
    let server = serve(Config::default()).await;
    let mut socket = log_in_raw(&server).await;
    let mut bytes = Vec::new();
    message(&mut bytes, b'Q', b"begin\0");
    message(&mut bytes, b'P', b"s\0select series\0\0\0");
    message(&mut bytes, b'B', b"p\0s\0\0\0\0\0\0\0");
    message(&mut bytes, b'B', b"q\0s\0\0\0\0\0\0\0");
    message(&mut bytes, b'E', b"p\0\0\0\0\x02");
    message(&mut bytes, b'S', b"");
    message(&mut bytes, b'E', b"q\0\0\0\0\x03");
    message(&mut bytes, b'E', b"p\0\0\0\0\x01");
    message(&mut bytes, b'S', b"");
    message(&mut bytes, b'Q', b"commit\0");
    message(&mut bytes, b'E', b"p\0\0\0\0\x01");
    message(&mut bytes, b'E', b"q\0\0\0\0\x01");
    message(&mut bytes, b'S', b"");
    socket.write_all(&bytes).await.unwrap();
    // Two rows and a pause; three of the other, one more; after COMMIT the portal is gone and the rest
    // is skipped to Sync.
    assert_eq!(tags(&mut socket, 5).await, "CZ122DDsZDDDsDsZCZEZ");
}

#[tokio::test]
async fn an_error_skips_to_sync() {
    let server = serve(Config::default()).await;
    let mut socket = log_in_raw(&server).await;
    let mut bytes = Vec::new();
    message(&mut bytes, b'P', b"\0nonsense\0\0\0");
    message(&mut bytes, b'B', b"\0\0\0\0\0\0\0\0");
    message(&mut bytes, b'E', b"\0\0\0\0\0");
    message(&mut bytes, b'S', b"");
    message(&mut bytes, b'P', b"\0select 1\0\0\0");
    message(&mut bytes, b'D', b"S\0");
    message(&mut bytes, b'B', b"\0\0\0\0\0\0\0\0");
    message(&mut bytes, b'E', b"\0\0\0\0\0");
    message(&mut bytes, b'E', b"\0\0\0\0\0");
    message(&mut bytes, b'C', b"S\0");
    message(&mut bytes, b'P', b"\0\0\0\0");
    message(&mut bytes, b'D', b"S\0");
    message(&mut bytes, b'B', b"\0\0\0\0\0\0\0\0");
    message(&mut bytes, b'E', b"\0\0\0\0\0");
    message(&mut bytes, b'S', b"");
    socket.write_all(&bytes).await.unwrap();
    assert_eq!(tags(&mut socket, 2).await, "EZ1tT2DCC31tn2IZ");
}

#[tokio::test]
async fn copy_in_and_out_in_each_format() {
    let server = serve(Config::default()).await;
    let client = server.connect().await;
    for format in ["text", "csv", "binary"] {
        let csv = "1,x,1.50,2020-01-02\n2,,-0.01,\n3,\"a\"\"\nb\",,1999-12-31\n";
        let sink = client
            .copy_in::<_, bytes::Bytes>("copy t from csv")
            .await
            .unwrap();
        let mut sink = std::pin::pin!(sink);
        for piece in csv.as_bytes().chunks(7) {
            sink.send(bytes::Bytes::copy_from_slice(piece))
                .await
                .unwrap();
        }
        assert_eq!(sink.finish().await.unwrap(), 3);
        let mut data = Vec::new();
        let mut out = std::pin::pin!(
            client
                .copy_out(&format!("copy t to {format}"))
                .await
                .unwrap()
        );
        while let Some(piece) = out.next().await {
            data.extend_from_slice(&piece.unwrap());
        }
        // What went out comes in again.
        let sink = client
            .copy_in::<_, bytes::Bytes>(&format!("copy t from {format}"))
            .await
            .unwrap();
        let mut sink = std::pin::pin!(sink);
        sink.send(bytes::Bytes::from(data)).await.unwrap();
        assert_eq!(sink.finish().await.unwrap(), 3);
        let mut again = Vec::new();
        let mut out = std::pin::pin!(client.copy_out("copy t to csv").await.unwrap());
        while let Some(piece) = out.next().await {
            again.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(String::from_utf8(again).unwrap(), csv, "{format}");
    }
    // A bad row ends the COPY with its place, and the session goes on.
    let sink = client
        .copy_in::<_, bytes::Bytes>("copy t from csv")
        .await
        .unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(bytes::Bytes::from_static(
        b"1,x,1,2020-01-01\nno,x,1,2020-01-01\n",
    ))
    .await
    .unwrap();
    let error = sink.finish().await.unwrap_err();
    assert_eq!(code(&error), "22P02");
    assert_eq!(
        error.as_db_error().unwrap().where_(),
        Some("COPY t, line 2, column a: \"no\"")
    );
    assert_eq!(client.query("select 1", &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn copy_fails_when_the_client_says_so() {
    let server = serve(Config::default()).await;
    let mut socket = log_in_raw(&server).await;
    let mut bytes = Vec::new();
    message(&mut bytes, b'Q', b"copy t from csv\0");
    message(&mut bytes, b'd', b"1,x,1,2020-01-01\n");
    message(&mut bytes, b'f', b"changed my mind\0");
    message(&mut bytes, b'd', b"late");
    message(&mut bytes, b'Q', b"select 1\0");
    socket.write_all(&bytes).await.unwrap();
    assert_eq!(tags(&mut socket, 2).await, "GEZTDCZ");
}

#[tokio::test]
async fn a_statement_is_cancelled_by_its_key_alone() {
    let server = serve(Config::default()).await;
    let client = server.connect().await;
    let token = client.cancel_token();
    let mut wrong = vec![0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e];
    wrong.extend_from_slice(&[0; 8]);
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.raw().await.write_all(&wrong).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let (result, ()) = tokio::join!(client.simple_query("select slow"), cancel);
    assert_eq!(code(&result.unwrap_err()), "57014");
    assert_eq!(client.query("select 1", &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn silent_and_broken_clients_are_dropped() {
    let mut config = Config::default();
    config.connections.authentication_timeout_ms = 300;
    let server = serve(config).await;
    let mut silent = server.raw().await;
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("canceling authentication due to timeout"));
    for bytes in [
        &b"\xff\xff\xff\xff"[..],
        b"\0\0\0\x04",
        b"\0\0\x27\x11\0\x03\0\0",
        b"\0\0\0\x08\0\x02\0\0",
        b"\0\0\0\x08\x04\xd2\x16\x2fplain",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\0\0",
    ] {
        let mut socket = server.raw().await;
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert_eq!(answer.first(), Some(&b'E'), "{bytes:?}");
    }
    // After login, a message of an impossible length ends the connection.
    let mut socket = log_in_raw(&server).await;
    socket.write_all(b"Q\xff\xff\xff\xff").await.unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer).contains("FATAL"));
}

#[tokio::test]
async fn newer_versions_are_negotiated() {
    let server = serve(Config::default()).await;
    let mut socket = server.raw().await;
    let mut packet = vec![0, 0, 0, 0, 0, 3, 0x27, 0x0f];
    packet.extend_from_slice(b"user\0alice\0database\0acme\0_pq_.new\x001\0\0");
    let length = packet.len() as u32;
    packet[..4].copy_from_slice(&length.to_be_bytes());
    socket.write_all(&packet).await.unwrap();
    let (tag, body) = read(&mut socket).await;
    assert_eq!(tag, b'v');
    assert_eq!(body, b"\0\x03\0\x02\0\0\0\x01_pq_.new\0");
    assert_eq!(read(&mut socket).await.0, b'R');
}

#[tokio::test]
async fn the_server_stops_when_statements_are_done() {
    let mut server = serve(Config::default()).await;
    let client = server.connect().await;
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server.done)
        .await
        .unwrap()
        .unwrap();
    assert!(client.simple_query("select 1").await.is_err());
}

#[tokio::test]
async fn tls_with_and_without_negotiation() {
    use rustls::pki_types::ServerName;
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut config = Config::default();
    config.listen.tls_certificate_file = folder.path().join("cert.pem");
    config.listen.tls_key_file = folder.path().join("key.pem");
    std::fs::write(&config.listen.tls_certificate_file, made.cert.pem()).unwrap();
    std::fs::write(
        &config.listen.tls_key_file,
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    let server = serve(config).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let startup = {
        let mut packet = vec![0, 0, 0, 0, 0, 3, 0, 0];
        packet.extend_from_slice(b"user\0argon\0database\0acme\0\0");
        let length = packet.len() as u32;
        packet[..4].copy_from_slice(&length.to_be_bytes());
        packet
    };
    // Negotiated: the argon2id role is asked for its password.
    let mut socket = server.raw().await;
    socket
        .write_all(b"\0\0\0\x08\x04\xd2\x16\x2f")
        .await
        .unwrap();
    assert_eq!(socket.read_u8().await.unwrap(), b'S');
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client.clone()));
    let mut stream = connector.connect(name.clone(), socket).await.unwrap();
    stream.write_all(&startup).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, *b"R\0\0\0\x08\0\0\0\x03");
    let mut password = Vec::new();
    message(&mut password, b'p', b"secret\0");
    stream.write_all(&password).await.unwrap();
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head, *b"R\0\0\0\x08\0\0\0\0");
    // Direct: only with the protocol's name.
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client.clone()));
    let mut stream = connector
        .connect(name.clone(), server.raw().await)
        .await
        .unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'E');
    client.alpn_protocols = vec![b"postgresql".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(name, server.raw().await).await.unwrap();
    let mut packet = startup.clone();
    packet.splice(8..startup.len(), *b"user\0alice\0database\0acme\0\0");
    let length = packet.len() as u32;
    packet[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&packet).await.unwrap();
    let mut offer = [0; 28];
    stream.read_exact(&mut offer).await.unwrap();
    assert_eq!(&offer[9..], b"SCRAM-SHA-256-PLUS\0");
}

/// Logs in by SCRAM over raw bytes, as alice.
async fn log_in_raw(server: &Running) -> TcpStream {
    use base64::Engine as _;
    use sha2::{Digest, Sha256};
    let base64 = base64::engine::general_purpose::STANDARD;
    let mut socket = server.raw().await;
    let mut packet = vec![0, 0, 0, 0, 0, 3, 0, 0];
    packet.extend_from_slice(b"user\0alice\0database\0acme\0\0");
    let length = packet.len() as u32;
    packet[..4].copy_from_slice(&length.to_be_bytes());
    socket.write_all(&packet).await.unwrap();
    read(&mut socket).await;
    let mut bytes = Vec::new();
    message(&mut bytes, b'p', b"SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=xy");
    socket.write_all(&bytes).await.unwrap();
    let (_, first) = read(&mut socket).await;
    let first = String::from_utf8(first[4..].to_vec()).unwrap();
    let mut parts = first.split(',');
    let nonce = parts.next().unwrap();
    let salt = base64.decode(&parts.next().unwrap()[2..]).unwrap();
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(b"secret", &salt, 4096, &mut salted);
    let client_key = crate::auth::scram::hmac(&salted, &[b"Client Key"]);
    let stored: [u8; 32] = Sha256::digest(client_key).into();
    let last = format!("c=biws,{nonce}");
    let signature = crate::auth::scram::hmac(
        &stored,
        &[b"n=,r=xy,", first.as_bytes(), b",", last.as_bytes()],
    );
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let mut bytes = Vec::new();
    message(
        &mut bytes,
        b'p',
        format!("{last},p={}", base64.encode(proof)).as_bytes(),
    );
    socket.write_all(&bytes).await.unwrap();
    while read(&mut socket).await.0 != b'Z' {}
    socket
}

fn message(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    super::backend::message(out, tag, |out| out.extend_from_slice(body));
}

async fn read(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let tag = socket.read_u8().await.unwrap();
    let length = socket.read_u32().await.unwrap() as usize;
    let mut body = vec![0; length - 4];
    socket.read_exact(&mut body).await.unwrap();
    (tag, body)
}

/// The tags of the messages up to the last of so many ReadyForQuery.
async fn tags(socket: &mut TcpStream, ready: usize) -> String {
    let mut tags = String::new();
    while tags.matches('Z').count() < ready {
        let next = tokio::time::timeout(Duration::from_secs(5), read(socket)).await;
        let Ok((tag, _)) = next else {
            return format!("{tags} and then nothing");
        };
        tags.push(char::from(tag));
    }
    tags
}
