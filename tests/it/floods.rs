//! Clients that mean harm before they say anything sensible: floods of connections, start-ups byte by
//! byte, lengths out of this world, statements without end. Each is an error for whoever does it, nothing
//! for others, and the memory comes back.
//!
//! `TESSERA_TEST_FLOOD=1` makes the numbers as big as they are meant to be.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use postgres_protocol::message::frontend;

use crate::client::Client;
use crate::harness::{PASSWORD, Server, Tessera};

/// What a flood may leave of itself in the process, since allocators keep some.
const KEPT_BYTES: u64 = 96 << 20;
/// How long memory may take to come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// The number in an ordinary run, and in a long one.
fn amount(short: usize, long: usize) -> usize {
    match std::env::var_os("TESSERA_TEST_FLOOD") {
        Some(_) => long,
        None => short,
    }
}

/// A server with a short deadline for logins, and two tenants.
fn start(folder: &tempfile::TempDir) -> Option<Tessera> {
    let config = folder.path().join("tessera.toml");
    std::fs::write(&config, "[connections]\nauthentication_timeout_ms = 1500\n").expect("written");
    let server = Server::tessera_with(&["--config", &config.display().to_string()])?;
    server.two_tenants();
    Some(server)
}

/// That others are served and the memory is back where it was.
#[track_caller]
fn assert_recovered(server: &mut Tessera, before: u64) {
    assert!(server.lives());
    assert_eq!(
        server
            .session("globex", "alice")
            .value("SELECT count(*) FROM sales"),
        "2"
    );
    let deadline = Instant::now() + PATIENCE;
    while server.resident_bytes() > before + KEPT_BYTES {
        assert!(
            Instant::now() < deadline,
            "{} bytes before, {} now",
            before,
            server.resident_bytes()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A packet or message with a length that is claimed and a body that is sent.
fn framed(tag: Option<u8>, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = tag.into_iter().collect();
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn a_flood_of_connections_leaves_others_and_memory_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut server) = start(&folder) else {
        return;
    };
    let before = server.resident_bytes();
    let mut held = Vec::new();
    for number in 0..amount(600, 10_000) {
        let Ok(mut socket) = TcpStream::connect(server.address()) else {
            continue;
        };
        let packet: &[u8] = match number % 5 {
            0 => b"",
            1 => b"\0\0",
            2 => &[0xff; 64],
            3 => b"GET / HTTP/1.1\r\n\r\n",
            _ => &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f],
        };
        // The server may have closed it already.
        let _ = socket.write_all(packet);
        if number % 2 == 0 {
            held.push(socket);
        }
        // What the test itself can hold is bounded.
        if held.len() > 400 {
            held.drain(..200);
        }
        if number % 200 == 100 {
            assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
        }
    }
    drop(held);
    assert_recovered(&mut server, before);
}

#[test]
fn a_start_up_byte_by_byte_ends_at_its_deadline() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut server) = start(&folder) else {
        return;
    };
    let before = server.resident_bytes();
    let mut sockets: Vec<TcpStream> = (0..amount(50, 1_000))
        .map(|_| TcpStream::connect(server.address()).expect("connects"))
        .collect();
    let packet = framed(None, 400, b"\0\x03\0\0user\0");
    let mut sent = 0;
    let deadline = Instant::now() + Duration::from_secs(30);
    // One byte after the other, until the server has had enough of each.
    while !sockets.is_empty() {
        assert!(
            Instant::now() < deadline,
            "{} are still open",
            sockets.len()
        );
        let byte = [packet.get(sent).copied().unwrap_or(b'x')];
        sent += 1;
        sockets.retain_mut(|socket| socket.write_all(&byte).is_ok());
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
    }
    assert_recovered(&mut server, before);
}

#[test]
fn lengths_beyond_reason_end_one_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut server) = start(&folder) else {
        return;
    };
    let before = server.resident_bytes();
    let lengths = [
        0_u32,
        1,
        3,
        4,
        7,
        10_001,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0xffff_fff0,
    ];
    for length in lengths {
        let mut client = Client::dial(server.address()).expect("connects");
        let _ = client.try_send_bytes(&framed(None, length, &[0; 32]));
        client.set_read_timeout(Duration::from_secs(10));
        // An error or nothing, and then the end.
        let said = client.read_to_close();
        assert!(
            said.is_empty() || said[0] == b'E' || said[0] == b'N',
            "{length}: {said:?}"
        );
    }
    for (tag, length) in [
        b'Q', b'P', b'B', b'D', b'E', b'C', b'd', b'S', b'p', b'?', 0, 0xff,
    ]
    .into_iter()
    .flat_map(|tag| lengths.map(|length| (tag, length)))
    {
        // What is to come of a message is waited for, and data outside of a COPY is passed over.
        if (7..=10_001).contains(&length) || tag == b'd' && (4..0x8000_0000).contains(&length) {
            continue;
        }
        // A message without a body.
        if length == 4 {
            continue;
        }
        let mut client = server.session("acme", "alice");
        let _ = client.try_send_bytes(&framed(Some(tag), length, &[0; 16]));
        client.set_read_timeout(Duration::from_secs(10));
        let said = client.read_to_close();
        assert!(
            said.is_empty() || said[0] == b'E',
            "{tag} {length}: {said:?}"
        );
    }
    // Counts and lengths inside a message.
    let counted = |count: u16| -> Vec<u8> {
        let mut body = b"\0\0\0\0".to_vec();
        body.extend(count.to_be_bytes());
        body.extend([0xff; 8]);
        body
    };
    for body in [
        counted(0xffff),
        counted(0x8000),
        b"\0\0\0\0\0\x01\x7f\xff\xff\xff\0\0".to_vec(),
        b"\0\0\0\0\0\x01\x80\0\0\0\0\0".to_vec(),
        b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0".to_vec(),
        b"\0\0\xff\xff\0\0\0\0".to_vec(),
        b"no end".to_vec(),
    ] {
        let mut client = server.session("acme", "alice");
        client.send_bytes(&framed(Some(b'B'), body.len() as u32 + 4, &body));
        client.send(|buf| {
            frontend::sync(buf);
            Ok(())
        });
        let reply = client.reply();
        let code = reply.code();
        assert!(matches!(code, "08P01" | "22021"), "{body:?}: {code}");
        assert_eq!(client.value("SELECT 1"), "1");
    }
    assert_recovered(&mut server, before);
}

#[test]
fn prepared_statements_have_a_limit_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut server) = start(&folder) else {
        return;
    };
    let before = server.resident_bytes();
    let mut client = server.session("acme", "alice");
    let mut refused = 0;
    for number in 0..amount(12_000, 100_000) {
        client.send(|buf| {
            frontend::parse(&format!("p{number}"), "SELECT $1::int + 1", [], buf)?;
            frontend::sync(buf);
            Ok(())
        });
        let reply = client.reply();
        match reply.code() {
            "" => {}
            code => {
                assert_eq!(code, "53400", "{:?}", reply.error);
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no limit was met");
    assert_eq!(client.value("SELECT 1"), "1");
    assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    drop(client);
    assert_recovered(&mut server, before);
}

#[test]
fn literals_without_end_are_refused_or_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut server) = start(&folder) else {
        return;
    };
    let before = server.resident_bytes();
    let megabyte = "x".repeat(1 << 20);
    for megabytes in [1, 15, 17, 60, amount(70, 100)] {
        let mut client = server.session("acme", "alice");
        let text = format!("SELECT length('{}')", megabyte.repeat(megabytes));
        let bytes = framed(Some(b'Q'), text.len() as u32 + 5, text.as_bytes());
        let taken = client
            .try_send_bytes(&bytes)
            .and_then(|()| client.try_send_bytes(b"\0"));
        if megabytes < 16 {
            taken.expect("taken");
            assert_eq!(client.reply().rows(), [[(megabytes << 20).to_string()]]);
            continue;
        }
        let said = match taken {
            Ok(()) => client.try_read().ok().flatten(),
            Err(_) => None,
        };
        // Refused with a reason where the client still listens; the session may be over.
        assert!(
            said.is_none_or(|message| message.tag == 'E'),
            "{megabytes} MB"
        );
        assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    }
    assert_recovered(&mut server, before);
}

#[test]
fn depth_without_end_is_refused_in_every_clause() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut server) = start(&folder) else {
        return;
    };
    let before = server.resident_bytes();
    let deep = amount(20_000, 400_000);
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE t (id int)");
    for sql in [
        format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("SELECT 1{}", "::int".repeat(deep)),
        format!("SELECT 1 WHERE {}true", "NOT ".repeat(deep)),
        format!("SELECT ARRAY{}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!(
            "CREATE TABLE d (id int CHECK ({}id{} > 0))",
            "(".repeat(deep),
            ")".repeat(deep)
        ),
        format!(
            "CREATE POLICY p ON t USING ({}true{})",
            "(".repeat(deep),
            ")".repeat(deep)
        ),
        format!(
            "CREATE VIEW v AS SELECT {}1",
            "-".repeat(deep).replace("--", "- -")
        ),
        format!(
            "SELECT * FROM {}t{}",
            "(SELECT * FROM ".repeat(deep),
            ") x".repeat(deep)
        ),
        format!(
            "WITH a AS ({}SELECT 1{}) SELECT 1",
            "(".repeat(deep),
            ")".repeat(deep)
        ),
        format!("EXPLAIN {}SELECT 1", "EXPLAIN ".repeat(deep)),
        format!("SELECT {}", "1,".repeat(deep)),
        format!("SELECT 1 IN ({}1)", "1,".repeat(deep)),
        format!("INSERT INTO t VALUES {}(1)", "(1),".repeat(deep)),
        format!(
            "COPY ({}SELECT 1{}) TO STDOUT",
            "(".repeat(deep),
            ")".repeat(deep)
        ),
        format!(
            "PREPARE x AS {}SELECT 1{}",
            "(".repeat(deep),
            ")".repeat(deep)
        ),
        "BEGIN; ".repeat(deep) + "ROLLBACK",
        format!(
            "BEGIN; {} ROLLBACK",
            "SAVEPOINT s; ".repeat(deep.min(20_000))
        ),
    ] {
        let mut client = server.session("acme", "boss");
        client.run("SET statement_timeout = '60s'");
        let reply = client.simple(&sql);
        let known = matches!(
            reply.code(),
            "" | "54001"
                | "54000"
                | "53400"
                | "53200"
                | "57014"
                | "42601"
                | "42804"
                | "42846"
                | "0A000"
        );
        assert!(known, "{}…: {:?}", &sql[..40], reply.error);
        assert!(server.lives(), "{}…", &sql[..40]);
        let other = server.login("globex", "alice", PASSWORD);
        assert_eq!(other.expect("others log in").value("SELECT 1"), "1");
    }
    drop(client);
    assert_recovered(&mut server, before);
}
