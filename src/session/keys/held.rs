//! Which of some keys a table has: in the transaction's rows and files, and in those visible before.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use tessera_catalog::id::{Part, Space};
use tessera_catalog::key::{KeySearch, KeySet};
use tessera_catalog::storage::{DataFile, Snapshot};

use super::KeyGuard;
use crate::error::Result;
use crate::session::transaction::TEMPORARY_SCHEMA;
use crate::session::write::table;

impl KeyGuard {
    /// Those of the wanted keys that the table has, the transaction's own changes included.
    pub(in crate::session) async fn held(
        &mut self,
        space: Space,
        index: usize,
        columns: &[ArrayRef],
        wanted: &[u128],
    ) -> Result<KeySet> {
        let mut held = self.held_by_own(space, index, columns, wanted).await?;
        held.extend(self.held_before(space, index, columns, wanted).await?);
        Ok(held)
    }

    /// Those of the wanted keys that the transaction itself has added, in this statement or before.
    pub(in crate::session) async fn held_by_own(
        &mut self,
        space: Space,
        index: usize,
        columns: &[ArrayRef],
        wanted: &[u128],
    ) -> Result<KeySet> {
        let own = self.spaces.entry(space).or_default();
        let mut held = KeySet::default();
        if let Some(memory) = own.memory.get(index) {
            held.extend(wanted.iter().filter(|hash| memory.contains(hash)));
        }
        if let Some(fresh) = own.fresh.get(index) {
            held.extend(wanted.iter().filter(|hash| fresh.contains(hash)));
        }
        let files = own.own_files.iter();
        let files = files
            .filter(|file| !own.gone.contains(&file.path))
            .map(Arc::clone)
            .collect();
        held.extend(self.held_in(files, space, index, columns, wanted).await?);
        Ok(held)
    }

    /// Those of the wanted keys that the table had before the transaction, and still has.
    pub(in crate::session) async fn held_before(
        &mut self,
        space: Space,
        index: usize,
        columns: &[ArrayRef],
        wanted: &[u128],
    ) -> Result<KeySet> {
        let base = self.base(space).await?;
        let own = self.spaces.entry(space).or_default();
        let files = base.files.iter();
        let files = files
            .filter(|file| !own.gone.contains(&file.path))
            .map(Arc::clone)
            .collect();
        self.held_in(files, space, index, columns, wanted).await
    }

    async fn held_in(
        &self,
        files: Vec<Arc<DataFile>>,
        space: Space,
        index: usize,
        columns: &[ArrayRef],
        wanted: &[u128],
    ) -> Result<KeySet> {
        if files.is_empty() || wanted.is_empty() {
            return Ok(KeySet::default());
        }
        let part = Part {
            space,
            table: table(&self.relation)?.uuid,
        };
        let key = &self.keys[index].key;
        let ranges = key.ranges(columns)?;
        let search = KeySearch {
            part,
            relation: &self.relation,
            key,
            defaults: &self.defaults,
            ranges: Some(&ranges),
        };
        let storage = self.catalog.storage();
        Ok(storage.keys_held(search, &files, wanted).await?)
    }

    /// The part's files as they are visible when the statement first asks.
    pub(in crate::session) async fn base(&mut self, space: Space) -> Result<Arc<Snapshot>> {
        let part = Part {
            space,
            table: table(&self.relation)?.uuid,
        };
        let own = self.spaces.entry(space).or_default();
        if let Some(base) = &own.base {
            return Ok(Arc::clone(base));
        }
        let base = if self.relation.schema == TEMPORARY_SCHEMA {
            Arc::new(Snapshot::empty())
        } else {
            self.catalog.snapshot(part, &self.relation.name).await?
        };
        let own = self.spaces.entry(part.space).or_default();
        own.base = Some(Arc::clone(&base));
        Ok(base)
    }
}
