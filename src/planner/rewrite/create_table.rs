//! What the SQL parser does not read in CREATE TABLE and SELECT INTO: `LIKE` among the columns, bare
//! column names before AS, and WITH NO DATA. They become what it reads and no statement of a client
//! says otherwise.

use datafusion::sql::sqlparser::ast::{self, SetExpr};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::error::{Error, Result};
use crate::planner::keyword::is;

/// The name of a column that stands for LIKE; its type is the table, with a number of what is included.
pub const LIKE: &str = "\u{4}like";

/// What LIKE can include, in the order of their bits.
pub const LIKE_OPTIONS: [&str; 9] = [
    "COMMENTS",
    "COMPRESSION",
    "CONSTRAINTS",
    "DEFAULTS",
    "GENERATED",
    "IDENTITY",
    "INDEXES",
    "STATISTICS",
    "STORAGE",
];

/// The tokens of a CREATE TABLE as the SQL parser reads them, and whether its query's rows are left out.
///
/// # Errors
/// A syntax error in LIKE's options.
pub(in crate::planner) fn replace(tokens: &[TokenWithSpan]) -> Result<(Vec<TokenWithSpan>, bool)> {
    let mut kept = tokens.to_vec();
    let no_data = take_data(&mut kept);
    type_bare_names(&mut kept);
    let mut replaced = Vec::with_capacity(kept.len());
    let mut depth = 0_usize;
    let mut index = 0;
    while index < kept.len() {
        let token = &kept[index];
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let starts = index > 0
            && depth == 1
            && matches!(kept[index - 1].token, Token::LParen | Token::Comma);
        if is(token, "AS") && depth == 0 {
            replaced.extend_from_slice(&kept[index..]);
            return Ok((replaced, no_data));
        }
        if starts && is(token, "LIKE") {
            index = like(&kept, index, &mut replaced)?;
            continue;
        }
        replaced.push(token.clone());
        index += 1;
    }
    Ok((replaced, no_data))
}

/// Takes WITH DATA or WITH NO DATA from the end; whether it was the latter.
pub(in crate::planner) fn take_data(tokens: &mut Vec<TokenWithSpan>) -> bool {
    let ends = |words: &[&str]| {
        tokens.len() > words.len()
            && words
                .iter()
                .rev()
                .zip(tokens.iter().rev())
                .all(|(word, token)| is(token, word))
    };
    let taken = match (ends(&["WITH", "NO", "DATA"]), ends(&["WITH", "DATA"])) {
        (true, _) => 3,
        (_, true) => 2,
        _ => 0,
    };
    tokens.truncate(tokens.len() - taken);
    taken == 3
}

/// Gives the names in `CREATE TABLE t (a, b) AS …` a type, which means nothing there.
fn type_bare_names(tokens: &mut Vec<TokenWithSpan>) {
    let Some(open) = tokens.iter().position(|token| token.token == Token::LParen) else {
        return;
    };
    if tokens[..open].iter().any(|token| is(token, "AS")) {
        return;
    }
    let mut ends = Vec::new();
    let mut index = open + 1;
    loop {
        let (Some(name), Some(next)) = (tokens.get(index), tokens.get(index + 1)) else {
            return;
        };
        if !matches!(name.token, Token::Word(_)) {
            return;
        }
        ends.push(index + 1);
        match next.token {
            Token::Comma => index += 2,
            Token::RParen if tokens.get(index + 2).is_some_and(|after| is(after, "AS")) => break,
            _ => return,
        }
    }
    for end in ends.into_iter().rev() {
        let span = tokens[end - 1].span;
        let token = Token::make_keyword("TEXT");
        tokens.insert(end, TokenWithSpan { token, span });
    }
}

/// Writes a LIKE at `start` as a column; gives the place after it.
fn like(
    tokens: &[TokenWithSpan],
    start: usize,
    replaced: &mut Vec<TokenWithSpan>,
) -> Result<usize> {
    let span = tokens[start].span;
    let mut push = |token: Token| replaced.push(TokenWithSpan { token, span });
    push(Token::Word(Word {
        value: LIKE.to_owned(),
        quote_style: Some('"'),
        keyword: Keyword::NoKeyword,
    }));
    let mut index = start + 1;
    while let Some(token) = tokens.get(index) {
        match &token.token {
            Token::Word(word) if !is(token, "INCLUDING") && !is(token, "EXCLUDING") => {
                // Quoted, so that no name is taken for a type.
                let value = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_lowercase(),
                };
                push(Token::Word(Word {
                    value,
                    quote_style: Some('"'),
                    keyword: Keyword::NoKeyword,
                }));
            }
            Token::Period => push(Token::Period),
            _ => break,
        }
        index += 1;
    }
    let mut included = 0_u32;
    while let Some(token) = tokens.get(index) {
        let adds = is(token, "INCLUDING");
        if !adds && !is(token, "EXCLUDING") {
            break;
        }
        let option = tokens.get(index + 1);
        let bits = option.and_then(|option| {
            if is(option, "ALL") {
                return Some((1 << LIKE_OPTIONS.len()) - 1);
            }
            let place = LIKE_OPTIONS.iter().position(|known| is(option, known))?;
            Some(1 << place)
        });
        let bits: u32 = bits.ok_or_else(|| Error::Syntax {
            message: match option {
                Some(option) => format!("syntax error at or near \"{}\"", option.token),
                None => "syntax error at end of input".to_owned(),
            },
            position: None,
        })?;
        included = if adds {
            included | bits
        } else {
            included & !bits
        };
        index += 2;
    }
    push(Token::LParen);
    push(Token::Number(included.to_string(), false));
    push(Token::RParen);
    Ok(index)
}

/// Takes `INTO t` out of a query.
pub(in crate::planner) fn take_into(query: &mut ast::Query) -> Option<ast::SelectInto> {
    let mut body = query.body.as_mut();
    loop {
        match body {
            SetExpr::Select(select) => return select.into.take(),
            SetExpr::SetOperation { left, .. } => body = left.as_mut(),
            _ => return None,
        }
    }
}
