//! Whether foreign keys that a transaction relied on still hold when it commits.
//!
//! Rows refer to keys that were looked for in the files of another part, and keys go to which no row
//! referred. What other transactions did in the meantime is looked through here: files that came
//! and went, and what is committed in the same group.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::group::{COMPACTION, Group};
use crate::commit::{Expects, KeyReference, PartChange};
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid, Space};
use crate::key::{KeySearch, KeySet};
use crate::model::Database;
use crate::storage::{DataFile, Snapshot};

/// Keys of foreign keys that the transactions of one group need or take away, by space and foreign key.
#[derive(Default)]
pub(super) struct Referred {
    needed: HashMap<(Space, Oid), KeySet>,
    gone: HashMap<(Space, Oid), KeySet>,
    /// The databases whose views and tables need a common table, as they were before the group.
    dependants: Mutex<HashMap<Oid, Arc<HashSet<DatabaseId>>>>,
}

impl Group<'_> {
    /// Checks what a transaction relies on.
    pub(super) async fn check_key_references(&self, references: &[KeyReference]) -> Result<()> {
        for reference in references {
            let broken = |hash: u128| Error::ReferenceBroken {
                expects: reference.expects,
                constraint: reference.constraint,
                hash,
                part: reference.part,
            };
            let place = (reference.part.space, reference.constraint);
            let opposite = match reference.expects {
                Expects::Present => self.referred.gone.get(&place),
                Expects::Absent => self.referred.needed.get(&place),
            };
            if let Some(opposite) = opposite
                && let Some(hash) = reference
                    .hashes
                    .iter()
                    .find(|hash| opposite.contains(*hash))
            {
                return Err(broken(*hash));
            }
            let name = &reference.relation.name;
            let newest = self.shared.snapshot(reference.part, name).await?;
            if Arc::ptr_eq(&newest, &reference.base) {
                continue;
            }
            if let Some(hash) = self.broken_since(reference, &newest).await? {
                return Err(broken(hash));
            }
        }
        Ok(())
    }

    /// A key that is not as the transaction needs it in what changed since it looked.
    async fn broken_since(
        &self,
        reference: &KeyReference,
        newest: &Snapshot,
    ) -> Result<Option<u128>> {
        let wanted: Vec<u128> = reference.hashes.iter().copied().collect();
        match reference.expects {
            Expects::Present => {
                // What only grew holds all that it held.
                if without(&reference.base, newest).is_empty() {
                    return Ok(None);
                }
                let held = self.held(reference, &newest.files, &wanted).await?;
                Ok(wanted.into_iter().find(|hash| !held.contains(hash)))
            }
            Expects::Absent => {
                let came = without(newest, &reference.base);
                let held = self.held(reference, &came, &wanted).await?;
                Ok(held.into_iter().next())
            }
        }
    }

    async fn held(
        &self,
        reference: &KeyReference,
        files: &[Arc<DataFile>],
        wanted: &[u128],
    ) -> Result<KeySet> {
        let search = KeySearch {
            part: reference.part,
            relation: &reference.relation,
            key: &reference.key,
            defaults: &reference.defaults,
            ranges: None,
        };
        self.shared.storage.keys_held(search, files, wanted).await
    }

    /// Takes note of what an admitted transaction relies on.
    pub(super) fn note_key_references(&mut self, references: &[KeyReference]) {
        for reference in references {
            let place = (reference.part.space, reference.constraint);
            let noted = match reference.expects {
                Expects::Present => &mut self.referred.needed,
                Expects::Absent => &mut self.referred.gone,
            };
            noted
                .entry(place)
                .or_default()
                .extend(reference.hashes.iter());
        }
    }

    /// Checks that no foreign key to a table came while rows of it were taken away.
    pub(super) async fn check_referred(
        &self,
        change: &PartChange,
        database: &Database,
    ) -> Result<()> {
        if change.removed.is_empty() || change.operation == COMPACTION {
            return Ok(());
        }
        check_known(change, database)?;
        if let (DatabaseId::System, Some(tenant)) = (change.database, change.part.space.tenant()) {
            // A tenant's own tables refer to its part of a common one.
            let tenant = DatabaseId::Tenant(tenant);
            let depends = self.dependants(change.relation.oid).await?;
            if depends.contains(&tenant) || self.has_looked_at(tenant) {
                let tenant = self.current(tenant).await?;
                check_known(change, &tenant)?;
            }
        }
        Ok(())
    }

    async fn dependants(&self, relation: Oid) -> Result<Arc<HashSet<DatabaseId>>> {
        if let Some(known) = self.referred.dependants.lock().get(&relation) {
            return Ok(Arc::clone(known));
        }
        let told = self.shared.store.dependants_of(relation).await?;
        let databases = told.into_iter().map(|(database, _)| database);
        let databases = Arc::new(databases.collect::<HashSet<_>>());
        let mut known = self.referred.dependants.lock();
        known.insert(relation, Arc::clone(&databases));
        Ok(databases)
    }
}

fn check_known(change: &PartChange, database: &Database) -> Result<()> {
    let mut enforced = database
        .references_to(change.relation.oid)
        .filter(|(_, key, _)| key.enforced);
    if enforced.all(|(_, key, _)| change.referred_by.contains(&key.oid)) {
        return Ok(());
    }
    Err(Error::Conflict)
}

/// The files of one state that another does not have.
fn without(of: &Snapshot, other: &Snapshot) -> Vec<Arc<DataFile>> {
    let known: HashSet<&str> = other.files.iter().map(|file| file.path.as_str()).collect();
    let files = of.files.iter();
    files
        .filter(|file| !known.contains(file.path.as_str()))
        .map(Arc::clone)
        .collect()
}
