//! ALTER, DROP and REINDEX INDEX; CREATE INDEX is the SQL parser's.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{Error, Result};
use crate::planner::ast::{Index, Reindex};
use crate::planner::cursor::Cursor;

/// Reads a statement about indexes, or nothing if it is of another kind.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Index>> {
    if cursor.accept(&["DROP", "INDEX"]) {
        cursor.accept(&["CONCURRENTLY"]);
        let if_exists = cursor.accept(&["IF", "EXISTS"]);
        let names = cursor.list(Cursor::object_name)?;
        let cascade = cursor.accept(&["CASCADE"]);
        if !cascade {
            cursor.accept(&["RESTRICT"]);
        }
        return Ok(Some(Index::Drop {
            names,
            if_exists,
            cascade,
        }));
    }
    if cursor.accept(&["ALTER", "INDEX"]) {
        let if_exists = cursor.accept(&["IF", "EXISTS"]);
        let name = cursor.object_name()?;
        if !cursor.accept(&["RENAME", "TO"]) {
            return Err(Error::Unsupported(
                "ALTER INDEX of anything but the name".to_owned(),
            ));
        }
        return Ok(Some(Index::Rename {
            name,
            if_exists,
            to: cursor.identifier()?,
        }));
    }
    if !cursor.accept(&["REINDEX"]) {
        return Ok(None);
    }
    if cursor.peek() == &Token::LParen {
        cursor.parenthesised(Cursor::value)?;
    }
    let kind = [
        (Reindex::Index, "INDEX"),
        (Reindex::Table, "TABLE"),
        (Reindex::Schema, "SCHEMA"),
        (Reindex::Database, "DATABASE"),
        (Reindex::Database, "SYSTEM"),
    ];
    let kind = kind
        .into_iter()
        .find(|(_, word)| cursor.accept(&[*word]))
        .map(|(kind, _)| kind)
        .ok_or_else(|| cursor.unexpected())?;
    cursor.accept(&["CONCURRENTLY"]);
    let name = match cursor.is_done() {
        true => None,
        false => Some(cursor.object_name()?),
    };
    Ok(Some(Index::Reindex { kind, name }))
}
