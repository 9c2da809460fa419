//! Columns of tables and views, as `pg_attribute` shows them.

use std::borrow::Cow;

use crate::id::Oid;
use crate::model::{Acl, Identity, Key, KeyKind, Relation, RelationBody, Table, drawn_sequences};
use crate::sql_type::SqlType;

/// A column of a table or view, as `pg_attribute` shows it.
#[derive(Debug, Clone)]
pub struct Attribute<'a> {
    pub number: i16,
    pub name: Cow<'a, str>,
    pub sql_type: &'a SqlType,
    pub domain: Option<Oid>,
    pub fraction: Option<u8>,
    pub not_null: bool,
    /// The default's text, or a generated column's expression.
    pub default: Option<&'a str>,
    pub identity: Option<Identity>,
    /// An identity column's sequence.
    pub draws: Option<Oid>,
    pub generated: bool,
    pub missing_default: Option<&'a str>,
    pub acl: Option<&'a Acl>,
    pub comment: Option<&'a str>,
    pub dropped: bool,
}

/// The columns of a table, dropped ones included, or of a view.
pub fn attributes(relation: &Relation) -> Vec<Attribute<'_>> {
    match &relation.body {
        RelationBody::Table(table) => table
            .columns
            .iter()
            .map(|column| Attribute {
                number: column.number,
                name: match column.dropped {
                    true => Cow::Owned(format!("........pg.dropped.{}........", column.number)),
                    false => Cow::Borrowed(&column.name),
                },
                sql_type: &column.sql_type,
                domain: column.domain,
                fraction: column.fraction,
                not_null: !column.nullable || in_primary_key(table, column.number),
                default: match (&column.generated, column.identity) {
                    (Some(expression), _) => Some(expression.as_str()),
                    // It is told by the identity alone.
                    (None, Some(_)) => None,
                    (None, None) => column.default.as_deref(),
                },
                identity: column.identity,
                draws: column.identity.and_then(|_| {
                    let text = column.default.as_deref().unwrap_or_default();
                    drawn_sequences(text).next()
                }),
                generated: column.generated.is_some(),
                missing_default: column.missing_default.as_deref(),
                acl: column.acl.as_ref(),
                comment: column.comment.as_deref(),
                dropped: column.dropped,
            })
            .collect(),
        RelationBody::Sequence(_) => Vec::new(),
        RelationBody::View(view) => (1..)
            .zip(&view.columns)
            .map(|(number, column)| Attribute {
                number,
                name: Cow::Borrowed(&column.name),
                sql_type: column.shown_type(),
                domain: None,
                fraction: None,
                not_null: false,
                default: None,
                identity: None,
                draws: None,
                generated: false,
                missing_default: None,
                acl: column.acl.as_ref(),
                comment: column.comment.as_deref(),
                dropped: false,
            })
            .collect(),
    }
}

fn in_primary_key(table: &Table, number: i16) -> bool {
    let mut primary = table.keys.iter().filter(|key| key.kind == KeyKind::Primary);
    primary.any(|key| key.columns.contains(&number))
}

/// The keys that PostgreSQL would hold by an index, and indexes.
pub fn index_keys(relation: &Relation) -> impl Iterator<Item = &Key> {
    relation
        .table()
        .into_iter()
        .flat_map(|table| table.keys.iter().filter(|key| key.has_index()))
}
