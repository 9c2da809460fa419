//! The Delta log of a part: reading it at the visible version, and writing the next entry.
//!
//! An entry carries its commit's id, by which this server knows its own. What the log says above the
//! visible version is looked at for one reason alone: to find that another program wrote it.

use std::error::Error as StdError;
use std::sync::Arc;

use deltalake_core::DeltaTableError;
use deltalake_core::kernel::{Snapshot as DeltaSnapshot, Version};
use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::stored::{delta_schema, flat_types};
use super::{DataFile, FileStats, Snapshot, Storage, file_path, folder};
use crate::error::{Error, Result};
use crate::id::Part;
use crate::model::Relation;

/// The key of `commitInfo` that holds the commit's id.
const COMMIT_KEY: &str = "tesseraCommit";
/// The table property that holds the schema version of the catalog.
const SCHEMA_VERSION_KEY: &str = "tessera.schemaVersion";
/// What readers and writers must know: names that differ from the files', and times without a zone.
const FEATURES: [&str; 2] = ["columnMapping", "timestampNtz"];
pub(super) const LOG_FOLDER: &str = "_delta_log";

/// What one version of a part says.
#[derive(Debug, Clone, Copy)]
pub struct LogEntry<'a> {
    /// The mark by which this server knows its own entries.
    pub commit_id: Uuid,
    /// Milliseconds since 1970; must not go back from version to version.
    pub timestamp_ms: i64,
    /// What `commitInfo` calls it, such as `WRITE`.
    pub operation: &'a str,
    pub relation: &'a Relation,
    /// The version before; decides whether protocol and columns are told again.
    pub base: &'a Snapshot,
    pub added: &'a [Arc<DataFile>],
    pub removed: &'a [Arc<DataFile>],
    /// Whether rows change; not so when files are only rewritten.
    pub data_change: bool,
}

impl Storage {
    /// The text of a version's log entry.
    ///
    /// # Errors
    ///
    /// [`Error::Unstorable`] when a column has a type that no file holds.
    pub fn log_entry(&self, entry: LogEntry<'_>) -> Result<String> {
        let table = entry.relation.table().ok_or_else(|| {
            Error::Unstorable(format!("view \"{}\" stores no rows", entry.relation.name))
        })?;
        let mut actions = vec![json!({"commitInfo": {
            "timestamp": entry.timestamp_ms,
            "operation": entry.operation,
            "operationParameters": {},
            "engineInfo": concat!("Tessera/", env!("CARGO_PKG_VERSION")),
            "txnId": entry.commit_id,
            COMMIT_KEY: entry.commit_id,
        }})];
        let born = entry.base.version.is_none();
        if born {
            actions.push(json!({"protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": FEATURES,
                "writerFeatures": FEATURES,
            }}));
        }
        if born || entry.base.schema_version != table.schema_version {
            let (schema, max_id) = delta_schema(table)?;
            actions.push(json!({"metaData": {
                "id": table.uuid.as_uuid(),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema,
                "partitionColumns": [],
                "configuration": {
                    "delta.columnMapping.mode": "name",
                    "delta.columnMapping.maxColumnId": max_id.to_string(),
                    SCHEMA_VERSION_KEY: table.schema_version.to_string(),
                },
                "createdTime": entry.timestamp_ms,
            }}));
        }
        for file in entry.removed {
            actions.push(json!({"remove": {
                "path": file.path,
                "deletionTimestamp": entry.timestamp_ms,
                "dataChange": entry.data_change,
                "extendedFileMetadata": true,
                "partitionValues": {},
                "size": file.size,
            }}));
        }
        for file in entry.added {
            actions.push(json!({"add": {
                "path": file.path,
                "partitionValues": {},
                "size": file.size,
                "modificationTime": file.modified_ms,
                "dataChange": entry.data_change,
                "stats": file.stats.to_json(file.rows),
            }}));
        }
        let mut text = String::new();
        for action in actions {
            text.push_str(&action.to_string());
            text.push('\n');
        }
        Ok(text)
    }

    /// A version's entry as the catalog keeps it until it is written: as little to be read as the part's
    /// files are.
    ///
    /// # Errors
    ///
    /// [`Error::Sealed`] when the tenant's keys are not at hand.
    pub(crate) fn kept_entry(&self, part: Part, version: i64, entry: String) -> Result<String> {
        let path = entry_path(part, version);
        Ok(self.sealed(part.space).seal_text(&path, entry)?)
    }

    /// Writes a version's entry as it was kept; writing it again is fine.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignCommit`] when another's entry has this version.
    pub async fn write_log_entry(
        &self,
        part: Part,
        version: i64,
        entry: &str,
        commit_id: Uuid,
        table: &str,
    ) -> Result<()> {
        let path = entry_path(part, version);
        let store = self.sealed(part.space);
        let entry = store.open_text(&path, entry).await?;
        let payload = entry.into_bytes().into();
        let Err(error) = store.put_opts(&path, payload, PutMode::Create.into()).await else {
            return Ok(());
        };
        // A store whose answer was lost may have written it all the same.
        match self.commit_info(part, version).await {
            Ok(Some(info)) if info.commit == Some(commit_id) => Ok(()),
            Ok(Some(_)) => Err(Error::ForeignCommit {
                table: table.to_owned(),
            }),
            Ok(None) | Err(_) => Err(error.into()),
        }
    }

    /// Reads a part at exactly this version.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignCommit`] when the log has an entry at or above the version that this server did
    /// not write, [`Error::Damaged`] when the log cannot be read.
    pub async fn load(&self, part: Part, version: i64, table: &str) -> Result<Snapshot> {
        self.refuse_foreign(part, version, table).await?;
        self.read(part, version, table).await
    }

    /// Reads an older version, for `FOR VERSION`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchVersion`] when it is above the visible one or its log is gone.
    pub async fn load_version(
        &self,
        part: Part,
        version: i64,
        visible: i64,
        table: &str,
    ) -> Result<Snapshot> {
        let missing = || Error::NoSuchVersion {
            table: table.to_owned(),
            version: version.to_string(),
        };
        if !(0..=visible).contains(&version) {
            return Err(missing());
        }
        self.refuse_foreign(part, visible, table).await?;
        match self.read(part, version, table).await {
            // The log begins above the version once old entries are cleaned up.
            Err(Error::Damaged { .. })
                if version < visible && self.commit_info(part, 0).await?.is_none() =>
            {
                Err(missing())
            }
            result => result,
        }
    }

    /// Reads the part as it was at a moment, for `FOR TIMESTAMP`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchVersion`] when the moment is before the oldest version that is kept.
    pub async fn load_at(
        &self,
        part: Part,
        timestamp_ms: i64,
        visible: i64,
        table: &str,
    ) -> Result<Snapshot> {
        let versions = self.versions_from(part, 0).await?;
        let mut versions: Vec<i64> = versions.into_iter().filter(|v| *v <= visible).collect();
        versions.sort_unstable();
        // The last version that is not younger than the moment; versions are in order of time.
        let (mut low, mut high) = (0, versions.len());
        while low < high {
            let middle = (low + high) / 2;
            let info = self.commit_info(part, versions[middle]).await?;
            if info.is_some_and(|info| info.timestamp_ms <= timestamp_ms) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(version) = low.checked_sub(1).map(|index| versions[index]) else {
            let moment = chrono::DateTime::from_timestamp_millis(timestamp_ms);
            let version = moment.map_or_else(|| timestamp_ms.to_string(), |at| at.to_string());
            return Err(Error::NoSuchVersion {
                table: table.to_owned(),
                version,
            });
        };
        self.load_version(part, version, visible, table).await
    }

    /// Fails when the log's entry at the visible version, or one above it, is another's.
    async fn refuse_foreign(&self, part: Part, visible: i64, table: &str) -> Result<()> {
        for version in self.versions_from(part, visible).await? {
            let info = self.commit_info(part, version).await?;
            if info.is_some_and(|info| info.commit.is_none()) {
                return Err(Error::ForeignCommit {
                    table: table.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The versions at or above one for which the log has an entry.
    pub(super) async fn versions_from(&self, part: Part, version: i64) -> Result<Vec<i64>> {
        // Names are ordered as versions are; the offset itself is not listed.
        let offset = file_path(part, &format!("{LOG_FOLDER}/{version:020}"));
        let listed: Vec<_> = self
            .store(part.space)
            .list_with_offset(Some(&file_path(part, LOG_FOLDER)), &offset)
            .try_collect()
            .await?;
        let versions = listed.iter().filter_map(|meta| {
            let name = meta.location.filename()?.strip_suffix(".json")?;
            (name.len() == 20).then(|| name.parse().ok())?
        });
        Ok(versions.collect())
    }

    /// What an entry says of its commit; `None` when there is no such entry.
    async fn commit_info(&self, part: Part, version: i64) -> Result<Option<CommitInfo>> {
        let found = match self.store(part.space).get(&entry_path(part, version)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = found.bytes().await?;
        let lines = bytes.split(|byte| *byte == b'\n');
        let info = lines.filter(|line| !line.is_empty()).find_map(|line| {
            let action: Value = serde_json::from_slice(line).ok()?;
            let info = action.get("commitInfo")?;
            let commit = info[COMMIT_KEY].as_str().and_then(|id| id.parse().ok());
            Some(CommitInfo {
                commit,
                timestamp_ms: info["timestamp"].as_i64()?,
            })
        });
        Ok(Some(info.unwrap_or(CommitInfo {
            commit: None,
            timestamp_ms: 0,
        })))
    }

    /// The part's log as deltalake-core takes it.
    pub(super) fn delta_log(&self, part: Part) -> Result<LogStoreRef> {
        let url = format!("{}{}/", part.space.url(), folder(part));
        let url = Url::parse(&url)
            .map_err(|error| Error::Unusable(format!("invalid table URL \"{url}\": {error}")))?;
        let store = self.store(part.space);
        let prefixed = Arc::new(PrefixStore::new(Arc::clone(&store), folder(part)));
        Ok(default_logstore(
            prefixed,
            store,
            &url,
            &StorageConfig::default(),
        ))
    }

    async fn read(&self, part: Part, version: i64, table: &str) -> Result<Snapshot> {
        let broken = |error: DeltaTableError| unreadable(error, table);
        let log = self.delta_log(part)?;
        let at = Version::try_from(version).map_err(|_| Error::NoSuchVersion {
            table: table.to_owned(),
            version: version.to_string(),
        })?;
        let snapshot = DeltaSnapshot::try_new(log.as_ref(), Some(at))
            .await
            .map_err(broken)?;
        let schema =
            serde_json::to_value(snapshot.schema()).map_err(|source| Error::Unreadable {
                kind: "table schema",
                source,
            })?;
        let types = flat_types(&schema);
        let schema_version = snapshot
            .metadata()
            .configuration()
            .get(SCHEMA_VERSION_KEY)
            .and_then(|version| version.parse().ok())
            .unwrap_or_default();
        let mut files = Vec::new();
        let mut views = snapshot.file_views(log.as_ref(), None);
        while let Some(view) = views.try_next().await.map_err(broken)? {
            let stats = view
                .stats()
                .and_then(|text| serde_json::from_str(&text).ok());
            let stats: Value = stats.unwrap_or_default();
            let rows = stats["numRecords"].as_u64();
            let (Some(rows), Ok(size)) = (rows, u64::try_from(view.size())) else {
                let source = format!("the log does not tell the rows of \"{}\"", view.path());
                return Err(Error::Damaged {
                    table: table.to_owned(),
                    source: source.into(),
                });
            };
            files.push(Arc::new(DataFile {
                path: view.path().into_owned(),
                size,
                rows,
                stats: Arc::new(FileStats::of_json(&stats, &types)),
                modified_ms: view.modification_time(),
            }));
        }
        // The log is replayed from its end.
        files.reverse();
        let info = self.commit_info(part, version).await?;
        let timestamp_ms = info.map(|info| info.timestamp_ms).unwrap_or_default();
        Ok(Snapshot {
            version: Some(version),
            schema_version,
            files,
            timestamp_ms,
        })
    }
}

struct CommitInfo {
    /// `None` for an entry of another program.
    commit: Option<Uuid>,
    timestamp_ms: i64,
}

fn entry_path(part: Part, version: i64) -> Path {
    file_path(part, &format!("{LOG_FOLDER}/{version:020}.json"))
}

/// How the kernel's error begins when a store has failed: it keeps the cause, and does not give it out.
const STORE_FAILED: &str = "Error interacting with object store";

/// Tells a store that failed from a log that is damaged.
fn unreadable(error: DeltaTableError, table: &str) -> Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(at) = cause {
        match at.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { .. }) => cause = at.source(),
            None if !at.to_string().starts_with(STORE_FAILED) => cause = at.source(),
            Some(_) | None => return error.into(),
        }
    }
    Error::Damaged {
        table: table.to_owned(),
        source: error.into(),
    }
}
