//! DECLARE, FETCH, MOVE and CLOSE.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Query;

use super::{lock, query};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::ast::Fetch;
use crate::session::Session;
use crate::session::reply::{Reply, Rows, RowsTag};
use crate::session::transaction::Status;

pub(super) async fn declare(
    session: &mut Session,
    name: &str,
    scroll: Option<bool>,
    hold: bool,
    written: &Query,
    _limits: Limits,
) -> Result<Reply> {
    if !hold && session.transaction.status == Status::Implicit {
        return Err(Error::NoActiveTransaction("DECLARE CURSOR".to_owned()));
    }
    if scroll == Some(true) {
        return Err(Error::Unsupported("DECLARE SCROLL CURSOR".to_owned()));
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (plan, _, columns) = query::answer(written, &scope, &[])?;
    lock::rows_of_query(session, written, &plan, &caller).await?;
    let guarded = query::guard(session, plan, &caller, &scope).await?;
    // A cursor outlives the statement's own time limit; each FETCH has one.
    let batches = query::stream(session, guarded, &scope, Limits::default());
    session.cursors.open(name, columns, batches, hold)?;
    Ok(Reply::Done {
        tag: "DECLARE CURSOR".to_owned(),
    })
}

pub(super) async fn fetch(
    session: &mut Session,
    name: &str,
    direction: Fetch,
    discard: bool,
) -> Result<Reply> {
    let cursor = session.cursors.get(name)?;
    let position = i64::try_from(cursor.position).unwrap_or(i64::MAX);
    let backward = || Error::InvalidCursorState("cursor can only scan forward".to_owned());
    let (skip, take) = match direction {
        Fetch::Forward(count) => (0, count),
        Fetch::ForwardAll => (0, u64::MAX),
        Fetch::Backward(0) => (0, 0),
        Fetch::Backward(_) | Fetch::BackwardAll => return Err(backward()),
        Fetch::Absolute(wanted) if wanted > position => ((wanted - position - 1).unsigned_abs(), 1),
        Fetch::Relative(count) if count > 0 => ((count - 1).unsigned_abs(), 1),
        Fetch::Absolute(_) | Fetch::Relative(_) => return Err(backward()),
    };
    cursor.forward(skip).await?;
    let batches = cursor.forward(take).await?;
    if discard {
        let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        return Ok(Reply::Done {
            tag: format!("MOVE {rows}"),
        });
    }
    let columns = Arc::clone(&cursor.columns);
    let batches = Box::pin(futures::stream::iter(batches.into_iter().map(Ok)));
    Ok(Reply::Rows(Rows {
        columns,
        batches,
        tag: RowsTag::Counted("FETCH"),
    }))
}

pub(super) fn close(session: &mut Session, name: Option<&str>) -> Result<Reply> {
    let tag = match name {
        None => {
            session.cursors.clear();
            "CLOSE CURSOR ALL"
        }
        Some(name) => {
            session.cursors.close(name)?;
            "CLOSE CURSOR"
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}
