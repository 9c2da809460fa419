//! Words. How VADER cuts a text into them and looks at their letters is as Python's `str` does it.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Python's `str.isspace` of a character.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The words of a text, without the punctuation around them unless hardly anything would be left.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space)
        .filter(|word| !word.is_empty())
        .map(stripped)
}

/// Without leading and trailing ASCII punctuation; a word of which that leaves one or two characters stays as it is,
/// because it is an emoticon more often than not.
fn stripped(word: &str) -> &str {
    let inner = word.trim_matches(|c: char| c.is_ascii_punctuation());
    if inner.chars().nth(2).is_some() {
        inner
    } else {
        word
    }
}

/// Python's `str.isupper`: there are letters with a case, and all of them are capitals.
pub(super) fn is_upper(word: &str) -> bool {
    if word.is_ascii() {
        let bytes = word.as_bytes();
        return bytes.iter().any(u8::is_ascii_uppercase)
            && !bytes.iter().any(u8::is_ascii_lowercase);
    }
    let mut cased = false;
    for c in word.chars() {
        if c.is_lowercase() || is_title(c) {
            return false;
        }
        cased |= c.is_uppercase();
    }
    cased
}

/// Unicode's titlecase letters, which are neither capitals nor small.
fn is_title(c: char) -> bool {
    matches!(
        u32::from(c),
        0x1c5 | 0x1c8 | 0x1cb | 0x1f2 | 0x1f88..=0x1f8f | 0x1f98..=0x1f9f | 0x1fa8..=0x1faf | 0x1fbc | 0x1fcc | 0x1ffc
    )
}

/// The word in small letters, in a buffer that is used again for every word.
pub(super) fn lower<'a>(word: &'a str, buffer: &'a mut String) -> &'a str {
    if !word
        .bytes()
        .any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
    {
        return word;
    }
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(word);
        buffer.make_ascii_lowercase();
    } else {
        buffer.extend(word.chars().flat_map(char::to_lowercase));
    }
    buffer
}

/// The words of a text for counting: runs of letters, digits and inner apostrophes, in small letters.
pub fn plain_words(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
    let words = runs.map(|run| run.trim_matches(['\'', '’']));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

const FUNCTION_WORDS: &str = "a about above after again against all also am an and any are as at be because been before being \
    below between both but by can could did do does doing down during each few for from further had has have having he her \
    here hers him his how i if in into is it its itself just me more most my no nor not now of off on once only or other our \
    ours out over own said same she should so some such than that the their theirs them then there these they this those \
    through to too under until up very was we were what when where which while who whom why will with would you your yours";

/// Whether a word of small letters is one of English's that hold sentences together and say nothing by themselves.
pub fn is_function_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| FUNCTION_WORDS.split_whitespace().collect());
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoticons_keep_their_punctuation() {
        let found: Vec<&str> = words("  (good!) :) :-D ...so... \"ok\" don't\u{1f}x ").collect();
        assert_eq!(
            found,
            ["good", ":)", ":-D", "...so...", "\"ok\"", "don't", "x"]
        );
    }

    #[test]
    fn letters_are_pythons() {
        assert!(is_upper("A1!") && is_upper("ÄÖ") && !is_upper("12") && !is_upper("Ab"));
        assert!(!is_upper("A\u{1c5}"));
        assert_eq!(lower("\u{212a}ind", &mut String::new()), "kind");
    }
}
