//! Locking clauses on the tokens, in the words that the SQL parser knows: `FOR NO KEY UPDATE` locks as
//! `FOR UPDATE` does, `FOR KEY SHARE` as `FOR SHARE`, and a clause that names several tables becomes one
//! for each.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::keyword;

/// Spells all locking clauses of a text.
pub(super) fn spell(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 0;
    while at < tokens.len() {
        if is(tokens, at, "FOR") {
            for weak in [&["NO", "KEY", "UPDATE"][..], &["KEY", "SHARE"]] {
                let mut words = weak.iter().enumerate();
                if words.all(|(place, word)| is(tokens, at + 1 + place, word)) {
                    tokens.drain(at + 1..at + weak.len());
                }
            }
            let locks = is(tokens, at + 1, "UPDATE") || is(tokens, at + 1, "SHARE");
            if locks && is(tokens, at + 2, "OF") {
                spell_each(tokens, at);
            }
        }
        at += 1;
    }
}

fn is(tokens: &[TokenWithSpan], at: usize, word: &str) -> bool {
    tokens.get(at).is_some_and(|token| keyword::is(token, word))
}

/// Makes `FOR … OF a, b <waiting>` two clauses; `at` is where FOR stands.
fn spell_each(tokens: &mut Vec<TokenWithSpan>, at: usize) {
    let first = at + 3;
    let mut end = first;
    let mut names = Vec::new();
    while matches!(
        tokens.get(end).map(|token| &token.token),
        Some(Token::Word(_))
    ) {
        names.push(tokens[end].clone());
        end += 1;
        if !matches!(
            tokens.get(end).map(|token| &token.token),
            Some(Token::Comma)
        ) {
            break;
        }
        end += 1;
    }
    let waiting = if is(tokens, end, "NOWAIT") {
        1
    } else if is(tokens, end, "SKIP") && is(tokens, end + 1, "LOCKED") {
        2
    } else {
        0
    };
    if names.len() < 2 {
        return;
    }
    let clause: Vec<TokenWithSpan> = tokens[at..first].to_vec();
    let waiting: Vec<TokenWithSpan> = tokens[end..end + waiting].to_vec();
    let spelled: Vec<TokenWithSpan> = names
        .into_iter()
        .flat_map(|name| {
            let begin = clause.iter().cloned();
            begin.chain([name]).chain(waiting.iter().cloned())
        })
        .collect();
    tokens.splice(at..end + waiting.len(), spelled);
}
