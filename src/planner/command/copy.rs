//! COPY, with PostgreSQL's options in both the new and the old grammar.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};
use crate::planner::ast::{Body, Copy, CopySource, CopyValue, Statement};
use crate::planner::cursor::Cursor;

/// Reads what follows the word COPY; `inner` reads the statement in parentheses.
pub(in crate::planner) fn copy(
    cursor: &mut Cursor<'_>,
    inner: impl Fn(&[TokenWithSpan]) -> Result<Statement>,
) -> Result<Body> {
    let mut options = Vec::new();
    if cursor.accept(&["BINARY"]) {
        options.push(("format".to_owned(), CopyValue::Text("binary".to_owned())));
    }
    let source = if cursor.peek() == &Token::LParen {
        CopySource::Query(Box::new(query(cursor, inner)?))
    } else {
        let name = cursor.object_name()?;
        let columns = if cursor.peek() == &Token::LParen {
            cursor.parenthesised(Cursor::identifier)?
        } else {
            Vec::new()
        };
        CopySource::Table { name, columns }
    };
    let from = cursor.accept(&["FROM"]);
    if !from {
        cursor.expect(&["TO"])?;
    }
    if from && matches!(source, CopySource::Query(_)) {
        return Err(cursor.unexpected());
    }
    if cursor.accept(&["PROGRAM"]) {
        return Err(Error::InsufficientPrivilege(
            "permission denied to COPY to or from an external program".to_owned(),
        ));
    }
    if !cursor.accept(&["STDIN"]) && !cursor.accept(&["STDOUT"]) {
        return match cursor.string() {
            Ok(_) => Err(Error::InsufficientPrivilege(
                "permission denied to COPY to or from a file of the server".to_owned(),
            )),
            Err(error) => Err(error),
        };
    }
    cursor.accept(&["WITH"]);
    if cursor.peek() == &Token::LParen {
        options.extend(cursor.parenthesised(option)?);
    } else {
        old_options(cursor, &mut options)?;
    }
    let filter = if cursor.accept(&["WHERE"]) {
        if !from {
            return Err(Error::Syntax {
                message: "WHERE clause not allowed with COPY TO".to_owned(),
                position: None,
            });
        }
        Some(cursor.expression()?)
    } else {
        None
    };
    Ok(Body::Copy(Box::new(Copy {
        source,
        from,
        options,
        filter,
    })))
}

fn query(
    cursor: &mut Cursor<'_>,
    inner: impl Fn(&[TokenWithSpan]) -> Result<Statement>,
) -> Result<Statement> {
    cursor.expect_token(&Token::LParen)?;
    let mut depth = 0_usize;
    let length = cursor.rest().iter().position(|token| match token.token {
        Token::LParen => {
            depth += 1;
            false
        }
        Token::RParen if depth == 0 => true,
        Token::RParen => {
            depth -= 1;
            false
        }
        _ => false,
    });
    let Some(length) = length.filter(|length| *length > 0) else {
        return Err(cursor.unexpected());
    };
    let statement = inner(&cursor.rest()[..length])?;
    for _ in 0..=length {
        cursor.advance();
    }
    Ok(statement)
}

fn option(cursor: &mut Cursor<'_>) -> Result<(String, CopyValue)> {
    let name = cursor.identifier()?;
    let value = match cursor.peek() {
        Token::Comma | Token::RParen => CopyValue::None,
        Token::Mul => {
            cursor.advance();
            CopyValue::AllColumns
        }
        Token::LParen => CopyValue::Columns(cursor.parenthesised(Cursor::identifier)?),
        _ => CopyValue::Text(cursor.value()?),
    };
    Ok((name, value))
}

/// `DELIMITER AS ',' NULL AS '' CSV HEADER …`, from before PostgreSQL 9.0.
fn old_options(cursor: &mut Cursor<'_>, options: &mut Vec<(String, CopyValue)>) -> Result<()> {
    let mut text = |cursor: &mut Cursor<'_>, name: &str| -> Result<()> {
        cursor.accept(&["AS"]);
        let value = cursor.string()?;
        options.push((name.to_owned(), CopyValue::Text(value)));
        Ok(())
    };
    loop {
        if cursor.accept(&["DELIMITER"]) || cursor.accept(&["DELIMITERS"]) {
            text(cursor, "delimiter")?;
        } else if cursor.accept(&["NULL"]) {
            text(cursor, "null")?;
        } else if cursor.accept(&["QUOTE"]) {
            text(cursor, "quote")?;
        } else if cursor.accept(&["ESCAPE"]) {
            text(cursor, "escape")?;
        } else if cursor.accept(&["ENCODING"]) {
            text(cursor, "encoding")?;
        } else {
            break;
        }
    }
    let mut more = true;
    while more {
        more = true;
        if cursor.accept(&["BINARY"]) {
            options.push(("format".to_owned(), CopyValue::Text("binary".to_owned())));
        } else if cursor.accept(&["CSV"]) {
            options.push(("format".to_owned(), CopyValue::Text("csv".to_owned())));
        } else if cursor.accept(&["HEADER"]) {
            options.push(("header".to_owned(), CopyValue::None));
        } else if cursor.accept(&["FORCE", "QUOTE"]) {
            let value = columns(cursor)?;
            options.push(("force_quote".to_owned(), value));
        } else if cursor.accept(&["FORCE", "NOT", "NULL"]) {
            let value = columns(cursor)?;
            options.push(("force_not_null".to_owned(), value));
        } else if cursor.accept(&["FORCE", "NULL"]) {
            let value = columns(cursor)?;
            options.push(("force_null".to_owned(), value));
        } else {
            more = old_text_option(cursor, options)?;
        }
    }
    Ok(())
}

fn old_text_option(
    cursor: &mut Cursor<'_>,
    options: &mut Vec<(String, CopyValue)>,
) -> Result<bool> {
    for name in ["delimiter", "null", "quote", "escape", "encoding"] {
        if cursor.accept(&[&name.to_uppercase()]) {
            cursor.accept(&["AS"]);
            let value = cursor.string()?;
            options.push((name.to_owned(), CopyValue::Text(value)));
            return Ok(true);
        }
    }
    Ok(false)
}

fn columns(cursor: &mut Cursor<'_>) -> Result<CopyValue> {
    if cursor.accept_token(&Token::Mul) {
        return Ok(CopyValue::AllColumns);
    }
    Ok(CopyValue::Columns(cursor.identifiers()?))
}
