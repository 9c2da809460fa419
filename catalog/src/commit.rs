//! What a transaction asks the catalog to make visible, all of it or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::ScalarValue;

use crate::audit::Event;
use crate::id::{DatabaseId, Oid, Part, TableUuid};
use crate::key::{KeyColumns, KeySet};
use crate::model::{Change, Database, Relation};
use crate::storage::{DataFile, Snapshot};

/// The outcome of a transaction.
#[derive(Debug, Default)]
pub struct Commit {
    /// Changes of objects, by database.
    pub databases: Vec<DatabaseChange>,
    /// Changes of rows, by part.
    pub parts: Vec<PartChange>,
    /// Tables that must still be as the transaction saw them.
    pub unmoved: Vec<TableVersions>,
    /// What the transaction relies on between tables.
    pub references: Vec<KeyReference>,
    /// What is to be known of the transaction; as durable as the rest.
    pub audit: Vec<Event>,
    /// Parts that must be so: what a serializable transaction read; no version for one that was not
    /// there.
    pub read: Vec<(Part, Option<i64>)>,
    /// The same of tables whose parts it read all.
    pub read_tables: Vec<TableVersions>,
}

/// Keys that a foreign key needs to be there, or to be gone from all rows, when the transaction commits.
#[derive(Debug, Clone)]
pub struct KeyReference {
    pub expects: Expects,
    /// The foreign key's number.
    pub constraint: Oid,
    /// Where the keys were looked for.
    pub part: Part,
    pub relation: Arc<Relation>,
    pub key: KeyColumns,
    /// What files from before a column hold in it.
    pub defaults: Arc<HashMap<i16, ScalarValue>>,
    /// As [`KeyColumns::hashes`] numbers them.
    pub hashes: Arc<KeySet>,
    /// The part as it was then.
    pub base: Arc<Snapshot>,
}

/// What a foreign key needs of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expects {
    /// The part holds the keys: rows that the transaction adds refer to them.
    Present,
    /// No row of the part refers to the keys: the transaction takes them away.
    Absent,
}

/// The versions of a table's parts, all that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVersions {
    pub table: TableUuid,
    /// By part; one that was never written is not here.
    pub parts: Vec<(Part, i64)>,
}

/// Keys that a transaction adds to a part, and found in none of its files.
#[derive(Debug, Clone)]
pub struct Claim {
    pub key: KeyColumns,
    /// As [`KeyColumns::hashes`] numbers them.
    pub hashes: Arc<KeySet>,
    /// The part as the transaction looked for them; what came later is looked through at the commit.
    pub base: Arc<Snapshot>,
}

/// Changes of one database's objects.
#[derive(Debug)]
pub struct DatabaseChange {
    /// The state that the transaction saw when it first changed something; an object that has since
    /// been changed by another is a conflict.
    pub base: Arc<Database>,
    pub changes: Vec<Change>,
}

/// Changes of one part's rows.
#[derive(Debug)]
pub struct PartChange {
    pub part: Part,
    /// The database that holds the relation.
    pub database: DatabaseId,
    /// The relation as the rows were written; its disappearance or a newer schema is a conflict.
    pub relation: Arc<Relation>,
    /// Files that were written for this transaction.
    pub added: Vec<Arc<DataFile>>,
    /// Rows that are not in a file yet: the commit writes them together with others' rows. Their
    /// columns are the table's stored live columns, in order, in the engine's types.
    pub rows: Vec<RecordBatch>,
    /// Files that the transaction replaced; if one is no longer visible, that is a conflict.
    pub removed: Vec<Arc<DataFile>>,
    /// Keys that `added` and `rows` bring.
    pub claims: Vec<Claim>,
    /// The foreign keys to the table that were looked at when rows went. One that is not here and has
    /// come since is a conflict.
    pub referred_by: Vec<Oid>,
    /// What the log's `commitInfo` calls it, such as `WRITE` or `DELETE`.
    pub operation: &'static str,
}
