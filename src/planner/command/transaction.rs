//! BEGIN, COMMIT, ROLLBACK, savepoints and transaction modes.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::planner::ast::{Transaction, TransactionModes};
use crate::planner::cursor::Cursor;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Transaction>> {
    if cursor.starts_with(&["COMMIT", "PREPARED"]) || cursor.starts_with(&["ROLLBACK", "PREPARED"])
    {
        return Ok(None);
    }
    if cursor.accept(&["BEGIN"]) {
        work(cursor);
        return Ok(Some(Transaction::Begin {
            modes: modes(cursor)?,
            tag: "BEGIN",
        }));
    }
    if cursor.accept(&["START", "TRANSACTION"]) {
        return Ok(Some(Transaction::Begin {
            modes: modes(cursor)?,
            tag: "START TRANSACTION",
        }));
    }
    if cursor.accept(&["COMMIT"]) || cursor.accept(&["END"]) {
        work(cursor);
        return Ok(Some(Transaction::Commit {
            chain: chain(cursor)?,
        }));
    }
    if cursor.accept(&["ROLLBACK"]) || cursor.accept(&["ABORT"]) {
        work(cursor);
        if cursor.accept(&["TO"]) {
            cursor.accept(&["SAVEPOINT"]);
            return Ok(Some(Transaction::RollbackTo(cursor.identifier()?)));
        }
        return Ok(Some(Transaction::Rollback {
            chain: chain(cursor)?,
        }));
    }
    if cursor.accept(&["SAVEPOINT"]) {
        return Ok(Some(Transaction::Savepoint(cursor.identifier()?)));
    }
    if cursor.accept(&["RELEASE"]) {
        cursor.accept(&["SAVEPOINT"]);
        return Ok(Some(Transaction::Release(cursor.identifier()?)));
    }
    if cursor.accept(&["SET", "TRANSACTION"]) {
        return Ok(Some(Transaction::Modes(modes(cursor)?)));
    }
    if cursor.accept(&["SET", "SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"]) {
        return Ok(Some(Transaction::SessionModes(modes(cursor)?)));
    }
    Ok(None)
}

fn work(cursor: &mut Cursor<'_>) {
    if !cursor.accept(&["WORK"]) {
        cursor.accept(&["TRANSACTION"]);
    }
}

fn chain(cursor: &mut Cursor<'_>) -> Result<bool> {
    if cursor.accept(&["AND", "NO", "CHAIN"]) {
        return Ok(false);
    }
    Ok(cursor.accept(&["AND", "CHAIN"]))
}

fn modes(cursor: &mut Cursor<'_>) -> Result<TransactionModes> {
    let mut modes = TransactionModes::default();
    loop {
        if cursor.accept(&["ISOLATION", "LEVEL"]) {
            let level = if cursor.accept(&["SERIALIZABLE"]) {
                "serializable"
            } else if cursor.accept(&["REPEATABLE", "READ"]) {
                "repeatable read"
            } else if cursor.accept(&["READ", "COMMITTED"]) {
                "read committed"
            } else if cursor.accept(&["READ", "UNCOMMITTED"]) {
                "read uncommitted"
            } else {
                return Err(cursor.unexpected());
            };
            modes.isolation = Some(level.to_owned());
        } else if cursor.accept(&["READ", "ONLY"]) {
            modes.read_only = Some(true);
        } else if cursor.accept(&["READ", "WRITE"]) {
            modes.read_only = Some(false);
        } else if cursor.accept(&["NOT", "DEFERRABLE"]) {
            modes.deferrable = Some(false);
        } else if cursor.accept(&["DEFERRABLE"]) {
            modes.deferrable = Some(true);
        } else if !cursor.accept_token(&Token::Comma) {
            return Ok(modes);
        }
    }
}
