//! The catalog's database as one SQLite file: a writer, and readers that do not wait for it.

use std::path::Path;
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
const CACHED_STATEMENTS: usize = 256;

/// The catalog's database.
#[derive(Debug)]
pub(crate) struct Store {
    /// `None` once closed.
    writer: Mutex<Option<SqliteConnection>>,
    readers: SqlitePool,
    /// The audit's end; changed by who holds the writer.
    chain: Mutex<Chain>,
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
