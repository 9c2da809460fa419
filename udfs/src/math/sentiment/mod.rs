//! Sentiment of texts: words in, numbers out, without looking anything up elsewhere.

mod vader;
mod words;

pub use vader::{Scores, Vader};
