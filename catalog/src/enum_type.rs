//! Enums: what a SQL type of the kind knows of its words, wherever a field with it goes.
//!
//! A value of an enum is held and stored as the word under which it was made, so that readers of the
//! files need no catalog. A word that is renamed later is shown under its new name and stays in files
//! under the former one. The order of the words stands in the catalog alone.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::id::Oid;

/// What a text begins with that holds an enum as [`EnumType::serial`] gives it.
const MARK: &str = "enum:";

/// The most enums that are kept ready to be found by their text.
const MAX_KNOWN: usize = 4_096;

/// An enum, as far as its values need it.
#[derive(Debug)]
pub struct EnumType {
    facts: Facts,
    serial: String,
    by_label: HashMap<String, usize>,
    /// Places in the order of the words, by stored word.
    by_stored: HashMap<String, usize>,
    is_renamed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    oid: Oid,
    array_oid: Oid,
    name: String,
    /// In order; the stored word where it is another.
    words: Vec<(String, Option<String>)>,
}

/// The enums in use, by their text.
static KNOWN: LazyLock<RwLock<HashMap<String, Arc<EnumType>>>> = LazyLock::new(RwLock::default);

impl EnumType {
    /// An enum of these words: what is shown and what is stored, in order.
    pub fn new<'a>(
        oid: Oid,
        array_oid: Oid,
        name: &str,
        words: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Arc<Self> {
        let word = |(label, stored): (&str, &str)| {
            let other = (label != stored).then(|| stored.to_owned());
            (label.to_owned(), other)
        };
        let facts = Facts {
            oid,
            array_oid,
            name: name.to_owned(),
            words: words.into_iter().map(word).collect(),
        };
        Arc::new(Self::of(facts))
    }

    fn of(facts: Facts) -> Self {
        // Strings and numbers have no form that JSON lacks.
        let serial = serde_json::to_string(&facts).unwrap_or_default();
        let words = || facts.words.iter().enumerate();
        let by_label = words().map(|(place, (label, _))| (label.clone(), place));
        let by_stored = words().map(|(place, word)| (stored(word).to_owned(), place));
        Self {
            by_label: by_label.collect(),
            by_stored: by_stored.collect(),
            is_renamed: facts.words.iter().any(|(_, stored)| stored.is_some()),
            serial: format!("{MARK}{serial}"),
            facts,
        }
    }

    /// The enum that a text of [`EnumType::serial`] means.
    pub fn parse(text: &str) -> Option<Arc<Self>> {
        let facts = text.strip_prefix(MARK)?;
        if let Some(known) = KNOWN.read().get(text) {
            return Some(Arc::clone(known));
        }
        let read = Arc::new(Self::of(serde_json::from_str(facts).ok()?));
        let mut known = KNOWN.write();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(text.to_owned(), Arc::clone(&read));
        Some(read)
    }

    /// All of it as text, from which [`EnumType::parse`] makes it again.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Its number in `pg_type`.
    pub fn oid(&self) -> Oid {
        self.facts.oid
    }

    /// The number of its array type.
    pub fn array_oid(&self) -> Oid {
        self.facts.array_oid
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// The word that is stored for one that a statement says.
    pub fn stored(&self, label: &str) -> Option<&str> {
        let place = self.by_label.get(label)?;
        self.facts.words.get(*place).map(stored)
    }

    /// The word that is shown for one that is stored.
    pub fn label<'a>(&'a self, stored: &'a str) -> &'a str {
        if !self.is_renamed {
            return stored;
        }
        let word = self
            .by_stored
            .get(stored)
            .and_then(|place| self.facts.words.get(*place));
        word.map_or(stored, |(label, _)| label)
    }

    /// The place of a stored word in the enum's order.
    pub fn place(&self, stored: &str) -> Option<usize> {
        self.by_stored.get(stored).copied()
    }

    /// The stored words in order.
    pub fn stored_words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.facts.words.iter().map(stored)
    }

    /// Whether a word is shown otherwise than it is stored.
    pub fn is_renamed(&self) -> bool {
        self.is_renamed
    }
}

fn stored(word: &(String, Option<String>)) -> &str {
    word.1.as_deref().unwrap_or(&word.0)
}

/// Two of one number are one enum, though one may know words that the other does not know yet.
impl PartialEq for EnumType {
    fn eq(&self, other: &Self) -> bool {
        self.facts.oid == other.facts.oid
    }
}

impl Eq for EnumType {}

impl std::hash::Hash for EnumType {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.facts.oid.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_back() {
        let made = EnumType::new(
            Oid(16_400),
            Oid(16_399),
            "mood",
            [("sad", "sad"), ("fine", "ok")],
        );
        let read = EnumType::parse(made.serial()).unwrap();
        assert_eq!(read.name(), "mood");
        assert_eq!(read.oid(), Oid(16_400));
        assert_eq!(read.stored("fine"), Some("ok"));
        assert_eq!(read.stored("ok"), None);
        assert_eq!(read.label("ok"), "fine");
        assert_eq!(read.place("ok"), Some(1));
        assert!(read.is_renamed());
        assert!(EnumType::parse("mood").is_none());
    }
}
