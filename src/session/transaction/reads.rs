//! What a transaction's statements read: the newest state for each, or all of one moment.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_catalog::commit::TableVersions;
use tessera_catalog::id::{Part, Space, TableUuid};
use tessera_catalog::storage::Snapshot;
use tessera_catalog::{Catalog, PartVersion};

use super::Transaction;
use crate::error::Result;

impl Transaction {
    /// Whether all that is read now is of one moment.
    fn keeps_moment(&self) -> bool {
        self.isolation.keeps_moment() || self.is_together()
    }

    /// The states of parts that a statement reads, all of one moment.
    ///
    /// # Errors
    /// Damaged tables.
    pub(in crate::session) async fn snapshots(
        &mut self,
        catalog: &Catalog,
        parts: &[(Part, &str)],
    ) -> Result<Vec<Arc<Snapshot>>> {
        if !self.keeps_moment() {
            return Ok(catalog.snapshots(parts).await?);
        }
        let missing: Vec<(Part, &str)> = parts
            .iter()
            .filter(|(part, _)| !self.snapshots.contains_key(part))
            .copied()
            .collect();
        let loaded = catalog.snapshots(&missing).await?;
        for ((part, name), snapshot) in missing.into_iter().zip(loaded) {
            let snapshot = self.of_moment(catalog, (part, name), snapshot).await?;
            self.snapshots.insert(part, snapshot);
        }
        Ok(parts
            .iter()
            .filter_map(|(part, _)| self.snapshots.get(part).map(Arc::clone))
            .collect())
    }

    /// Whether what the transaction reads is settled already, or for each statement anew.
    pub(in crate::session) fn has_moment(&self) -> bool {
        !self.isolation.keeps_moment() || self.moment.is_some()
    }

    /// Keeps a repeatable-read transaction to what there is now in some spaces and tables, unless it has
    /// read before.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(in crate::session) async fn fix_moment(
        &mut self,
        catalog: &Catalog,
        spaces: &[Space],
        common: &[TableUuid],
    ) -> Result<()> {
        self.unions
            .extend(common.iter().map(|table| (*table, HashMap::new())));
        let mut moment = HashMap::new();
        for told in catalog.versions_at_once(spaces, common).await? {
            match self.unions.get_mut(&told.part.table) {
                Some(union) => union.insert(told.part, told.version),
                None => moment.insert(told.part, told.version),
            };
        }
        self.moment = Some(moment);
        Ok(())
    }

    /// A part as it was at the moment that the transaction keeps to.
    async fn of_moment(
        &self,
        catalog: &Catalog,
        (part, name): (Part, &str),
        newest: Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>> {
        let Some(moment) = &self.moment else {
            return Ok(newest);
        };
        // The parts of unions are told by their tables.
        let union = self.unions.get(&part.table);
        match union.unwrap_or(moment).get(&part) {
            Some(version) if newest.version == Some(*version) => Ok(newest),
            Some(version) => {
                let told = PartVersion {
                    part,
                    version: *version,
                };
                Ok(catalog.snapshot_at(told, name).await?)
            }
            None if newest.version.is_none() => Ok(newest),
            None => Ok(Arc::new(Snapshot::empty())),
        }
    }

    /// The versions of all parts of common tables that a statement reads, all of one moment; of the
    /// first statement's in a repeatable-read transaction.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(in crate::session) async fn versions(
        &mut self,
        catalog: &Catalog,
        tables: &[TableUuid],
    ) -> Result<HashMap<Part, i64>> {
        let is_kept = self.keeps_moment();
        self.read_unions.extend(tables);
        let new: Vec<TableUuid> = tables
            .iter()
            .filter(|table| !is_kept || !self.unions.contains_key(table))
            .copied()
            .collect();
        if !new.is_empty() {
            self.unions
                .extend(new.iter().map(|table| (*table, HashMap::new())));
            for told in catalog.versions_of(&new).await? {
                let table = self.unions.entry(told.part.table).or_default();
                table.insert(told.part, told.version);
            }
        }
        let seen = tables.iter().filter_map(|table| self.unions.get(table));
        Ok(seen
            .flatten()
            .map(|(part, version)| (*part, *version))
            .collect())
    }
}

/// The versions of all that a transaction has read, of parts and of whole unions.
pub(super) fn read(
    snapshots: &HashMap<Part, Arc<Snapshot>>,
    unions: HashMap<TableUuid, HashMap<Part, i64>>,
) -> (Vec<(Part, Option<i64>)>, Vec<TableVersions>) {
    let parts = snapshots.iter().map(|(part, seen)| (*part, seen.version));
    let tables = unions.into_iter().map(|(table, parts)| TableVersions {
        table,
        parts: parts.into_iter().collect(),
    });
    (parts.collect(), tables.collect())
}
