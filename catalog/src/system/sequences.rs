//! What the system catalogs tell of sequences and of the columns that draw from them.

use std::borrow::Cow;

use super::names::quote_ident;
use super::scene::{Attribute, Class, Scene};
use super::spelled::{named, spelled};
use crate::id::Oid;
use crate::model::{Relation, Sequence, draw_text, drawn_sequences};
use crate::sql_type::SqlType;

impl Scene {
    /// A default as a client reads it: sequences by name, not by number.
    pub(super) fn default_text<'a>(
        &self,
        text: &'a str,
        sql_type: &SqlType,
        columns: &[Attribute<'_>],
    ) -> Cow<'a, str> {
        if let Some(spelled) = spelled(text, &named(columns), Some(sql_type), false) {
            return Cow::Owned(spelled);
        }
        if is_quoted(text) {
            let label = match sql_type.enum_oid() {
                Some(_) => self.sql_type_label(sql_type),
                None => unmodified(sql_type),
            };
            return Cow::Owned(format!("{text}::{label}"));
        }
        let mut shown = self.with_type_names(text);
        for number in drawn_sequences(text) {
            let Some(name) = self.sequence_label(number) else {
                continue;
            };
            let named = format!("nextval('{}'::regclass)", name.replace('\'', "''"));
            shown = Cow::Owned(shown.replace(&draw_text(number), &named));
        }
        shown
    }

    /// A sequence's name; one of a common table is the system's.
    fn sequence_label(&self, number: Oid) -> Option<String> {
        match self.relation(number) {
            Some(own) => Some(self.class_label(Class::Relation(own))),
            None => {
                let lent = self.system.relations.get(&number)?;
                Some(quote_ident(&lent.name).into_owned())
            }
        }
    }

    /// The sequence that goes with a column, with its schema.
    pub(super) fn serial_sequence(&self, relation: &Relation, number: i16) -> Option<String> {
        let goes = |sequence: &Relation| {
            sequence.sequence().and_then(|s| s.owned_by) == Some((relation.oid, number))
        };
        let mut own = self.relations();
        if let Some(found) = own.find(|sequence| goes(sequence)) {
            return Some(self.qualified(Class::Relation(found)));
        }
        // A common table's is the system's.
        let mut lent = self.system.relations.values();
        let found = lent.find(|sequence| goes(sequence))?;
        let schema = self.system.schemas.get(&found.schema)?;
        Some(format!(
            "{}.{}",
            quote_ident(&schema.name),
            quote_ident(&found.name)
        ))
    }

    /// Whether a sequence is an identity column's own.
    pub(super) fn is_of_identity(&self, sequence: &Sequence) -> bool {
        let column = sequence.owned_by.and_then(|(table, number)| {
            let mut columns = self.relation(table)?.table()?.columns.iter();
            columns.find(|column| column.number == number)?.identity
        });
        column.is_some()
    }

    /// The last value that a sequence gave in the session's database, if it gave one.
    pub(super) fn last_value(&self, sequence: &Sequence) -> Option<i64> {
        let values = self.sequence_values.as_ref()?;
        values(sequence)
    }
}

/// Whether a text is one literal in quotes, which PostgreSQL shows with its column's type.
fn is_quoted(text: &str) -> bool {
    let inner = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    inner.is_some_and(|inner| !inner.replace("''", "").contains('\''))
}

/// A type's name without its length or precision.
fn unmodified(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Varchar(None).to_string(),
        SqlType::Char(_) => "bpchar".to_owned(),
        SqlType::Numeric(_) => SqlType::Numeric(None).to_string(),
        other => other.to_string(),
    }
}
