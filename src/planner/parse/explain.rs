//! EXPLAIN's options.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::inner;
use super::place::Anchor;
use crate::error::{Error, Result};
use crate::planner::ast::{Body, Explain};
use crate::planner::cursor::Cursor;

pub(super) fn explain(text: &str, cursor: &mut Cursor<'_>, anchor: Anchor) -> Result<Body> {
    let mut explain = (false, false, None);
    if cursor.accept_token(&Token::LParen) {
        loop {
            let option = cursor.identifier()?;
            let value = match cursor.peek() {
                Token::Comma | Token::RParen => None,
                _ => Some(cursor.value()?.to_lowercase()),
            };
            let on = !matches!(value.as_deref(), Some("off" | "false" | "0"));
            match option.as_str() {
                "analyze" => explain.0 = on,
                "verbose" => explain.1 = on,
                "format" => explain.2 = value,
                "costs" | "settings" | "buffers" | "wal" | "timing" | "summary" => {}
                other => {
                    return Err(Error::Syntax {
                        message: format!("unrecognized EXPLAIN option \"{other}\""),
                        position: None,
                    });
                }
            }
            if !cursor.accept_token(&Token::Comma) {
                break;
            }
        }
        cursor.expect_token(&Token::RParen)?;
    } else {
        explain.0 = cursor.accept(&["ANALYZE"]);
        explain.1 = cursor.accept(&["VERBOSE"]);
    }
    let (analyze, verbose, format) = explain;
    let statement = Box::new(inner(text, cursor, anchor)?);
    Ok(Body::Explain(Explain {
        analyze,
        verbose,
        format,
        statement,
    }))
}
