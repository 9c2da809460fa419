//! A statement without its values, for the audit: what was asked, and nothing that a client meant to
//! keep secret. Read on the parser's own tokens, so that nothing passes for a name that the parser
//! takes for a value.

use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::dialect::Tessera;

/// What stands for a value.
const VALUE: &str = "?";
/// The word after which even a bare word is a value.
const SECRET: &str = "password";

/// The statement in lower case, its values as `?`, comments and superfluous space left out. Lists of
/// values are as one value. A text that cannot be read is one value as a whole.
pub fn outline(text: &str) -> String {
    let dialect = Tessera;
    let Ok(tokens) = Tokenizer::new(&dialect, text).tokenize() else {
        return VALUE.to_owned();
    };
    let mut outline = Outline::default();
    for token in &tokens {
        match token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::Word(word) => {
                let name = match word.quote_style {
                    Some(_) => format!("\"{}\"", word.value.replace('"', "\"\"")),
                    None => word.value.to_lowercase(),
                };
                let is_secret = word.value.eq_ignore_ascii_case(SECRET);
                outline.push(if outline.in_secret { VALUE } else { &name });
                outline.in_secret = is_secret && !outline.in_secret;
            }
            Token::Eq => outline.push("="),
            other => {
                let text = other.to_string();
                // What is no word and holds a letter, a digit or a quote is a value of some kind.
                let is_value =
                    text.contains(|c: char| c.is_alphanumeric() || matches!(c, '\'' | '"' | '`'));
                outline.push(if is_value { VALUE } else { &text });
                outline.in_secret = false;
            }
        }
    }
    outline.text
}

#[derive(Default)]
struct Outline {
    text: String,
    /// The word before was [`SECRET`].
    in_secret: bool,
}

impl Outline {
    fn push(&mut self, piece: &str) {
        // `?, ?` is as `?`.
        if piece == VALUE && self.text.ends_with("?,") {
            self.text.pop();
            return;
        }
        let tight_before = matches!(piece, "," | ")" | "." | ";" | "]" | "::");
        let tight_after = self.text.is_empty() || self.text.ends_with(['(', '.', '[', ':']);
        if !tight_before && !tight_after {
            self.text.push(' ');
        }
        self.text.push_str(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_and_values_go() {
        for (text, expected) in [
            (
                "SELECT a, 'x', 3.5 FROM  t -- hush\n WHERE b IN (1, 2, 3)",
                "select a, ? from t where b in (?)",
            ),
            (
                "CREATE ROLE \"Ann\" LOGIN PASSWORD 'hunter2'",
                "create role \"Ann\" login password ?",
            ),
            (
                "CREATE TENANT a WITH (admin = 'b', password = hunter2)",
                "create tenant a with (admin = ?, password = ?)",
            ),
            (
                "SELECT $$hunter2$$, E'hun\\'ter2', U&'hunter2', B'101', X'1F', $1",
                "select ?",
            ),
            (
                "COMMENT ON TABLE s.t IS 'hunter2'",
                "comment on table s.t is ?",
            ),
            ("SELECT /* hunter2 */ 1::text", "select ?::text"),
            ("ALTER ROLE a PASSWORD 'hunter2", "?"),
        ] {
            let outline = outline(text);
            assert_eq!(outline, expected);
            assert!(!outline.contains("hunter2"));
        }
    }
}
