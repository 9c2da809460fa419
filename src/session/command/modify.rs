//! UPDATE, DELETE and MERGE: a query finds the rows and their new values, then the files that hold
//! the rows are written anew.

mod around;
mod assign;
mod change;
mod delete;
mod merge;
pub(super) mod on_conflict;
pub(super) mod referred;
mod rewrite;
mod update;

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::ast;
use tessera_catalog::sql_type::SqlType;

use super::insert::{check_lent, check_returning};
use super::{lock, query};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::Scope;
use crate::policy::{self, Caller, Granted, check_columns};
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::reply::{Columns, Reply, Rows, RowsTag};
pub(super) use around::Around;
pub(super) use change::{Planned, skeleton};
use rewrite::Rewrite;

/// A batch under a table's own schema: names and nullability of a plan differ from it.
pub(super) fn as_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            cast(column, field.data_type())
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(DataFusionError::from)?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}

pub(super) async fn describe(
    session: &mut Session,
    statement: &ast::Statement,
    declared: &[u32],
) -> Result<(Vec<SqlType>, Option<Columns>)> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let around = Around {
        scope: &scope,
        declared,
        with: None,
    };
    let planned = plan(statement, &around)?;
    let columns = planned.returning.map(|returning| returning.columns);
    Ok((planned.parameters, columns))
}

pub(super) async fn run(
    session: &mut Session,
    statement: &ast::Statement,
    prepared: &Prepared,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let declared: Vec<u32> = prepared.parameters.iter().map(SqlType::oid).collect();
    let around = Around {
        scope: &scope,
        declared: &declared,
        with: None,
    };
    let planned = plan(statement, &around)?;
    perform(session, planned, (&caller, &scope), parameters, limits).await
}

impl Planned {
    /// Checks that the caller may do what the statement does, and gives the right to write.
    ///
    /// # Errors
    /// 42501.
    pub(super) fn check(&self, caller: &Caller) -> Result<Option<Granted>> {
        let mut granted = None;
        for (privilege, columns) in &self.rights {
            let right = check_columns(caller, *privilege, &self.found, columns)?;
            granted.get_or_insert(right);
        }
        check_lent(caller, &self.found)?;
        if let Some(returning) = &self.returning {
            check_returning(caller, &self.found, returning)?;
        }
        Ok(granted)
    }
}

/// Finds the rows and changes them.
pub(super) async fn perform(
    session: &mut Session,
    planned: Planned,
    (caller, scope): (&Caller, &Scope),
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let granted = planned.check(caller)?;
    let plan = query::bind(planned.plan.clone(), parameters)?;
    lock::rows_of(session, &planned.found, caller).await?;
    let plan = lock::rows_of_query(session, plan, caller).await?;
    let checked = policy::guard(plan, caller, scope, planned.purpose())?;
    let reads = planned.reads(&checked);
    let judged = planned.judged();
    let found = &planned.found;
    let rules = query::row_checks(session, found, caller, scope, &judged, reads).await?;
    let opened = query::load(session, checked.tables(), caller, scope).await?;
    let guarded = checked.open(&opened)?;
    let found = query::stream(session, guarded, scope, limits);
    let changes = rewrite::collect(found, &planned, scope).await?;
    let work = Rewrite {
        planned: &planned,
        rules: &rules,
        opened: &opened,
        caller,
        scope,
        limits,
        returns: planned.returning.is_some(),
    };
    let (rows, returned) = match &granted {
        Some(granted) => work.run(session, granted, changes).await?,
        None => (0, Vec::new()),
    };
    match planned.returning {
        None => Ok(Reply::Done {
            tag: format!("{} {rows}", planned.verb),
        }),
        Some(returning) => {
            let plan = returning.over(returned)?;
            let guarded = policy::guard_own(plan, caller, &planned.found, scope)?;
            let batches = query::stream(session, guarded, scope, limits);
            Ok(Reply::Rows(Rows {
                columns: returning.columns,
                batches,
                tag: RowsTag::Counted(planned.verb),
            }))
        }
    }
}

/// Plans a statement that changes rows.
pub(super) fn plan(statement: &ast::Statement, around: &Around<'_>) -> Result<Planned> {
    match statement {
        ast::Statement::Update(update) => update::plan(update, statement, around),
        ast::Statement::Delete(delete) => delete::plan(delete, statement, around),
        ast::Statement::Merge(merge) => merge::plan(merge, statement, around),
        _ => Err(Error::internal("not a statement that changes rows")),
    }
}
