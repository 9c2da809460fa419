//! A server without a socket: two tenants, of which one has a secret in every cell, and sessions of the
//! other's that say what the fuzzer wants them to.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt;
use tessera_catalog::{Catalog, CatalogLimits, CatalogOptions};
use tokio::runtime::Runtime;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::run;
use crate::session::{BatchStream, Engine, Fair, Reply, Session, Statement, give_way};

/// What stands in every text that is not the session's.
const SECRET: &str = "zqxglobexzqx";
/// The same as a number.
const SECRET_NUMBER: &str = "48151623";
/// The most statements of one text that are run.
const MAX_STATEMENTS: usize = 6;
/// The most batches of one answer that are looked at.
const MAX_BATCHES: usize = 8;
/// The most rows of one batch.
const MAX_ROWS: usize = 64;
/// How long one statement may take, in milliseconds.
const STATEMENT_MS: u64 = 700;
/// Memory of all statements.
const MEMORY_BYTES: u64 = 384 << 20;

/// What is there before the first input.
const OPERATORS: &[&str] = &[
    "CREATE TENANT acme WITH (admin = 'boss', password = 'a password of some length')",
    "CREATE TENANT globex WITH (admin = 'boss', password = 'a password of some length')",
    "CREATE TABLE t (id int, a text, b numeric(12, 2), c date)",
    "CREATE SHARED TABLE shared (id int, a text, b numeric(12, 2), c date, owner text)",
    "ALTER TABLE shared ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY owners ON shared USING (owner = current_tenant())",
    "GRANT SELECT ON shared TO PUBLIC",
    "CREATE ROLE alice IN TENANT acme LOGIN",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO ROLE alice IN TENANT acme",
    "INSERT INTO t (tenant_id, id, a, b, c) SELECT 'globex', n, 'zqxglobexzqx' || n, 48151623 + n, \
     '2090-01-01' FROM generate_series(1, 9) AS n",
    "INSERT INTO t (tenant_id, id, a, b, c) VALUES ('acme', 1, 'north', 1.5, '2020-01-01'), ('acme', 2, NULL, NULL, NULL)",
    "INSERT INTO shared SELECT n, 'zqxglobexzqx' || n, 48151623 + n, '2090-01-01', 'globex' FROM generate_series(1, 9) AS n",
    "INSERT INTO shared VALUES (1, 'south', 2.5, '2020-01-01', 'acme')",
];

/// The same in the tenant.
const BOSS: &[&str] = &[
    "CREATE TABLE own (id int PRIMARY KEY, a text, b float8, c timestamptz, d jsonb, e int[])",
    "INSERT INTO own VALUES (1, 'x', 1.5, '2020-01-01', '{\"k\": [1, 2]}', '{1,2}'), (2, NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE narrow (id int, a text)",
    "INSERT INTO narrow VALUES (1, 'mine'), (2, 'zqxglobexzqx'), (48151623, 'hidden')",
    "ALTER TABLE narrow ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY low ON narrow USING (id = 1)",
    "CREATE TABLE masked (id int, a text)",
    "INSERT INTO masked VALUES (1, 'zqxglobexzqx'), (2, 'zqxglobexzqx')",
    "CREATE MASKING POLICY hidden USING FULL",
    "ALTER TABLE masked ALTER COLUMN a SET MASKING POLICY hidden",
    "CREATE VIEW over AS SELECT id, a FROM t WHERE id > 0",
    "GRANT ALL ON own, narrow, masked, over TO alice",
];

/// A server's inside.
pub struct World {
    network: Runtime,
    engine: Arc<Engine>,
    /// Where statements run, as long as there is somebody to run them.
    _processors: [Runtime; 2],
}

impl World {
    /// Makes the tenants in an empty folder.
    ///
    /// # Errors
    /// Whatever keeps a server from starting there.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut config = Config::default();
        config.resources.memory_limit_bytes = MEMORY_BYTES;
        config.resources.decoded_columns_bytes = Some(0);
        config.tenants.statement_timeout_ms = STATEMENT_MS;
        let network = run::runtime("network", 1)?;
        let front = run::runtime("query", Fair::front_threads(1))?;
        let back = run::builder("long", Fair::back_threads(1))
            .on_thread_start(give_way)
            .build()
            .map_err(|error| Error::Start(error.to_string()))?;
        let fair = Fair::new(front.handle().clone(), back.handle().clone(), 1);
        let limits = run::engine_limits(&config, folder)?;
        let options = CatalogOptions {
            data: folder.to_owned(),
            storage_url: None,
            storage_options: Vec::new(),
            admin_password_verifier: Some("not one that opens".to_owned()),
            master_key: None,
        };
        let engine = network.block_on(async {
            let catalog = Catalog::open_with(options, CatalogLimits::default()).await?;
            let engine = Arc::new(Engine::new(catalog, Arc::new(fair), limits));
            made(&engine, "admin", "tessera", OPERATORS).await?;
            made(&engine, "boss", "acme", BOSS).await?;
            Ok::<_, Error>(engine)
        })?;
        Ok(Self {
            network,
            engine,
            _processors: [front, back],
        })
    }

    /// Runs the text of a Query message as a role of the tenant without secrets.
    ///
    /// # Panics
    /// When that is what the text does, or when something of what is hidden comes back.
    pub fn sql(&self, data: &[u8]) {
        super::sql(data);
        let Ok(text) = std::str::from_utf8(data).map(str::to_owned) else {
            return;
        };
        let engine = Arc::clone(&self.engine);
        let asked = text.clone();
        // Planned on a thread with the server's stack.
        let task = self
            .network
            .spawn(async move { told(&engine, &asked).await });
        let told = match self.network.block_on(task) {
            Ok(told) => told,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        for secret in [SECRET, SECRET_NUMBER] {
            let own = text.to_lowercase().contains(secret);
            assert!(
                own || !told.to_lowercase().contains(secret),
                "{text}\ntells {secret}:\n{told}"
            );
        }
        assert!(!told.contains("a query panicked"), "{text}\n{told}");
    }
}

/// Runs statements that must not fail.
async fn made(engine: &Arc<Engine>, user: &str, database: &str, statements: &[&str]) -> Result<()> {
    let mut session = Session::within(engine, user, database).await?;
    let mut ignored = String::new();
    for text in statements {
        for statement in session.parse(text)? {
            one(&mut session, statement, &mut ignored).await?;
        }
    }
    Ok(())
}

/// Everything that a session is told when it says a text.
async fn told(engine: &Arc<Engine>, text: &str) -> String {
    let mut told = String::new();
    let mut session = match Session::within(engine, "alice", "acme").await {
        Ok(session) => session,
        Err(error) => return describe(&error),
    };
    let statements = match session.parse(text) {
        Ok(statements) => statements,
        Err(error) => return describe(&error),
    };
    for statement in statements.into_iter().take(MAX_STATEMENTS) {
        if let Err(error) = one(&mut session, statement, &mut told).await {
            told.push_str(&describe(&error));
            session.fail(&error);
            let _ = session.end_implicit(false).await;
        }
        for notice in session.take_notices() {
            let _ = write!(
                told,
                "{} {:?} {:?}",
                notice.message, notice.detail, notice.hint
            );
        }
    }
    told
}

async fn one(session: &mut Session, statement: Statement, told: &mut String) -> Result<()> {
    let prepared = session.prepare(statement, &[]).await?;
    match session.execute(&prepared, Vec::new()).await? {
        Reply::Rows(rows) => look(rows.batches, told).await?,
        Reply::CopyOut(copy) => look(copy.batches, told).await?,
        Reply::Done { tag } => told.push_str(&tag),
        Reply::Empty | Reply::CopyIn(_) => {}
    }
    session.end_implicit(true).await
}

async fn look(mut batches: BatchStream, told: &mut String) -> Result<()> {
    let mut seen = 0;
    while let Some(batch) = batches.next().await {
        write_rows(&batch?, told);
        seen += 1;
        if seen == MAX_BATCHES {
            break;
        }
    }
    Ok(())
}

fn write_rows(batch: &RecordBatch, told: &mut String) {
    let options = FormatOptions::default();
    for column in batch.columns() {
        let Ok(values) = ArrayFormatter::try_new(column.as_ref(), &options) else {
            continue;
        };
        for row in 0..batch.num_rows().min(MAX_ROWS) {
            let _ = write!(told, "{} ", values.value(row));
        }
    }
}

fn describe(error: &Error) -> String {
    format!("{error} {:?} {:?}\n", error.detail(), error.hint())
}
