//! Keywords among tokens: words without quotes, in whatever case.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Whether a token is this keyword.
pub(super) fn is_keyword(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(word)
        if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
}

/// Whether a token with its place is this keyword.
pub(super) fn is(token: &TokenWithSpan, keyword: &str) -> bool {
    is_keyword(&token.token, keyword)
}

/// Whether tokens begin with these keywords.
pub(super) fn begin_with(tokens: &[TokenWithSpan], keywords: &[&str]) -> bool {
    tokens.len() >= keywords.len()
        && tokens
            .iter()
            .zip(keywords)
            .all(|(token, keyword)| is(token, keyword))
}
