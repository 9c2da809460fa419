//! The parts that a transaction has changed: what statements add to them and take away.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tessera_catalog::id::{Part, TableUuid};
use tessera_catalog::model::Relation;

use super::{Fresh, PendingPart, TEMPORARY_SCHEMA, Transaction};

impl Transaction {
    /// What the transaction has done to a part.
    pub(in crate::session) fn pending(&self, part: &Part) -> Option<&PendingPart> {
        let temporary = || self.temporary().parts.get(part);
        self.changes.parts.get(part).or_else(temporary)
    }

    /// What a query reads of that: nothing of what the statement that it belongs to has done.
    pub(in crate::session) fn seen_pending(&self, part: &Part) -> Option<&PendingPart> {
        match &self.before {
            Some(before) => before.parts.get(part),
            None => self.pending(part),
        }
    }

    /// The parts of one table that the transaction has changed.
    pub(in crate::session) fn pending_parts(&self) -> impl Iterator<Item = &PendingPart> {
        self.changes.parts.values()
    }

    /// Adds rows and files to what the transaction has done to a part, and takes files away.
    pub(in crate::session) fn write(&mut self, written: PendingPart) {
        self.changes
            .deferred
            .extend(written.deferred.iter().cloned());
        let parts = if written.relation.schema == TEMPORARY_SCHEMA {
            &mut self.temporary_mut().parts
        } else {
            &mut self.changes.parts
        };
        let pending = parts.entry(written.part).or_insert_with(|| PendingPart {
            added: Vec::new(),
            rows: Vec::new(),
            removed: Vec::new(),
            claims: Vec::new(),
            known: Vec::new(),
            fresh: Fresh::default(),
            references: Vec::new(),
            referred_by: Vec::new(),
            deferred: Vec::new(),
            ..written.clone()
        });
        pending.arbitrated |= written.arbitrated;
        for reference in written.references {
            pending.add_reference(reference);
        }
        for foreign_key in written.referred_by {
            if !pending.referred_by.contains(&foreign_key) {
                pending.referred_by.push(foreign_key);
            }
        }
        for claim in written.claims {
            pending.add_claim(claim);
        }
        pending.relation = written.relation;
        pending.added.extend(written.added);
        pending.rows.extend(written.rows);
        pending.fresh.files.extend(written.fresh.files);
        pending.fresh.rows.extend(written.fresh.rows);
        if pending.operation != written.operation {
            pending.operation = "WRITE";
        }
        for file in written.removed {
            // A file that this transaction itself added just goes.
            match pending
                .added
                .iter()
                .position(|added| added.path == file.path)
            {
                Some(own) => {
                    pending.added.swap_remove(own);
                }
                None => pending.removed.push(file),
            }
        }
    }

    /// The rows in memory of one table's parts.
    pub(in crate::session) fn rows_of(&self, table: TableUuid) -> Vec<(Part, Vec<RecordBatch>)> {
        let parts = self.changes.parts.iter().chain(&self.temporary().parts);
        parts
            .filter(|(part, pending)| part.table == table && !pending.rows.is_empty())
            .map(|(part, pending)| (*part, pending.rows.clone()))
            .collect()
    }

    /// Replaces the rows that a part holds in memory, as a rewrite of them does.
    pub(in crate::session) fn replace_rows(&mut self, part: &Part, rows: Vec<RecordBatch>) {
        if let Some(pending) = self.changes.parts.get_mut(part) {
            pending.rows = rows;
            pending.known.clear();
        } else if self.temporary().parts.contains_key(part)
            && let Some(pending) = self.temporary_mut().parts.get_mut(part)
        {
            pending.rows = rows;
            pending.known.clear();
        }
    }

    /// The parts of a table that the transaction, or the session for a temporary one, has rows of.
    pub(in crate::session) fn own_parts(&mut self, relation: &Relation) -> Vec<&mut PendingPart> {
        let Some(table) = relation.table().map(|table| table.uuid) else {
            return Vec::new();
        };
        let parts = if relation.schema == TEMPORARY_SCHEMA {
            &mut self.temporary_mut().parts
        } else {
            &mut self.changes.parts
        };
        let own = parts.values_mut();
        own.filter(|pending| pending.part.table == table).collect()
    }

    /// Lets the rows that the transaction has written to a table be rows of it as it is now.
    pub(in crate::session) fn reshape(&mut self, relation: &Relation) {
        for pending in self.own_parts(relation) {
            pending.relation = Arc::new(relation.clone());
        }
    }

    /// Forgets what was written to a part, as DROP TABLE does.
    pub(in crate::session) fn forget(&mut self, part: &Part) {
        self.changes.parts.remove(part);
        if self.temporary().parts.contains_key(part) {
            self.temporary_mut().parts.remove(part);
        }
    }

    /// Whether a statement did something else for a key that it found.
    pub(in crate::session) fn is_arbitrated(&self) -> bool {
        self.changes
            .parts
            .values()
            .any(|pending| pending.arbitrated)
    }
}
