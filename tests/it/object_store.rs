//! Tables on an S3 store: they lie there and nowhere else, and a store that fails, drops connections
//! or answers late loses nothing and doubles nothing.
//!
//! The store is the program s3s-fs, an S3 server over a folder, which `tests/run` installs; without it
//! these tests are left out. A proxy of the test's own makes the faults.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rand::Rng;

use crate::harness::Tessera;

const BUCKET: &str = "lake";
const ACCESS_KEY: &str = "tessera";
const SECRET_KEY: &str = "not-a-secret-at-all";

/// An S3 server over a folder, behind a proxy that makes faults; it ends with the test.
struct Store {
    folder: tempfile::TempDir,
    process: Child,
    endpoint: String,
    /// How many of a hundred requests go wrong.
    faults: Arc<AtomicU32>,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, PartialEq)]
enum Misfortune {
    /// It is refused with this status and not carried out.
    Refused(u16),
    /// The connection breaks before it is carried out.
    Reset,
    /// It is carried out, and the connection breaks before anybody is told.
    Late,
    /// The answer comes slowly.
    Slow,
    /// The connection breaks within the answer.
    Cut,
}

impl Misfortune {
    fn draw(percent: u32) -> Option<Self> {
        let mut rng = rand::rng();
        if rng.random_range(0..100) >= percent {
            return None;
        }
        Some(match rng.random_range(0..7) {
            0 => Self::Refused(500),
            1 => Self::Refused(503),
            2 => Self::Refused(429),
            3 => Self::Reset,
            4 => Self::Late,
            5 => Self::Slow,
            _ => Self::Cut,
        })
    }
}

/// Where `tests/run` puts the S3 server.
fn program() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let program = target.join("tools/bin/s3s-fs");
    program.exists().then_some(program)
}

/// One message of HTTP/1.1, head and body as they came; none at the end of the connection.
fn message(from: &mut BufReader<TcpStream>, body_follows: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut length, mut chunked) = (0, false);
    loop {
        let begin = bytes.len();
        if from.read_until(b'\n', &mut bytes).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&bytes[begin..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        if line.trim().is_empty() {
            break;
        }
    }
    if !body_follows {
        return Some(bytes);
    }
    if chunked {
        loop {
            let begin = bytes.len();
            from.read_until(b'\n', &mut bytes).ok()?;
            let size = String::from_utf8_lossy(&bytes[begin..]).trim().to_owned();
            let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
            take(from, size + 2, &mut bytes)?;
            if size == 0 {
                return Some(bytes);
            }
        }
    }
    take(from, length, &mut bytes)?;
    Some(bytes)
}

fn take(from: &mut BufReader<TcpStream>, length: usize, into: &mut Vec<u8>) -> Option<()> {
    let read = from.take(length as u64).read_to_end(into).ok()?;
    (read == length).then_some(())
}

/// Hands a client's requests on, one after the other, until its connection ends or is broken.
fn pass_on(client: TcpStream, store: &str, faults: &AtomicU32) -> Option<()> {
    let mut to_client = client.try_clone().ok()?;
    let mut from_client = BufReader::new(client);
    loop {
        let request = message(&mut from_client, true)?;
        let misfortune = Misfortune::draw(faults.load(Ordering::Relaxed));
        if let Some(Misfortune::Refused(status)) = misfortune {
            let answer = format!("HTTP/1.1 {status} Unlucky\r\ncontent-length: 0\r\n\r\n");
            to_client.write_all(answer.as_bytes()).ok()?;
            continue;
        }
        if misfortune == Some(Misfortune::Reset) {
            return to_client.shutdown(Shutdown::Both).ok();
        }
        let mut to_store = TcpStream::connect(store).ok()?;
        let mut from_store = BufReader::new(to_store.try_clone().ok()?);
        to_store.write_all(&request).ok()?;
        let answer = message(&mut from_store, !request.starts_with(b"HEAD "))?;
        match misfortune {
            Some(Misfortune::Late) => return to_client.shutdown(Shutdown::Both).ok(),
            Some(Misfortune::Slow) => std::thread::sleep(Duration::from_millis(300)),
            Some(Misfortune::Cut) => {
                to_client.write_all(&answer[..answer.len() / 2]).ok()?;
                return to_client.shutdown(Shutdown::Both).ok();
            }
            _ => {}
        }
        to_client.write_all(&answer).ok()?;
    }
}

impl Store {
    /// A store, or None where its program is not installed or the tests run against PostgreSQL.
    fn start() -> Option<Self> {
        if std::env::var_os("TESSERA_TEST_PG").is_some() {
            return None;
        }
        let Some(program) = program() else {
            println!("s3s-fs is not installed: the test is left out");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let process = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the S3 server runs");
        let store = format!("127.0.0.1:{port}");
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&store).is_err() {
            assert!(Instant::now() < deadline, "the S3 server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", proxy.local_addr().expect("an address"));
        let faults = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&faults);
        std::thread::spawn(move || {
            for client in proxy.incoming().map_while(Result::ok) {
                let (store, faults) = (store.clone(), Arc::clone(&shared));
                std::thread::spawn(move || pass_on(client, &store, &faults));
            }
        });
        Some(Self {
            folder,
            process,
            endpoint,
            faults,
        })
    }

    /// A server whose tables lie in the bucket.
    fn server(&self) -> Tessera {
        let config = self.folder.path().join("tessera.toml");
        let text = format!(
            "[storage]\nurl = \"s3://{BUCKET}/tables\"\n\n[storage.options]\n\
             aws_endpoint = \"{}\"\naws_allow_http = \"true\"\naws_region = \"here\"\n\
             aws_access_key_id = \"{ACCESS_KEY}\"\naws_secret_access_key = \"{SECRET_KEY}\"\n",
            self.endpoint
        );
        std::fs::write(&config, text).expect("a config file");
        Tessera::start(&["--config", config.to_str().expect("a path in UTF-8")])
    }

    fn set_faults(&self, percent: u32) {
        self.faults.store(percent, Ordering::Relaxed);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The Parquet files below a folder.
fn data_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let paths = entries.map(|entry| entry.expect("a folder that can be read").path());
    let count = |path: PathBuf| match path.is_dir() {
        true => data_files(&path),
        false => usize::from(
            path.extension()
                .is_some_and(|extension| extension == "parquet"),
        ),
    };
    paths.map(count).sum()
}

#[test]
fn tables_lie_in_the_store_and_survive_a_kill() {
    let Some(store) = Store::start() else {
        return;
    };
    let mut server = store.server();
    server.two_tenants();
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE numbers (n bigint PRIMARY KEY, label text)");
    boss.run("INSERT INTO numbers SELECT n, 'label ' || n FROM generate_series(1, 200000) AS n");
    boss.run("UPDATE numbers SET label = 'changed' WHERE n % 2 = 0");
    boss.run("DELETE FROM numbers WHERE n > 100000");
    let copied = boss.copy_in("COPY numbers FROM STDIN", &[b"500000\tcopied\n"]);
    assert_eq!(copied.code(), "", "{:?}", copied.error);
    let expected = [["100001", "50000", "5000550000"]
        .map(str::to_owned)
        .to_vec()];
    let question =
        "SELECT count(*), count(*) FILTER (WHERE label = 'changed'), sum(n) FROM numbers";
    assert_eq!(boss.rows(question), expected);
    assert!(data_files(&store.folder.path().join(BUCKET)) > 0);
    assert_eq!(
        data_files(server.data()),
        0,
        "nothing lies in the data folder"
    );
    server.kill();
    server.launch();
    let mut boss = server.session("acme", "boss");
    assert_eq!(boss.rows(question), expected);
    assert_eq!(
        boss.fail("INSERT INTO numbers VALUES (500000, 'twice')")
            .code(),
        "23505"
    );
    assert_eq!(
        boss.value("SELECT count(*) FROM numbers FOR VERSION AS OF 0"),
        "200000"
    );
    let mut alice = server.session("globex", "alice");
    assert_eq!(alice.value("SELECT sum(amount) FROM sales"), "8000.00");
}

/// What a writer was told of its rows: done, or failed in an unknown state.
type Told = BTreeMap<i64, bool>;

/// Inserts rows one by one, and says which were acknowledged.
fn insert(server: &Tessera, tenant: &str, ids: &AtomicI64, rows: usize) -> Told {
    let mut client = server.session(tenant, "boss");
    client.set_read_timeout(Duration::from_secs(240));
    let mut told = Told::new();
    for _ in 0..rows {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let reply = client.simple(&format!(
            "BEGIN; INSERT INTO entries VALUES ({id}, -1); INSERT INTO journal VALUES ({id}, 1); COMMIT"
        ));
        if !reply.code().is_empty() {
            assert!(!reply.code().starts_with("XX"), "{:?}", reply.error);
            client.simple("ROLLBACK");
        }
        told.insert(id, reply.code().is_empty());
    }
    told
}

/// Reads a table, again when the store fails.
fn read(server: &Tessera, tenant: &str, table: &str) -> Vec<i64> {
    let mut client = server.session(tenant, "boss");
    client.set_read_timeout(Duration::from_secs(240));
    for _ in 0..20 {
        let reply = client.simple(&format!("SELECT id FROM {table} ORDER BY id"));
        if reply.code().is_empty() {
            let rows = reply.rows();
            return rows
                .iter()
                .map(|row| row[0].parse().expect("a number"))
                .collect();
        }
        assert!(!reply.code().starts_with("XX"), "{:?}", reply.error);
    }
    panic!("{table} cannot be read");
}

#[test]
fn a_failing_store_loses_and_doubles_nothing() {
    let Some(store) = Store::start() else {
        return;
    };
    let mut server = store.server();
    server.two_tenants();
    for tenant in ["acme", "globex"] {
        let mut boss = server.session(tenant, "boss");
        boss.run("CREATE TABLE journal (id bigint, amount bigint)");
        boss.run("CREATE TABLE entries (id bigint, amount bigint)");
    }
    let ids = AtomicI64::new(0);
    let mut told: BTreeMap<&str, Told> = BTreeMap::new();
    for percent in [5, 30] {
        store.set_faults(percent);
        let all: Vec<(&str, Told)> = std::thread::scope(|scope| {
            let (server, ids) = (&server, &ids);
            let writers = ["acme", "globex", "acme"]
                .map(|tenant| (tenant, scope.spawn(move || insert(server, tenant, ids, 12))));
            let told = writers.into_iter();
            told.map(|(tenant, writer)| (tenant, writer.join().expect("no panic")))
                .collect()
        });
        for (tenant, more) in all {
            told.entry(tenant).or_default().extend(more);
        }
        check(&server, &told);
        // What was under way is made good by the next start.
        server.kill();
        server.launch();
        check(&server, &told);
    }
    store.set_faults(0);
    check(&server, &told);
    let acknowledged = told
        .values()
        .flat_map(BTreeMap::values)
        .filter(|done| **done);
    assert!(acknowledged.count() > 0, "nothing could be written at all");
}

/// Every acknowledged row is there once, every other one at most once, and both tables agree.
fn check(server: &Tessera, told: &BTreeMap<&str, Told>) {
    for (tenant, told) in told {
        let journal = read(server, tenant, "journal");
        assert_eq!(
            journal,
            read(server, tenant, "entries"),
            "a torn transaction"
        );
        assert!(
            journal.windows(2).all(|pair| pair[0] < pair[1]),
            "doubled: {journal:?}"
        );
        for (id, done) in told {
            let there = journal.binary_search(id).is_ok();
            assert!(there || !done, "row {id} of {tenant} is lost");
        }
        assert!(
            journal.iter().all(|id| told.contains_key(id)),
            "phantoms: {journal:?}"
        );
    }
}
