//! Objects written back as SQL, as `pg_get_constraintdef` and its kin do.

use std::collections::HashSet;

use super::names::quote_ident;
use super::scene::{Class, Constraint, Scene, attributes};
use super::spelled::spelled_of;
use crate::model::{Check, ForeignAction, ForeignKey, IndexPart, Key, KeyKind, Relation};

impl Scene {
    /// A constraint as `ALTER TABLE … ADD CONSTRAINT name` would take it.
    pub(super) fn constraint_text(
        &self,
        relation: &Relation,
        constraint: Constraint<'_>,
        pretty: bool,
    ) -> String {
        let key = match constraint {
            Constraint::Check(check) => {
                let written = self.with_type_names(&check.expression);
                return match spelled_of(relation, &written, pretty) {
                    Some(condition) => format!("CHECK ({condition})"),
                    None => condition_text(&written, pretty),
                };
            }
            Constraint::Key(key) => key,
        };
        let columns = column_list(relation, &key.columns);
        match &key.kind {
            KeyKind::Index(_) => self.index_text(relation, key, pretty),
            KeyKind::Primary => format!("PRIMARY KEY ({columns})"),
            KeyKind::Unique => format!("UNIQUE ({columns})"),
            KeyKind::Foreign(foreign) => self.foreign_text(relation, key, foreign),
        }
    }

    /// A check's condition with the brackets that stand around it.
    pub(super) fn check_clause(&self, relation: &Relation, check: &Check) -> String {
        let text = self.constraint_text(relation, Constraint::Check(check), false);
        text.strip_prefix("CHECK ")
            .map(str::to_owned)
            .unwrap_or(text)
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
        if foreign.deferrable {
            text.push_str(" DEFERRABLE");
        }
        if foreign.deferred {
            text.push_str(" INITIALLY DEFERRED");
        }
        if !key.enforced {
            text.push_str(" NOT VALID");
        }
        text
    }

    /// A key's index as `CREATE INDEX` would make it.
    pub(super) fn index_text(&self, relation: &Relation, key: &Key, pretty: bool) -> String {
        let unique = if key.is_unique() { "UNIQUE " } else { "" };
        let index = key.index();
        let method = index.map_or("btree", |index| index.method.as_str());
        let list = match index {
            Some(index) => {
                let parts = index.parts.iter().map(|part| part_text(relation, part));
                parts.collect::<Vec<_>>().join(", ")
            }
            None => column_list(relation, &key.columns),
        };
        let mut text = format!(
            "CREATE {unique}INDEX {} ON {} USING {method} ({list})",
            quote_ident(&key.name),
            self.qualified(Class::Relation(relation)),
        );
        if let Some(index) = index.filter(|index| !index.include.is_empty()) {
            let included = column_list(relation, &index.include);
            text.push_str(&format!(" INCLUDE ({included})"));
        }
        if key.nulls_not_distinct {
            text.push_str(" NULLS NOT DISTINCT");
        }
        if let Some(predicate) = index.and_then(|index| index.predicate.as_ref()) {
            let spelled = spelled_of(relation, predicate, pretty);
            let condition = spelled.unwrap_or_else(|| format!("({predicate})"));
            text.push_str(&format!(" WHERE {condition}"));
        }
        text
    }

    /// A view's query.
    pub(super) fn view_text(&self, relation: &Relation) -> Option<String> {
        let view = relation.view().map(|view| view.definition.as_str());
        let stored = relation
            .materialized()
            .map(|query| query.definition.as_str());
        let definition = view.or(stored)?.trim().trim_end_matches(';').trim_end();
        Some(format!(" {definition};"))
    }
}

/// A CHECK; what is meant to be read has the brackets that it needs.
pub(super) fn condition_text(condition: &str, pretty: bool) -> String {
    match pretty {
        true => format!("CHECK ({condition})"),
        false => format!("CHECK (({condition}))"),
    }
}

/// A column or an expression of an index, with its order where it is not the usual one.
fn part_text(relation: &Relation, part: &IndexPart) -> String {
    let mut text = match &part.expression {
        Some(expression) => expression.clone(),
        None => column_name(relation, part.column).unwrap_or_default(),
    };
    match (part.descending, part.nulls_first) {
        (false, false) => {}
        (false, true) => text.push_str(" NULLS FIRST"),
        (true, true) => text.push_str(" DESC"),
        (true, false) => text.push_str(" DESC NULLS LAST"),
    }
    text
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
