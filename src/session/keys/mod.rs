//! Enforced keys on the way in: no statement adds a key that its table has.
//!
//! A key is looked for among the statement's own rows, the transaction's rows and the files that are
//! visible now. What other transactions add until the commit is the committer's to find, by the
//! [`Claim`]s that come out of here.

mod claimants;
mod held;
mod taken;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::common::ScalarValue;
use tessera_catalog::Catalog;
use tessera_catalog::commit::Claim;
use tessera_catalog::id::{Oid, Space};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::model::Relation;
use tessera_catalog::storage::stored::stored_columns;
use tessera_catalog::storage::{DataFile, Snapshot};

pub(super) use claimants::{Claimants, ForeignName};
pub(super) use taken::key_text;

use super::Session;
use super::opener::missing_defaults;
use super::write::table;
use crate::error::{Error, Result};
use taken::unique;

/// When a writer's rows are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyCheck {
    /// As they come: nothing that was there goes.
    AtOnce,
    /// When all are there: rows that were there go or stay.
    AtEnd,
}

/// The keys of one table, while a statement writes to it.
pub(super) struct KeyGuard {
    catalog: Catalog,
    relation: Arc<Relation>,
    check: KeyCheck,
    keys: Vec<GuardedKey>,
    defaults: HashMap<i16, ScalarValue>,
    spaces: HashMap<Space, SpaceKeys>,
    arbitrated: bool,
    /// The row of the batch that was looked at last that has a key which is there.
    failed: Option<usize>,
}

struct GuardedKey {
    key: KeyColumns,
    /// Of its columns among the table's live ones.
    places: Vec<usize>,
}

/// One part's keys.
#[derive(Default)]
struct SpaceKeys {
    /// The part as it was when it was first looked at.
    base: Option<Arc<Snapshot>>,
    /// Files that the transaction added.
    own_files: Vec<Arc<DataFile>>,
    /// Files that the transaction or the statement took away.
    gone: HashSet<String>,
    /// Keys of the transaction's rows in memory, by key.
    memory: Vec<Arc<KeySet>>,
    /// Keys that other parts of the statement have added in memory, by key.
    fresh: Vec<KeySet>,
    /// Keys of rows that are written again as they were, by key.
    kept: Vec<KeySet>,
    /// Keys that the statement adds, by key.
    added: Vec<KeySet>,
    /// Rows that are checked at the end.
    waiting: Vec<RecordBatch>,
}

impl KeyGuard {
    /// The guard of a table's keys; `None` when it has none that are enforced.
    ///
    /// # Errors
    /// Rows of the transaction that are not the table's, which is a bug.
    pub(super) fn new(
        session: &mut Session,
        relation: &Arc<Relation>,
        zone: &Arc<str>,
        check: KeyCheck,
    ) -> Result<Option<Self>> {
        let keys = KeyColumns::enforced(table(relation)?);
        if keys.is_empty() {
            return Ok(None);
        }
        Self::over(session, relation, zone, keys, check).map(Some)
    }

    /// A look at any columns of a table as keys, such as those of a foreign key.
    ///
    /// # Errors
    /// As [`KeyGuard::new`].
    pub(super) fn over(
        session: &mut Session,
        relation: &Arc<Relation>,
        zone: &Arc<str>,
        keys: Vec<KeyColumns>,
        check: KeyCheck,
    ) -> Result<Self> {
        let of = table(relation)?;
        let mut spaces: HashMap<Space, SpaceKeys> = HashMap::new();
        for pending in session.transaction.own_parts(relation) {
            let memory = keys
                .iter()
                .map(|key| pending.memory_keys(key, &key.places(stored_columns(of))))
                .collect::<Result<Vec<_>>>()?;
            let fresh = keys
                .iter()
                .map(|key| pending.fresh_keys(key, &key.places(stored_columns(of))))
                .collect::<Result<Vec<_>>>()?;
            let added = pending.added.iter().chain(&pending.fresh.files);
            let own = SpaceKeys {
                fresh,
                own_files: added.map(Arc::clone).collect(),
                gone: pending
                    .removed
                    .iter()
                    .map(|file| file.path.clone())
                    .collect(),
                memory,
                ..SpaceKeys::default()
            };
            spaces.insert(pending.part.space, own);
        }
        let defaults = missing_defaults(of, zone)?
            .into_iter()
            .map(|((_, number), value)| (number, value))
            .collect();
        let guarded = keys.into_iter().map(|key| GuardedKey {
            places: key.places(of.live_columns()),
            key,
        });
        Ok(Self {
            catalog: session.engine.catalog.clone(),
            relation: Arc::clone(relation),
            check,
            keys: guarded.collect(),
            defaults,
            spaces,
            arbitrated: false,
            failed: None,
        })
    }

    /// Says whether the statement did something else for a key that it found.
    pub(super) fn arbitrated(self, arbitrated: bool) -> Self {
        Self { arbitrated, ..self }
    }

    /// The rows whose keys are free, of those that decide; the others are left out, and among equal
    /// ones all but the first.
    ///
    /// # Errors
    /// What reading the table's keys meets.
    pub(super) async fn free(
        &mut self,
        space: Space,
        rows: &RecordBatch,
        arbiters: &[Oid],
    ) -> Result<RecordBatch> {
        self.arbitrated = true;
        let count = self.keys.len();
        let own = self.spaces.entry(space).or_default();
        own.added.resize_with(count, KeySet::default);
        let mut known: Vec<(Vec<Option<u128>>, KeySet)> = Vec::new();
        for index in 0..count {
            if !arbiters.contains(&self.keys[index].key.constraint) {
                continue;
            }
            let columns = self.keys[index].columns(rows);
            let hashes = self.keys[index].key.hashes(&columns, rows.num_rows())?;
            let wanted: Vec<u128> = hashes.iter().flatten().copied().collect();
            let mut taken = self.held(space, index, &columns, &wanted).await?;
            let own = self.spaces.entry(space).or_default();
            taken.extend(
                wanted
                    .iter()
                    .filter(|hash| own.added[index].contains(*hash)),
            );
            known.push((hashes, taken));
        }
        let mut keep = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let is_taken = known
                .iter()
                .any(|(hashes, taken)| hashes[row].is_some_and(|hash| taken.contains(&hash)));
            keep.push(!is_taken);
            if !is_taken {
                for (hashes, taken) in &mut known {
                    taken.extend(hashes[row]);
                }
            }
        }
        let keep = BooleanArray::from(keep);
        datafusion::arrow::compute::filter_record_batch(rows, &keep)
            .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))
    }

    /// Whether the statement did something else for a key that it found.
    pub(super) fn is_arbitrated(&self) -> bool {
        self.arbitrated
    }

    /// Takes in new rows of the table's live columns.
    ///
    /// # Errors
    /// 23505 for a key that is there.
    pub(super) async fn add(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        match self.check {
            KeyCheck::AtOnce => self.check(space, rows).await,
            KeyCheck::AtEnd => {
                self.spaces
                    .entry(space)
                    .or_default()
                    .waiting
                    .push(rows.clone());
                Ok(())
            }
        }
    }

    /// Takes note of rows that were there and are written again.
    pub(super) fn keep(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        let own = self.spaces.entry(space).or_default();
        note(&self.keys, rows, &mut own.kept)
    }

    /// Takes note of a file whose rows go or are kept.
    pub(super) fn remove(&mut self, space: Space, file: &DataFile) {
        let space = self.spaces.entry(space).or_default();
        space.gone.insert(file.path.clone());
    }

    /// Takes note that the transaction's rows in memory go or are kept.
    pub(super) fn remove_memory(&mut self, space: Space) {
        self.spaces.entry(space).or_default().memory.clear();
    }

    /// Checks what waits, and gives the keys that were added, by space.
    ///
    /// # Errors
    /// 23505 for a key that is there.
    pub(super) async fn finish(mut self) -> Result<HashMap<Space, Vec<Claim>>> {
        let waiting: Vec<(Space, Vec<RecordBatch>)> = self
            .spaces
            .iter_mut()
            .map(|(space, keys)| (*space, std::mem::take(&mut keys.waiting)))
            .collect();
        for (space, batches) in waiting {
            for batch in batches {
                self.check(space, &batch).await?;
            }
        }
        let mut claims = HashMap::new();
        for (space, keys) in self.spaces {
            let Some(base) = keys.base else { continue };
            let of_space = self
                .keys
                .iter()
                .zip(keys.added)
                .map(|(guarded, hashes)| Claim {
                    key: guarded.key.clone(),
                    hashes: Arc::new(hashes),
                    base: Arc::clone(&base),
                });
            claims.insert(space, of_space.filter(|c| !c.hashes.is_empty()).collect());
        }
        Ok(claims)
    }

    async fn check(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        let count = self.keys.len();
        let own = self.spaces.entry(space).or_default();
        own.added.resize_with(count, KeySet::default);
        for index in 0..count {
            let columns = self.keys[index].columns(rows);
            let hashes = self.keys[index].key.hashes(&columns, rows.num_rows())?;
            let own = self.spaces.entry(space).or_default();
            let kept = own.kept.get(index);
            let mut fresh = Vec::with_capacity(hashes.len());
            for (row, hash) in hashes.iter().enumerate() {
                let Some(hash) = hash else { continue };
                let is_kept = kept.is_some_and(|kept| kept.contains(hash));
                if is_kept || !own.added[index].insert(*hash) {
                    self.failed = Some(row);
                    return Err(self.taken(index, &columns, row));
                }
                fresh.push(*hash);
            }
            let held = self.held(space, index, &columns, &fresh).await?;
            if !held.is_empty() {
                let is_held = |hash: &Option<u128>| hash.is_some_and(|h| held.contains(&h));
                let row = hashes.iter().position(is_held).unwrap_or_default();
                self.failed = Some(row);
                return Err(self.taken(index, &columns, row));
            }
        }
        Ok(())
    }

    /// The row of the batch that was added last whose key is there.
    pub(super) fn failed_row(&self) -> Option<usize> {
        self.failed
    }

    /// Takes note of new rows without asking whether their keys are free.
    ///
    /// # Errors
    /// Rows that are not the table's, which is a bug.
    pub(super) fn note_added(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        let own = self.spaces.entry(space).or_default();
        note(&self.keys, rows, &mut own.added)
    }

    /// Those of the wanted keys that rows have which the statement wrote, new or as they were.
    pub(super) fn written(&self, space: Space, index: usize, wanted: &[u128]) -> KeySet {
        let own = self.spaces.get(&space);
        let added = own.and_then(|own| own.added.get(index));
        let kept = own.and_then(|own| own.kept.get(index));
        let is_written = |hash: &&u128| {
            added.is_some_and(|keys| keys.contains(*hash))
                || kept.is_some_and(|keys| keys.contains(*hash))
        };
        wanted.iter().filter(is_written).copied().collect()
    }

    /// The key at a place, and what files from before a column hold in it.
    pub(super) fn key(&self, index: usize) -> (&KeyColumns, &HashMap<i16, ScalarValue>) {
        (&self.keys[index].key, &self.defaults)
    }

    fn taken(&self, index: usize, columns: &[ArrayRef], row: usize) -> Error {
        unique(
            &self.relation,
            self.keys[index].key.constraint,
            columns,
            row,
        )
    }
}

/// Adds the keys of rows to what is known, by key.
fn note(keys: &[GuardedKey], rows: &RecordBatch, known: &mut Vec<KeySet>) -> Result<()> {
    known.resize_with(keys.len(), KeySet::default);
    for (guarded, known) in keys.iter().zip(known) {
        let columns = guarded.columns(rows);
        let hashes = guarded.key.hashes(&columns, rows.num_rows())?;
        known.extend(hashes.into_iter().flatten());
    }
    Ok(())
}

impl GuardedKey {
    fn columns(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let column = |place: &usize| Arc::clone(rows.column(*place));
        self.places.iter().map(column).collect()
    }
}
