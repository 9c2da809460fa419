//! The demo: what a newcomer gets from the first command, and that the queries it prints answer.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::client::Client;
use crate::harness::{ADMIN_PASSWORD, run_to_end};

/// How long the demo may take to load its data.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A running demo; it is killed when dropped.
pub(crate) struct Demo {
    process: Child,
    address: String,
    /// What it said before it was ready.
    said: String,
}

impl Demo {
    pub(crate) fn start(data: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tessera"))
            .arg("demo")
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0"])
            .env_remove("TESSERA_ADMIN_PASSWORD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the demo starts");
        let output = process.stdout.take().expect("standard output is piped");
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut said = String::new();
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("tessera is ready on ") {
                    let _ = sender.send((address.to_owned(), std::mem::take(&mut said)));
                }
                said.push_str(&line);
                said.push('\n');
            }
        });
        match receiver.recv_timeout(LOAD_TIMEOUT) {
            Ok((address, said)) => Self {
                process,
                address,
                said,
            },
            Err(error) => {
                let _ = process.kill();
                panic!("the demo did not become ready: {error}");
            }
        }
    }

    pub(crate) fn login(&self, role: &str, database: &str) -> Client {
        Client::login(&self.address, database, role, role, &[])
            .unwrap_or_else(|error| panic!("{role} of {database} logs in: {error}"))
    }

    /// The connections that the demo printed: role, database.
    fn printed_logins(&self) -> Vec<(String, String)> {
        let lines = self.said.lines();
        let urls = lines.filter_map(|line| line.split_once("psql postgresql://"));
        urls.map(|(_, url)| {
            let (role, rest) = url.split_once(':').expect("a password");
            let (password, rest) = rest.split_once('@').expect("an address");
            let (address, database) = rest.split_once('/').expect("a database");
            assert_eq!(password, role);
            assert_eq!(address, self.address);
            (role.to_owned(), database.to_owned())
        })
        .collect()
    }

    /// The queries that the demo printed, in order.
    fn printed_queries(&self) -> Vec<String> {
        let mut queries = Vec::new();
        let mut query = String::new();
        for line in self.said.lines() {
            if line.starts_with("  -- ") {
                query.clear();
            }
            query.push_str(line);
            query.push('\n');
            if line.ends_with(';') && line.starts_with("  ") {
                queries.push(std::mem::take(&mut query));
            }
        }
        queries
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn example(name: &str) -> String {
    let file = format!("{}/sql/examples/{name}.sql", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).expect("the example can be read")
}

fn count(client: &mut Client, query: &str) -> usize {
    client.simple(query).rows().len()
}

#[test]
fn what_the_demo_prints_works() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(data.path());
    assert!(demo.said.contains("loading sales"), "{}", demo.said);
    assert!(demo.said.contains("CC BY 4.0") && demo.said.contains("simulated"));
    let logins = demo.printed_logins();
    assert_eq!(logins.len(), 7, "{}", demo.said);
    let queries = demo.printed_queries();
    assert_eq!(queries.len(), 6, "{}", demo.said);
    for (role, database) in &logins {
        let mut client = demo.login(role, database);
        if database == "tessera" {
            assert_eq!(count(&mut client, &queries[5]), 9);
            continue;
        }
        // Eight series of six steps; four series of twelve months; twelve shares of twelve months.
        let rows: Vec<usize> = queries[1..3]
            .iter()
            .map(|q| count(&mut client, q))
            .collect();
        assert_eq!(rows, [48, 144], "{role} of {database}");
        assert_eq!(count(&mut client, "SELECT * FROM news"), 14);
        let companies = count(&mut client, "SELECT DISTINCT asset FROM news");
        assert_eq!(count(&mut client, &queries[3]), companies);
    }
    let mut analyst = demo.login("gus", "globex");
    let forecast = analyst.simple(&queries[0]).rows();
    assert_eq!(forecast.len(), 48);
    for row in &forecast {
        let number = |index: usize| row[index].parse::<f64>().expect("a number");
        assert!(number(3) < number(2) && number(2) < number(4), "{row:?}");
        assert_eq!(row[7], "NULL", "{row:?}");
    }
    let portfolio = analyst.simple(&queries[4]).rows();
    assert_eq!(portfolio.len(), 12);
    let percent = portfolio
        .iter()
        .map(|row| row[1].parse::<f64>().expect("a number"));
    assert!((percent.sum::<f64>() - 100.0).abs() < 0.5, "{portfolio:?}");
    let reply = analyst.simple(
        "INSERT INTO sales (series, frequency, at, value) VALUES ('x', 'y', '2026-01-01', 1)",
    );
    assert_eq!(reply.code(), "42501");
}

#[test]
fn the_examples_are_what_the_demo_prints() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let files = std::fs::read_dir(format!("{}/sql/examples", env!("CARGO_MANIFEST_DIR")));
    let mut names: Vec<String> = files
        .expect("the folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            path.file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "forecast",
            "growth",
            "portfolio",
            "returns",
            "risk_report",
            "tenants"
        ]
    );
    let data = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(data.path());
    for name in names {
        let printed: Vec<String> = example(&name)
            .lines()
            .map(|line| format!("  {line}"))
            .collect();
        assert!(
            demo.said.contains(&printed.join("\n")),
            "{name}: {}",
            demo.said
        );
    }
}

#[test]
fn the_data_is_loaded_once_and_after_an_interruption_again() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let counts = "SELECT (SELECT count(*) FROM sales), (SELECT count(*) FROM prices),
                         (SELECT count(*) FROM internal.demo)";
    let whole = [["9964", "15636", "1"]];
    let demo = Demo::start(data.path());
    assert_eq!(demo.login("admin", "tessera").simple(counts).rows(), whole);
    drop(demo);
    let demo = Demo::start(data.path());
    assert!(!demo.said.contains("loading"), "{}", demo.said);
    let mut operator = demo.login("admin", "tessera");
    assert_eq!(operator.simple(counts).rows(), whole);
    // As a first start leaves it that was killed before the end.
    operator.run("TRUNCATE internal.demo");
    operator.run("DROP TENANT globex CASCADE");
    drop(demo);
    let demo = Demo::start(data.path());
    assert!(demo.said.contains("did not finish"), "{}", demo.said);
    assert_eq!(demo.login("admin", "tessera").simple(counts).rows(), whole);
    assert_eq!(
        count(&mut demo.login("gina", "globex"), "SELECT * FROM news"),
        14
    );
}

#[test]
fn a_folder_of_someone_else_is_left_alone() {
    let Some(mut server) = crate::harness::Server::tessera() else {
        return;
    };
    server.operator().run("CREATE TABLE sales (id integer)");
    assert!(server.stop().success());
    let folder = server.data().to_string_lossy().into_owned();
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--data", &folder];
    let output = run_to_end(&arguments, &[("TESSERA_ADMIN_PASSWORD", ADMIN_PASSWORD)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("--data"), "{said}");
    server.launch();
    server.operator().run("SELECT id FROM sales");
}

#[test]
fn a_taken_port_says_what_to_do() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().to_string_lossy().into_owned();
    let output = run_to_end(&["demo", "--listen", &address, "--data", &folder], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
}
