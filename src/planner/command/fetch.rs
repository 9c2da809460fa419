//! The directions of FETCH and MOVE.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::planner::ast::Fetch;
use crate::planner::cursor::Cursor;

/// Reads FETCH's and MOVE's direction; the cursor's name follows.
pub(super) fn fetch_direction(cursor: &mut Cursor<'_>) -> Result<Fetch> {
    let count = |cursor: &mut Cursor<'_>| -> Result<Option<i64>> {
        match cursor.peek() {
            Token::Number(..) | Token::Minus | Token::Plus => cursor.integer().map(Some),
            _ => Ok(None),
        }
    };
    let signed = |count: i64| {
        if count < 0 {
            Fetch::Backward(count.unsigned_abs())
        } else {
            Fetch::Forward(count as u64)
        }
    };
    if cursor.accept(&["NEXT"]) {
        return Ok(Fetch::Forward(1));
    }
    if cursor.accept(&["PRIOR"]) {
        return Ok(Fetch::Backward(1));
    }
    if cursor.accept(&["FIRST"]) {
        return Ok(Fetch::Absolute(1));
    }
    if cursor.accept(&["LAST"]) {
        return Ok(Fetch::Absolute(-1));
    }
    if cursor.accept(&["ABSOLUTE"]) {
        return Ok(Fetch::Absolute(cursor.integer()?));
    }
    if cursor.accept(&["RELATIVE"]) {
        return Ok(Fetch::Relative(cursor.integer()?));
    }
    if cursor.accept(&["ALL"]) {
        return Ok(Fetch::ForwardAll);
    }
    if cursor.accept(&["FORWARD"]) {
        if cursor.accept(&["ALL"]) {
            return Ok(Fetch::ForwardAll);
        }
        return Ok(signed(count(cursor)?.unwrap_or(1)));
    }
    if cursor.accept(&["BACKWARD"]) {
        if cursor.accept(&["ALL"]) {
            return Ok(Fetch::BackwardAll);
        }
        return Ok(signed(-count(cursor)?.unwrap_or(1)));
    }
    Ok(signed(count(cursor)?.unwrap_or(1)))
}
