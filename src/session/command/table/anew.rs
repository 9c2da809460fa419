//! Writing a table's rows anew: with what a new column holds in each, or with a column in another type.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Column as PlanColumn;
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, ObjectNamePart, SelectItem, SetExpr};
use futures::StreamExt;
use tessera_catalog::id::{Part, Space};
use tessera_catalog::model::{Privilege, Relation, Scope as Reach, Table};

use super::super::modify::on_conflict::{factor, quoted};
use super::super::modify::referred::{referrers, refers_from_tenants};
use super::super::{default, lock, query};
use super::existing::hold_still;
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::source::Found;
use crate::planner::{self, Scope};
use crate::policy::{Caller, GuardedPlan, Judged, Purpose, RowChecks, check_columns};
use crate::session::Session;
use crate::session::opener::space;
use crate::session::transaction::{Fresh, PendingPart};
use crate::session::write::{RowWriter, Writing, table};

/// Writes all rows of a table in its new form. `values` are expressions over the old columns for those
/// that are not as they were, by their numbers.
///
/// # Errors
/// 23502 and 23514 for rows that the new form does not allow, and what the expressions meet.
pub(super) async fn write(
    session: &mut Session,
    found: &Found,
    changed: &Relation,
    values: &HashMap<i16, Expr>,
) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let owner = Caller {
        superuser: true,
        ..caller
    };
    let emptied = emptied(session, found, &scope).await?;
    if emptied
        .iter()
        .all(|part| part.removed.is_empty() && part.rows.is_empty())
    {
        return Ok(());
    }
    let plan = plan(found, table(changed)?, values, &scope)?;
    let guarded = query::guard_for(session, plan, &owner, &scope, Purpose::Definition).await?;
    replace(session, found, changed, (emptied, Some(guarded)), &scope).await
}

/// Puts the rows of a plan, or none, in place of all that a table had.
///
/// # Errors
/// As [`write`].
pub(super) async fn replace(
    session: &mut Session,
    found: &Found,
    changed: &Relation,
    (emptied, guarded): (Vec<PendingPart>, Option<GuardedPlan>),
    scope: &Scope,
) -> Result<()> {
    let caller = session.caller().await?;
    let owner = Caller {
        superuser: true,
        ..caller.clone()
    };
    let of_table = table(changed)?;
    let limits = Limits::default();
    let new = Found {
        relation: Arc::new(changed.clone()),
        ..found.clone()
    };
    let numbers: Vec<i16> = of_table
        .live_columns()
        .map(|column| column.number)
        .collect();
    let granted = check_columns(&owner, Privilege::Insert, &new, &numbers)?;
    let mut writer = RowWriter::new(
        &granted,
        Writing {
            keys: None,
            foreign: None,
            generated: default::compile_generated(of_table, &caller, scope)?,
            storage: session.engine.catalog.storage(),
            cpu: session.cpu(),
            database: &caller.database,
            system: &caller.system,
            zone: &scope.zone,
            checks: default::compile_checks(of_table, &caller, scope)?,
            operation: "ALTER TABLE",
        },
    )?;
    if let Some(guarded) = guarded {
        let mut batches = query::stream(session, guarded, scope, limits);
        let rules = RowChecks::of_new_table(&changed.name);
        let execution = session.execution(&scope.state, limits);
        while let Some(batch) = batches.next().await {
            let batch = super::super::modify::as_schema(&batch?, writer.schema())?;
            let batch = writer.completed(&batch)?;
            let allowed = rules.allow(&batch, Judged::Inserted, &execution).await?;
            writer.write(allowed).await.map_err(existing)?;
        }
    }
    let written = writer.finish().await?;
    for part in emptied {
        session.transaction.replace_rows(&part.part, Vec::new());
        session.transaction.write(PendingPart {
            rows: Vec::new(),
            relation: Arc::clone(&new.relation),
            ..part
        });
    }
    for part in written {
        session.transaction.write(part);
    }
    Ok(())
}

/// What goes: all files of all parts, and the transaction's own rows.
///
/// # Errors
/// What reading the parts' states meets.
pub(super) async fn emptied(
    session: &mut Session,
    found: &Found,
    scope: &Scope,
) -> Result<Vec<PendingPart>> {
    let caller = session.caller().await?;
    lock::rows_of(session, found, &caller).await?;
    hold_still(session, found).await?;
    let stored = table(&found.relation)?;
    let spaces: Vec<Space> = match space(found, stored, scope.database.id) {
        Some(space) => vec![space],
        None => {
            let sizes = session.engine.catalog.parts_of(stored.uuid).await?;
            let pending = session.transaction.pending_parts();
            let own = pending.filter(|pending| pending.part.table == stored.uuid);
            let own = own.map(|pending| pending.part.space);
            let mut spaces: Vec<Space> = sizes
                .into_iter()
                .map(|size| size.space)
                .chain(own)
                .collect();
            spaces.sort_unstable();
            spaces.dedup();
            spaces
        }
    };
    let parts = spaces.into_iter().map(|space| Part {
        space,
        table: stored.uuid,
    });
    let parts: Vec<Part> = parts.collect();
    let name = found.relation.name.as_str();
    let wanted: Vec<(Part, &str)> = parts.iter().map(|part| (*part, name)).collect();
    let catalog = session.engine.catalog.clone();
    let snapshots = session.transaction.snapshots(&catalog, &wanted).await?;
    let lends_keys = stored.scope == Reach::Common
        && caller.is_system()
        && refers_from_tenants(session, found.relation.oid).await?;
    let mut emptied = Vec::with_capacity(parts.len());
    for (part, snapshot) in parts.into_iter().zip(snapshots) {
        let mut removed = snapshot.files.clone();
        let mut rows = Vec::new();
        if let Some(pending) = session.transaction.pending(&part) {
            removed.retain(|file| !pending.removed.iter().any(|r| r.path == file.path));
            removed.extend(pending.added.iter().map(Arc::clone));
            rows.clone_from(&pending.rows);
        }
        // Rows keep their keys, so what refers to them may go on doing so.
        let referred_by = referrers(
            session,
            &caller,
            found.relation.oid,
            (part.space, lends_keys),
        )
        .await?;
        emptied.push(PendingPart {
            part,
            database: found.home,
            relation: Arc::clone(&found.relation),
            added: Vec::new(),
            rows,
            removed,
            operation: "ALTER TABLE",
            claims: Vec::new(),
            arbitrated: false,
            references: Vec::new(),
            referred_by,
            deferred: Vec::new(),
            known: Vec::new(),
            fresh: Fresh::default(),
        });
    }
    Ok(emptied)
}

/// The table's rows in the new columns.
fn plan(
    found: &Found,
    new: &Table,
    values: &HashMap<i16, Expr>,
    scope: &Scope,
) -> Result<LogicalPlan> {
    let old = table(&found.relation)?;
    let mut list = Vec::new();
    for column in new.live_columns() {
        let expr = match values.get(&column.number) {
            Some(expr) => expr.clone(),
            None => {
                let before = old.columns.iter().find(|c| c.number == column.number);
                let before = before.ok_or_else(|| Error::internal("a column without a value"))?;
                Expr::Identifier(quoted(&before.name))
            }
        };
        list.push(SelectItem::ExprWithAlias {
            expr,
            alias: quoted(&column.name),
        });
    }
    let mut written = crate::session::command::modify::skeleton("SELECT 1 FROM t")?;
    if let SetExpr::Select(select) = written.body.as_mut()
        && let Some(from) = select.from.first_mut()
    {
        let name = [&found.schema_name, &found.relation.name];
        let name = name.map(|part| ObjectNamePart::Identifier(quoted(part)));
        from.relation = factor(ObjectName(name.to_vec()), None);
        select.projection = list;
    }
    shaped(planner::plan(written, scope, &[])?, new, scope)
}

/// A plan's columns in the types of a table's, in order.
///
/// # Errors
/// 42804 for a type that cannot become the column's.
pub(super) fn shaped(plan: LogicalPlan, new: &Table, scope: &Scope) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    let mut list = Vec::new();
    for (place, column) in new.live_columns().enumerate() {
        let (qualifier, field) = schema.qualified_field(place);
        let from = PlanExpr::Column(PlanColumn::new(qualifier.cloned(), field.name()));
        let value = planner::assign(from, &schema, &column.sql_type, &scope.zone, &column.name)?;
        list.push(value.alias(&column.name));
    }
    Ok(LogicalPlanBuilder::from(plan).project(list)?.build()?)
}

/// The error of a rule that rows which are there break.
fn existing(error: Error) -> Error {
    match error {
        Error::InSchema { source, .. } => existing(*source),
        Error::Check {
            relation,
            constraint,
            ..
        } => Error::CheckOfExisting {
            constraint,
            relation,
        },
        Error::NotNull {
            column, relation, ..
        } => Error::ContainsNulls { column, relation },
        other => other,
    }
}
