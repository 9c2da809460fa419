//! `LIKE` in CREATE TABLE: another relation's columns, and as much of what they have as is asked for.

use std::collections::HashMap;

use datafusion::sql::sqlparser::ast::{self, ColumnDef, DataType};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Column, Key, KeyKind, Privilege, Sequence, Table, drawn_sequences};
use tessera_catalog::sql_type::SqlType;

use super::super::names::relation;
use super::column;
use crate::error::{Error, Result};
use crate::planner::ast::SequenceOptions;
use crate::planner::source::Found;
use crate::planner::{LIKE, LIKE_OPTIONS, Scope};
use crate::policy::{Caller, Object, check};

/// What one LIKE says.
pub(super) struct Like {
    found: Found,
    included: u32,
}

impl Like {
    /// The LIKE that a column's definition stands for, if it does.
    ///
    /// # Errors
    /// 42P01 for a relation that is not there, 42501 without SELECT on it, 42809 for a sequence.
    pub(super) fn of(
        definition: &ColumnDef,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Option<Self>> {
        if definition.name.value != LIKE {
            return Ok(None);
        }
        let DataType::Custom(name, options) = &definition.data_type else {
            return Err(Error::internal("LIKE of no relation"));
        };
        let found = relation(scope, name)?;
        if found.relation.sequence().is_some() {
            return Err(Error::Function {
                sqlstate: "42809",
                message: format!(
                    "relation \"{}\" is invalid in LIKE clause",
                    found.relation.name
                ),
                hint: None,
                detail: None,
            });
        }
        check(caller, Privilege::Select, Object::Relation(&found))?;
        let included = options.first().and_then(|number| number.parse().ok());
        Ok(Some(Self {
            found,
            included: included.unwrap_or_default(),
        }))
    }

    fn includes(&self, option: &str) -> bool {
        let place = LIKE_OPTIONS.iter().position(|known| *known == option);
        place.is_some_and(|place| self.included & (1 << place) != 0)
    }

    /// The columns, numbered from `first` on, each with the options of its own sequence.
    ///
    /// # Errors
    /// More columns than a table can have.
    pub(super) fn columns(
        &self,
        first: usize,
        scope: &Scope,
    ) -> Result<Vec<(Column, Option<SequenceOptions>)>> {
        let relation = &self.found.relation;
        let mut made = Vec::new();
        if let Some(view) = relation.view() {
            for (number, of_view) in (first..).zip(&view.columns) {
                let sql_type = of_view.sql_type.clone();
                let mut copy = column::new_column(of_view.name.clone(), sql_type, number)?;
                if self.includes("COMMENTS") {
                    copy.comment.clone_from(&of_view.comment);
                }
                made.push((copy, None));
            }
        }
        let live = relation.table().into_iter().flat_map(Table::live_columns);
        for (number, source) in (first..).zip(live.filter(|column| !column.is_tenant())) {
            made.push(self.copied(source, number, scope)?);
        }
        Ok(made)
    }

    fn copied(
        &self,
        source: &Column,
        number: usize,
        scope: &Scope,
    ) -> Result<(Column, Option<SequenceOptions>)> {
        let sql_type = source.sql_type.clone();
        let mut copy = column::new_column(source.name.clone(), sql_type, number)?;
        copy.nullable = source.nullable;
        (copy.domain, copy.fraction) = (source.domain, source.fraction);
        if self.includes("COMMENTS") {
            copy.comment.clone_from(&source.comment);
        }
        if self.includes("GENERATED") {
            copy.generated.clone_from(&source.generated);
        }
        let mut draws = None;
        match source.identity {
            Some(identity) if self.includes("IDENTITY") => {
                copy.identity = Some(identity);
                let text = source.default.as_deref().unwrap_or_default();
                let of = |oid: Oid| {
                    let own = scope.database.relations.get(&oid);
                    own.or_else(|| scope.system.relations.get(&oid))
                };
                let drawn = drawn_sequences(text).next().and_then(of);
                let sequence = drawn.and_then(|relation| relation.sequence());
                draws = Some(sequence_options(&source.sql_type, sequence));
            }
            None if self.includes("DEFAULTS") => copy.default.clone_from(&source.default),
            _ => {}
        }
        Ok((copy, draws))
    }

    /// Adds the checks and the keys that are asked for to a table that has the columns.
    ///
    /// # Errors
    /// A name that is taken.
    pub(super) fn add_constraints(
        &self,
        table: &mut Table,
        relation: &str,
        next_oid: &impl Fn() -> Oid,
    ) -> Result<()> {
        let Some(source) = self.found.relation.table() else {
            return Ok(());
        };
        if self.includes("CONSTRAINTS") {
            for check in &source.checks {
                if table.checks.iter().any(|own| own.name == check.name) {
                    return Err(Error::AlreadyExists {
                        kind: "constraint",
                        name: check.name.clone(),
                    });
                }
                let mut check = check.clone();
                check.oid = next_oid();
                table.checks.push(check);
            }
        }
        if !self.includes("INDEXES") {
            return Ok(());
        }
        let numbers: HashMap<i16, i16> = source
            .live_columns()
            .filter_map(|column| Some((column.number, table.column(&column.name)?.number)))
            .collect();
        for key in source.keys.iter().filter(|key| key.has_index()) {
            let Some(mut key) = renumbered(key, &numbers) else {
                continue;
            };
            let primary = |key: &Key| key.kind == KeyKind::Primary;
            if primary(&key) && table.keys.iter().any(primary) {
                return Err(Error::InvalidDefinition(format!(
                    "multiple primary keys for table \"{relation}\" are not allowed"
                )));
            }
            key.oid = next_oid();
            key.name = column::constraint_name(None, &key.kind, &key.columns, table, relation)?;
            table.keys.push(key);
        }
        Ok(())
    }
}

/// A key over the same columns of the new table.
fn renumbered(key: &Key, numbers: &HashMap<i16, i16>) -> Option<Key> {
    let mut key = key.clone();
    let renumber = |number: &i16| match number {
        0 => Some(0),
        number => numbers.get(number).copied(),
    };
    key.columns = key.columns.iter().map(renumber).collect::<Option<_>>()?;
    if let KeyKind::Index(index) = &mut key.kind {
        for part in &mut index.parts {
            part.column = renumber(&part.column)?;
        }
        let include = index.include.iter().map(renumber);
        index.include = include.collect::<Option<_>>()?;
    }
    Some(key)
}

/// The options of a sequence like another.
fn sequence_options(sql_type: &SqlType, like: Option<&Sequence>) -> SequenceOptions {
    let data_type = match sql_type {
        SqlType::Int2 => ast::DataType::SmallInt(None),
        SqlType::Int8 => ast::DataType::BigInt(None),
        _ => ast::DataType::Integer(None),
    };
    SequenceOptions {
        data_type: Some(data_type),
        increment: like.map(|sequence| sequence.increment),
        min: like.map(|sequence| Some(sequence.min)),
        max: like.map(|sequence| Some(sequence.max)),
        start: like.map(|sequence| sequence.start),
        cache: like.map(|sequence| sequence.cache),
        cycle: like.map(|sequence| sequence.cycle),
        ..SequenceOptions::default()
    }
}
