//! Which of some keys a part's files hold.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;
use url::Url;

use super::{KeyColumns, KeyFilter, KeyRanges, KeySet};
use crate::error::{Error, Result};
use crate::id::Part;
use crate::model::Relation;
use crate::provider::{PartTable, PartTableOptions};
use crate::storage::{DataFile, Storage};

/// Where keys are looked for.
#[derive(Debug, Clone, Copy)]
pub struct KeySearch<'a> {
    pub part: Part,
    pub relation: &'a Arc<Relation>,
    pub key: &'a KeyColumns,
    /// What files from before a column hold in it, by the column's number.
    pub defaults: &'a HashMap<i16, ScalarValue>,
    /// Between which values the keys lie.
    pub ranges: Option<&'a KeyRanges>,
}

impl Storage {
    /// Those of the wanted keys that one of the files holds.
    ///
    /// A file that its statistics or its filter exclude is not read.
    ///
    /// # Errors
    ///
    /// As a scan.
    pub async fn keys_held(
        &self,
        search: KeySearch<'_>,
        files: &[Arc<DataFile>],
        wanted: &[u128],
    ) -> Result<KeySet> {
        let mut held = KeySet::default();
        if wanted.is_empty() {
            return Ok(held);
        }
        for file in files {
            let (maybe, is_filtered) = self.maybe_held(&search, file, wanted);
            if !maybe.is_empty() {
                self.search_file(&search, file, &maybe, !is_filtered, &mut held)
                    .await?;
            }
        }
        Ok(held)
    }

    /// The files that may hold one of the wanted keys, and few others.
    ///
    /// # Errors
    ///
    /// As a scan.
    pub async fn files_with_keys(
        &self,
        search: KeySearch<'_>,
        files: Vec<Arc<DataFile>>,
        wanted: &[u128],
    ) -> Result<Vec<Arc<DataFile>>> {
        let mut with = Vec::with_capacity(files.len());
        for file in files {
            let (mut maybe, is_filtered) = self.maybe_held(&search, &file, wanted);
            if !is_filtered && !maybe.is_empty() {
                let mut held = KeySet::default();
                self.search_file(&search, &file, &maybe, true, &mut held)
                    .await?;
                maybe = held;
            }
            if !maybe.is_empty() {
                with.push(file);
            }
        }
        Ok(with)
    }

    /// The wanted keys that a file may hold, and whether a filter told.
    fn maybe_held(
        &self,
        search: &KeySearch<'_>,
        file: &DataFile,
        wanted: &[u128],
    ) -> (KeySet, bool) {
        if search
            .ranges
            .is_some_and(|ranges| ranges.excludes(search.key, file))
        {
            return (KeySet::default(), false);
        }
        let wanted = wanted.iter().copied();
        match self.key_filters().get(&file.path, search.key) {
            Some(filter) => {
                let maybe = wanted.filter(|key| filter.may_hold(filter_key(*key)));
                (maybe.collect(), true)
            }
            None => (wanted.collect(), false),
        }
    }

    /// The key's columns of the row that has a key, from one of the files.
    ///
    /// # Errors
    ///
    /// As a scan.
    pub async fn key_row(
        &self,
        search: KeySearch<'_>,
        files: &[Arc<DataFile>],
        wanted: u128,
    ) -> Result<Option<RecordBatch>> {
        for file in files {
            let mut batches = self.key_batches(&search, file).await?;
            while let Some(batch) = batches.try_next().await? {
                let hashes = search.key.hashes(batch.columns(), batch.num_rows())?;
                if let Some(row) = hashes.iter().position(|hash| *hash == Some(wanted)) {
                    return Ok(Some(batch.slice(row, 1)));
                }
            }
        }
        Ok(None)
    }

    /// Reads a file's keys, and keeps their filter if it is not known yet.
    async fn search_file(
        &self,
        search: &KeySearch<'_>,
        file: &Arc<DataFile>,
        wanted: &KeySet,
        keep_filter: bool,
        held: &mut KeySet,
    ) -> Result<()> {
        let mut all = Vec::new();
        let mut batches = self.key_batches(search, file).await?;
        while let Some(batch) = batches.try_next().await? {
            let hashes = search.key.hashes(batch.columns(), batch.num_rows())?;
            for hash in hashes.into_iter().flatten() {
                if wanted.contains(&hash) {
                    held.insert(hash);
                }
                if keep_filter {
                    all.push(filter_key(hash));
                }
            }
        }
        if keep_filter {
            let filter = Arc::new(KeyFilter::of(&all));
            self.key_filters().put(&file.path, search.key, filter);
        }
        Ok(())
    }

    /// The key's columns of all rows of a file.
    async fn key_batches(
        &self,
        search: &KeySearch<'_>,
        file: &Arc<DataFile>,
    ) -> Result<SendableRecordBatchStream> {
        let runtime = Arc::new(RuntimeEnv::default());
        let url = search.part.space.url();
        let url = Url::parse(&url)
            .map_err(|error| Error::Unusable(format!("invalid store URL \"{url}\": {error}")))?;
        runtime.register_object_store(&url, self.read_only_store(search.part.space));
        let config = SessionConfig::new().with_target_partitions(1);
        let session = SessionContext::new_with_config_rt(config, runtime);
        let source = PartTable::new(PartTableOptions {
            relation: Arc::clone(search.relation),
            part: search.part,
            files: vec![Arc::clone(file)],
            memory: Vec::new(),
            tenant_name: Some(Arc::from("")),
            zone: Arc::from("UTC"),
            defaults: search.defaults.clone(),
            statistics: false,
        })?;
        let live = search
            .relation
            .table()
            .into_iter()
            .flat_map(|table| table.live_columns());
        let places = search.key.places(live);
        let state = session.state();
        let plan =
            datafusion::catalog::TableProvider::scan(&source, &state, Some(&places), &[], None)
                .await?;
        Ok(execute_stream(plan, session.task_ctx())?)
    }
}

/// The part of a key's number that filters look at.
pub(crate) fn filter_key(hash: u128) -> u64 {
    (hash >> 64) as u64
}
