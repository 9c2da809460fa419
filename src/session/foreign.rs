//! Foreign keys on the way in: every row's key is one of the table that it refers to.
//!
//! Keys are gathered and looked for together, at the latest when the statement ends: among the
//! transaction's own rows and in the files that are visible then. That those files still hold them at
//! the commit is the committer's to see, by the references that come out of here.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::compute::{CastOptions, cast_with_options, concat};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use tessera_catalog::commit::{Expects, KeyReference};
use tessera_catalog::id::{Oid, Part, Space};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::model::{ForeignKey, Key, Relation};
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::storage::DataFile;

use super::Session;
use super::deferred::Deferred;
use super::keys::{ForeignName, KeyCheck, KeyGuard, key_text};
use super::transaction::{Referring, TEMPORARY_SCHEMA};
use super::write::table;
use crate::error::{Error, Result};
use crate::policy::Caller;

/// Keys that wait to be looked for together.
const MAX_WAITING_KEYS: usize = 1 << 18;

/// The foreign keys of one table, while a statement writes to it.
pub(super) struct ForeignGuard {
    keys: Vec<Guarded>,
}

struct Guarded {
    child: Arc<Relation>,
    parent: Arc<Relation>,
    key: Key,
    match_full: bool,
    /// Whether it is checked when the transaction ends.
    is_deferred: bool,
    /// Of the key's columns among the live ones.
    places: Vec<usize>,
    /// The columns that are referred to.
    looked: KeyGuard,
    types: Vec<DataType>,
    spaces: HashMap<Space, Looked>,
}

/// What one part's rows refer to.
#[derive(Default)]
struct Looked {
    /// Keys that are there.
    known: KeySet,
    /// Those of them that were there before the transaction.
    needed: KeySet,
    waiting: Vec<Waiting>,
    waiting_keys: usize,
    /// Keys that are not there yet, of a foreign key that is checked later.
    missing: HashMap<u128, Option<String>>,
}

/// Rows whose keys are not known yet.
struct Waiting {
    /// The key's columns as the child has them.
    columns: Vec<ArrayRef>,
    hashes: Vec<Option<u128>>,
}

/// What rows rely on, and what is to be checked later, by space.
pub(super) type Relied = (
    HashMap<Space, Vec<Referring>>,
    HashMap<Space, Vec<Deferred>>,
);

/// The table of a foreign key, as the statement sees it.
pub(super) fn parent(caller: &Caller, foreign: &ForeignKey) -> Option<Arc<Relation>> {
    let own = caller.database.relations.get(&foreign.relation);
    let found = own.or_else(|| caller.system.relations.get(&foreign.relation));
    found.map(Arc::clone)
}

impl ForeignGuard {
    /// The guard of a table's foreign keys; `None` when none is enforced. `changed` are the numbers of
    /// the columns that the statement changes, all if it adds rows.
    ///
    /// # Errors
    /// A table that is not there, which is a bug.
    pub(super) fn new(
        session: &mut Session,
        caller: &Caller,
        child: &Arc<Relation>,
        zone: &Arc<str>,
        changed: Option<&[i16]>,
    ) -> Result<Option<Self>> {
        let of = table(child)?;
        let mut keys = Vec::new();
        for (key, foreign) in of.foreign_keys().filter(|(key, _)| key.enforced) {
            let touched = |changed: &[i16]| key.columns.iter().any(|n| changed.contains(n));
            if !changed.is_none_or(touched) {
                continue;
            }
            let parent = parent(caller, foreign)
                .ok_or_else(|| Error::internal("a foreign key to a table that is gone"))?;
            let columns = KeyColumns::referenced(table(&parent)?, key.oid, &foreign.columns);
            let types = columns.types().map(|t| t.arrow(zone)).collect();
            let own = KeyColumns::of(of, key);
            keys.push(Guarded {
                child: Arc::clone(child),
                key: key.clone(),
                match_full: foreign.match_full,
                is_deferred: session.transaction.constraints.is_deferred(key, foreign),
                places: own.places(of.live_columns()),
                looked: KeyGuard::over(session, &parent, zone, vec![columns], KeyCheck::AtEnd)?,
                parent,
                types,
                spaces: HashMap::new(),
            });
        }
        Ok((!keys.is_empty()).then_some(Self { keys }))
    }

    /// Takes in new rows of the table's live columns.
    ///
    /// # Errors
    /// 23503 for a key that is not there.
    pub(super) async fn add(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        for guarded in &mut self.keys {
            guarded.add(space, rows).await?;
        }
        Ok(())
    }

    /// Takes note of rows that were there and are written again.
    pub(super) fn keep(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        for guarded in self.keys.iter_mut().filter(|key| key.refers_to_itself()) {
            guarded.looked.keep(space, rows)?;
        }
        Ok(())
    }

    /// Takes note of a file whose rows go or are kept.
    pub(super) fn remove(&mut self, space: Space, file: &DataFile) {
        for guarded in self.keys.iter_mut().filter(|key| key.refers_to_itself()) {
            guarded.looked.remove(space, file);
        }
    }

    /// Takes note that the transaction's rows in memory go or are kept.
    pub(super) fn remove_memory(&mut self, space: Space) {
        for guarded in self.keys.iter_mut().filter(|key| key.refers_to_itself()) {
            guarded.looked.remove_memory(space);
        }
    }

    /// Checks what waits, and gives what the rows rely on, by space.
    ///
    /// # Errors
    /// 23503 for a key that is not there.
    pub(super) async fn finish(self, tells: bool) -> Result<Relied> {
        let mut relied: HashMap<Space, Vec<Referring>> = HashMap::new();
        let mut deferred: HashMap<Space, Vec<Deferred>> = HashMap::new();
        for mut guarded in self.keys {
            let spaces: Vec<Space> = guarded.spaces.keys().copied().collect();
            for space in spaces {
                guarded.look(space).await?;
                if let Some(referring) = guarded.relied(space).await? {
                    relied.entry(space).or_default().push(referring);
                }
                let later = guarded.deferred(space, tells);
                deferred.entry(space).or_default().extend(later);
            }
        }
        Ok((relied, deferred))
    }
}

impl Guarded {
    fn refers_to_itself(&self) -> bool {
        self.child.oid == self.parent.oid
    }

    async fn add(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        let own = self.refers_to_itself();
        if own {
            self.looked.note_added(space, rows)?;
        }
        let columns = self.places.iter().map(|place| rows.column(*place));
        let columns: Vec<ArrayRef> = columns.map(Arc::clone).collect();
        self.check_full(&columns)?;
        let compared = converted(&columns, &self.types)?;
        let hashes = self.looked.key(0).0.hashes(&compared, rows.num_rows())?;
        for (row, hash) in hashes.iter().enumerate() {
            let is_null = columns.iter().any(|column| column.is_null(row));
            if hash.is_none() && !is_null {
                // A value that the other column cannot even hold.
                return Err(self.missing(&columns, row));
            }
        }
        let looked = self.spaces.entry(space).or_default();
        let unknown = hashes
            .iter()
            .flatten()
            .filter(|h| !looked.known.contains(*h));
        let unknown = unknown.count();
        if unknown == 0 {
            return Ok(());
        }
        looked.waiting_keys += unknown;
        looked.waiting.push(Waiting { columns, hashes });
        // What the statement itself brings is whole at its end alone.
        if looked.waiting_keys > MAX_WAITING_KEYS && !own {
            self.look(space).await?;
        }
        Ok(())
    }

    /// MATCH FULL: NULL everywhere or nowhere.
    fn check_full(&self, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        if !self.match_full || columns.len() < 2 {
            return Ok(());
        }
        let is_mixed = |row: &usize| {
            let nulls = columns.iter().filter(|column| column.is_null(*row)).count();
            nulls > 0 && nulls < columns.len()
        };
        if (0..rows).any(|row| is_mixed(&row)) {
            return Err(Error::MixedNulls {
                relation: self.child.name.clone(),
                constraint: self.key.name.clone(),
            });
        }
        Ok(())
    }

    /// Looks for the keys that wait.
    async fn look(&mut self, space: Space) -> Result<()> {
        let Some(looked) = self.spaces.get_mut(&space) else {
            return Ok(());
        };
        let waiting = std::mem::take(&mut looked.waiting);
        looked.waiting_keys = 0;
        let unknown = waiting.iter().flat_map(|w| w.hashes.iter().flatten());
        let unknown = unknown.filter(|hash| !looked.known.contains(*hash));
        let wanted: KeySet = unknown.copied().collect();
        let wanted: Vec<u128> = wanted.into_iter().collect();
        let compared = self.compared(&waiting)?;
        let mut found = self.looked.written(space, 0, &wanted);
        found.extend(
            self.looked
                .held_by_own(space, 0, &compared, &wanted)
                .await?,
        );
        let rest: Vec<u128> = wanted
            .iter()
            .filter(|hash| !found.contains(*hash))
            .copied()
            .collect();
        let before = self.looked.held_before(space, 0, &compared, &rest).await?;
        let looked = self.spaces.entry(space).or_default();
        looked.known.extend(found);
        looked.known.extend(before.iter());
        looked.needed.extend(before);
        if self.is_deferred {
            return self.put_off(space, &waiting);
        }
        for Waiting { columns, hashes } in &waiting {
            let is_missing =
                |hash: &Option<u128>| hash.is_some_and(|hash| !looked.known.contains(&hash));
            if let Some(row) = hashes.iter().position(is_missing) {
                return Err(self.missing(columns, row));
            }
        }
        Ok(())
    }

    /// Takes note of keys that are not there yet.
    fn put_off(&mut self, space: Space, waiting: &[Waiting]) -> Result<()> {
        let of_child = table(&self.child)?;
        let own = KeyColumns::of(of_child, &self.key);
        let looked = self.spaces.entry(space).or_default();
        for Waiting { columns, hashes } in waiting {
            for (row, hash) in hashes.iter().enumerate() {
                let Some(hash) = hash.filter(|hash| !looked.known.contains(hash)) else {
                    continue;
                };
                let text = || key_text(of_child, &own, columns, row);
                looked.missing.entry(hash).or_insert_with(text);
            }
        }
        Ok(())
    }

    /// What is to be checked when the transaction ends.
    fn deferred(&mut self, space: Space, tells: bool) -> Option<Deferred> {
        let looked = self.spaces.get_mut(&space)?;
        let mut keys = std::mem::take(&mut looked.missing);
        if !tells {
            keys.values_mut().for_each(|text| *text = None);
        }
        (!keys.is_empty()).then_some(Deferred {
            child: self.child.oid,
            constraint: self.key.oid,
            space,
            keys,
            went: false,
        })
    }

    /// The keys that wait, as the other table has them.
    fn compared(&self, waiting: &[Waiting]) -> Result<Vec<ArrayRef>> {
        let columns = (0..self.types.len()).map(|index| {
            let arrays: Vec<&dyn Array> =
                waiting.iter().map(|w| w.columns[index].as_ref()).collect();
            match arrays.as_slice() {
                [] => Ok(datafusion::arrow::array::new_empty_array(
                    &self.types[index],
                )),
                arrays => concat(arrays).map_err(engine),
            }
        });
        converted(&columns.collect::<Result<Vec<_>>>()?, &self.types)
    }

    fn missing(&self, columns: &[ArrayRef], row: usize) -> Error {
        let text = self
            .child
            .table()
            .and_then(|table| key_text(table, &KeyColumns::of(table, &self.key), columns, row));
        Error::ForeignKey {
            relation: self.child.name.clone(),
            constraint: self.key.name.clone(),
            key: text,
            parent: self.parent.name.clone(),
        }
    }

    /// What the rows rely on until the commit.
    async fn relied(&mut self, space: Space) -> Result<Option<Referring>> {
        let needed = match self.spaces.get_mut(&space) {
            Some(looked) => std::mem::take(&mut looked.needed),
            None => return Ok(None),
        };
        if needed.is_empty() || self.parent.schema == TEMPORARY_SCHEMA {
            return Ok(None);
        }
        let base = self.looked.base(space).await?;
        let (key, defaults) = self.looked.key(0);
        let reference = KeyReference {
            expects: Expects::Present,
            constraint: self.key.oid,
            part: Part {
                space,
                table: table(&self.parent)?.uuid,
            },
            relation: Arc::clone(&self.parent),
            key: key.clone(),
            defaults: Arc::new(defaults.clone()),
            hashes: Arc::new(needed),
            base,
        };
        let name = foreign_name(&self.key, &self.child, &self.parent);
        Ok(Some(Referring { reference, name }))
    }
}

/// What a foreign key is called in errors.
pub(super) fn foreign_name(key: &Key, child: &Relation, parent: &Relation) -> ForeignName {
    ForeignName {
        constraint: key.oid,
        name: key.name.clone(),
        child: child.name.clone(),
        parent: parent.name.clone(),
    }
}

/// Columns in the types of those that they are compared with; NULL where that type has no such value.
pub(super) fn converted(columns: &[ArrayRef], types: &[DataType]) -> Result<Vec<ArrayRef>> {
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let pairs = columns.iter().zip(types);
    pairs
        .map(|(column, wanted)| match column.data_type() == wanted {
            true => Ok(Arc::clone(column)),
            false => cast_with_options(column, wanted, &options).map_err(engine),
        })
        .collect()
}

/// Whether columns of two types can hold the same keys, as they are compared here.
pub(super) fn comparable(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Char, Int2, Int4, Int8, Text, Varchar};
    match (from, to) {
        (Int2 | Int4 | Int8, Int2 | Int4 | Int8)
        | (Text | Varchar(_), Text | Varchar(_))
        | (Char(_), Char(_)) => true,
        (from, to) => from == to,
    }
}

/// The foreign keys of tables that refer to a table, those that are enforced, with their tables: of
/// the caller's database and of the system's as far as it is lent.
pub(super) fn references_to(caller: &Caller, relation: Oid) -> Vec<(Arc<Relation>, Key)> {
    let own = caller.database.references_to(relation);
    let lent = (!caller.is_system()).then(|| caller.system.references_to(relation));
    own.chain(lent.into_iter().flatten())
        .filter(|(_, key, _)| key.enforced)
        .map(|(child, key, _)| (Arc::clone(child), key.clone()))
        .collect()
}

fn engine(error: ArrowError) -> Error {
    Error::from(DataFusionError::from(error))
}
