//! What stands in a checked plan for tables that are yet to be opened, and opening them.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{LogicalPlan, TableSource};

use super::super::barrier::Barrier;
use super::super::checks::{NewRows, NewRowsTable};
use super::rebuild::{rebuilt, rescanned, with_subqueries};
use super::{Opener, datafusion_stack, unknown};
use crate::error::Result;
use crate::planner::source::TableRef;

/// A stored table that has passed the guard. Nothing else opens one.
#[derive(Debug)]
pub(super) struct Passed {
    table: TableRef,
    schema: SchemaRef,
    statistics: bool,
}

impl Passed {
    pub(super) fn new(table: TableRef, statistics: bool) -> Self {
        Self {
            schema: TableSource::schema(&table),
            table,
            statistics,
        }
    }
}

impl TableSource for Passed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The rows of a table that policies leave, yet to be opened.
#[derive(Debug)]
pub(super) struct Narrow {
    pub(super) name: Arc<str>,
    pub(super) plan: LogicalPlan,
    pub(super) schema: SchemaRef,
    pub(super) masked: Arc<[String]>,
}

impl TableSource for Narrow {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// A checked plan with its tables open, sub-queries included.
pub(super) fn opened(plan: LogicalPlan, opener: &dyn Opener) -> Result<LogicalPlan> {
    datafusion_stack(|| {
        if let LogicalPlan::TableScan(scan) = &plan {
            return open_scan(scan, opener);
        }
        let expressions = plan
            .expressions()
            .into_iter()
            .map(|expr| with_subqueries(expr, &|plan| opened(plan, opener)))
            .collect::<Result<Vec<_>>>()?;
        let inputs = plan
            .inputs()
            .into_iter()
            .cloned()
            .map(|input| opened(input, opener))
            .collect::<Result<Vec<_>>>()?;
        rebuilt(plan, expressions, inputs)
    })
}

fn open_scan(scan: &TableScan, opener: &dyn Opener) -> Result<LogicalPlan> {
    if let Some(passed) = scan.source.downcast_ref::<Passed>() {
        let provider = opener.open(&passed.table, passed.statistics)?;
        return rescanned(scan, provider_as_source(provider));
    }
    if let Some(narrow) = scan.source.downcast_ref::<Narrow>() {
        let plan = opened(narrow.plan.clone(), opener)?;
        let masked = Arc::clone(&narrow.masked);
        let barrier = Barrier::new(Arc::clone(&narrow.name), plan, masked);
        return rescanned(scan, provider_as_source(Arc::new(barrier)));
    }
    if let Some(NewRows(rows)) = scan.source.downcast_ref::<NewRows>() {
        let provider = NewRowsTable(Arc::clone(rows));
        return rescanned(scan, provider_as_source(Arc::new(provider)));
    }
    if scan.source.is::<DefaultTableSource>() {
        return Ok(LogicalPlan::TableScan(scan.clone()));
    }
    Err(unknown(&format!("a scan of {}", scan.table_name)))
}
