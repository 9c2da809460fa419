//! What must still hold when a transaction is committed.

use tessera_catalog::commit::TableVersions;
use tessera_catalog::id::{Oid, TableUuid};

use super::{Referring, Transaction};
use crate::session::deferred::Deferred;
use crate::session::keys::ForeignName;

impl Transaction {
    /// Keeps what a foreign key relies on until the commit.
    pub(in crate::session) fn rely_on(&mut self, reference: Referring) {
        self.changes.relied.push(reference);
    }

    /// Puts off a check to the end of the transaction.
    pub(in crate::session) fn defer(&mut self, deferred: Deferred) {
        self.changes.deferred.push(deferred);
    }

    /// Takes the checks that were put off, or only those of some foreign keys.
    pub(in crate::session) fn take_deferred(&mut self, only: Option<&[Oid]>) -> Vec<Deferred> {
        let all = std::mem::take(&mut self.changes.deferred);
        let Some(only) = only else { return all };
        let (taken, left) = all
            .into_iter()
            .partition(|deferred| only.contains(&deferred.constraint));
        self.changes.deferred = left;
        taken
    }

    /// Takes note of a new foreign key to a table, whose rows were all looked at.
    pub(in crate::session) fn know_reference(&mut self, table: TableUuid, foreign_key: Oid) {
        let parts = self.changes.parts.values_mut();
        for pending in parts.filter(|pending| pending.part.table == table) {
            pending.referred_by.push(foreign_key);
        }
    }

    /// The names of the foreign keys that the transaction relies on.
    pub(in crate::session) fn foreign_names(&self) -> Vec<ForeignName> {
        let parts = self.changes.parts.values();
        let references = parts.flat_map(|pending| &pending.references);
        let references = references.chain(&self.changes.relied);
        references.map(|referring| referring.name.clone()).collect()
    }

    /// Makes the commit fail when another transaction changes these tables' rows first.
    pub(in crate::session) fn keep_unmoved(&mut self, versions: TableVersions) {
        let unmoved = &mut self.changes.unmoved;
        if !unmoved.iter().any(|known| known.table == versions.table) {
            unmoved.push(versions);
        }
    }
}
