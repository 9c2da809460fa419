//! `DO NOTHING` in MERGE, which the SQL parser does not know: it becomes an action on a column that
//! no table can have.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::planner::keyword::begin_with;

/// The column that stands for DO NOTHING.
pub const DO_NOTHING: &str = "\u{4}nothing";

/// Replaces DO NOTHING in the tokens of a MERGE.
pub(in crate::planner) fn replace(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut replaced = Vec::with_capacity(tokens.len());
    let mut inserts = false;
    let mut rest = tokens;
    while let Some(token) = rest.first() {
        let is = |keywords: &[&str]| begin_with(rest, keywords);
        if is(&["WHEN", "NOT", "MATCHED"]) {
            // What the source does not match can only be updated or deleted.
            inserts = !is(&["WHEN", "NOT", "MATCHED", "BY", "SOURCE"]);
        } else if is(&["WHEN", "MATCHED"]) {
            inserts = false;
        }
        if !is(&["THEN", "DO", "NOTHING"]) {
            replaced.push(token.clone());
            rest = &rest[1..];
            continue;
        }
        let action = if inserts { insert() } else { update() };
        replaced.push(token.clone());
        replaced.extend(
            action
                .into_iter()
                .map(|token| TokenWithSpan::new(token, rest[1].span)),
        );
        rest = &rest[3..];
    }
    replaced
}

fn update() -> Vec<Token> {
    vec![
        Token::make_keyword("UPDATE"),
        Token::make_keyword("SET"),
        column(),
        Token::Eq,
        zero(),
    ]
}

fn insert() -> Vec<Token> {
    vec![
        Token::make_keyword("INSERT"),
        Token::LParen,
        column(),
        Token::RParen,
        Token::make_keyword("VALUES"),
        Token::LParen,
        zero(),
        Token::RParen,
    ]
}

fn column() -> Token {
    Token::Word(Word {
        value: DO_NOTHING.to_owned(),
        quote_style: Some('"'),
        keyword: datafusion::sql::sqlparser::keywords::Keyword::NoKeyword,
    })
}

fn zero() -> Token {
    Token::Number("0".to_owned(), false)
}
