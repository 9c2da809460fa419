//! Which key another transaction added or took away before a commit, in PostgreSQL's words.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use tessera_catalog::Catalog;
use tessera_catalog::commit::{Commit, Expects};
use tessera_catalog::id::{Oid, Part};
use tessera_catalog::key::{KeyColumns, KeySearch};
use tessera_catalog::model::Relation;
use tessera_catalog::storage::DataFile;
use tessera_catalog::storage::stored::stored_columns;

use super::taken::{key_text, unique};
use crate::error::{Error, Result};
use crate::session::write::table;

/// What is kept of a commit to tell which key another transaction added or took away first.
pub(in crate::session) struct Claimants {
    rows: Vec<Claimant>,
    foreign: Vec<ForeignName>,
}

/// A foreign key of a commit, for errors.
#[derive(Debug, Clone)]
pub(in crate::session) struct ForeignName {
    pub(in crate::session) constraint: Oid,
    pub(in crate::session) name: String,
    pub(in crate::session) child: String,
    pub(in crate::session) parent: String,
}

struct Claimant {
    part: Part,
    relation: Arc<Relation>,
    added: Vec<Arc<DataFile>>,
    rows: Vec<RecordBatch>,
}

impl Claimants {
    pub(in crate::session) fn of(commit: &Commit, foreign: Vec<ForeignName>) -> Self {
        let refers = !commit.references.is_empty();
        let claiming = commit
            .parts
            .iter()
            .filter(|change| refers || !change.claims.is_empty());
        let claimants = claiming.map(|change| Claimant {
            part: change.part,
            relation: Arc::clone(&change.relation),
            added: change.added.clone(),
            rows: change.rows.clone(),
        });
        Self {
            rows: claimants.collect(),
            foreign,
        }
    }

    /// The error that a client reads when a commit failed.
    pub(in crate::session) async fn explain(
        &self,
        catalog: &Catalog,
        error: tessera_catalog::Error,
    ) -> Error {
        use tessera_catalog::Error as Failed;
        match error {
            Failed::KeyTaken {
                constraint,
                hash,
                part,
                ..
            } => self.taken(catalog, constraint, hash, part, error).await,
            Failed::ReferenceBroken {
                expects,
                constraint,
                hash,
                ..
            } => self.broken(catalog, expects, constraint, hash).await,
            other => other.into(),
        }
    }

    async fn taken(
        &self,
        catalog: &Catalog,
        constraint: Oid,
        hash: u128,
        part: Part,
        error: tessera_catalog::Error,
    ) -> Error {
        let Some(claimant) = self.rows.iter().find(|claimant| claimant.part == part) else {
            return error.into();
        };
        match claimant.row(catalog, constraint, hash).await {
            Ok(columns) => unique(&claimant.relation, constraint, &columns, 0),
            Err(cause) => {
                tracing::warn!(%cause, "a key that was taken could not be read again");
                error.into()
            }
        }
    }

    /// The error for a foreign key that others broke before the commit.
    async fn broken(
        &self,
        catalog: &Catalog,
        expects: Expects,
        constraint: Oid,
        hash: u128,
    ) -> Error {
        let Some(named) = self.foreign.iter().find(|f| f.constraint == constraint) else {
            return Error::Serialization;
        };
        let (parent, relation) = (named.parent.clone(), named.child.clone());
        let constraint_name = named.name.clone();
        if expects == Expects::Absent {
            return Error::StillReferenced {
                parent,
                relation,
                constraint: constraint_name,
                key: None,
            };
        }
        let mut key = None;
        for claimant in &self.rows {
            let Some(table) = claimant.relation.table() else {
                continue;
            };
            let Some(own) = table.keys.iter().find(|key| key.oid == constraint) else {
                continue;
            };
            if let Ok(columns) = claimant.row(catalog, constraint, hash).await {
                key = key_text(table, &KeyColumns::of(table, own), &columns, 0);
            }
        }
        Error::ForeignKey {
            parent,
            relation,
            constraint: constraint_name,
            key,
        }
    }
}

impl Claimant {
    /// The key's columns of the row that has a key.
    async fn row(&self, catalog: &Catalog, constraint: Oid, hash: u128) -> Result<Vec<ArrayRef>> {
        let of = table(&self.relation)?;
        let Some(key) = of.keys.iter().find(|key| key.oid == constraint) else {
            return Ok(Vec::new());
        };
        let key = KeyColumns::of(of, key);
        let places = key.places(stored_columns(of));
        for batch in &self.rows {
            let columns: Vec<ArrayRef> = places
                .iter()
                .map(|place| Arc::clone(batch.column(*place)))
                .collect();
            let hashes = key.hashes(&columns, batch.num_rows())?;
            if let Some(row) = hashes.iter().position(|own| *own == Some(hash)) {
                return Ok(columns.iter().map(|column| column.slice(row, 1)).collect());
            }
        }
        let search = KeySearch {
            part: self.part,
            relation: &self.relation,
            key: &key,
            defaults: &HashMap::new(),
            ranges: None,
        };
        let found = catalog.storage().key_row(search, &self.added, hash).await?;
        Ok(found.map_or_else(Vec::new, |row| row.columns().to_vec()))
    }
}
