//! BEGIN, COMMIT, ROLLBACK and savepoints.

use crate::error::{Error, Result};
use crate::planner::ast::{Transaction, TransactionModes};
use crate::session::Session;
use crate::session::block::isolation;
use crate::session::channels::Outgoing;
use crate::session::reply::{Notice, Reply};
use crate::session::transaction::{Isolation, Status};

pub(super) async fn run(session: &mut Session, statement: &Transaction) -> Result<Reply> {
    let tag = match statement {
        Transaction::Begin { modes, tag } => begin(session, modes, tag)?,
        Transaction::Commit { chain } => return commit(session, *chain).await,
        Transaction::Rollback { chain } => {
            if !matches!(session.transaction.status, Status::Open | Status::Failed) {
                session.notice(none_in_progress());
            }
            let (level, read_only) = (session.transaction.isolation, session.transaction.read_only);
            session.roll_back();
            again(session, *chain, level, read_only);
            "ROLLBACK"
        }
        Transaction::Savepoint(name) => {
            in_block(session, "SAVEPOINT")?;
            session.absorb_outbox()?;
            let advisory = session.advisory.of_transaction();
            session.transaction.savepoint(name.clone(), advisory);
            "SAVEPOINT"
        }
        Transaction::Release(name) => {
            in_block(session, "RELEASE SAVEPOINT")?;
            session.transaction.release(name)?;
            "RELEASE"
        }
        Transaction::RollbackTo(name) => {
            if session.transaction.status != Status::Failed {
                in_block(session, "ROLLBACK TO SAVEPOINT")?;
            }
            *session.outbox.lock() = Outgoing::default();
            let advisory = session.transaction.roll_back_to(name)?;
            session.advisory.roll_back_to(advisory);
            session.version += 1;
            "ROLLBACK"
        }
        Transaction::Modes(modes) => {
            if session.transaction.status != Status::Open {
                session.notice(Notice::warning(
                    "25P01",
                    "SET TRANSACTION can only be used in transaction blocks",
                ));
            }
            apply(session, modes)?;
            "SET"
        }
        Transaction::SessionModes(modes) => {
            let mut settings = session.settings.lock();
            settings.begin();
            if let Some(level) = &modes.isolation {
                settings.set("default_transaction_isolation", Some(level), false, false)?;
            }
            let on_off = |on: bool| Some(if on { "on" } else { "off" });
            if let Some(read_only) = modes.read_only {
                settings.set(
                    "default_transaction_read_only",
                    on_off(read_only),
                    false,
                    false,
                )?;
            }
            if let Some(deferrable) = modes.deferrable {
                settings.set(
                    "default_transaction_deferrable",
                    on_off(deferrable),
                    false,
                    false,
                )?;
            }
            "SET"
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

fn begin(
    session: &mut Session,
    modes: &TransactionModes,
    tag: &'static str,
) -> Result<&'static str> {
    if session.transaction.status == Status::Open {
        session.notice(Notice::warning(
            "25001",
            "there is already a transaction in progress",
        ));
    }
    // The statements before BEGIN in the same message belong to the block, as in PostgreSQL.
    session.transaction.status = Status::Open;
    let (level, read_only) = {
        let settings = session.settings.lock();
        (
            settings.value("default_transaction_isolation"),
            settings.is_on("default_transaction_read_only"),
        )
    };
    let defaults = TransactionModes {
        isolation: Some(level),
        read_only: Some(read_only),
        deferrable: None,
    };
    apply(session, &defaults)?;
    apply(session, modes)?;
    Ok(tag)
}

fn apply(session: &mut Session, modes: &TransactionModes) -> Result<()> {
    let mut settings = session.settings.lock();
    if let Some(level) = &modes.isolation {
        session.transaction.isolation = isolation(level);
        settings.set("transaction_isolation", Some(level), true, true)?;
    }
    if let Some(read_only) = modes.read_only {
        session.transaction.read_only = read_only;
        settings.set(
            "transaction_read_only",
            Some(if read_only { "on" } else { "off" }),
            true,
            true,
        )?;
    }
    if let Some(deferrable) = modes.deferrable {
        let value = if deferrable { "on" } else { "off" };
        settings.set("transaction_deferrable", Some(value), true, true)?;
    }
    Ok(())
}

async fn commit(session: &mut Session, chain: bool) -> Result<Reply> {
    let (level, read_only) = (session.transaction.isolation, session.transaction.read_only);
    let tag = match session.transaction.status {
        Status::Failed => {
            session.roll_back();
            "ROLLBACK"
        }
        Status::Open => {
            session.commit().await?;
            "COMMIT"
        }
        Status::Idle | Status::Implicit => {
            session.notice(none_in_progress());
            session.commit().await?;
            "COMMIT"
        }
    };
    again(session, chain, level, read_only);
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

/// AND CHAIN: the next transaction begins at once, in the same mode.
fn again(session: &mut Session, chain: bool, level: Isolation, read_only: bool) {
    if chain {
        session.transaction.begin(Status::Open, level, read_only);
    }
}

fn in_block(session: &Session, what: &str) -> Result<()> {
    if session.transaction.status == Status::Open {
        return Ok(());
    }
    Err(Error::NoActiveTransaction(what.to_owned()))
}

fn none_in_progress() -> Notice {
    Notice::warning("25P01", "there is no transaction in progress")
}

/// Refuses a statement inside a transaction block.
pub(super) fn outside_block(session: &Session, what: &str) -> Result<()> {
    if session.transaction.status == Status::Implicit && !session.transaction.is_dirty() {
        return Ok(());
    }
    Err(Error::ActiveTransaction(what.to_owned()))
}
