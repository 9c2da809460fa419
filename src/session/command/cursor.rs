//! DECLARE, FETCH, MOVE and CLOSE.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::sql::sqlparser::ast::Query;

use super::{lock, query};
use crate::error::{Error, Result};
use crate::execute::{self, BatchStream, Interrupt, Limits};
use crate::planner::{self, ast::Fetch};
use crate::session::Session;
use crate::session::cursor::{Cursor, Declared, Scan};
use crate::session::reply::{Reply, Rows, RowsTag};
use crate::session::spool::Spool;
use crate::session::transaction::Status;

/// DECLARE, as it is written.
pub(super) struct Declaration<'a> {
    pub(super) name: &'a str,
    pub(super) scroll: Option<bool>,
    pub(super) hold: bool,
    pub(super) query: &'a Query,
    /// The whole statement.
    pub(super) text: &'a Arc<str>,
}

pub(super) async fn declare(session: &mut Session, declaration: Declaration<'_>) -> Result<Reply> {
    let Declaration {
        name,
        scroll,
        hold,
        query: written,
        text,
    } = declaration;
    if !hold && session.transaction.status == Status::Implicit {
        return Err(Error::NoActiveTransaction("DECLARE CURSOR".to_owned()));
    }
    let refused = |message: &str| Error::Function {
        sqlstate: "0A000",
        message: message.to_owned(),
        hint: None,
        detail: None,
    };
    if planner::changes_rows(written) {
        return Err(refused(
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ));
    }
    if !written.locks.is_empty() && hold {
        return Err(refused(
            "DECLARE CURSOR WITH HOLD ... FOR UPDATE is not supported",
        ));
    }
    if !written.locks.is_empty() && scroll == Some(true) {
        return Err(refused(
            "DECLARE SCROLL CURSOR ... FOR UPDATE is not supported",
        ));
    }
    session.cursors.check_new(name)?;
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (plan, _, columns) = query::answer(written, &scope, &[])?;
    let plan = lock::rows_of_query(session, plan, &caller).await?;
    let guarded = query::guard(session, plan, &caller, &scope).await?;
    // A cursor outlives the statement's own time limit; each FETCH has one.
    let batches = query::stream(session, guarded, &scope, Limits::default());
    let environment = session.engine.environment(session.login.database)?;
    let declared = Declared {
        columns,
        text: Arc::clone(text),
        hold,
        scroll: scroll == Some(true),
        at: chrono::Utc::now().timestamp_micros(),
    };
    let spool = Spool::new(Arc::clone(&environment.disk_manager));
    session.cursors.open(name, declared, batches, spool)?;
    Ok(Reply::Done {
        tag: "DECLARE CURSOR".to_owned(),
    })
}

/// What is left to do once a cursor stands beside the rows that are wanted.
#[derive(Debug, Clone, Copy)]
enum Motion {
    Forward(u64),
    Backward(u64),
}

pub(super) async fn fetch(
    session: &mut Session,
    name: &str,
    direction: Fetch,
    discard: bool,
    limits: Limits,
) -> Result<Reply> {
    let Cursor { declared, scan, .. } = session.cursors.get(name)?;
    let interrupt = session.interrupt.clone();
    let mut at = scan.lock().await;
    let prepared = prepare(&mut at, direction, declared.scroll);
    let motion = execute::bounded(prepared, limits, &interrupt).await?;
    if discard {
        let moved = execute::bounded(skip(&mut at, motion), limits, &interrupt).await?;
        return Ok(Reply::Done {
            tag: format!("MOVE {moved}"),
        });
    }
    drop(at);
    let fetching = Fetching {
        scan,
        motion,
        limits,
        interrupt,
    };
    Ok(Reply::Rows(Rows {
        columns: declared.columns,
        batches: fetching.stream(),
        tag: RowsTag::Counted("FETCH"),
    }))
}

/// Brings a cursor to where the wanted rows begin.
async fn prepare(scan: &mut Scan, direction: Fetch, scrolls: bool) -> Result<Motion> {
    let position = scan.position();
    let target = match direction {
        Fetch::Forward(count) if count > 0 => return Ok(Motion::Forward(count)),
        Fetch::ForwardAll => return Ok(Motion::Forward(u64::MAX)),
        Fetch::Backward(count) if count > 0 => {
            check_scrolls(scrolls)?;
            return Ok(Motion::Backward(count));
        }
        Fetch::BackwardAll => {
            check_scrolls(scrolls)?;
            return Ok(Motion::Backward(u64::MAX));
        }
        // The row on which the cursor stands, once more.
        Fetch::Forward(_) | Fetch::Backward(_) | Fetch::Relative(0) => {
            if !scan.is_on_row() {
                return Ok(Motion::Forward(0));
            }
            position
        }
        Fetch::Relative(count) => position.saturating_add_signed(count),
        Fetch::Absolute(wanted) if wanted >= 0 => wanted.unsigned_abs(),
        Fetch::Absolute(wanted) => {
            check_scrolls(scrolls)?;
            scan.seek(u64::MAX).await?;
            scan.position().saturating_sub(wanted.unsigned_abs())
        }
    };
    if target == 0 {
        if position > 0 {
            check_scrolls(scrolls)?;
        }
        scan.seek(0).await?;
        return Ok(Motion::Forward(0));
    }
    if target <= position {
        check_scrolls(scrolls)?;
    }
    scan.seek(target - 1).await?;
    // Beyond the end there is no row, and the cursor stays behind the last.
    Ok(Motion::Forward(1))
}

fn check_scrolls(scrolls: bool) -> Result<()> {
    match scrolls {
        true => Ok(()),
        false => Err(Error::Function {
            sqlstate: "55000",
            message: "cursor can only scan forward".to_owned(),
            hint: Some("Declare it with SCROLL option to enable backward scan.".to_owned()),
            detail: None,
        }),
    }
}

/// Passes rows by, and tells how many.
async fn skip(scan: &mut Scan, motion: Motion) -> Result<u64> {
    let position = scan.position();
    match motion {
        Motion::Forward(0) => Ok(0),
        Motion::Forward(count) => scan.seek(position.saturating_add(count)).await,
        Motion::Backward(count) => {
            let target = position.saturating_sub(count);
            scan.seek(target).await?;
            Ok(match target {
                0 => position.saturating_sub(1),
                _ => position - target,
            })
        }
    }
}

/// A FETCH that runs as its rows are taken.
struct Fetching {
    scan: Arc<tokio::sync::Mutex<Scan>>,
    motion: Motion,
    limits: Limits,
    interrupt: Interrupt,
}

impl Fetching {
    fn stream(self) -> BatchStream {
        let state = (self, Vec::<RecordBatch>::new().into_iter(), false);
        Box::pin(futures::stream::unfold(
            state,
            |(mut fetching, mut ready, done)| async move {
                loop {
                    if let Some(batch) = ready.next() {
                        return Some((Ok(batch), (fetching, ready, done)));
                    }
                    if done {
                        return None;
                    }
                    match fetching.next().await {
                        Ok(batches) if batches.is_empty() => return None,
                        Ok(batches) => ready = batches.into_iter(),
                        Err(error) => return Some((Err(error), (fetching, ready, true))),
                    }
                }
            },
        ))
    }

    async fn next(&mut self) -> Result<Vec<RecordBatch>> {
        let mut scan = self.scan.lock().await;
        let work = async {
            match self.motion {
                Motion::Forward(left) => scan.forward(left).await,
                Motion::Backward(left) => scan.backward(left).await,
            }
        };
        let batches = execute::bounded(work, self.limits, &self.interrupt).await?;
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        self.motion = match self.motion {
            Motion::Forward(left) => Motion::Forward(left - rows.min(left)),
            Motion::Backward(left) => Motion::Backward(left - rows.min(left)),
        };
        Ok(batches)
    }
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
