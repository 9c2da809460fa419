//! Runs `slt/**/*.slt` over the wire: SQL in, rows out, as psql would show them.
//!
//! Each file is a test of its own and gets a new tenant whose admin it starts as. Values are the
//! simple protocol's text; NULL is `NULL`, an empty string `(empty)`, a line break `\n`. Columns
//! are written with ` | ` between them, or with blanks where no value holds one. Column letters:
//! `I` integer, `R` real or numeric, `B` boolean, `D` date or time, `T` or `?` anything.
//!
//! Beyond sqllogictest's own records:
//! - `\c DATABASE ROLE` as a statement logs in anew, `-` meaning the present one, so that a file
//!   can act as the operator (`\c tessera admin`) or another role (`\c - alice`);
//! - `\copy TABLE FROM FILE` loads a CSV file with a header from `tests/data`;
//! - `{tenant}` stands for the name of the file's tenant, in SQL and in rows.
//!
//! Files named `pg_*.slt` are plain PostgreSQL. With `TESSERA_TEST_PG=host:port` they alone run,
//! against that PostgreSQL, which proves that both give the same answers. `TESSERA_SLT_UPDATE=1`
//! writes the answers into the files instead of comparing them, errors with their whole message where
//! a bare code stood; read the diff before you keep it.
//!
//! `slt/not_yet.txt` lists the files that Tessera does not pass yet, `path: why` a line. They run too,
//! and it is an error when one of them passes or is not there, so that the list can only shrink.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail"
)]

#[path = "it/client/mod.rs"]
#[allow(dead_code, unused_imports, reason = "tests/it uses the rest")]
mod client;
#[path = "it/harness.rs"]
#[allow(dead_code, reason = "tests/it uses the rest")]
mod harness;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};
use sqllogictest::{ColumnType, DB, DBOutput, Normalizer, Runner};

use client::{Client, ServerError};
use harness::{ADMIN_PASSWORD, PASSWORD, Server, Tenant};

fn main() {
    let arguments = Arguments::from_args();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let only_postgres = std::env::var_os("TESSERA_TEST_PG").is_some();
    let not_yet = if only_postgres || std::env::var_os("TESSERA_SLT_UPDATE").is_some() {
        BTreeSet::new()
    } else {
        not_yet(&root)
    };
    let server: Arc<OnceLock<Server>> = Arc::default();
    let mut trials: Vec<Trial> = files(&root)
        .into_iter()
        .filter(|path| !only_postgres || is_postgres(path))
        .map(|path| {
            let name = path
                .strip_prefix(&root)
                .expect("below the root")
                .with_extension("");
            let server = Arc::clone(&server);
            let name = name.to_string_lossy().into_owned();
            let fails = not_yet.contains(&name);
            let trial = Trial::test(name, move || {
                let result = run(&path, server.get_or_init(Server::start));
                if fails { still_fails(result) } else { result }
            });
            if fails {
                trial.with_kind("not yet")
            } else {
                trial
            }
        })
        .collect();
    trials.sort_by(|a, b| a.name().cmp(b.name()));
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The process ends without running destructors of what a static or an Arc in a thread holds.
    drop(Arc::into_inner(server).and_then(OnceLock::into_inner));
    conclusion.exit();
}

/// The files that are known to fail, by their path without its ending.
fn not_yet(root: &Path) -> BTreeSet<String> {
    let list = std::fs::read_to_string(root.join("not_yet.txt")).expect("the list can be read");
    let mut names = BTreeSet::new();
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let (path, why) = line.split_once(": ").expect("a line is `path: why`");
        assert!(!why.trim().is_empty(), "{path} needs a reason");
        assert!(root.join(path).is_file(), "{path} is listed and not there");
        let name = path.strip_suffix(".slt").expect("a path ends in .slt");
        names.insert(name.to_owned());
    }
    names
}

fn still_fails(result: Result<(), Failed>) -> Result<(), Failed> {
    match result {
        Err(_) => Ok(()),
        Ok(()) => Err(Failed::from("passes now: take it off slt/not_yet.txt")),
    }
}

fn is_postgres(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("pg_"))
}

/// All `.slt` files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            found.push(path);
        }
    }
    found
}

fn run(path: &Path, server: &Server) -> Result<(), Failed> {
    let tenant = server.tenant();
    let mut runner = Runner::new(|| {
        let session = Session::open(tenant.clone());
        async move { session }
    });
    runner.with_validator(same_rows);
    runner.with_column_validator(same_types);
    let result = if std::env::var_os("TESSERA_SLT_UPDATE").is_some() {
        let normalizer = |value: &String| value.clone();
        let update = runner.update_test_file(path, " | ", same_rows, normalizer, same_types);
        futures::executor::block_on(update).map_err(|error| error.to_string())
    } else {
        runner
            .run_file(path)
            .map_err(|error| error.display(false).to_string())
    };
    runner.shutdown();
    result.map_err(Failed::from)
}

/// A session of the file, and where it is logged in.
struct Session {
    tenant: Tenant,
    database: String,
    role: String,
    client: Client,
}

impl Session {
    fn open(tenant: Tenant) -> Result<Self, ServerError> {
        let client = tenant.connect_with(&[])?;
        Ok(Self {
            database: tenant.name.clone(),
            role: tenant.admin.clone(),
            tenant,
            client,
        })
    }

    /// `\c DATABASE ROLE`
    fn reconnect(&mut self, target: &str) -> Result<(), ServerError> {
        let mut words = target
            .split_whitespace()
            .filter(|&word| word != "-")
            .map(str::to_owned);
        let keeps_database = target.trim_start().starts_with('-');
        let database = if keeps_database { None } else { words.next() };
        self.database = database.unwrap_or_else(|| self.database.clone());
        self.role = words.next().unwrap_or_else(|| self.role.clone());
        let password = if self.role == "admin" {
            ADMIN_PASSWORD
        } else {
            PASSWORD
        };
        self.client = Client::login(
            &self.tenant.address,
            &self.database,
            &self.role,
            password,
            &[],
        )?;
        Ok(())
    }

    /// `\copy TABLE FROM FILE`
    fn copy(&mut self, copy: &str) -> client::Reply {
        let (table, file) = copy.split_once(" FROM ").expect("\\copy TABLE FROM FILE");
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(file.trim());
        let data =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let chunks: Vec<&[u8]> = data.chunks(1 << 16).collect();
        self.client.copy_in(
            &format!("COPY {table} FROM STDIN (FORMAT csv, HEADER)"),
            &chunks,
        )
    }
}

impl DB for Session {
    type Error = ServerError;
    type ColumnType = Letter;

    fn run(&mut self, sql: &str) -> Result<DBOutput<Letter>, ServerError> {
        let sql = sql.replace("{tenant}", &self.tenant.name);
        if let Some(target) = sql.trim().strip_prefix("\\c ") {
            self.reconnect(target)?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let reply = match sql.trim().strip_prefix("\\copy ") {
            Some(copy) => self.copy(copy),
            None => self.client.simple(&sql),
        };
        if let Some(error) = reply.error {
            return Err(error);
        }
        let Some(answer) = reply.answers.last() else {
            return Ok(DBOutput::StatementComplete(0));
        };
        if answer.columns.is_empty() {
            let count = answer
                .tag
                .as_deref()
                .and_then(|tag| tag.rsplit(' ').next()?.parse().ok());
            return Ok(DBOutput::StatementComplete(count.unwrap_or(0)));
        }
        let rows = answer
            .text()
            .into_iter()
            .map(|row| row.into_iter().map(|value| self.shown(value)).collect());
        Ok(DBOutput::Rows {
            types: answer
                .columns
                .iter()
                .map(|column| Letter::of(column.type_oid))
                .collect(),
            rows: rows.collect(),
        })
    }

    fn engine_name(&self) -> &str {
        "tessera"
    }

    fn error_sql_state(error: &ServerError) -> Option<String> {
        Some(error.code().to_owned())
    }
}

impl Session {
    fn shown(&self, value: String) -> String {
        if value.is_empty() {
            return "(empty)".to_owned();
        }
        value
            .replace('\n', "\\n")
            .replace(&self.tenant.name, "{tenant}")
    }
}

/// A column's type, as far as a file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Letter(char);

impl Letter {
    fn of(type_oid: u32) -> Self {
        Self(match type_oid {
            16 => 'B',
            20 | 21 | 23 | 26 => 'I',
            700 | 701 | 1700 => 'R',
            1082 | 1083 | 1114 | 1184 | 1186 | 1266 => 'D',
            _ => 'T',
        })
    }
}

impl ColumnType for Letter {
    fn from_char(value: char) -> Option<Self> {
        Some(Self(value))
    }
    fn to_char(&self) -> char {
        self.0
    }
}

#[allow(clippy::ptr_arg, reason = "the runner's signature")]
fn same_types(actual: &Vec<Letter>, expected: &Vec<Letter>) -> bool {
    expected.is_empty()
        || actual.len() == expected.len()
            && actual
                .iter()
                .zip(expected)
                .all(|(actual, expected)| matches!(expected.0, 'T' | '?') || actual == expected)
}

fn same_rows(_: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let blanks = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    actual.len() == expected.len()
        && actual.iter().zip(expected).all(|(actual, expected)| {
            actual.join(" | ").trim_end() == expected.trim_end()
                || blanks(&actual.join(" ")) == blanks(expected)
        })
}
