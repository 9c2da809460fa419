//! Objects written back as SQL, as `pg_get_constraintdef` and its kin do.

use std::collections::HashSet;

use super::names::quote_ident;
use super::scene::{Class, Constraint, Scene, attributes};
use crate::model::{ForeignAction, ForeignKey, Key, KeyKind, Relation};

impl Scene {
    /// A constraint as `ALTER TABLE … ADD CONSTRAINT name` would take it.
    pub(super) fn constraint_text(
        &self,
        relation: &Relation,
        constraint: Constraint<'_>,
    ) -> String {
        let key = match constraint {
            Constraint::Check(check) => return format!("CHECK (({}))", check.expression),
            Constraint::Key(key) => key,
        };
        let columns = column_list(relation, &key.columns);
        match &key.kind {
            KeyKind::Primary => format!("PRIMARY KEY ({columns})"),
            KeyKind::Unique => format!("UNIQUE ({columns})"),
            KeyKind::Foreign(foreign) => self.foreign_text(relation, key, foreign),
        }
    }

    fn foreign_text(&self, relation: &Relation, key: &Key, foreign: &ForeignKey) -> String {
        let columns = column_list(relation, &key.columns);
        let (name, theirs) = match self.relation(foreign.relation) {
            Some(found) => (
                self.class_label(Class::Relation(found)),
                column_list(found, &foreign.columns),
            ),
            None => (foreign.relation.to_string(), String::new()),
        };
        let mut text = format!("FOREIGN KEY ({columns}) REFERENCES {name}({theirs})");
        if foreign.match_full {
            text.push_str(" MATCH FULL");
        }
        for (event, action) in [
            (" ON UPDATE ", foreign.on_update),
            (" ON DELETE ", foreign.on_delete),
        ] {
            if action != ForeignAction::NoAction {
                text.push_str(event);
                text.push_str(action.keyword());
            }
        }
        if !key.enforced {
            text.push_str(" NOT VALID");
        }
        text
    }

    /// A key's index as `CREATE INDEX` would make it.
    pub(super) fn index_text(&self, relation: &Relation, key: &Key) -> String {
        format!(
            "CREATE UNIQUE INDEX {} ON {} USING btree ({})",
            quote_ident(&key.name),
            self.qualified(Class::Relation(relation)),
            column_list(relation, &key.columns),
        )
    }

    /// A view's query.
    pub(super) fn view_text(&self, relation: &Relation) -> Option<String> {
        let definition = relation
            .view()?
            .definition
            .trim()
            .trim_end_matches(';')
            .trim_end();
        Some(format!(" {definition};"))
    }
}

/// The name of a relation's column, quoted where SQL needs it.
pub(super) fn column_name(relation: &Relation, number: i16) -> Option<String> {
    let columns = attributes(relation);
    let found = columns.iter().find(|column| column.number == number)?;
    Some(quote_ident(&found.name).into_owned())
}

fn column_list(relation: &Relation, numbers: &[i16]) -> String {
    let names: Vec<String> = numbers
        .iter()
        .filter_map(|number| column_name(relation, *number))
        .collect();
    names.join(", ")
}

/// The name of a relation's column as it is.
pub(super) fn bare_column_name(relation: &Relation, number: i16) -> Option<String> {
    let columns = attributes(relation);
    columns
        .iter()
        .find(|column| column.number == number)
        .map(|column| column.name.to_string())
}

/// The columns that a check's text names, in the table's order.
pub(super) fn check_columns(relation: &Relation, expression: &str) -> Vec<i16> {
    let words = identifiers(expression);
    let columns = attributes(relation);
    let named = columns
        .iter()
        .filter(|column| !column.dropped && words.contains(&*column.name));
    named.map(|column| column.number).collect()
}

/// The identifiers in a SQL text, folded as SQL folds them; keywords are among them.
fn identifiers(text: &str) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' || c == '"' {
            let quoted: String = chars.by_ref().take_while(|next| *next != c).collect();
            if c == '"' {
                found.insert(quoted);
            }
        } else if c.is_alphabetic() || c == '_' {
            let mut word = c.to_lowercase().to_string();
            while let Some(next) = chars.next_if(|n| n.is_alphanumeric() || *n == '_') {
                word.extend(next.to_lowercase());
            }
            found.insert(word);
        }
    }
    found
}
