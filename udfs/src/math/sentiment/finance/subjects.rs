//! What a text feels of a subject.

use super::feelings::Feelings;
use super::finance;
use super::tokens::{stem, tokens};

/// The feelings of the sentences that speak of a subject, by any of its words; none if none does.
pub fn about(text: &str, subject: &str) -> Option<Feelings> {
    let mut found: Option<Feelings> = None;
    for part in parts(text).filter(|part| mentions(part, subject)) {
        let part = finance(part);
        let all = found.get_or_insert_default();
        all.positive += part.positive;
        all.negative += part.negative;
        all.words += part.words;
    }
    found.map(Feelings::scored)
}

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
