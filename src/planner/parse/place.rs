//! Places in a text: lines and columns, bytes, and PostgreSQL's count of characters.

use datafusion::sql::sqlparser::tokenizer::Location;

/// A place that is known in bytes. Those after it are found from there, so that a text of many statements
/// is walked through once and not from its start for each.
#[derive(Clone, Copy)]
pub(super) struct Anchor {
    pub(super) place: Location,
    pub(super) offset: usize,
}

impl Anchor {
    /// The start of a text.
    pub(super) const START: Self = Self {
        place: Location { line: 1, column: 1 },
        offset: 0,
    };

    /// Goes on to a place of the text, which must not lie before.
    pub(super) fn go_on(&mut self, text: &str, place: Location) {
        for letter in text.get(self.offset..).unwrap_or_default().chars() {
            if self.place >= place {
                return;
            }
            self.offset += letter.len_utf8();
            match letter {
                '\n' => {
                    self.place.line += 1;
                    self.place.column = 1;
                }
                _ => self.place.column += 1,
            }
        }
    }
}

/// The byte at which a token's place lies.
pub(super) fn byte_offset(text: &str, place: Location) -> usize {
    let mut offset = 0;
    let mut rest = text;
    for _ in 1..place.line {
        match rest.find('\n') {
            Some(end) => {
                offset += end + 1;
                rest = &rest[end + 1..];
            }
            None => return text.len(),
        }
    }
    let column = usize::try_from(place.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let within = rest
        .char_indices()
        .nth(column)
        .map_or(rest.len(), |(byte, _)| byte);
    offset + within
}

/// The place as PostgreSQL counts it: characters from 1.
pub(in crate::planner) fn char_position(text: &str, place: Location) -> usize {
    let offset = byte_offset(text, place);
    text.get(..offset)
        .map_or(0, |before| before.chars().count())
        + 1
}
