//! A text's tokens, spelled as the SQL parser knows them.

use std::collections::HashSet;

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::place::{byte_offset, char_position};
use super::wrong::lower_first;
use crate::error::{Error, Result};
use crate::planner::dialect::Tessera;
use crate::planner::keyword::{is, is_keyword};
use crate::planner::rewrite::from_functions::ROWS_FROM;
use crate::planner::rewrite::whole_rows::EXPANDED_RECORD;
use crate::planner::{command, depth, exclusion, locking_words};

pub(super) fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    let dialect = Tessera;
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| {
            let message = if error.message.starts_with("Unterminated string literal") {
                let rest = text.get(byte_offset(text, error.location)..);
                let rest = rest.unwrap_or_default();
                format!("unterminated quoted string at or near \"{rest}\"")
            } else {
                lower_first(&error.message)
            };
            Error::Syntax {
                message,
                position: Some(char_position(text, error.location)),
            }
        })?;
    let mut kept: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    depth::check(&kept)?;
    select_nothing(&mut kept);
    trim_blanks(&mut kept);
    spell_out_tables(&mut kept);
    command::order_identity_options(&mut kept);
    name_expansions(&mut kept);
    join_time_travel(&mut kept);
    spell_plainly(&mut kept);
    locking_words::spell(&mut kept);
    exclusion::spell(&mut kept);
    Ok(kept)
}

/// `TRIM(BOTH FROM x)` is `TRIM(BOTH x)`.
fn trim_blanks(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &Token, keywords: &[&str]| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && keywords.iter().any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let mut at = 2;
    while at < tokens.len() {
        if is(&tokens[at].token, &["FROM"]) {
            let side = is(&tokens[at - 1].token, &["BOTH", "LEADING", "TRAILING"]);
            let open = if side { at - 2 } else { at - 1 };
            let trims = open > 0
                && tokens[open].token == Token::LParen
                && is(&tokens[open - 1].token, &["TRIM"]);
            if trims {
                tokens.remove(at);
            }
        }
        at += 1;
    }
}

/// `SELECT` without a list and without FROM is a row without columns, which the SQL parser does not read.
fn select_nothing(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &Token, keywords: &[&str]| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && keywords.iter().any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let ends = |token: Option<&TokenWithSpan>| match token.map(|token| &token.token) {
        None | Some(Token::RParen | Token::SemiColon) => true,
        Some(word) => is(word, &["WHERE", "UNION", "EXCEPT", "INTERSECT"]),
    };
    let mut at = 0;
    while at < tokens.len() {
        // `GRANT SELECT` and its like name a right.
        let begins = at == 0
            || matches!(tokens[at - 1].token, Token::LParen | Token::SemiColon)
            || is(&tokens[at - 1].token, &["AS", "ALL", "UNION", "EXISTS"]);
        if begins && is(&tokens[at].token, &["SELECT"]) && ends(tokens.get(at + 1)) {
            let span = tokens[at].span;
            let one = [
                Token::make_keyword("FROM"),
                Token::LParen,
                Token::make_keyword("VALUES"),
                Token::LParen,
                Token::Number("1".to_owned(), false),
                Token::RParen,
                Token::RParen,
                Token::make_keyword("AS"),
                Token::make_word("nothing", Some('"')),
            ];
            let one = one.map(|token| TokenWithSpan { token, span });
            tokens.splice(at + 1..at + 1, one);
        }
        at += 1;
    }
}

/// Makes `(TABLE t)` and `UNION TABLE t` what they are short for; the SQL parser knows it at the start of a
/// statement alone.
fn spell_out_tables(tokens: &mut Vec<TokenWithSpan>) {
    use datafusion::sql::sqlparser::tokenizer::Span;
    let begins_query = |token: &Token| {
        *token == Token::LParen
            || matches!(token, Token::Word(word) if word.quote_style.is_none()
                && ["UNION", "ALL", "DISTINCT", "EXCEPT", "INTERSECT"]
                    .iter()
                    .any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let is_short = |place: &[TokenWithSpan]| {
        begins_query(&place[0].token)
            && is(&place[1], "TABLE")
            && matches!(place[2].token, Token::Word(_))
    };
    if !tokens.windows(3).any(is_short) {
        return;
    }
    let before = std::mem::take(tokens);
    for (index, token) in before.iter().enumerate() {
        let place = index
            .checked_sub(1)
            .and_then(|from| before.get(from..from + 3));
        if !place.is_some_and(is_short) {
            tokens.push(token.clone());
            continue;
        }
        let span: Span = token.span;
        let spelled = [
            Token::make_keyword("SELECT"),
            Token::Mul,
            Token::make_keyword("FROM"),
        ];
        tokens.extend(spelled.map(|token| TokenWithSpan { token, span }));
    }
}

/// Makes calls of `(record).*` and of `ROWS FROM (…)`, which the SQL parser does not read.
fn name_expansions(tokens: &mut Vec<TokenWithSpan>) {
    let mut opened: Vec<usize> = Vec::new();
    // Before which brackets the call's name comes, and which tokens go.
    let mut named: HashSet<usize> = HashSet::new();
    let mut gone: HashSet<usize> = HashSet::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => opened.push(index),
            Token::RParen => {
                let after = tokens.get(index + 1..index + 3);
                let expands = after.is_some_and(|after| {
                    after[0].token == Token::Period && after[1].token == Token::Mul
                });
                if let (Some(open), true) = (opened.pop(), expands) {
                    named.insert(open);
                    gone.extend([index + 1, index + 2]);
                }
            }
            _ => {}
        }
        let place = tokens.get(index..index + 3);
        let rows_from = place.is_some_and(|place| {
            is(&place[0], "ROWS") && is(&place[1], "FROM") && place[2].token == Token::LParen
        });
        if rows_from {
            gone.insert(index + 1);
        }
    }
    if gone.is_empty() {
        return;
    }
    let before = std::mem::take(tokens);
    for (index, mut token) in before.into_iter().enumerate() {
        if gone.contains(&index) {
            continue;
        }
        if named.contains(&index) {
            let span = token.span;
            let token = Token::make_word(EXPANDED_RECORD, None);
            tokens.push(TokenWithSpan { token, span });
        }
        if is(&token, "ROWS") && gone.contains(&(index + 1)) {
            token.token = Token::make_word(ROWS_FROM, None);
        }
        tokens.push(token);
    }
}

/// Makes `integer ARRAY` into `integer[]`, and `$tag$text$tag$` into a text in quotes where it is no body of a
/// function: the SQL parser knows them in some places alone.
fn spell_plainly(tokens: &mut Vec<TokenWithSpan>) {
    let is_any = |token: &Token, keywords: &[&str]| {
        let mut keywords = keywords.iter();
        keywords.any(|keyword| is_keyword(token, keyword))
    };
    let is_special = |token: &TokenWithSpan| {
        matches!(token.token, Token::DollarQuotedString(_)) || is(token, "ARRAY")
    };
    if !tokens.iter().any(is_special) {
        return;
    }
    let mut rest = std::mem::take(tokens).into_iter().peekable();
    while let Some(mut token) = rest.next() {
        let Some(before) = tokens.last().map(|token| &token.token) else {
            tokens.push(token);
            continue;
        };
        if let Token::DollarQuotedString(quoted) = &token.token
            && !is_any(before, &["AS", "DO", "LANGUAGE"])
        {
            token.token = Token::SingleQuotedString(quoted.value.clone());
        }
        let after = rest.peek().map(|token| &token.token);
        let follows_type = matches!(before, Token::Word(_) | Token::RParen)
            && !is_keyword(before, "AS")
            && !matches!(after, Some(Token::LBracket | Token::LParen));
        if follows_type && is(&token, "ARRAY") {
            let span = token.span;
            let brackets = [Token::LBracket, Token::RBracket];
            tokens.extend(brackets.map(|token| TokenWithSpan { token, span }));
            continue;
        }
        tokens.push(token);
    }
}

/// Makes `FOR VERSION AS OF` and `FOR TIMESTAMP AS OF` what the SQL parser calls them.
fn join_time_travel(tokens: &mut Vec<TokenWithSpan>) {
    let is_long = |place: &[TokenWithSpan]| {
        is(&place[0], "FOR")
            && (is(&place[1], "VERSION") || is(&place[1], "TIMESTAMP"))
            && is(&place[2], "AS")
            && is(&place[3], "OF")
    };
    let long: HashSet<usize> = tokens
        .windows(4)
        .enumerate()
        .filter(|(_, place)| is_long(place))
        .map(|(index, _)| index)
        .collect();
    if !long.is_empty() {
        let mut index = 0;
        tokens.retain(|_| {
            index += 1;
            !long.contains(&(index - 1))
        });
    }
}

/// A view's `WITH (option)` as `WITH (option = true)`, which the SQL parser wants spelled out.
pub(super) fn with_values(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut spelled = Vec::with_capacity(tokens.len());
    let mut inside = false;
    let mut before = &Token::EOF;
    for (index, token) in tokens.iter().enumerate() {
        if is(token, "AS") {
            spelled.extend_from_slice(&tokens[index..]);
            return spelled;
        }
        let ends = matches!(token.token, Token::Comma | Token::RParen);
        if inside && ends && matches!(before, Token::Word(_)) {
            let previous = index.checked_sub(2).and_then(|index| tokens.get(index));
            if previous.is_some_and(|token| matches!(token.token, Token::LParen | Token::Comma)) {
                let words = [Token::Eq, Token::make_keyword("TRUE")];
                let words = words.map(|word| TokenWithSpan::new(word, token.span));
                spelled.extend(words);
            }
        }
        if token.token == Token::LParen {
            inside = is_keyword(before, "WITH");
        }
        before = &token.token;
        spelled.push(token.clone());
    }
    spelled
}
