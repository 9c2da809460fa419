//! Sentiment of texts: words in, numbers out, without looking anything up elsewhere.

mod finance;
mod vader;
mod words;

pub use finance::{Feelings, Finance, Label, mentions, parts};
pub use vader::{Scores, Vader};
pub use words::{is_function_word, plain_words};
