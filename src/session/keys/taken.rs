//! PostgreSQL's words for a key that is there.

use datafusion::arrow::array::{Array, ArrayRef};
use tessera_catalog::id::Oid;
use tessera_catalog::key::KeyColumns;
use tessera_catalog::model::{Relation, Table};

use crate::error::Error;

/// PostgreSQL's error for a key that is there; `columns` are the key's.
pub(super) fn unique(
    relation: &Relation,
    constraint: Oid,
    columns: &[ArrayRef],
    row: usize,
) -> Error {
    let key = relation
        .table()
        .and_then(|table| Some((table, table.keys.iter().find(|k| k.oid == constraint)?)));
    let detail = key.and_then(|(table, key)| {
        let key = KeyColumns::of(table, key);
        key_text(table, &key, columns, row)
    });
    Error::Unique {
        relation: relation.name.clone(),
        constraint: key.map(|(_, key)| key.name.clone()).unwrap_or_default(),
        detail: detail.map(|key| format!("Key {key} already exists.")),
    }
}

/// A key as PostgreSQL's details name it: `(a, b)=(1, x)`.
pub(in crate::session) fn key_text(
    table: &Table,
    key: &KeyColumns,
    columns: &[ArrayRef],
    row: usize,
) -> Option<String> {
    let mut names = Vec::new();
    let mut values = Vec::new();
    if columns.is_empty() {
        return None;
    }
    for (number, array) in key.numbers().zip(columns) {
        let column = table.columns.iter().find(|c| c.number == number)?;
        names.push(column.name.as_str());
        values.push(if array.is_null(row) {
            "null".to_owned()
        } else {
            crate::format::text_of(array, row, &column.sql_type).ok()?
        });
    }
    Some(format!("({})=({})", names.join(", "), values.join(", ")))
}
