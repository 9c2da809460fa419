//! `upper` and `lower`, letter by letter as the C library does it: a letter without a counterpart of
//! one letter stays, such as `ß`.

use super::super::function::{Overload, Spec};
use super::super::types::Ty;
use super::super::value::text1;
use super::check_length;

const UPPER: Spec = Spec::immutable(
    "upper",
    &[Overload::new(&[Ty::Text], Ty::Text, |call| {
        text1(call, |text: &str, out| {
            check_length(text.len())?;
            if text.is_ascii() {
                out.push_str(text);
                out.make_ascii_uppercase();
            } else {
                out.extend(
                    text.chars()
                        .map(|letter| only(letter, letter.to_uppercase())),
                );
            }
            Ok(())
        })
    })],
);

const LOWER: Spec = Spec::immutable(
    "lower",
    &[Overload::new(&[Ty::Text], Ty::Text, |call| {
        text1(call, |text: &str, out| {
            check_length(text.len())?;
            if text.is_ascii() {
                out.push_str(text);
                out.make_ascii_lowercase();
            } else {
                out.extend(
                    text.chars()
                        .map(|letter| only(letter, letter.to_lowercase())),
                );
            }
            Ok(())
        })
    })],
);

pub(super) const SPECS: &[Spec] = &[UPPER, LOWER];

/// The counterpart of a letter if it is one letter.
fn only(letter: char, mut counterpart: impl Iterator<Item = char>) -> char {
    match (counterpart.next(), counterpart.next()) {
        (Some(only), None) => only,
        _ => letter,
    }
}
