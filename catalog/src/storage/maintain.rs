//! Upkeep of parts: checkpoints, log clean-up, vacuum, compaction and erasure.
//!
//! Nothing here decides what is visible: a compaction is files for a commit, and vacuum is told what to
//! keep.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use datafusion::common::ScalarValue;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use deltalake_core::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use deltalake_core::kernel::Version;
use deltalake_core::{DeltaTable, DeltaTableError};
use futures::TryStreamExt;
use object_store::path::Path;
use url::Url;

use super::log::LOG_FOLDER;
use super::{DataFile, PartWriter, Snapshot, Storage, StoreRef, folder};
use crate::error::{Error, Result};
use crate::id::{Part, Space};
use crate::model::Relation;
use crate::provider::{PartTable, PartTableOptions};

/// Files below this size are worth joining.
const SMALL_FILE_BYTES: u64 = 64 << 20;
/// At most so many bytes are rewritten at once.
const MAX_COMPACTION_BYTES: u64 = 1 << 30;

/// What to erase.
#[derive(Debug, Clone, Copy)]
pub enum Erase {
    Part(Part),
    Space(Space),
}

/// Files that take the place of others, for a commit with these `added` and `removed`.
#[derive(Debug, Default)]
pub struct Compaction {
    pub added: Vec<Arc<DataFile>>,
    pub removed: Vec<Arc<DataFile>>,
}

impl Storage {
    /// Writes a checkpoint of a visible version.
    ///
    /// # Errors
    ///
    /// [`Error::Delta`] when the log cannot be read or the checkpoint not be written.
    pub async fn checkpoint(&self, part: Part, version: i64) -> Result<()> {
        let mut table = DeltaTable::new(self.delta_log(part)?);
        table.load_version(delta_version(version)?).await?;
        create_checkpoint(&table, None).await?;
        Ok(())
    }

    /// Removes log files that no version of the retention needs; tells how many. Without a checkpoint
    /// to begin from, nothing goes.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store fails.
    pub async fn clean_log(&self, part: Part, visible: i64, retention: Duration) -> Result<usize> {
        let log = self.delta_log(part)?;
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let cutoff = Utc::now().timestamp_millis().saturating_sub(retention);
        let visible = delta_version(visible)?;
        Ok(cleanup_expired_logs_for(visible, log.as_ref(), cutoff, None).await?)
    }

    /// Removes data files that are not kept and older than the grace; tells how many. To be kept are
    /// the files of the visible version and of every version that may still be asked for; the grace
    /// covers files that are being written.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store fails.
    pub async fn vacuum(
        &self,
        part: Part,
        keep: &HashSet<String>,
        older_than: Duration,
    ) -> Result<usize> {
        let store = self.store(part.space);
        let oldest = Utc::now() - older_than;
        let listed = store
            .list_with_delimiter(Some(&Path::from(folder(part))))
            .await?;
        let unused = listed.objects.into_iter().filter(|object| {
            let name = object.location.filename().unwrap_or_default();
            name.ends_with(".parquet") && !keep.contains(name) && object.last_modified <= oldest
        });
        delete(&store, unused.map(|object| object.location).collect()).await
    }

    /// Removes all of a part or a space; tells how many objects.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the store fails; erasing again is fine.
    pub async fn erase(&self, what: Erase) -> Result<usize> {
        let (space, prefix) = match what {
            Erase::Part(part) => (part.space, Some(Path::from(folder(part)))),
            Erase::Space(space) => (space, None),
        };
        let store = self.store(space);
        let mut objects: Vec<Path> = store
            .list(prefix.as_ref())
            .map_ok(|object| object.location)
            .try_collect()
            .await?;
        // The log goes first: what is left of a part that lost it is unnamed files, not a table.
        objects.sort_by_key(|path| !path.parts().any(|part| part.as_ref() == LOG_FOLDER));
        let count = delete(&store, objects).await?;
        if matches!(what, Erase::Space(_)) {
            self.forget(space);
        }
        Ok(count)
    }

    /// Rewrites small files as few bigger ones; empty when there is nothing to gain.
    ///
    /// Files from before a column with a default are left alone.
    ///
    /// # Errors
    ///
    /// As a scan or a write; nothing is left behind then.
    pub async fn compact(
        &self,
        part: Part,
        relation: &Relation,
        snapshot: &Snapshot,
    ) -> Result<Compaction> {
        self.compact_with(part, relation, snapshot, &HashMap::new())
            .await
    }

    /// As [`Storage::compact`], given what files from before a column hold in it: the rewritten ones
    /// hold it themselves.
    ///
    /// # Errors
    ///
    /// As [`Storage::compact`].
    pub async fn compact_with(
        &self,
        part: Part,
        relation: &Relation,
        snapshot: &Snapshot,
        defaults: &HashMap<i16, ScalarValue>,
    ) -> Result<Compaction> {
        let ready = |file: &&Arc<DataFile>| {
            file.size < SMALL_FILE_BYTES && !lacks_default(file, relation, defaults)
        };
        let mut bytes = 0;
        let mut small: Vec<Arc<DataFile>> = Vec::new();
        for file in snapshot.files.iter().filter(ready) {
            bytes += file.size;
            if bytes > MAX_COMPACTION_BYTES {
                break;
            }
            small.push(Arc::clone(file));
        }
        if small.len() < 2 {
            return Ok(Compaction::default());
        }
        let mut writer = self.writer(part, relation)?;
        match self
            .copy(part, relation, small.clone(), defaults, &mut writer)
            .await
        {
            Ok(()) => Ok(Compaction {
                added: writer.finish().await?,
                removed: small,
            }),
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }
}

impl Storage {
    async fn copy(
        &self,
        part: Part,
        relation: &Relation,
        files: Vec<Arc<DataFile>>,
        defaults: &HashMap<i16, ScalarValue>,
        writer: &mut PartWriter,
    ) -> Result<()> {
        let runtime = Arc::new(RuntimeEnv::default());
        let url = part.space.url();
        let url = Url::parse(&url)
            .map_err(|error| Error::Unusable(format!("invalid store URL \"{url}\": {error}")))?;
        runtime.register_object_store(&url, self.read_only_store(part.space));
        let config = SessionConfig::new().with_target_partitions(1);
        let session = SessionContext::new_with_config_rt(config, runtime);
        let source = PartTable::new(PartTableOptions {
            relation: Arc::new(relation.clone()),
            part,
            files,
            memory: Vec::new(),
            tenant_name: Some(Arc::from("")),
            zone: Arc::from("UTC"),
            defaults: defaults.clone(),
            statistics: false,
        })?;
        let stored: Vec<usize> = relation
            .table()
            .into_iter()
            .flat_map(|table| table.live_columns().enumerate())
            .filter(|(_, column)| !column.is_tenant())
            .map(|(index, _)| index)
            .collect();
        let state = session.state();
        let plan =
            datafusion::catalog::TableProvider::scan(&source, &state, Some(&stored), &[], None)
                .await?;
        let context: Arc<TaskContext> = session.task_ctx();
        let mut rows = execute_stream(plan, context)?;
        while let Some(batch) = rows.try_next().await? {
            writer.write(&batch).await?;
        }
        Ok(())
    }
}

/// Whether the file would lose what it means for a column that it does not have.
fn lacks_default(
    file: &DataFile,
    relation: &Relation,
    defaults: &HashMap<i16, ScalarValue>,
) -> bool {
    let columns = relation
        .table()
        .into_iter()
        .flat_map(|table| table.live_columns());
    columns
        .filter(|column| column.missing_default.is_some() && !defaults.contains_key(&column.number))
        // A file tells the NULLs of every column that it has.
        .any(|column| {
            file.stats
                .columns
                .get(&column.physical)
                .is_none_or(|s| s.nulls.is_none())
        })
}

fn delta_version(version: i64) -> Result<Version> {
    Version::try_from(version)
        .map_err(|_| DeltaTableError::Generic(format!("there is no version {version}")).into())
}

async fn delete(store: &StoreRef, paths: Vec<Path>) -> Result<usize> {
    let count = paths.len();
    let paths = futures::stream::iter(paths.into_iter().map(Ok));
    let mut deleted = store.delete_stream(Box::pin(paths));
    loop {
        match deleted.try_next().await {
            Ok(None) => return Ok(count),
            // Another may have removed it first.
            Ok(Some(_)) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
