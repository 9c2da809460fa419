//! Whether the keys that a transaction adds are still free, and tables that must stay still did.
//!
//! Each transaction looked for its keys in the files that it saw. What is left to look through are
//! the files that came since, and the keys of those that are committed in the same group.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::group::Group;
use crate::commit::{Claim, Commit, PartChange, TableVersions};
use crate::error::{Error, Result};
use crate::id::{Oid, Part};
use crate::key::{KeySearch, KeySet};
use crate::storage::{DataFile, Snapshot};

/// Keys that the transactions of one group add, by part and key.
pub(super) type Claimed = HashMap<(Part, Oid), KeySet>;

impl Group<'_> {
    /// Checks the keys that a change adds.
    pub(super) async fn check_claims(&self, change: &PartChange) -> Result<()> {
        for claim in &change.claims {
            let taken = |hash: u128| Error::KeyTaken {
                table: change.relation.name.clone(),
                constraint: claim.key.constraint,
                hash,
                part: change.part,
            };
            if let Some(claimed) = self.claimed.get(&(change.part, claim.key.constraint))
                && let Some(hash) = claim.hashes.iter().find(|hash| claimed.contains(*hash))
            {
                return Err(taken(*hash));
            }
            let newest = self
                .shared
                .snapshot(change.part, &change.relation.name)
                .await?;
            if let Some(hash) = self.taken_since(change, claim, &newest).await? {
                return Err(taken(hash));
            }
        }
        Ok(())
    }

    /// A key of a claim that files hold which the transaction did not see.
    async fn taken_since(
        &self,
        change: &PartChange,
        claim: &Claim,
        newest: &Arc<Snapshot>,
    ) -> Result<Option<u128>> {
        if Arc::ptr_eq(newest, &claim.base) || claim.hashes.is_empty() {
            return Ok(None);
        }
        let seen: HashSet<&str> = claim
            .base
            .files
            .iter()
            .chain(&change.removed)
            .map(|file| file.path.as_str())
            .collect();
        let came: Vec<Arc<DataFile>> = newest
            .files
            .iter()
            .filter(|file| !seen.contains(file.path.as_str()))
            .map(Arc::clone)
            .collect();
        let search = KeySearch {
            part: change.part,
            relation: &change.relation,
            key: &claim.key,
            // What came since was written with all columns of now.
            defaults: &HashMap::new(),
            ranges: None,
        };
        let wanted: Vec<u128> = claim.hashes.iter().copied().collect();
        let held = self
            .shared
            .storage
            .keys_held(search, &came, &wanted)
            .await?;
        Ok(held.into_iter().next())
    }

    /// Takes note of the keys of an admitted change.
    pub(super) fn claim(&mut self, change: &PartChange) {
        for claim in &change.claims {
            let place = (change.part, claim.key.constraint);
            self.claimed
                .entry(place)
                .or_default()
                .extend(claim.hashes.iter());
        }
    }

    /// Checks that all is as a serializable transaction read it.
    pub(super) async fn check_read(&self, commit: &Commit) -> Result<()> {
        for (part, version) in &commit.read {
            let _pin = self.shared.pin(*part).await?;
            let head = self.shared.visible(*part, "")?;
            if self.parts.contains_key(part) || head.version != *version {
                return Err(Error::ReadMoved);
            }
        }
        match self.check_unmoved(&commit.read_tables).await {
            Err(Error::Conflict) => Err(Error::ReadMoved),
            other => other,
        }
    }

    /// Checks that tables are as the transaction saw them.
    pub(super) async fn check_unmoved(&self, tables: &[TableVersions]) -> Result<()> {
        for TableVersions { table, parts } in tables {
            if self.parts.keys().any(|part| part.table == *table) {
                return Err(Error::Conflict);
            }
            let now = self.shared.store.parts_of(*table).await?;
            let same = now.len() == parts.len()
                && now
                    .iter()
                    .all(|row| parts.contains(&(row.part, row.version)));
            if !same {
                return Err(Error::Conflict);
            }
        }
        Ok(())
    }
}
