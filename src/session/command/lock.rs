//! Locks on the rows of a table: what UPDATE, DELETE, MERGE, TRUNCATE and SELECT … FOR UPDATE take.
//!
//! A lock is on the session's part of a table as a whole, since files are rewritten whole.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{LockClause, LockType, NonBlock, Query, Visitor};
use tessera_catalog::id::Part;
use tessera_catalog::model::Privilege;

use crate::error::{Error, Result};
use crate::planner::source::Found;
use crate::policy::{Caller, check_columns};
use crate::session::Session;
use crate::session::opener::{part, space, tables};
use crate::session::transaction::TEMPORARY_SCHEMA;
use tessera_udfs::walk::walk;

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
    let milliseconds = u64::try_from(session.settings.lock().number("lock_timeout"));
    let engine = Arc::clone(&session.engine);
    let locked = session.transaction.lock(&engine.catalog, part);
    match milliseconds {
        Ok(limit) if limit > 0 => tokio::time::timeout(Duration::from_millis(limit), locked)
            .await
            .map_err(|_| Error::LockTimeout)?,
        _ => locked.await,
    }
}

/// Takes the locks that a query asks for by FOR UPDATE and its like, on all tables that it reads: a
/// lock may be on more rows than PostgreSQL's, never on fewer.
///
/// # Errors
/// 42501 without the right to change the tables, 25006 in a read-only transaction, 0A000 for SKIP
/// LOCKED, 55P03 with NOWAIT, and as [`rows_of`].
pub(super) async fn rows_of_query(
    session: &mut Session,
    query: &Query,
    plan: &LogicalPlan,
    caller: &Caller,
) -> Result<()> {
    let Some(wanted) = clauses(query) else {
        return Ok(());
    };
    if session.transaction.read_only {
        return Err(Error::ReadOnly(format!("SELECT {}", wanted.name)));
    }
    if wanted.skips {
        return Err(Error::Unsupported("SKIP LOCKED".to_owned()));
    }
    for (found, by_view) in tables(plan)? {
        if !by_view {
            check_columns(caller, Privilege::Update, &found, &[])?;
        }
        if !wanted.at_once {
            rows_of(session, &found, caller).await?;
            continue;
        }
        let Some(part) = lockable(&found, caller) else {
            continue;
        };
        let engine = Arc::clone(&session.engine);
        if !session.transaction.try_lock(&engine.catalog, part) {
            return Err(Error::LockNotAvailable(found.relation.name.clone()));
        }
    }
    Ok(())
}

/// What the locking clauses of a query and its sub-queries say together.
struct Wanted {
    name: &'static str,
    at_once: bool,
    skips: bool,
}

fn clauses(query: &Query) -> Option<Wanted> {
    let mut found = Clauses(Vec::new());
    let _ = walk(query, &mut found);
    let first = found.0.first()?;
    let with = |how: NonBlock| found.0.iter().any(|clause| clause.nonblock == Some(how));
    Some(Wanted {
        name: match first.lock_type {
            LockType::Share => "FOR SHARE",
            LockType::Update => "FOR UPDATE",
        },
        at_once: with(NonBlock::Nowait),
        skips: with(NonBlock::SkipLocked),
    })
}

struct Clauses(Vec<LockClause>);

impl Visitor for Clauses {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.extend(query.locks.iter().cloned());
        ControlFlow::Continue(())
    }
}

/// The part that a session's changes of a table go to.
fn lockable(found: &Found, caller: &Caller) -> Option<Part> {
    let table = found.relation.table()?;
    if found.relation.schema == TEMPORARY_SCHEMA {
        return None;
    }
    Some(part(space(found, table, caller.database.id)?, table))
}
