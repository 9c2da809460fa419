//! Which parts of a text speak of a subject.

use super::tokens::{stem, tokens};

/// Whether a text holds any of a subject's words, in any form.
pub fn mentions(text: &str, subject: &str) -> bool {
    let (text, subject) = (text.to_lowercase(), subject.to_lowercase());
    let wanted: Vec<String> = tokens(&subject).map(stem).collect();
    tokens(&text).map(stem).any(|word| wanted.contains(&word))
}

/// Sentences, and what stands on the two sides of a "but".
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    let sentences = text.split(['.', '!', '?', ';', '\n']);
    let sides = sentences.flat_map(|sentence| sentence.split(" but "));
    sides.map(str::trim).filter(|part| !part.is_empty())
}
