//! The catalog's database as one SQLite file: a writer, and readers that do not wait for it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::audit;
use crate::audit::Chain;
use crate::error::{Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

const MAX_READERS: u32 = 2;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long readers are waited for before the log is emptied.
const SCRUB_TIMEOUT: Duration = Duration::from_millis(50);
const CACHED_STATEMENTS: usize = 256;

/// The catalog's database.
#[derive(Debug)]
pub(crate) struct Store {
    /// `None` once closed.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
    /// The audit's end; changed by who holds the writer.
    chain: Mutex<Chain>,
    /// Whether the file's log may still hold what was erased from the file for good.
    to_scrub: AtomicBool,
}

impl Store {
    /// Opens or makes the file, and brings it to this version's tables.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the file cannot be opened, or was made by a newer version,
    /// [`Error::Unusable`] when the audit's key beside it cannot be read.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is told to clients, so the log must be on disk when COMMIT returns.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(CACHED_STATEMENTS)
            .disable_statement_logging();
        let mut writer = options.connect().await?;
        MIGRATIONS
            .run(&mut writer)
            .await
            .map_err(|error| Error::Database(error.into()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let chain = audit::open(&mut writer, folder).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(MAX_READERS)
            .connect_with(options.create_if_missing(false).pragma("query_only", "on"))
            .await?;
        Ok(Self {
            writer: Mutex::new(Some(writer)),
            readers,
            chain: Mutex::new(chain),
            to_scrub: AtomicBool::new(false),
        })
    }

    /// Writes what the file's log holds into the file and lets go of it.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = self.writer.lock().await.take()
            && let Err(error) = writer.close().await
        {
            tracing::warn!(%error, "the catalog's database did not close cleanly");
        }
    }

    /// Whether what is deleted and replaced from now on is overwritten too, which takes longer.
    pub(super) async fn overwrite(&self, writer: &mut SqliteConnection, on: bool) -> Result<()> {
        let sql = if on {
            self.to_scrub.store(true, Ordering::Relaxed);
            "PRAGMA secure_delete = ON"
        } else {
            "PRAGMA secure_delete = OFF"
        };
        sqlx::query(sql).fetch_all(writer).await?;
        Ok(())
    }

    /// Empties the file's log if it holds what was overwritten in the file: the next time, should
    /// someone read it now.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn scrub(&self) -> Result<()> {
        if !self.to_scrub.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut writer = self.writer.lock().await;
        let Some(writer) = writer.as_mut() else {
            return Ok(());
        };
        let wait = |time: Duration| format!("PRAGMA busy_timeout = {}", time.as_millis());
        let short = sqlx::AssertSqlSafe(wait(SCRUB_TIMEOUT));
        sqlx::query(short).fetch_all(&mut *writer).await?;
        let emptied = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *writer)
            .await;
        let usual = sqlx::AssertSqlSafe(wait(BUSY_TIMEOUT));
        sqlx::query(usual).fetch_all(writer).await?;
        if emptied? == 0 {
            self.to_scrub.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) fn chain(&self) -> &Mutex<Chain> {
        &self.chain
    }

    /// The connection that writes, for one who does at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] once the catalog is closed.
    pub(super) async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut)
            .map_err(|_| Error::Unusable("the catalog is closed".into()))
    }
}
