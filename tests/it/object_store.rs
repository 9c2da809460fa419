//! Tables on an S3 store: they lie there and nowhere else, and a store that fails, drops connections
//! or answers late loses nothing and doubles nothing.
//!
//! The store is s3s-fs, an S3 server over a folder; the faults are made in front of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::Service;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rand::Rng;
use s3s::service::S3Service;

use crate::harness::{Server, Tessera};

const BUCKET: &str = "lake";
const ACCESS_KEY: &str = "tessera";
const SECRET_KEY: &str = "not a secret at all";

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Body = BoxBody<Bytes, Fault>;

/// An S3 server in front of a folder; it ends with the test.
struct Store {
    folder: tempfile::TempDir,
    endpoint: String,
    /// How many of a hundred requests go wrong.
    faults: Arc<AtomicU32>,
    _runtime: tokio::runtime::Runtime,
}

/// The store, with faults.
#[derive(Clone)]
struct Faulty {
    store: S3Service,
    percent: Arc<AtomicU32>,
}

/// What goes wrong with a request.
enum Misfortune {
    /// It is refused with this status and not carried out.
    Refused(u16),
    /// The connection breaks before it is carried out.
    Reset,
    /// It is carried out, and the connection breaks before anybody is told.
    Late,
    /// The answer comes slowly.
    Slow,
    /// The connection breaks within the answer's body.
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

impl Faulty {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
        let reads = request.method() == Method::GET;
        let misfortune = Misfortune::draw(self.percent.load(Ordering::Relaxed));
        match misfortune {
            Some(Misfortune::Refused(status)) => {
                let body = Empty::new().map_err(never).boxed();
                return Ok(Response::builder().status(status).body(body)?);
            }
            Some(Misfortune::Reset) => return Err("the connection breaks".into()),
            _ => {}
        }
        let answer = Service::call(&self.store, request).await?;
        match misfortune {
            Some(Misfortune::Late) => return Err("the answer is lost".into()),
            Some(Misfortune::Slow) => tokio::time::sleep(Duration::from_millis(300)).await,
            Some(Misfortune::Cut) if reads => return cut(answer).await,
            _ => {}
        }
        Ok(answer.map(|body| body.map_err(|error| error.to_string().into()).boxed()))
    }
}

/// Promises the whole body, sends half of it, and breaks off.
async fn cut(answer: Response<s3s::Body>) -> Result<Response<Body>, Fault> {
    let (mut head, body) = answer.into_parts();
    let bytes = body
        .collect()
        .await
        .map_err(|error| error.to_string())?
        .to_bytes();
    if bytes.len() < 2 {
        return Ok(Response::from_parts(
            head,
            Full::new(bytes).map_err(never).boxed(),
        ));
    }
    head.headers.insert("content-length", bytes.len().into());
    let half = Frame::data(bytes.slice(..bytes.len() / 2));
    let frames: [Result<Frame<Bytes>, Fault>; 2] = [Ok(half), Err("the body breaks off".into())];
    Ok(Response::from_parts(
        head,
        StreamBody::new(futures::stream::iter(frames)).boxed(),
    ))
}

fn never(infallible: Infallible) -> Fault {
    match infallible {}
}

impl Service<Request<Incoming>> for Faulty {
    type Response = Response<Body>;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

impl Store {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("an S3 server over a folder");
        let mut builder = s3s::service::S3ServiceBuilder::new(files);
        builder.set_auth(s3s::auth::SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let faults = Arc::new(AtomicU32::new(0));
        let faulty = Faulty {
            store: builder.build(),
            percent: Arc::clone(&faults),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), faulty.clone());
                tokio::spawn(connection);
            }
        });
        Self {
            folder,
            endpoint: format!("http://{address}"),
            faults,
            _runtime: runtime,
        }
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

/// The Parquet files below a folder.
fn data_files(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let paths = entries.map(|entry| entry.expect("a folder that can be read").path());
    let count = |path: std::path::PathBuf| match path.is_dir() {
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
    if Server::tessera().is_none() {
        return;
    }
    let store = Store::start();
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
        if reply.code() != "" {
            assert_eq!(reply.code().len(), 5, "{:?}", reply.error);
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
    if Server::tessera().is_none() {
        return;
    }
    let store = Store::start();
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
            let writers: Vec<_> = ["acme", "globex", "acme"]
                .map(|tenant| (tenant, scope.spawn(|| insert(&server, tenant, &ids, 12))))
                .into_iter()
                .collect();
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
    let acknowledged: usize = told
        .values()
        .flat_map(BTreeMap::values)
        .filter(|done| **done)
        .count();
    assert!(acknowledged > 0, "nothing could be written at all");
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
