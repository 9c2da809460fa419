//! Words of finance news, their stems and figures.

use super::lexicon::FORMS;

/// What stands for the point in a figure.
const POINT: char = '_';
pub(super) fn plain(word: &str) -> &str {
    let form = FORMS.iter().find(|(form, _)| *form == word);
    form.map_or(word, |(_, plain)| plain)
}

/// Words, and the marks that end clauses.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let pieces = text.split_inclusive(|c: char| !in_word(c));
    let parts = pieces.flat_map(|piece| {
        let word = piece.trim_end_matches(|c| !in_word(c));
        [word, &piece[word.len()..]]
    });
    parts.filter(|part| is_end(part) || part.starts_with(in_word))
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\'' || c == '’' || c == POINT
}

/// The text with its figures in one word each: the point within "5.2" ends no sentence.
pub(super) fn joined_figures(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = letters.next() {
        let within = before.is_ascii_digit() && letters.peek().is_some_and(char::is_ascii_digit);
        match c {
            '.' if within => joined.push(POINT),
            ',' if within => {}
            c => joined.push(c),
        }
        before = c;
    }
    joined
}

/// The figure that a word is.
pub(super) fn figure(word: &str) -> Option<f64> {
    let first = word.chars().next()?;
    if !first.is_ascii_digit() {
        return None;
    }
    word.replace(POINT, ".").parse().ok()
}

pub(super) fn is_end(word: &str) -> bool {
    matches!(word, "." | ";" | ":" | "!" | "?")
}

/// A word without its common endings: enough to meet its other forms.
pub(super) fn stem(word: &str) -> String {
    let word = word
        .trim_end_matches("'s")
        .trim_end_matches("’s")
        .trim_matches(['\'', '’']);
    let cut = |ending: &str, least: usize| {
        word.strip_suffix(ending)
            .filter(|rest| rest.chars().count() >= least)
    };
    let base = if let Some(rest) = cut("ies", 2) {
        return format!("{rest}y");
    } else if let Some(rest) = cut("ied", 2) {
        return format!("{rest}y");
    } else if let Some(rest) = cut("ing", 3).or_else(|| cut("ed", 3)) {
        // "stopped" is "stop", but "fall" keeps both.
        let mut letters = rest.chars().rev();
        match (letters.next(), letters.next()) {
            (Some(a), Some(b)) if a == b && !"lsz".contains(a) => {
                &rest[..rest.len() - a.len_utf8()]
            }
            _ => rest,
        }
    } else if let Some(rest) = cut("sses", 2)
        .or_else(|| cut("shes", 2))
        .or_else(|| cut("ches", 2))
    {
        &word[..rest.len() + 2]
    } else if word.ends_with("ss") || word.ends_with("us") {
        word
    } else {
        cut("s", 3).unwrap_or(word)
    };
    base.strip_suffix('e')
        .filter(|rest| rest.len() >= 3)
        .unwrap_or(base)
        .to_owned()
}
