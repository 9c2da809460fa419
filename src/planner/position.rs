//! Where in a statement the name stands that an error is about: characters from 1, as clients show it.
//!
//! Plans do not keep places, so the statement's tokens are searched for the name once an error is
//! there.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::dialect::Tessera;
use super::keyword::is_keyword;
use super::parse::char_position;
use crate::error::Error;

/// What an error says of the name that is not there.
struct Wanted {
    /// The name, after those before it: `schema.table`.
    parts: Vec<String>,
    /// What has to stand behind it, if that is told.
    followed_by: Option<Token>,
}

/// The error with its place in the client's text, of which the statement is a part.
pub fn placed(error: Error, text: &str, statement: &str) -> Error {
    let place = match Wanted::of(&error) {
        Some(wanted) => wanted.find(statement),
        None => unreadable(&error).and_then(|value| place_of_text(&value, statement)),
    };
    let position = place.and_then(|place| {
        let start = text.find(statement)?;
        Some(text[..start].chars().count() + place)
    });
    match position {
        Some(position) => Error::Placed {
            source: Box::new(error),
            position,
        },
        None => error,
    }
}

/// The text that a type could not read.
fn unreadable(error: &Error) -> Option<String> {
    let Error::InvalidText(message) = error else {
        return None;
    };
    let rest = message.strip_prefix("invalid input syntax for type ")?;
    let (_, value) = rest.split_once(": \"")?;
    Some(value.strip_suffix('"')?.to_owned())
}

/// The place of a literal, if the statement holds it once.
fn place_of_text(value: &str, statement: &str) -> Option<usize> {
    let tokens = Tokenizer::new(&Tessera, statement)
        .tokenize_with_location()
        .ok()?;
    let is_it =
        |token: &&TokenWithSpan| matches!(&token.token, Token::SingleQuotedString(s) if s == value);
    let mut found = tokens.iter().filter(is_it);
    let first = found.next()?;
    found
        .next()
        .is_none()
        .then(|| char_position(statement, first.span.start))
}

impl Wanted {
    fn of(error: &Error) -> Option<Self> {
        let name = |name: &str| {
            Some(Self {
                parts: name.split('.').map(str::to_owned).collect(),
                followed_by: None,
            })
        };
        match error {
            Error::NoSuchColumn(column) | Error::AmbiguousColumn(column) => Some(Self {
                parts: vec![column.clone()],
                followed_by: None,
            }),
            Error::NoSuchColumnOf { column, .. } => name(column),
            Error::NoSuchRelation(relation) => name(relation),
            Error::NoSuchType(written) => name(written),
            Error::NoSuchFunction(message) | Error::Function { message, .. } => Self::told(message),
            Error::Grouping(message) => {
                let (_, rest) = message.split_once("column \"")?;
                name(rest.split_once('"')?.0)
            }
            _ => None,
        }
    }

    /// The name that a message is about.
    fn told(message: &str) -> Option<Self> {
        if let Some(rest) = message.strip_prefix("function ")
            && rest.ends_with(" does not exist")
        {
            return Some(Self {
                parts: vec![rest.split_once('(')?.0.to_owned()],
                followed_by: Some(Token::LParen),
            });
        }
        if let Some(rest) = message.strip_prefix("missing FROM-clause entry for table \"") {
            return Some(Self {
                parts: vec![rest.trim_end_matches('"').to_owned()],
                followed_by: Some(Token::Period),
            });
        }
        let column = message.strip_prefix("column ")?;
        let column = column.strip_suffix(" does not exist")?;
        let parts = column.trim_matches('"').split('.');
        Some(Self {
            parts: parts.map(str::to_owned).collect(),
            followed_by: None,
        })
    }

    /// The place of the name among the statement's tokens.
    fn find(&self, statement: &str) -> Option<usize> {
        let tokens = Tokenizer::new(&Tessera, statement)
            .tokenize_with_location()
            .ok()?;
        let tokens: Vec<TokenWithSpan> = tokens
            .into_iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_)))
            .collect();
        let found = (0..tokens.len()).find(|index| self.stands_at(&tokens, *index))?;
        Some(char_position(statement, tokens[found].span.start))
    }

    fn stands_at(&self, tokens: &[TokenWithSpan], index: usize) -> bool {
        let before = index.checked_sub(1).map(|before| &tokens[before].token);
        // Behind a point it is another's part, behind AS it is a new name.
        if matches!(before, Some(Token::Period)) || before.is_some_and(is_as) {
            return false;
        }
        let mut at = index;
        for (number, part) in self.parts.iter().enumerate() {
            if number > 0 {
                if tokens.get(at).map(|token| &token.token) != Some(&Token::Period) {
                    return false;
                }
                at += 1;
            }
            if !tokens
                .get(at)
                .is_some_and(|token| is_name(&token.token, part))
            {
                return false;
            }
            at += 1;
        }
        let after = tokens.get(at).map(|token| &token.token);
        match &self.followed_by {
            Some(wanted) => after == Some(wanted),
            None => !matches!(after, Some(Token::Period)),
        }
    }
}

fn is_as(token: &Token) -> bool {
    is_keyword(token, "AS")
}

fn is_name(token: &Token, name: &str) -> bool {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_lowercase() == name,
        Token::Word(word) => word.value == name,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(error: Error, text: &str) -> Option<usize> {
        match placed(error, text, text) {
            Error::Placed { position, .. } => Some(position),
            _ => None,
        }
    }

    #[test]
    fn names_are_found_where_they_are_used() {
        let column = || Error::NoSuchColumn("nope".to_owned());
        assert_eq!(place(column(), "SELECT 1, nope FROM t"), Some(11));
        assert_eq!(place(column(), "SELECT 'é nope', t.nope, NOPE"), Some(26));
        assert_eq!(place(column(), "SELECT 1 AS nope, nope + 1"), Some(19));
        assert_eq!(place(column(), "SELECT \"Nope\""), None);
        let relation = Error::NoSuchRelation("s.t".to_owned());
        assert_eq!(place(relation, "SELECT s.t FROM x.s.t, s.t"), Some(8));
        let function = Error::NoSuchFunction("function f(integer) does not exist".to_owned());
        assert_eq!(place(function, "SELECT f, f(1)"), Some(11));
    }
}
