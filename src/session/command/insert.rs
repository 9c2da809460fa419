//! INSERT: rows of a query or of VALUES, shaped into the table's columns.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Column as PlanColumn, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{
    self, Ident, Insert, OnConflictAction, OnInsert, Query, SetExpr, TableObject,
};
use futures::StreamExt;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Column, Identity, Privilege, Relation, Scope as Reach};
use tessera_catalog::sql_type::SqlType;

use super::modify::Around;
use super::modify::on_conflict::{Upsert, arbiters};
use super::names::{folded, relation};
use super::returning::{Over, Returning};
use super::{default, lock, query};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::source::Found;
use crate::planner::{self, Parameters, Scope, params};
use crate::policy::{Caller, Granted, Judged, check_columns};
use crate::session::Session;
use crate::session::foreign::ForeignGuard;
use crate::session::keys::{KeyCheck, KeyGuard};
use crate::session::prepared::Prepared;
use crate::session::reply::{Columns, Reply, Rows, RowsTag};
use crate::session::write::{RowWriter, Writing, table, table_schema};
use tessera_udfs::walk;

/// A planned INSERT.
pub(super) struct Planned {
    pub(super) found: Found,
    /// The columns that the statement names, or all.
    named: Vec<i16>,
    /// Gives the table's live columns in order.
    pub(super) plan: LogicalPlan,
    pub(super) parameters: Vec<SqlType>,
    pub(super) returning: Option<Returning>,
    on_conflict: Option<Conflict>,
    /// The columns that ON CONFLICT names, or those of the constraint that it does.
    arbiters: Vec<i16>,
}

/// What is done where a key is there.
enum Conflict {
    /// The rows are left out.
    Nothing(Vec<Oid>),
    Update(Box<Upsert>),
}

pub(super) async fn describe(
    session: &mut Session,
    insert: &Insert,
    declared: &[u32],
) -> Result<(Vec<SqlType>, Option<Columns>)> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let around = Around {
        scope: &scope,
        declared,
        with: None,
    };
    let planned = plan(insert, &around)?;
    let columns = planned.returning.map(|returning| returning.columns);
    Ok((planned.parameters, columns))
}

pub(super) async fn run(
    session: &mut Session,
    insert: &Insert,
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
    let planned = plan(insert, &around)?;
    perform(session, planned, (&caller, &scope), parameters, limits).await
}

impl Planned {
    /// Checks that the caller may do what the statement does, and gives the right to write.
    ///
    /// # Errors
    /// 42501.
    pub(super) fn check(&self, caller: &Caller) -> Result<Granted> {
        let granted = check_columns(caller, Privilege::Insert, &self.found, &self.named)?;
        check_lent(caller, &self.found)?;
        if let Some(returning) = &self.returning {
            check_returning(caller, &self.found, returning)?;
        }
        if !self.arbiters.is_empty() {
            check_columns(caller, Privilege::Select, &self.found, &self.arbiters)?;
        }
        Ok(granted)
    }

    /// Whether the statement looks for rows with the keys that it adds, to do something with them.
    pub(super) fn looks_for_keys(&self) -> bool {
        self.on_conflict.is_some()
    }
}

/// Makes the rows and adds them.
pub(super) async fn perform(
    session: &mut Session,
    planned: Planned,
    (caller, scope): (&Caller, &Scope),
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let granted = planned.check(caller)?;
    session.transaction.check_room(&planned.found.relation)?;
    lock::adds_to(session, &planned.found, caller).await?;
    let reads = |returning: &Returning| !returning.reads().is_empty();
    let reads = planned.returning.as_ref().is_some_and(reads) || !planned.arbiters.is_empty();
    let (found, judged) = (&planned.found, [Judged::Inserted]);
    let rules = query::row_checks(session, found, caller, scope, &judged, reads).await?;
    let execution = session.execution(&scope.state, limits);
    let (conflict, returning) = (planned.on_conflict, planned.returning);
    let conflict = match conflict {
        Some(Conflict::Update(upsert)) => {
            let plan = query::bind(planned.plan, parameters.clone())?;
            let plan = lock::rows_of_query(session, plan, caller).await?;
            let guarded = query::guard(session, plan, caller, scope).await?;
            let schema = table_schema(table(&planned.found.relation)?, &scope.zone);
            let mut batches = query::stream(session, guarded, scope, limits);
            let mut rows = Vec::new();
            while let Some(batch) = batches.next().await {
                rows.push(super::modify::as_schema(&batch?, &schema)?);
            }
            let asked = (caller, scope);
            let brought = (rows, returning.is_some());
            let (count, returned) = upsert
                .run(session, asked, brought, parameters, limits)
                .await?;
            return answer(
                session,
                (caller, scope, &planned.found),
                (count, returned),
                returning,
                limits,
            );
        }
        Some(Conflict::Nothing(keys)) => {
            // Others that look for the same keys wait, and then see what this one adds.
            lock::rows_of(session, &planned.found, caller).await?;
            keys
        }
        None => Vec::new(),
    };
    let plan = query::bind(planned.plan, parameters)?;
    let plan = lock::rows_of_query(session, plan, caller).await?;
    let guarded = query::guard(session, plan, caller, scope).await?;
    let mut batches = query::stream(session, guarded, scope, limits);
    let relation = &planned.found.relation;
    let keys = KeyGuard::new(session, relation, &scope.zone, KeyCheck::AtOnce)?;
    let foreign = ForeignGuard::new(session, caller, relation, &scope.zone, None)?;
    let mut writer = RowWriter::new(
        &granted,
        Writing {
            keys,
            foreign,
            generated: default::compile_generated(table(relation)?, caller, scope)?,
            storage: session.engine.catalog.storage(),
            cpu: session.cpu(),
            database: &caller.database,
            system: &caller.system,
            zone: &scope.zone,
            checks: default::compile_checks(table(&planned.found.relation)?, caller, scope)?,
            operation: "WRITE",
        },
    )?
    .apart(session.transaction.is_together());
    writer.skip_at(conflict);
    let mut returned = Vec::new();
    while let Some(batch) = batches.next().await {
        let batch = super::modify::as_schema(&batch?, writer.schema())?;
        let batch = writer.completed(&batch)?;
        let allowed = rules.allow(&batch, Judged::Inserted, &execution).await?;
        let written = writer.write(allowed).await?;
        if returning.is_some() {
            returned.push(written);
        }
    }
    let rows = writer.written();
    for part in writer.finish().await? {
        session.transaction.write(part);
    }
    answer(
        session,
        (caller, scope, &planned.found),
        (rows, returned),
        returning,
        limits,
    )
}

/// The tag, with the returned rows where they are wanted.
fn answer(
    session: &Session,
    (caller, scope, found): (&Caller, &Scope, &Found),
    (rows, returned): (u64, Vec<RecordBatch>),
    returning: Option<Returning>,
    limits: Limits,
) -> Result<Reply> {
    match returning {
        None => Ok(Reply::Done {
            tag: format!("INSERT 0 {rows}"),
        }),
        Some(returning) => {
            let plan = returning.over(returned)?;
            let guarded = crate::policy::guard_own(plan, caller, found, scope)?;
            let batches = query::stream(session, guarded, scope, limits);
            let tag = RowsTag::Counted("INSERT 0");
            Ok(Reply::Rows(Rows {
                columns: returning.columns,
                batches,
                tag,
            }))
        }
    }
}

/// Shared tables are written by operators alone, whatever a tenant was granted.
pub(super) fn check_lent(caller: &Caller, found: &Found) -> Result<()> {
    use tessera_catalog::model::Scope as Reach;
    if caller.lends(found) == Some(Reach::Shared) {
        return Err(Error::PermissionDenied {
            kind: "table",
            name: found.relation.name.clone(),
        });
    }
    Ok(())
}

/// RETURNING reads: the columns that it names need SELECT.
pub(super) fn check_returning(caller: &Caller, found: &Found, returning: &Returning) -> Result<()> {
    let columns: Vec<i16> = returning
        .reads()
        .iter()
        .filter_map(|name| Some(found.relation.table()?.column(name)?.number))
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    check_columns(caller, Privilege::Select, found, &columns).map(drop)
}

/// Plans an INSERT.
pub(super) fn plan(insert: &Insert, around: &Around<'_>) -> Result<Planned> {
    let scope = around.scope;
    refuse(insert)?;
    let TableObject::TableName(name) = &insert.table else {
        return Err(Error::Unsupported("INSERT INTO a function".to_owned()));
    };
    let found = relation(scope, name)?;
    if found.relation.view().is_some() {
        return Err(Error::Unsupported(format!(
            "INSERT INTO the view \"{}\"",
            found.relation.name
        )));
    }
    super::names::check_changeable(&found)?;
    let relation = Arc::clone(&found.relation);
    let live: Vec<&Column> = table(&relation)?.live_columns().collect();
    let targets = targets(insert, &live, &relation.name)?;
    let statement = ast::Statement::Insert(insert.clone());
    let mut parameters = around.parameters(&statement)?;
    let source = match &insert.source {
        Some(source) => {
            let source = with_defaults(source, &targets, scope, &mut parameters)?;
            Some(around.before(source)?)
        }
        None => None,
    };
    let on_conflict = conflict(insert, &relation, (scope, around.with), &mut parameters)?;
    let plan = match source {
        Some(source) => planner::plan(source, scope, &parameters.fields(&scope.zone))?,
        None => LogicalPlanBuilder::empty(true).build()?,
    };
    let (plan, parameters) = parameters.resolve(plan, &scope.zone)?;
    let given = if insert.source.is_some() {
        plan.schema().fields().len()
    } else {
        0
    };
    check_arity(given, &targets, insert)?;
    let named = targets
        .iter()
        .take(given.max(insert.columns.len()))
        .map(|c| c.number)
        .collect();
    check_generated(insert, &targets[..given])?;
    let common = table(&relation)?.scope == Reach::Common;
    let overridden = insert.priority == Some(ast::MysqlInsertPriority::LowPriority);
    let taken: Vec<Option<&Column>> = targets[..given]
        .iter()
        .map(|column| {
            let own = column.generated.is_some() || overridden && column.identity.is_some();
            (!own).then_some(*column)
        })
        .collect();
    let plan = shaped(plan, &taken, &live, common, scope)?;
    let qualifier = match &insert.table_alias {
        Some(alias) => folded(&alias.alias),
        None => relation.name.clone(),
    };
    let returning = match &insert.returning {
        Some(items) => {
            let schema = crate::session::write::table_schema(table(&relation)?, &scope.zone);
            let over = Over {
                schema: &schema,
                qualifier: &qualifier,
                beside: None,
                beside_first: false,
            };
            Some(Returning::plan(items, &over, scope)?)
        }
        None => None,
    };
    Ok(Planned {
        found,
        named,
        plan,
        parameters,
        returning,
        on_conflict,
        arbiters: arbitrating(insert, &relation)?,
    })
}

/// The columns by which ON CONFLICT with a target looks for rows.
fn arbitrating(insert: &Insert, relation: &Relation) -> Result<Vec<i16>> {
    let Some(OnInsert::OnConflict(on)) = &insert.on else {
        return Ok(Vec::new());
    };
    if on.conflict_target.is_none() {
        return Ok(Vec::new());
    }
    let keys = arbiters(on.conflict_target.as_ref(), relation)?;
    Ok(keys.iter().flat_map(|key| key.columns.clone()).collect())
}

/// ON CONFLICT, planned; parameters that it alone names get their types from it.
fn conflict(
    insert: &Insert,
    relation: &Relation,
    names: (&Scope, Option<&ast::With>),
    parameters: &mut Parameters,
) -> Result<Option<Conflict>> {
    let Some(OnInsert::OnConflict(on)) = &insert.on else {
        return Ok(None);
    };
    let target = on.conflict_target.as_ref();
    let update = match &on.action {
        OnConflictAction::DoNothing => {
            let keys = arbiters(target, relation)?;
            let keys = keys.into_iter().map(|key| key.oid).collect();
            return Ok(Some(Conflict::Nothing(keys)));
        }
        OnConflictAction::DoUpdate(update) => update,
    };
    let upsert = Upsert::plan(insert, target, update, names, parameters)?;
    let numbers = |part: &dyn Fn(&mut Vec<usize>)| {
        let mut found = Vec::new();
        part(&mut found);
        found
    };
    let in_source = numbers(&|found| {
        if let Some(source) = &insert.source {
            find_parameters(source.as_ref(), found);
        }
    });
    for number in numbers(&|found| find_parameters(on, found)) {
        let own = upsert.parameters().get(number.wrapping_sub(1));
        if let Some(own) = own.filter(|_| !in_source.contains(&number)) {
            parameters.suggest(number, own);
        }
    }
    Ok(Some(Conflict::Update(Box::new(upsert))))
}

fn find_parameters(part: &impl ast::Visit, found: &mut Vec<usize>) {
    let flow = walk::expressions(part, &mut |expr| {
        found.extend(params::number(expr));
        std::ops::ControlFlow::<()>::Continue(())
    });
    debug_assert!(flow.is_continue());
}

fn refuse(insert: &Insert) -> Result<()> {
    if let Some(OnInsert::DuplicateKeyUpdate(_)) = &insert.on {
        return Err(Error::Unsupported("ON DUPLICATE KEY UPDATE".to_owned()));
    }
    if insert.overwrite || insert.replace_into || insert.or.is_some() || insert.ignore {
        return Err(Error::Unsupported("this form of INSERT".to_owned()));
    }
    Ok(())
}

/// The columns that the statement fills, in its order.
fn targets<'a>(insert: &Insert, live: &[&'a Column], relation: &str) -> Result<Vec<&'a Column>> {
    if insert.columns.is_empty() {
        return Ok(live.to_vec());
    }
    let mut targets: Vec<&Column> = Vec::with_capacity(insert.columns.len());
    for name in &insert.columns {
        let name = super::names::parts(name).pop().unwrap_or_default();
        let column = live
            .iter()
            .find(|column| column.name == name)
            .ok_or_else(|| Error::NoSuchColumnOf {
                column: name.clone(),
                relation: relation.to_owned(),
            })?;
        if targets.iter().any(|target| target.number == column.number) {
            return Err(Error::DuplicateColumn(name));
        }
        targets.push(column);
    }
    Ok(targets)
}

fn check_arity(given: usize, targets: &[&Column], insert: &Insert) -> Result<()> {
    let syntax = |message: &str| {
        Err(Error::Syntax {
            message: message.to_owned(),
            position: None,
        })
    };
    if given > targets.len() {
        return syntax("INSERT has more expressions than target columns");
    }
    if given < targets.len() && !insert.columns.is_empty() {
        return syntax("INSERT has more target columns than expressions");
    }
    Ok(())
}

/// Refuses values for columns that make their own.
fn check_generated(insert: &Insert, given: &[&Column]) -> Result<()> {
    let rows = match insert.source.as_ref().map(|source| source.body.as_ref()) {
        Some(SetExpr::Values(values)) => Some(&values.rows),
        _ => None,
    };
    for (index, column) in given.iter().enumerate() {
        let defaults = rows.is_some_and(|rows| {
            let mut values = rows.iter().map(|row| row.content.get(index));
            values.all(|value| value.is_some_and(is_default))
        });
        let (detail, hint) = match (&column.generated, column.identity, &insert.priority) {
            _ if defaults => continue,
            (Some(_), _, _) => ("a generated column", None),
            (None, Some(Identity::Always), None) => (
                "an identity column defined as GENERATED ALWAYS",
                Some("Use OVERRIDING SYSTEM VALUE to override.".to_owned()),
            ),
            _ => continue,
        };
        return Err(Error::Function {
            sqlstate: "428C9",
            message: format!(
                "cannot insert a non-DEFAULT value into column \"{}\"",
                column.name
            ),
            hint,
            detail: Some(format!("Column \"{}\" is {detail}.", column.name)),
        });
    }
    Ok(())
}

/// VALUES with each DEFAULT replaced by what it stands for, and parameters typed by their columns.
fn with_defaults(
    source: &Query,
    targets: &[&Column],
    scope: &Scope,
    parameters: &mut Parameters,
) -> Result<Query> {
    let mut source = source.clone();
    let SetExpr::Values(values) = source.body.as_mut() else {
        return Ok(source);
    };
    let several = values.rows.len() > 1;
    for (index, column) in targets.iter().enumerate() {
        // What is too long for the column is an error later, and not cut here.
        let kind = match &column.sql_type {
            SqlType::Varchar(_) if several => SqlType::Varchar(None),
            SqlType::Char(_) if several => SqlType::Text,
            other => other.clone(),
        };
        let mut typed = false;
        let mut untyped = Vec::new();
        for (row, cells) in values.rows.iter_mut().enumerate() {
            let Some(value) = cells.content.get_mut(index) else {
                continue;
            };
            if let Some(number) = params::number(value) {
                parameters.suggest(number, &kind);
                typed = true;
            } else if is_default(value) {
                *value = default::written(column, scope)?;
                untyped.push(row);
            } else if planner::is_untyped(value) {
                untyped.push(row);
            } else if matches!((&kind, &*value), (SqlType::Array(_), ast::Expr::Array(_))) {
                // Its elements are read as the column's, and so are texts beside it.
                untyped.push(row);
                typed = true;
            }
            typed |= matches!(value, ast::Expr::Cast { .. });
        }
        // The engine wants one type in a column of VALUES; PostgreSQL has the target's from the start.
        if several && typed && !untyped.is_empty() {
            let target = planner::written_type(&kind)?;
            for row in untyped {
                if let Some(value) = values.rows[row].content.get_mut(index) {
                    *value = planner::cast_to(value.clone(), target.clone());
                }
            }
        }
    }
    Ok(source)
}

pub(super) fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(Ident { value, quote_style: None, .. })
        if value.eq_ignore_ascii_case("default"))
}

/// The table's live columns from the given ones, in the columns' types.
fn shaped(
    plan: LogicalPlan,
    targets: &[Option<&Column>],
    live: &[&Column],
    common: bool,
    scope: &Scope,
) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let mut list: Vec<Expr> = Vec::with_capacity(live.len());
    for column in live {
        let given = targets
            .iter()
            .position(|target| target.is_some_and(|target| target.number == column.number));
        let value = match given {
            Some(index) => {
                let (qualifier, field) = schema.qualified_field(index);
                let from = Expr::Column(PlanColumn::new(qualifier.cloned(), field.name()));
                planner::assign(from, &schema, &column.sql_type, &scope.zone, &column.name)?
            }
            None => {
                let tenant = list.first().filter(|_| common).cloned();
                default::of_row(column, scope, tenant.map(Expr::unalias).as_ref())?
            }
        };
        list.push(value.alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(plan).project(list)?.build()?)
}
