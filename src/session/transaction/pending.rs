//! What a transaction has done to one part of a table.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use tessera_catalog::commit::{Claim, KeyReference};
use tessera_catalog::id::{DatabaseId, Oid, Part};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::model::Relation;
use tessera_catalog::storage::DataFile;

use crate::error::Result;
use crate::session::deferred::Deferred;
use crate::session::keys::ForeignName;

/// A part's rows as the transaction has changed them.
#[derive(Debug, Clone)]
pub(in crate::session) struct PendingPart {
    pub part: Part,
    pub database: DatabaseId,
    pub relation: Arc<Relation>,
    pub added: Vec<Arc<DataFile>>,
    pub rows: Vec<RecordBatch>,
    pub removed: Vec<Arc<DataFile>>,
    pub operation: &'static str,
    /// Keys that were added, with what they were looked for in.
    pub claims: Vec<Claim>,
    /// Whether a statement did something else for a key that it found.
    pub arbitrated: bool,
    /// What foreign keys of these rows, or to them, rely on.
    pub references: Vec<Referring>,
    /// The foreign keys to the table that were looked at when rows went.
    pub referred_by: Vec<Oid>,
    /// What foreign keys are to be checked for when the transaction ends.
    pub deferred: Vec<Deferred>,
    /// The keys of `rows`, as far as they were asked for.
    pub known: Vec<KnownKeys>,
    /// What the statement that runs now has added, while other parts of it are yet to run.
    pub fresh: Fresh,
}

/// Rows that one part of a statement has added and that its other parts do not see.
#[derive(Debug, Clone, Default)]
pub(in crate::session) struct Fresh {
    pub files: Vec<Arc<DataFile>>,
    pub rows: Vec<RecordBatch>,
}

/// What a foreign key relies on, and its names for errors.
#[derive(Debug, Clone)]
pub(in crate::session) struct Referring {
    pub reference: KeyReference,
    pub name: ForeignName,
}

/// The keys of a part's rows in memory.
#[derive(Debug, Clone)]
pub(in crate::session) struct KnownKeys {
    key: KeyColumns,
    /// Of how many batches, from the first.
    batches: usize,
    hashes: Arc<KeySet>,
}

impl PendingPart {
    /// The keys of the rows in memory; `places` are the key's columns among the stored ones.
    ///
    /// # Errors
    /// Rows that do not have the key's columns, which is a bug.
    pub(in crate::session) fn memory_keys(
        &mut self,
        key: &KeyColumns,
        places: &[usize],
    ) -> Result<Arc<KeySet>> {
        let known = match self.known.iter().position(|known| known.key == *key) {
            Some(index) => &mut self.known[index],
            None => {
                self.known.push(KnownKeys {
                    key: key.clone(),
                    batches: 0,
                    hashes: Arc::default(),
                });
                let last = self.known.len() - 1;
                &mut self.known[last]
            }
        };
        if known.batches < self.rows.len() {
            let hashes = Arc::make_mut(&mut known.hashes);
            for batch in &self.rows[known.batches..] {
                let columns = places.iter().map(|place| Arc::clone(batch.column(*place)));
                let columns: Vec<ArrayRef> = columns.collect();
                let more = key.hashes(&columns, batch.num_rows())?;
                hashes.extend(more.into_iter().flatten());
            }
            known.batches = self.rows.len();
        }
        Ok(Arc::clone(&known.hashes))
    }

    /// The keys of the rows in memory that other parts of the statement have added.
    ///
    /// # Errors
    /// As [`PendingPart::memory_keys`].
    pub(in crate::session) fn fresh_keys(
        &self,
        key: &KeyColumns,
        places: &[usize],
    ) -> Result<KeySet> {
        let mut hashes = KeySet::default();
        for batch in &self.fresh.rows {
            let columns = places.iter().map(|place| Arc::clone(batch.column(*place)));
            let columns: Vec<ArrayRef> = columns.collect();
            let more = key.hashes(&columns, batch.num_rows())?;
            hashes.extend(more.into_iter().flatten());
        }
        Ok(hashes)
    }

    /// Makes what was added by parts of one statement rows like any other.
    pub(super) fn settle(&mut self) {
        let Fresh { files, rows } = std::mem::take(&mut self.fresh);
        self.added.extend(files);
        self.rows.extend(rows);
    }

    pub(super) fn add_reference(&mut self, new: Referring) {
        let place = |of: &Referring| {
            let KeyReference {
                expects,
                constraint,
                part,
                ..
            } = of.reference;
            (expects, constraint, part)
        };
        let own = self
            .references
            .iter_mut()
            .find(|own| place(own) == place(&new));
        match own {
            // The base stays the older one, as of claims.
            Some(own) => Arc::make_mut(&mut own.reference.hashes)
                .extend(new.reference.hashes.iter().copied()),
            None => self.references.push(new),
        }
    }

    pub(super) fn add_claim(&mut self, claim: Claim) {
        let same = |own: &&mut Claim| own.key == claim.key;
        match self.claims.iter_mut().find(same) {
            // The base stays the older one: what came since is looked through at the commit.
            Some(own) => Arc::make_mut(&mut own.hashes).extend(claim.hashes.iter()),
            None => self.claims.push(claim),
        }
    }
}
