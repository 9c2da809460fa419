//! PostgreSQL's words for a text that is no statement.

use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::place::{byte_offset, char_position};
use crate::error::Error;

/// PostgreSQL's text for a token that should not be there.
pub(in crate::planner) fn syntax_at(text: &str, token: Option<&TokenWithSpan>) -> Error {
    match token {
        Some(token) => {
            let start = byte_offset(text, token.span.start);
            let end = byte_offset(text, token.span.end);
            let near = text.get(start..end).unwrap_or_default();
            Error::Syntax {
                message: format!("syntax error at or near \"{near}\""),
                position: Some(char_position(text, token.span.start)),
            }
        }
        None => Error::Syntax {
            message: "syntax error at end of input".to_owned(),
            position: Some(text.chars().count() + 1),
        },
    }
}

/// The SQL parser's error in PostgreSQL's words: it names the token where it stopped.
pub(in crate::planner) fn parser_error(
    text: &str,
    error: &ParserError,
    tokens: &[TokenWithSpan],
    index: usize,
) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => Error::TooComplex("it nests too deeply".to_owned()),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            // "Expected: …, found: token at Line: 1, Column: 8" tells best where it stopped.
            let found = message.rsplit_once("Line: ").and_then(|(_, place)| {
                let (line, column) = place.split_once(", Column: ")?;
                Some((
                    line.parse::<u64>().ok()?,
                    column.trim().parse::<u64>().ok()?,
                ))
            });
            let token = match found {
                Some((line, column)) => tokens
                    .iter()
                    .find(|t| t.span.start.line == line && t.span.start.column == column),
                None if message.contains("found: EOF") => None,
                None => tokens.get(index.saturating_sub(1)),
            };
            syntax_at(text, token)
        }
    }
}

pub(super) fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
