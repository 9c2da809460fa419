//! A real server on a free port, its tenants, and temporary storage.
//!
//! Tests of plain PostgreSQL behaviour also run against PostgreSQL itself, so that the tests are
//! proved too: with `TESSERA_TEST_PG=host:port` (superuser `postgres`, password in
//! `TESSERA_TEST_PG_PASSWORD`, default `postgres`) a tenant is a database there. What only Tessera
//! has asks for [`Server::tessera`] and is left out of such a run.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, ServerError};

/// The first operator's password in every test.
pub(crate) const ADMIN_PASSWORD: &str = "the operator's password";
/// Every tenant role's password.
pub(crate) const PASSWORD: &str = "a role's password";
/// How long a server may take to say that it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The server under test.
pub(crate) enum Server {
    Tessera(Tessera),
    Postgres { address: String, password: String },
}

/// A running `tessera serve` and its data.
pub(crate) struct Tessera {
    binary: PathBuf,
    data: tempfile::TempDir,
    /// A program that starts the server, with its arguments; none when it is started as it is.
    launcher: Vec<String>,
    arguments: Vec<String>,
    process: Option<Child>,
    address: String,
}

/// A tenant with an admin who may log in.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) address: String,
    pub(crate) name: String,
    pub(crate) admin: String,
}

impl Server {
    /// The server for tests of plain PostgreSQL behaviour.
    pub(crate) fn start() -> Self {
        match std::env::var("TESSERA_TEST_PG") {
            Ok(address) => Self::Postgres {
                address,
                password: std::env::var("TESSERA_TEST_PG_PASSWORD")
                    .unwrap_or_else(|_| "postgres".to_owned()),
            },
            Err(_) => Self::Tessera(Tessera::start(&[])),
        }
    }

    /// A Tessera, or None in a run against PostgreSQL.
    pub(crate) fn tessera() -> Option<Tessera> {
        Self::tessera_with(&[])
    }

    /// The same with further arguments of `serve`.
    pub(crate) fn tessera_with(arguments: &[&str]) -> Option<Tessera> {
        std::env::var_os("TESSERA_TEST_PG")
            .is_none()
            .then(|| Tessera::start(arguments))
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Tessera(tessera) => tessera.address(),
            Self::Postgres { address, .. } => address,
        }
    }

    /// A superuser's session in the system database.
    pub(crate) fn operator(&self) -> Client {
        match self {
            Self::Tessera(tessera) => tessera.operator(),
            Self::Postgres { address, password } => {
                Client::login(address, "postgres", "postgres", password, &[])
                    .expect("the operator logs in")
            }
        }
    }

    /// A new, empty tenant with a name of its own.
    pub(crate) fn tenant(&self) -> Tenant {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("t{}_{count}", std::process::id());
        let mut operator = self.operator();
        if self.is_postgres() {
            let admin = format!("boss_{name}");
            operator.run(&format!("DROP DATABASE IF EXISTS {name}"));
            operator.run(&format!("DROP ROLE IF EXISTS {admin}"));
            operator.run(&format!(
                "CREATE ROLE {admin} LOGIN CREATEROLE PASSWORD '{}'",
                quoted(PASSWORD)
            ));
            operator.run(&format!("CREATE DATABASE {name} OWNER {admin}"));
            return Tenant {
                address: self.address().to_owned(),
                name,
                admin,
            };
        }
        operator.run(&format!(
            "CREATE TENANT {name} WITH (admin = 'boss', password = '{}')",
            quoted(PASSWORD)
        ));
        Tenant {
            address: self.address().to_owned(),
            name,
            admin: "boss".to_owned(),
        }
    }
}

impl Tessera {
    /// Starts `tessera serve` on new storage.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        Self::start_on(data, arguments)
    }

    /// Starts `tessera serve` on storage that may hold data.
    pub(crate) fn start_on(data: tempfile::TempDir, arguments: &[&str]) -> Self {
        Self::start_by(Vec::new(), data, arguments)
    }

    /// Starts `tessera serve` by another program, which must become it.
    pub(crate) fn start_by(
        launcher: Vec<String>,
        data: tempfile::TempDir,
        arguments: &[&str],
    ) -> Self {
        let mut tessera = Self {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_tessera")),
            data,
            launcher,
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            process: None,
            address: String::new(),
        };
        tessera.launch();
        tessera
    }

    /// Starts the process again after it was stopped or killed; the port may change.
    pub(crate) fn launch(&mut self) {
        assert!(self.process.is_none(), "the server still runs");
        let mut command = match self.launcher.split_first() {
            None => Command::new(&self.binary),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.binary);
                command
            }
        };
        let mut process = command
            .arg("serve")
            .arg("--data")
            .arg(self.data.path())
            .args(["--listen", "127.0.0.1:0"])
            .args(&self.arguments)
            .env("TESSERA_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.log_file())
            .spawn()
            .expect("the server's program runs");
        let output = process.stdout.take().expect("standard output is piped");
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Reads to the end, so that the server never waits on a full pipe.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(address) = line.trim().strip_prefix("tessera is ready on ") {
                    let _ = sender.send(address.to_owned());
                }
            }
        });
        match receiver.recv_timeout(START_TIMEOUT) {
            Ok(address) => {
                self.address = address;
                self.process = Some(process);
            }
            Err(error) => {
                let _ = process.kill();
                let _ = process.wait();
                panic!("the server did not become ready ({error}): {}", self.log());
            }
        }
    }

    fn log_path(&self) -> PathBuf {
        self.data.path().with_extension("log")
    }

    fn log_file(&self) -> std::fs::File {
        let mut options = std::fs::OpenOptions::new();
        options
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("the log can be written")
    }

    /// What the server wrote to standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// The memory that the process holds.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let pid = self.process.as_ref().expect("the server runs").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes
            .and_then(|number| number.parse::<u64>().ok())
            .expect("a number")
            << 10
    }

    /// Whether the process lives.
    pub(crate) fn lives(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// SIGHUP: the files of host rules are read anew.
    pub(crate) fn hang_up(&self) {
        let process = self.process.as_ref().expect("the server runs");
        let status = Command::new("kill")
            .args(["-HUP", &process.id().to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the signal is sent"
        );
    }

    /// SIGTERM, and waits for a clean end.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().expect("the server runs");
        let status = Command::new("kill")
            .args(["-TERM", &process.id().to_string()])
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the signal is sent"
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = process.try_wait().expect("the process can be asked") {
                return status;
            }
            if Instant::now() > deadline {
                let _ = process.kill();
                let _ = process.wait();
                panic!("the server did not stop within 30 s of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A session of the first operator in the system database.
    pub(crate) fn operator(&self) -> Client {
        self.operator_in("tessera")
    }

    /// A session of the first operator in any database.
    pub(crate) fn operator_in(&self, database: &str) -> Client {
        Client::login(&self.address, database, "admin", ADMIN_PASSWORD, &[])
            .expect("the operator logs in")
    }

    /// A session of a tenant's role.
    pub(crate) fn session(&self, tenant: &str, role: &str) -> Client {
        Client::login(&self.address, tenant, role, PASSWORD, &[])
            .unwrap_or_else(|error| panic!("{role} of {tenant} logs in: {error}"))
    }

    /// Tries to log in.
    pub(crate) fn login(
        &self,
        tenant: &str,
        role: &str,
        password: &str,
    ) -> Result<Client, ServerError> {
        Client::login(&self.address, tenant, role, password, &[])
    }

    /// Makes the tenants `acme` and `globex`, each with the tenant admin `boss` and the plain role
    /// `alice`, and a common table `sales` with rows of both. Gives the operator's session.
    pub(crate) fn two_tenants(&self) -> Client {
        let mut operator = self.operator();
        let password = quoted(PASSWORD);
        operator.run("CREATE TABLE sales (id integer, region text, amount numeric(12, 2))");
        for tenant in ["acme", "globex"] {
            operator.run(&format!(
                "CREATE TENANT {tenant} WITH (admin = 'boss', password = '{password}')"
            ));
            operator.run(&format!(
                "CREATE ROLE alice IN TENANT {tenant} LOGIN PASSWORD '{password}'"
            ));
            operator.run(&format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON sales TO ROLE alice IN TENANT {tenant}"
            ));
        }
        operator.run(
            "INSERT INTO sales (tenant_id, id, region, amount) VALUES
               ('acme', 1, 'north', 10.00), ('acme', 2, 'south', 20.00), ('acme', 3, 'north', 30.50),
               ('globex', 1, 'globex-east', 1000.00), ('globex', 7, 'globex-west', 7000.00)",
        );
        operator
    }
}

impl Drop for Tessera {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the end of the server's log:");
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
        let _ = std::fs::remove_file(self.log_path());
    }
}

impl Tenant {
    /// A session of the tenant's admin.
    pub(crate) fn connect(&self) -> Client {
        self.connect_with(&[])
            .unwrap_or_else(|error| panic!("{} of {} logs in: {error}", self.admin, self.name))
    }

    /// The same with start-up parameters.
    pub(crate) fn connect_with(&self, options: &[(&str, &str)]) -> Result<Client, ServerError> {
        Client::login(&self.address, &self.name, &self.admin, PASSWORD, options)
    }

    /// A session through tokio-postgres, whose connection runs in the background.
    pub(crate) async fn driver(&self) -> tokio_postgres::Client {
        let (host, port) = self.address.rsplit_once(':').expect("host:port");
        let (client, connection) = tokio_postgres::Config::new()
            .host(host)
            .port(port.parse().expect("a port"))
            .dbname(&self.name)
            .user(&self.admin)
            .password(PASSWORD)
            .connect(tokio_postgres::NoTls)
            .await
            .expect("the driver connects");
        tokio::spawn(connection);
        client
    }
}

/// Runs the program to its end, which must come soon, and gives what it said.
pub(crate) fn run_to_end(arguments: &[&str], environment: &[(&str, &str)]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command
        .args(arguments)
        .env_remove("TESSERA_ADMIN_PASSWORD")
        .envs(environment.iter().copied());
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server's program runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    while matches!(process.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = process.kill();
            panic!("{arguments:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    process.wait_with_output().expect("the output can be read")
}

/// Doubles quotes for a literal.
pub(crate) fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}
