//! A system table: its number, its columns in PostgreSQL's order, and how its rows are made.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Schema, SchemaRef};

use super::rows::Rows;
use super::scene::Scene;
use crate::sql_type::SqlType;

/// A relation of `pg_catalog` or `information_schema`.
pub struct SystemTable {
    /// `pg_catalog` or `information_schema`.
    pub schema: &'static str,
    pub name: &'static str,
    /// Its number in `pg_class`, PostgreSQL's own.
    pub oid: u32,
    /// The letter in `pg_class.relkind`: `r` or `v`.
    pub kind: char,
    /// `name type, …`, where a line break may stand for a space.
    text: &'static str,
    parsed: OnceLock<Vec<Column>>,
    pub(super) rows: fn(&Scene, &mut Rows),
    /// Columns by whose numbers its rows are found without going through all of them.
    pub(super) found_by: &'static [&'static str],
}

/// A column of a system table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub sql_type: SqlType,
}

impl SystemTable {
    /// A table of PostgreSQL's.
    pub(super) const fn table(
        schema: &'static str,
        name: &'static str,
        oid: u32,
        text: &'static str,
        rows: fn(&Scene, &mut Rows),
    ) -> Self {
        Self {
            schema,
            name,
            oid,
            kind: 'r',
            text,
            parsed: OnceLock::new(),
            rows,
            found_by: &[],
        }
    }

    /// A view in PostgreSQL; here made like a table.
    pub(super) const fn view(
        schema: &'static str,
        name: &'static str,
        oid: u32,
        text: &'static str,
        rows: fn(&Scene, &mut Rows),
    ) -> Self {
        Self {
            schema,
            name,
            oid,
            kind: 'v',
            text,
            parsed: OnceLock::new(),
            rows,
            found_by: &[],
        }
    }

    /// The same table, whose rows are found by these columns.
    pub(super) const fn found_by(mut self, columns: &'static [&'static str]) -> Self {
        self.found_by = columns;
        self
    }

    /// All columns, in PostgreSQL's order.
    pub fn columns(&self) -> &[Column] {
        self.parsed.get_or_init(|| {
            let columns = self.text.split(',').filter_map(|column| {
                let (name, sql_type) = column.trim().split_once(' ')?;
                Some(Column {
                    name,
                    sql_type: SqlType::parse(sql_type)?,
                })
            });
            columns.collect()
        })
    }

    /// The columns as Arrow fields.
    pub fn arrow_schema(&self, zone: &Arc<str>) -> SchemaRef {
        let fields = self
            .columns()
            .iter()
            .map(|c| c.sql_type.field(c.name, true, zone));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// The rows of a table of which the server has nothing to show.
pub(super) fn no_rows(_: &Scene, _: &mut Rows) {}
