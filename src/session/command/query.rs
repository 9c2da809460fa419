//! Queries: planned once, guarded and opened afresh each time.

use std::sync::Arc;

use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast;
use tessera_catalog::sql_type::SqlType;

use super::lock;
use crate::error::Result;
use crate::execute::{self, BatchStream, Execution, Limits};
use crate::planner::ast::Body;
use crate::planner::source::{Found, TableRef};
use crate::planner::{self, Parameters, Scope, origin};
use crate::policy::{self, Caller, GuardedPlan, Judged, Purpose, RowChecks};
use crate::session::Session;
use crate::session::opener::Opened;
use crate::session::prepared::{PlannedFor, Prepared};
use crate::session::reply::{Columns, OutColumn, Reply, Rows, RowsTag};

/// Plans a query and tells its parameters and columns.
pub(super) fn plan(
    query: &ast::Query,
    scope: &Scope,
    declared: &[u32],
) -> Result<(LogicalPlan, Vec<SqlType>, Columns)> {
    let statement = ast::Statement::Query(Box::new(query.clone()));
    let parameters = Parameters::of(&statement, declared, &scope.user_types())?;
    let plan = planner::plan(query.clone(), scope, &parameters.fields(&scope.zone))?;
    let (plan, types) = parameters.resolve(plan, &scope.zone)?;
    let columns = columns(&plan);
    Ok((plan, types, columns))
}

/// The same for a query whose rows go to a client, with the names of objects beside their numbers.
pub(super) fn answer(
    query: &ast::Query,
    scope: &Scope,
    declared: &[u32],
) -> Result<(LogicalPlan, Vec<SqlType>, Columns)> {
    let (planned, types, columns) = plan(query, scope, declared)?;
    let columns = described(&planned, &columns);
    Ok((planner::name_objects(planned, scope)?, types, columns))
}

/// The columns with the tables that they come from, and without precisions that nobody gave them.
fn described(plan: &LogicalPlan, columns: &Columns) -> Columns {
    let describe = |(index, column): (usize, &OutColumn)| {
        let sql_type = origin::described(plan, index, column.sql_type.clone());
        let mut column = OutColumn::plain(column.name.clone(), sql_type);
        if let Some(origin) = origin::of_column(plan, index) {
            column.table = origin.relation;
            column.column = origin.column;
        }
        column
    };
    columns.iter().enumerate().map(describe).collect()
}

/// A plan's columns as the client is told.
pub(super) fn columns(plan: &LogicalPlan) -> Columns {
    plan.schema()
        .iter()
        .map(|(_, field)| {
            let sql_type = match SqlType::of(field) {
                SqlType::Unknown => SqlType::Text,
                other => other,
            };
            OutColumn::plain(planner::shown(field.name()), sql_type)
        })
        .collect()
}

pub(super) async fn run(
    session: &mut Session,
    query: &ast::Query,
    prepared: &Prepared,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let now = planned_for(session, &caller);
    let (plan, columns) = match (&prepared.plan, &prepared.columns) {
        (Some((plan, made_for)), Some(columns)) if *made_for == now => {
            (plan.clone(), Arc::clone(columns))
        }
        _ => {
            let declared: Vec<u32> = prepared.parameters.iter().map(SqlType::oid).collect();
            let (plan, _, columns) = answer(query, &scope, &declared)?;
            if let Some(told) = &prepared.columns {
                check_same(told, &columns)?;
            }
            (plan, columns)
        }
    };
    let plan = bind(plan, parameters)?;
    let plan = lock::rows_of_query(session, plan, &caller).await?;
    let guarded = guard(session, plan, &caller, &scope).await?;
    let batches = execute::run(guarded, &session.execution(&scope.state, limits));
    Ok(Reply::Rows(Rows {
        columns,
        batches,
        tag: RowsTag::Counted("SELECT"),
    }))
}

/// A prepared query with a plan that is made for the present state of the world.
///
/// # Errors
/// 0A000 when its columns are no longer the same, and whatever planning meets.
pub(in crate::session) async fn current(
    session: &mut Session,
    prepared: Arc<Prepared>,
) -> Result<Arc<Prepared>> {
    let caller = session.caller().await?;
    let prepared = with_present_words(session, prepared, &caller).await?;
    let now = planned_for(session, &caller);
    let (Some((_, made_for)), Body::Query(query), Some(told)) =
        (&prepared.plan, &prepared.statement.body, &prepared.columns)
    else {
        return Ok(prepared);
    };
    if *made_for == now {
        return Ok(prepared);
    }
    let scope = session.scope(&caller).await?;
    let declared: Vec<u32> = prepared.parameters.iter().map(SqlType::oid).collect();
    let (plan, _, columns) = answer(query, &scope, &declared)?;
    check_same(told, &columns)?;
    // What the catalogs show is a new one each time.
    let plan = (!scope.session.is_momentary()).then_some((plan, now));
    Ok(Arc::new(Prepared {
        plan,
        columns: Some(columns),
        ..prepared.as_ref().clone()
    }))
}

/// The statement with the words that the enums of its parameters have now.
async fn with_present_words(
    session: &mut Session,
    prepared: Arc<Prepared>,
    caller: &Caller,
) -> Result<Arc<Prepared>> {
    let worded = |sql_type: &SqlType| sql_type.enum_oid().is_some();
    if !prepared.parameters.iter().any(worded) {
        return Ok(prepared);
    }
    let types = session.scope(caller).await?.user_types();
    let renewed = prepared.parameters.iter().map(|known| {
        let present = worded(known).then(|| types.sql_type_of(known.oid()));
        present.flatten().unwrap_or_else(|| known.clone())
    });
    // An enum is the same whatever its words are.
    let parameters: Vec<SqlType> = renewed.collect();
    Ok(Arc::new(Prepared {
        parameters,
        ..prepared.as_ref().clone()
    }))
}

/// A client that was told other columns must prepare again.
fn check_same(told: &Columns, now: &Columns) -> Result<()> {
    let same = told.len() == now.len()
        && told
            .iter()
            .zip(now.iter())
            .all(|(a, b)| a.sql_type.oid() == b.sql_type.oid());
    if same {
        Ok(())
    } else {
        Err(crate::error::Error::ResultTypeChanged)
    }
}

/// The state of the world that a plan made now is for.
pub(super) fn planned_for(session: &Session, caller: &Caller) -> PlannedFor {
    PlannedFor {
        system_version: caller.system.version,
        database_version: caller.database.version,
        session_version: session.version,
        in_changed_transaction: session.transaction.is_dirty(),
    }
}

/// Puts the values in place of `$1`, `$2`, …
pub(super) fn bind(plan: LogicalPlan, parameters: Vec<ScalarValue>) -> Result<LogicalPlan> {
    if parameters.is_empty() {
        return Ok(plan);
    }
    let exact = parameters
        .iter()
        .any(|value| matches!(value, ScalarValue::LargeUtf8(Some(_))));
    let values = parameters
        .into_iter()
        .map(ScalarAndMetadata::from)
        .collect();
    let bound = plan.with_param_values(ParamValues::List(values))?;
    Ok(if exact {
        planner::settle_bound(bound)?
    } else {
        bound
    })
}

/// Loads what a plan reads, and guards it.
pub(super) async fn guard(
    session: &mut Session,
    plan: LogicalPlan,
    caller: &Caller,
    scope: &Scope,
) -> Result<GuardedPlan> {
    guard_for(session, plan, caller, scope, Purpose::Read).await
}

/// The same for what the server itself asks when a table's definition changes.
pub(super) async fn guard_for(
    session: &mut Session,
    plan: LogicalPlan,
    caller: &Caller,
    scope: &Scope,
    purpose: Purpose,
) -> Result<GuardedPlan> {
    let checked = policy::guard(plan, caller, scope, purpose)?;
    let opened = load(session, checked.tables(), caller, scope).await?;
    checked.open(&opened)
}

/// Loads the states of tables that a checked plan reads.
pub(super) async fn load<'a>(
    session: &mut Session,
    tables: impl IntoIterator<Item = &'a TableRef>,
    caller: &Caller,
    scope: &Scope,
) -> Result<Opened> {
    let tables: Vec<&TableRef> = tables.into_iter().collect();
    session.audit_reads(&tables, caller).await?;
    let engine = Arc::clone(&session.engine);
    let tables: Vec<&TableRef> = tables.into_iter().collect();
    lock::reads(session, &tables, caller).await?;
    Opened::load(
        &engine,
        &mut session.transaction,
        tables,
        caller,
        &scope.zone,
    )
    .await
}

/// What policies say of the rows that a statement writes to a table.
pub(super) async fn row_checks(
    session: &mut Session,
    found: &Found,
    caller: &Caller,
    scope: &Scope,
    judged: &[Judged],
    reads: bool,
) -> Result<RowChecks> {
    let rules = policy::row_checks(found, caller, scope, judged, reads)?;
    let opened = load(session, rules.tables(), caller, scope).await?;
    rules.open(&opened)
}

/// Runs a guarded plan of this session whose counts would tell of hidden rows.
pub(super) fn unobserved(
    session: &Session,
    guarded: GuardedPlan,
    scope: &Scope,
    limits: Limits,
) -> BatchStream {
    execute::run(guarded, &session.execution(&scope.state, limits))
}

/// Runs a guarded plan of this session.
pub(super) fn stream(
    session: &Session,
    guarded: GuardedPlan,
    scope: &Scope,
    limits: Limits,
) -> BatchStream {
    let execution = Execution {
        observed: session.observed.clone(),
        ..session.execution(&scope.state, limits)
    };
    execute::run(guarded, &execution)
}
