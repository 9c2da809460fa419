//! The front of the catalog: the newest state of each database in memory, and the commit point.
//!
//! Reads come from memory: a [`Database`] or a [`Snapshot`] is loaded once, advanced by each commit,
//! and dropped when too many others were used since. A commit is queued for the one committer task,
//! which takes all that wait as a group, and is visible when its transaction in the catalog's database
//! is durable. Log entries in storage follow; what a crash leaves unwritten is written at the next
//! start.
//!
//! Knows nothing of SQL or of who asks. The locks of those who change rows are kept here, because
//! compaction changes files too.

mod check;
mod claims;
mod committer;
mod group;
mod keys;
mod log_writer;
mod maintenance;
mod references;
mod rewriting;
mod sequences;
mod shared;
mod state;
#[cfg(test)]
mod tests;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::committer::Request;
pub use self::sequences::SequenceValue;
use self::shared::Shared;
use crate::audit::{Event, LoginSummary, Record, Verdict};
use crate::commit::Commit;
use crate::encryption::MasterKeySource;
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid, Part, Space, TableUuid};
use crate::locks::Locks;
use crate::model::{Database, Tenant};
use crate::storage::{Snapshot, Storage};

/// The catalog's own file in the data folder.
pub const CATALOG_FILE: &str = "catalog.db";

/// Where a catalog lies, and what it starts with.
#[derive(Debug, Clone, Default)]
pub struct CatalogOptions {
    /// The folder of the catalog's own database; one server at a time.
    pub data: PathBuf,
    /// Where tables lie; `tables` in the folder when `None`.
    pub storage_url: Option<String>,
    /// Keys and endpoints of the object store.
    pub storage_options: Vec<(String, String)>,
    /// Where the key comes from that wraps tenants' keys.
    pub master_key: Option<MasterKeySource>,
    /// The password of `admin`, used at the first start alone.
    pub admin_password_verifier: Option<String>,
}

/// Bounds of memory and of background work.
#[derive(Debug, Clone)]
pub struct CatalogLimits {
    /// The most databases that are kept in memory, the system's aside.
    pub max_databases: usize,
    /// The most parts whose state is kept in memory.
    pub max_parts: usize,
    /// The most transactions that one group commits.
    pub max_group: usize,
    /// The most log entries that may wait to be written before commits wait.
    pub max_pending_entries: usize,
    /// A checkpoint is written each so many versions.
    pub checkpoint_every_versions: i64,
    /// A part is compacted when so many small files came to it.
    pub compact_at_files: usize,
    /// A file below this size is small.
    pub small_file_bytes: u64,
    /// How long older versions of a table can be read.
    pub retention: Duration,
    /// A file that no commit ever named is erased when it is older than this, which must be longer
    /// than any transaction.
    pub orphan_age: Duration,
    /// How long the files of a dropped table or tenant stay for statements that still read them.
    pub erase_after: Duration,
    /// How long records of the audit are kept; for good when `None`.
    pub audit_retention: Option<Duration>,
    /// How often erasures and old files are looked for.
    pub maintenance_interval: Duration,
}

impl Default for CatalogLimits {
    fn default() -> Self {
        Self {
            max_databases: 4_096,
            max_parts: 32_768,
            max_group: 256,
            max_pending_entries: 4_096,
            checkpoint_every_versions: 100,
            compact_at_files: 64,
            small_file_bytes: 1 << 20,
            retention: Duration::from_secs(7 * 24 * 3600),
            orphan_age: Duration::from_secs(24 * 3600),
            erase_after: Duration::from_secs(600),
            audit_retention: None,
            maintenance_interval: Duration::from_secs(10),
        }
    }
}

/// A moment in a table's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The version of its log.
    Version(i64),
    /// Microseconds since 1970.
    Timestamp(i64),
}

/// What a table has in one space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSize {
    pub space: Space,
    pub rows: u64,
    pub bytes: u64,
}

/// Which version of a part was visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartVersion {
    pub part: Part,
    pub version: i64,
}

/// How long a version may take from being durable to being visible.
const MAX_PUBLICATION: Duration = Duration::from_secs(10);
/// How often it is looked for meanwhile.
const PUBLICATION_STEP: Duration = Duration::from_millis(1);

/// All databases and their tables' visible versions; cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
    commits: mpsc::Sender<Request>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// Commits that wait for the committer; more callers wait to queue.
const QUEUED_COMMITS: usize = 1_024;

impl Catalog {
    /// Opens the catalog of a folder, making it at the first start.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] when another server has the folder or the storage cannot be reached,
    /// [`Error::Database`] and [`Error::Unreadable`] when the catalog's database is damaged or newer.
    pub async fn open(options: CatalogOptions) -> Result<Self> {
        Self::open_with(options, CatalogLimits::default()).await
    }

    /// Opens with other bounds than the usual ones.
    ///
    /// # Errors
    ///
    /// As [`Catalog::open`].
    pub async fn open_with(options: CatalogOptions, limits: CatalogLimits) -> Result<Self> {
        let (shared, log) = Shared::open(options, limits).await?;
        let shared = Arc::new(shared);
        shared.redo().await?;
        shared.add_up_spaces().await?;
        let (commits, queue) = mpsc::channel(QUEUED_COMMITS);
        let upkeep = maintenance::run(Arc::clone(&shared), commits.downgrade());
        let tasks = vec![
            tokio::spawn(committer::run(Arc::clone(&shared), queue)),
            tokio::spawn(log_writer::run(Arc::clone(&shared), log)),
            tokio::spawn(upkeep),
        ];
        Ok(Self {
            shared,
            commits,
            tasks: Arc::new(Mutex::new(tasks)),
        })
    }

    /// The system's database as last committed.
    pub fn system(&self) -> Arc<Database> {
        self.shared.system()
    }

    /// A database as last committed; without objects when it does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when it had to be read and could not.
    pub async fn database(&self, id: DatabaseId) -> Result<Arc<Database>> {
        self.shared.database(id).await
    }

    /// The tenant of this name.
    pub fn tenant(&self, name: &str) -> Option<Arc<Tenant>> {
        self.system().tenant_named(name).map(Arc::clone)
    }

    /// Names of the tenants that have a relation of their own under this name.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn tenants_using_name(&self, schema: &str, name: &str) -> Result<Vec<String>> {
        self.shared.store.tenants_using_name(schema, name).await
    }

    /// Names of the tenants that have a type of their own under this name.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn tenants_using_type(&self, schema: &str, name: &str) -> Result<Vec<String>> {
        self.shared.store.tenants_using_type(schema, name).await
    }

    /// Names of the tenants that have a role of this name.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn tenants_with_role(&self, name: &str) -> Result<Vec<String>> {
        self.shared.store.tenants_with_role(name).await
    }

    /// Views that read a relation of the system, or of one tenant, and tables with foreign keys to it,
    /// by database.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn dependants_of(&self, relation: Oid) -> Result<Vec<(DatabaseId, Oid)>> {
        self.shared.store.dependants_of(relation).await
    }

    /// Spends the one-time code of a time step for a role; false if it or a later one was spent before,
    /// by whatever session or run of the server. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn spend_code(&self, database: DatabaseId, role: Oid, step: i64) -> Result<bool> {
        self.shared.store.spend_code(database, role, step).await
    }

    /// How many roles of all databases may log in, and how many of them are asked for the password
    /// itself: those whose password is kept by argon2id, and those with a second factor.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn login_counts(&self) -> Result<(u64, u64)> {
        self.shared.store.login_counts().await
    }

    /// Draws the next object number of a database; it is not drawn again unless the server ends
    /// before a commit of that database.
    pub fn next_oid(&self, database: &Database) -> Oid {
        self.shared.next_oid(database)
    }

    /// A part as last committed; `table` is its name for errors.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignCommit`] when another program wrote to the part's log, [`Error::Damaged`] and
    /// [`Error::Store`] when it had to be read and could not.
    pub async fn snapshot(&self, part: Part, table: &str) -> Result<Arc<Snapshot>> {
        self.shared.snapshot(part, table).await
    }

    /// Several parts, all at the same moment: of each commit either all is seen or nothing.
    ///
    /// # Errors
    ///
    /// As [`Catalog::snapshot`].
    pub async fn snapshots(&self, parts: &[(Part, &str)]) -> Result<Vec<Arc<Snapshot>>> {
        self.shared.snapshots(parts).await
    }

    /// A part as it was.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchVersion`] when it is above the visible version or no longer kept, else as
    /// [`Catalog::snapshot`].
    pub async fn snapshot_of(&self, part: Part, as_of: AsOf, table: &str) -> Result<Arc<Snapshot>> {
        self.shared.snapshot_of(part, as_of, table).await
    }

    /// The locks of those who change rows that are there.
    pub fn locks(&self) -> &Locks {
        &self.shared.locks
    }

    /// Gives up the disk that is kept back, if there is hardly any other: a statement that frees space
    /// is about to write.
    pub async fn make_room(&self) {
        let reserve = Arc::clone(&self.shared.for_deleting);
        // A file that cannot be removed leaves the disk as full as it is.
        let given = tokio::task::spawn_blocking(move || reserve.give_up_when_short()).await;
        if given.unwrap_or_default() {
            tracing::warn!(
                "the disk is nearly full: what was kept back is given to a statement that frees space"
            );
        }
    }

    /// Where the rows lie.
    pub fn storage(&self) -> &Storage {
        &self.shared.storage
    }

    /// Makes a transaction durable and visible to every later [`Catalog::database`] and
    /// [`Catalog::snapshot`]. Its outcome is unknown to a caller that stops waiting.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`], [`Error::NameTaken`] and [`Error::NameUsedByTenants`] when another
    /// transaction came first; then, as with every other error, nothing of it becomes visible.
    pub async fn commit(&self, commit: Commit) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.commits
            .send(Request::Commit { commit, reply })
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Makes events durable in the audit. They share the disk's flushes with all other commits.
    ///
    /// # Errors
    ///
    /// [`Error::DiskFull`] and [`Error::Database`] when the catalog's database fails.
    pub async fn audit(&self, events: Vec<Event>) -> Result<()> {
        let commit = |audit: Vec<Event>| {
            self.commit(Commit {
                audit,
                ..Commit::default()
            })
        };
        match commit(events.clone()).await {
            Err(Error::DiskFull) if self.shared.for_audit.give_up() => {
                tracing::error!("the disk is full: the room kept for the audit is given up");
                commit(events).await
            }
            done => done,
        }
    }

    /// Records of the audit after a number, the oldest first, of one database or of all.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails, [`Error::Unreadable`] for a record of a
    /// newer version.
    pub async fn audit_after(
        &self,
        database: Option<DatabaseId>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Record>> {
        self.shared.store.audit_after(database, after, limit).await
    }

    /// Looks whether the audit's chain is whole.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn audit_verify(&self) -> Result<Verdict> {
        self.shared.store.audit_verify().await
    }

    /// Who logged in, or failed to, as far as the audit reaches back.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn logins(&self) -> Result<Vec<LoginSummary>> {
        self.shared.store.logins().await
    }

    /// The parts of a table: a common table has one for each tenant with rows.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn parts_of(&self, table: TableUuid) -> Result<Vec<PartSize>> {
        let rows = self.shared.store.parts_of(table).await?;
        let size = |row: crate::store::PartRow| PartSize {
            space: row.part.space,
            rows: row.rows,
            bytes: row.bytes,
        };
        Ok(rows.into_iter().map(size).collect())
    }

    /// The visible versions of all parts of several tables, all at one moment.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn versions_of(&self, tables: &[TableUuid]) -> Result<Vec<PartVersion>> {
        self.versions_at_once(&[], tables).await
    }

    /// The visible versions of all parts in spaces and of all parts of tables, all at one moment.
    ///
    /// # Errors
    ///
    /// As [`Catalog::versions_of`].
    pub async fn versions_at_once(
        &self,
        spaces: &[Space],
        tables: &[TableUuid],
    ) -> Result<Vec<PartVersion>> {
        let rows = self.shared.store.parts_at_once(spaces, tables).await?;
        let version = |row: crate::store::PartRow| PartVersion {
            part: row.part,
            version: row.version,
        };
        Ok(rows.into_iter().map(version).collect())
    }

    /// A part as it was when [`Catalog::versions_of`] told its version.
    ///
    /// # Errors
    ///
    /// As [`Catalog::snapshot_of`].
    pub async fn snapshot_at(&self, told: PartVersion, table: &str) -> Result<Arc<Snapshot>> {
        let begin = tokio::time::Instant::now();
        loop {
            let newest = self.shared.snapshot(told.part, table).await?;
            if newest.version == Some(told.version) {
                return Ok(newest);
            }
            if newest.version > Some(told.version) {
                let version = AsOf::Version(told.version);
                return self.shared.snapshot_of(told.part, version, table).await;
            }
            // Durable, and about to be visible.
            if begin.elapsed() > MAX_PUBLICATION {
                return Err(Error::Conflict);
            }
            tokio::time::sleep(PUBLICATION_STEP).await;
        }
    }

    /// The parts in a space, by table.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn parts_in(&self, space: Space) -> Result<Vec<(TableUuid, PartSize)>> {
        let rows = self.shared.store.parts_in(space).await?;
        let size = |row: crate::store::PartRow| {
            (
                row.part.table,
                PartSize {
                    space,
                    rows: row.rows,
                    bytes: row.bytes,
                },
            )
        };
        Ok(rows.into_iter().map(size).collect())
    }

    /// Finishes what is queued, writes the log entries that wait, and frees the folder.
    pub async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.commits.send(Request::Close { reply }).await.is_ok() {
            let _ = done.await;
        }
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the catalog failed");
            }
        }
        self.shared.close().await;
    }
}

fn closed() -> Error {
    Error::Unusable("the catalog is closed".to_owned())
}
