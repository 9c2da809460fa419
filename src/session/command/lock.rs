//! Locks on tables and their rows: what LOCK TABLE, reading, INSERT, UPDATE, DELETE, MERGE, TRUNCATE
//! and SELECT … FOR UPDATE take, in PostgreSQL's modes.
//!
//! A lock is on the session's part of a table. One on rows is on all of the part's, since files are
//! rewritten whole.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::ObjectName;
use tessera_catalog::id::{DatabaseId, Part, Space};
use tessera_catalog::locks::{Mode, Target};
use tessera_catalog::model::Privilege;

use super::names::{check_owner, qualified, relation};
use crate::error::{Error, Result};
use crate::planner::source::{AsOf, Found, LockWait, TableRef};
use crate::policy::{Caller, Object, check};
use crate::session::Session;
use crate::session::opener::{Locked, locked, part, space, without_rows_of};
use crate::session::reply::Reply;
use crate::session::transaction::{Status, TEMPORARY_SCHEMA};

/// Waits until no other transaction changes the rows that the session has of a table.
///
/// The operator's union over tenants takes no lock: nobody waits for another tenant, and a conflict is
/// told at the commit.
///
/// # Errors
/// 55P03 after `lock_timeout`, 40P01 for a circle of waits.
pub(super) async fn rows_of(session: &mut Session, found: &Found, caller: &Caller) -> Result<()> {
    let Some(part) = lockable(found, caller) else {
        return Ok(());
    };
    take(session, Target::Table(part), Mode::RowExclusive).await?;
    take(session, Target::Rows(part), Mode::Exclusive).await
}

/// The lock of a statement that adds rows to a table, which others may do at the same time.
///
/// # Errors
/// As [`rows_of`].
pub(super) async fn adds_to(session: &mut Session, found: &Found, caller: &Caller) -> Result<()> {
    let Some(part) = lockable(found, caller) else {
        return Ok(());
    };
    take(session, Target::Table(part), Mode::RowExclusive).await
}

/// Keeps everybody else from a table and its rows.
///
/// # Errors
/// As [`rows_of`].
pub(super) async fn alone(session: &mut Session, found: &Found, caller: &Caller) -> Result<()> {
    let Some(part) = lockable(found, caller) else {
        return Ok(());
    };
    take(session, Target::Table(part), Mode::AccessExclusive).await?;
    take(session, Target::Rows(part), Mode::Exclusive).await
}

/// Keeps everybody else from the tables whose definitions a statement changes, as far as they are the
/// session's role's to change. Names are to be looked up afterwards, for what was waited for may have
/// changed them.
///
/// # Errors
/// As [`rows_of`].
pub(super) async fn definitions(session: &mut Session, names: &[ObjectName]) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    for name in names {
        let (schema, name) = qualified(name, &scope.database.name)?;
        if let Some(found) = scope.find(schema.as_deref(), &name)
            && check_owner(&caller, &found).is_ok()
        {
            alone(session, &found, &caller).await?;
        }
    }
    Ok(())
}

/// The locks of a query, which wait for LOCK TABLE alone. A block holds them to its end; a statement by
/// itself needs none once it has begun, for what it reads never changes.
///
/// # Errors
/// As [`rows_of`].
pub(super) async fn reads(
    session: &mut Session,
    read: &[&TableRef],
    caller: &Caller,
) -> Result<()> {
    let holds = session.transaction.status == Status::Open;
    for table in read.iter().filter(|table| table.as_of == AsOf::Now) {
        let Some(part) = lockable(&table.found, caller) else {
            continue;
        };
        let target = Target::Table(part);
        if holds {
            take(session, target, Mode::AccessShare).await?;
            continue;
        }
        let owner = session.owner();
        let engine = Arc::clone(&session.engine);
        let locks = engine.catalog.locks();
        if locks.try_lock(target, Mode::AccessShare, owner).is_none() {
            let locked = async { Ok(locks.lock(target, Mode::AccessShare, owner).await?) };
            drop(within_limit(session, locked).await?);
        }
    }
    Ok(())
}

/// Takes a lock if nothing stands in the way.
fn try_take(session: &mut Session, wanted: (Target, Mode)) -> bool {
    let owner = session.owner();
    let catalog = &session.engine.catalog;
    session.transaction.try_lock(catalog, owner, wanted)
}

async fn take(session: &mut Session, target: Target, mode: Mode) -> Result<()> {
    if try_take(session, (target, mode)) {
        return Ok(());
    }
    let owner = session.owner();
    let engine = Arc::clone(&session.engine);
    let limit = lock_timeout(session);
    let locked = session
        .transaction
        .lock(&engine.catalog, owner, (target, mode));
    limited(limit, locked).await
}

fn lock_timeout(session: &Session) -> Option<Duration> {
    let milliseconds = u64::try_from(session.settings.lock().number("lock_timeout"));
    let milliseconds = milliseconds.ok().filter(|limit| *limit > 0)?;
    Some(Duration::from_millis(milliseconds))
}

async fn within_limit<T>(session: &Session, work: impl Future<Output = Result<T>>) -> Result<T> {
    limited(lock_timeout(session), work).await
}

async fn limited<T>(limit: Option<Duration>, work: impl Future<Output = Result<T>>) -> Result<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work)
            .await
            .map_err(|_| Error::LockTimeout)?,
        None => work.await,
    }
}

/// LOCK TABLE, as it is written.
pub(super) struct LockTable<'a> {
    pub(super) names: &'a [ObjectName],
    pub(super) mode: Mode,
    pub(super) nowait: bool,
}

/// Runs LOCK TABLE.
///
/// # Errors
/// 25P01 outside a transaction block, 42501 without a right that the mode asks for, 55P03 with NOWAIT,
/// 0A000 for a view, an operator's common table and a tenant's shared one, and as [`rows_of`].
pub(super) async fn table(session: &mut Session, lock: LockTable<'_>) -> Result<Reply> {
    if session.transaction.status == Status::Implicit {
        return Err(Error::NoActiveTransaction("LOCK TABLE".to_owned()));
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    for name in lock.names {
        let found = relation(&scope, name)?;
        if found.relation.view().is_some() {
            return Err(Error::Unsupported("LOCK TABLE of a view".to_owned()));
        }
        if found.relation.table().is_none() {
            return Err(Error::WrongKind {
                name: found.relation.name.clone(),
                wanted: "table",
            });
        }
        check_may_lock(&caller, &found, lock.mode)?;
        let Some(part) = lockable(&found, &caller) else {
            if found.relation.schema == TEMPORARY_SCHEMA {
                continue;
            }
            let what = match caller.database.id {
                DatabaseId::System => "LOCK TABLE of a common table in the system database",
                DatabaseId::Tenant(_) => "LOCK TABLE of a shared table in a tenant",
            };
            return Err(Error::Unsupported(what.to_owned()));
        };
        let target = Target::Table(part);
        if !lock.nowait {
            take(session, target, lock.mode).await?;
        } else if !try_take(session, (target, lock.mode)) {
            return Err(Error::LockNotAvailable {
                kind: "relation",
                name: found.relation.name.clone(),
            });
        }
    }
    Ok(Reply::Done {
        tag: "LOCK TABLE".to_owned(),
    })
}

/// Any of the rights that a mode asks for will do.
fn check_may_lock(caller: &Caller, found: &Found, mode: Mode) -> Result<()> {
    let more = match mode {
        Mode::AccessShare => Some(Privilege::Select),
        Mode::RowExclusive => Some(Privilege::Insert),
        _ => None,
    };
    let rights = [Privilege::Update, Privilege::Delete, Privilege::Truncate];
    let mut refused = Ok(());
    for right in rights.into_iter().chain(more) {
        refused = check(caller, right, Object::Relation(found));
        if refused.is_ok() {
            return Ok(());
        }
    }
    refused
}

/// Takes the locks that a query asks for by FOR UPDATE and its like, and gives its plan without the rows
/// that it is to skip: a lock is on all rows that the session has of a table, so it may be on more than
/// PostgreSQL's, never on fewer.
///
/// # Errors
/// 42501 without the right to change the tables, 25006 in a read-only transaction, 55P03 with NOWAIT,
/// and as [`rows_of`].
pub(super) async fn rows_of_query(
    session: &mut Session,
    plan: LogicalPlan,
    caller: &Caller,
) -> Result<LogicalPlan> {
    let wanted = locked(&plan)?;
    let mut skipped: Vec<Found> = Vec::new();
    for Locked { how, found, named } in wanted {
        if session.transaction.read_only {
            let clause = match how.mode {
                Mode::Share => "FOR SHARE",
                _ => "FOR UPDATE",
            };
            return Err(Error::ReadOnly(format!("SELECT {clause}")));
        }
        check(caller, Privilege::Update, Object::Relation(&named))?;
        let Some(part) = lockable(&found, caller) else {
            continue;
        };
        take(session, Target::Table(part), Mode::RowShare).await?;
        let rows = (Target::Rows(part), how.mode);
        match how.wait {
            LockWait::Wait => take(session, rows.0, rows.1).await?,
            LockWait::Refuse if !try_take(session, rows) => {
                return Err(Error::LockNotAvailable {
                    kind: "row in relation",
                    name: found.relation.name.clone(),
                });
            }
            LockWait::Skip if !try_take(session, rows) => skipped.push(named),
            LockWait::Refuse | LockWait::Skip => {}
        }
    }
    if skipped.is_empty() {
        return Ok(plan);
    }
    without_rows_of(plan, &|found| {
        skipped
            .iter()
            .any(|skipped| skipped.relation.oid == found.relation.oid && skipped.home == found.home)
    })
}

/// The part whose locks a session takes for a table: none for temporary tables, which are its own, for the
/// operator's union over tenants, and for shared tables in a tenant, since no tenant is to be felt by
/// another or by the operator.
fn lockable(found: &Found, caller: &Caller) -> Option<Part> {
    let table = found.relation.table()?;
    if found.relation.schema == TEMPORARY_SCHEMA {
        return None;
    }
    let space = space(found, table, caller.database.id)?;
    if space == Space::Shared && caller.database.id != DatabaseId::System {
        return None;
    }
    Some(part(space, table))
}
