//! A session's temporary tables: in memory, in a schema that no catalog holds.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use tessera_catalog::id::{DatabaseId, Oid, Part};
use tessera_catalog::model::{
    Acl, AclItem, Change, Database, Privilege, Privileges, Relation, Schema,
};

use super::{PendingPart, Transaction};
use crate::error::{Error, Result};

/// The schema of a session's temporary tables, which no catalog holds.
pub(in crate::session) const TEMPORARY_SCHEMA: Oid = Oid(12);
/// Its name.
pub(in crate::session) const TEMPORARY_SCHEMA_NAME: &str = "pg_temp";
/// The most memory of one session's temporary tables, in bytes.
const MAX_TEMPORARY_BYTES: usize = 256 << 20;

/// A session's temporary tables and their rows, all in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Temporary {
    pub(super) home: Option<DatabaseId>,
    pub(super) relations: HashMap<Oid, Arc<Relation>>,
    pub(super) parts: HashMap<Part, PendingPart>,
    /// What becomes of tables when a transaction is committed, if it is anything.
    pub(super) at_commit: HashMap<Oid, AtCommit>,
}

/// ON COMMIT of a temporary table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum AtCommit {
    Drop,
    Empty,
}

impl Temporary {
    /// Does what tables asked for at the end of a transaction.
    pub(super) fn end_transaction(&mut self) {
        let Self {
            relations,
            parts,
            at_commit,
            ..
        } = self;
        at_commit.retain(|oid, what| {
            let table = relations.get(oid).and_then(|relation| relation.table());
            if let Some(table) = table.map(|table| table.uuid) {
                parts.retain(|part, _| part.table != table);
            }
            if *what == AtCommit::Drop {
                relations.remove(oid);
            }
            relations.contains_key(oid)
        });
    }
}

/// The schema of temporary tables, which every role of the session may use.
pub(in crate::session) fn temporary_schema() -> Schema {
    let usage = AclItem {
        grantee: Oid::PUBLIC,
        grantor: Oid::OPERATOR,
        privileges: Privilege::Usage.into(),
        grantable: Privileges::NONE,
    };
    Schema {
        oid: TEMPORARY_SCHEMA,
        name: TEMPORARY_SCHEMA_NAME.to_owned(),
        owner: Oid::OPERATOR,
        acl: Some(Acl(vec![usage])),
        comment: None,
    }
}

impl Transaction {
    pub(super) fn temporary(&self) -> &Temporary {
        self.changes.temporary.as_ref().unwrap_or(&self.temporary)
    }

    pub(super) fn temporary_mut(&mut self) -> &mut Temporary {
        let committed = &self.temporary;
        self.changes
            .temporary
            .get_or_insert_with(|| committed.clone())
    }

    /// Says what becomes of a temporary table when a transaction is committed.
    pub(in crate::session) fn at_commit(&mut self, table: Oid, what: AtCommit) {
        self.temporary_mut().at_commit.insert(table, what);
    }

    /// Whether the session has temporary tables.
    pub(in crate::session) fn has_temporary(&self) -> bool {
        !self.temporary().relations.is_empty()
    }

    /// Checks that rows may still be added to a relation, if it is a temporary one.
    ///
    /// # Errors
    /// 53200 beyond the limit of one session.
    pub(in crate::session) fn check_room(&self, relation: &Relation) -> Result<()> {
        if relation.schema != TEMPORARY_SCHEMA {
            return Ok(());
        }
        let rows = self.temporary().parts.values().flat_map(|part| &part.rows);
        let bytes: usize = rows.map(RecordBatch::get_array_memory_size).sum();
        if bytes < MAX_TEMPORARY_BYTES {
            return Ok(());
        }
        Err(Error::OutOfMemory {
            detail: format!("Temporary tables hold {bytes} bytes."),
        })
    }

    /// Drops all temporary tables.
    pub(in crate::session) fn discard_temporary(&mut self) {
        if self.has_temporary() {
            self.changes.temporary = Some(Temporary::default());
        }
    }

    /// The temporary tables as before a commit that failed.
    pub(in crate::session) fn restore_temporary(&mut self) {
        self.temporary = std::mem::take(&mut self.former_temporary);
    }

    /// A database with the session's temporary tables in a schema of their own.
    pub(super) fn with_temporary(&self, database: &Arc<Database>) -> Arc<Database> {
        let temporary = self.temporary();
        if temporary.relations.is_empty() || temporary.home != Some(database.id) {
            return Arc::clone(database);
        }
        let mut merged = database.as_ref().clone();
        merged.apply(&Change::PutSchema(temporary_schema()));
        for relation in temporary.relations.values() {
            merged.apply(&Change::PutRelation(relation.as_ref().clone()));
        }
        Arc::new(merged)
    }

    /// Keeps what is temporary out of what goes to the catalog.
    pub(super) fn divert_temporary(
        &mut self,
        database: DatabaseId,
        changes: Vec<Change>,
    ) -> Vec<Change> {
        let mut stored = Vec::with_capacity(changes.len());
        let mut diverted = false;
        for change in changes {
            match change {
                Change::PutRelation(relation) if relation.schema == TEMPORARY_SCHEMA => {
                    let temporary = self.temporary_mut();
                    temporary.home = Some(database);
                    temporary.relations.insert(relation.oid, Arc::new(relation));
                    diverted = true;
                }
                Change::DropRelation(oid) if self.temporary().relations.contains_key(&oid) => {
                    let temporary = self.temporary_mut();
                    let dropped = temporary.relations.remove(&oid);
                    let uuid = dropped.and_then(|relation| relation.table().map(|t| t.uuid));
                    temporary.parts.retain(|part, _| Some(part.table) != uuid);
                    diverted = true;
                }
                Change::PutSchema(schema) if schema.oid == TEMPORARY_SCHEMA => {}
                Change::DropSchema(oid) if oid == TEMPORARY_SCHEMA => {}
                other => stored.push(other),
            }
        }
        // A number that was drawn for a temporary table need not outlive the server.
        if diverted && stored.iter().all(|c| matches!(c, Change::NextOid(_))) {
            stored.clear();
        }
        stored
    }
}

/// A database without the session's temporary tables, as the catalog knows it.
pub(super) fn without_temporary(database: &Arc<Database>) -> Arc<Database> {
    if !database.schemas.contains_key(&TEMPORARY_SCHEMA) {
        return Arc::clone(database);
    }
    let mut stored = database.as_ref().clone();
    let temporary: Vec<Oid> = stored
        .relations
        .values()
        .filter(|relation| relation.schema == TEMPORARY_SCHEMA)
        .map(|relation| relation.oid)
        .collect();
    for oid in temporary {
        stored.apply(&Change::DropRelation(oid));
    }
    stored.apply(&Change::DropSchema(TEMPORARY_SCHEMA));
    Arc::new(stored)
}
