//! What the SQL parser does not read of windows. `'1 year'::interval PRECEDING` is `'1 year' PRECEDING`.
//!
//! `EXCLUDE …` behind a window's frame, which the SQL parser does not read: on the tokens it becomes one
//! more constant to partition by, `'…' IS NULL`, which the typed plan takes for what it is. A constant that
//! is written out would not come so far.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// What the constant begins with; no text of a client's does.
pub(super) const MARK: &str = "\u{4}exclude ";

/// What follows EXCLUDE, and the mark's second word.
const WHAT: [(&[&str], Option<&str>); 4] = [
    (&["CURRENT", "ROW"], Some("row")),
    (&["GROUP"], Some("group")),
    (&["TIES"], Some("ties")),
    // As without the clause.
    (&["NO", "OTHERS"], None),
];

/// Spells all exclusions of a text.
pub(super) fn spell(tokens: &mut Vec<TokenWithSpan>) {
    plain_spans(tokens);
    let mut at = 0;
    while at < tokens.len() {
        if is(tokens, at, "EXCLUDE")
            && let Some((words, mark)) = WHAT.iter().find(|(words, _)| {
                let mut words = words.iter().enumerate();
                words.all(|(place, word)| is(tokens, at + 1 + place, word))
            })
            && is_token(tokens, at + 1 + words.len(), &Token::RParen)
            && let Some(open) = opening(tokens, at)
            && let Some(frame) = within(tokens, open, at, &["ROWS", "RANGE", "GROUPS"])
        {
            let span = tokens[at].span;
            tokens.drain(at..=at + words.len());
            if let Some(mark) = mark {
                let text = Token::SingleQuotedString(format!("{MARK}{mark}"));
                let place = within(tokens, open, frame, &["ORDER"]).unwrap_or(frame);
                let mut spelled = match within(tokens, open, frame, &["PARTITION"]) {
                    Some(_) => vec![Token::Comma],
                    None => vec![Token::make_keyword("PARTITION"), Token::make_keyword("BY")],
                };
                spelled.extend([text, Token::make_keyword("IS"), Token::make_keyword("NULL")]);
                let spelled = spelled.into_iter();
                tokens.splice(
                    place..place,
                    spelled.map(|token| TokenWithSpan { token, span }),
                );
            }
        }
        at += 1;
    }
}

/// Takes the type off texts that bound a frame.
fn plain_spans(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        let text = matches!(tokens[at].token, Token::SingleQuotedString(_));
        if text
            && is_token(tokens, at + 1, &Token::DoubleColon)
            && is(tokens, at + 2, "INTERVAL")
            && (is(tokens, at + 3, "PRECEDING") || is(tokens, at + 3, "FOLLOWING"))
        {
            tokens.drain(at + 1..at + 3);
        }
        at += 1;
    }
}

fn is(tokens: &[TokenWithSpan], at: usize, word: &str) -> bool {
    matches!(tokens.get(at).map(|token| &token.token), Some(Token::Word(found))
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn is_token(tokens: &[TokenWithSpan], at: usize, token: &Token) -> bool {
    tokens.get(at).is_some_and(|found| found.token == *token)
}

/// Where the bracket opens within which this token stands.
fn opening(tokens: &[TokenWithSpan], from: usize) -> Option<usize> {
    let mut closed = 0;
    for at in (0..from).rev() {
        match tokens[at].token {
            Token::RParen => closed += 1,
            Token::LParen if closed == 0 => {
                // A window stands behind OVER, or behind AS in a WINDOW clause.
                let before = at.checked_sub(1)?;
                let known = matches!(&tokens[before].token, Token::Word(word)
                    if matches!(word.keyword, Keyword::OVER | Keyword::AS));
                return known.then_some(at);
            }
            Token::LParen => closed -= 1,
            _ => {}
        }
    }
    None
}

/// The first of these words between a bracket and a later token, outside of inner brackets.
fn within(tokens: &[TokenWithSpan], open: usize, end: usize, words: &[&str]) -> Option<usize> {
    let mut depth = 0;
    for at in open + 1..end {
        match tokens[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ if depth == 0 && words.iter().any(|word| is(tokens, at, word)) => return Some(at),
            _ => {}
        }
    }
    None
}
