//! The constraints that a row meets or breaks by itself, and what an error tells of it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use datafusion::physical_expr::PhysicalExpr;

use super::{RowWriter, table};
use crate::error::{Error, Result};

/// A CHECK constraint, ready to be evaluated over the table's columns.
#[derive(Debug, Clone)]
pub(in crate::session) struct CompiledCheck {
    pub(in crate::session) name: String,
    pub(in crate::session) condition: Arc<dyn PhysicalExpr>,
    pub(in crate::session) rule: Rule,
}

/// Whose condition a check is.
#[derive(Debug, Clone)]
pub(in crate::session) enum Rule {
    OfTable,
    /// Of a column's domain.
    OfDomain(String),
    /// That a column's domain takes no NULL.
    NotNullOfDomain(String),
}

/// The row of a batch that a constraint refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRow {
    pub row: usize,
    /// Whether it was refused for its own values, and not for other rows.
    pub alone: bool,
}

impl RowWriter {
    pub(super) fn check_nulls(&mut self, batch: &RecordBatch, tells: bool) -> Result<()> {
        let relation = Arc::clone(&self.relation);
        let table = table(&relation)?;
        for (column, values) in table.live_columns().zip(batch.columns()) {
            if !column.nullable && values.logical_null_count() > 0 {
                let row = (0..values.len()).find(|row| values.is_null(*row));
                self.failed = row.map(|row| FailedRow { row, alone: true });
                return Err(Error::NotNull {
                    column: column.name.clone(),
                    relation: self.relation.name.clone(),
                    detail: tells
                        .then(|| self.failing_row(batch, |row| values.is_null(row)))
                        .flatten(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn check_conditions(
        &mut self,
        batch: &RecordBatch,
        tells: bool,
        of_domains: bool,
    ) -> Result<()> {
        let checks = Arc::clone(&self.checks);
        let checks = checks.iter();
        for check in checks.filter(|c| of_domains != matches!(c.rule, Rule::OfTable)) {
            let result = check
                .condition
                .evaluate(batch)?
                .into_array(batch.num_rows())?;
            let result: &BooleanArray = result.as_boolean();
            // NULL passes, as in PostgreSQL.
            if let Some(row) = result.iter().position(|passed| passed == Some(false)) {
                self.failed = Some(FailedRow { row, alone: true });
                match &check.rule {
                    Rule::OfTable => {}
                    Rule::OfDomain(domain) => {
                        return Err(Error::DomainCheck {
                            domain: domain.clone(),
                            constraint: check.name.clone(),
                        });
                    }
                    Rule::NotNullOfDomain(domain) => {
                        return Err(Error::DomainNotNull(domain.clone()));
                    }
                }
                return Err(Error::Check {
                    relation: self.relation.name.clone(),
                    constraint: check.name.clone(),
                    detail: tells
                        .then(|| {
                            let fails = |row| result.is_valid(row) && !result.value(row);
                            self.failing_row(batch, fails)
                        })
                        .flatten(),
                });
            }
        }
        Ok(())
    }

    /// PostgreSQL's detail: the first row that fails, as text.
    fn failing_row(&self, batch: &RecordBatch, fails: impl Fn(usize) -> bool) -> Option<String> {
        let row = (0..batch.num_rows()).find(|row| fails(*row))?;
        let table = table(&self.relation).ok()?;
        let values: Option<Vec<String>> = table
            .live_columns()
            .zip(batch.columns())
            .map(|(column, values)| {
                if values.is_null(row) {
                    return Some("null".to_owned());
                }
                crate::format::text_of(values, row, &column.sql_type).ok()
            })
            .collect();
        Some(format!("Failing row contains ({}).", values?.join(", ")))
    }
}

/// An error without what is in a row, unless it may be told.
pub(super) fn told(error: Error, tells: bool) -> Error {
    match error {
        Error::Unique {
            relation,
            constraint,
            ..
        } if !tells => Error::Unique {
            relation,
            constraint,
            detail: None,
        },
        Error::ForeignKey {
            relation,
            constraint,
            parent,
            ..
        } if !tells => Error::ForeignKey {
            relation,
            constraint,
            parent,
            key: None,
        },
        other => other,
    }
}
