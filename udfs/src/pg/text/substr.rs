//! Parts of a text by position: `substr`, `substring`, `left`, `right`, `overlay`, `strpos`.

use super::super::error::{PgError, PgResult};
use super::super::function::{Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Bytes, Memo, map2, map3, text2, text3, text4};
use super::check_length;
use super::regexp;

/// `substring(text [, from [, for]])`, `substring(text from pattern)`, `substring(text from pattern for escape)`.
pub(crate) const SUBSTRING: Spec = Spec::immutable(
    "substring",
    &[
        Overload::new(&[Ty::Text, Ty::Int4], Ty::Text, |call| {
            text2(call, |text: &str, from: i32, out| {
                substr(text, i64::from(from), None, out)
            })
        }),
        Overload::new(&[Ty::Text, Ty::Int4, Ty::Int4], Ty::Text, |call| {
            text3(call, |text: &str, from: i32, count: i32, out| {
                substr(text, i64::from(from), Some(i64::from(count)), out)
            })
        }),
        Overload::new(&[Ty::Bytea, Ty::Int4], Ty::Bytea, |call| {
            map2(call, |bytes: Bytes<'_>, from: i32| {
                slice(&bytes, from, None)
            })
        }),
        Overload::new(&[Ty::Bytea, Ty::Int4, Ty::Int4], Ty::Bytea, |call| {
            map3(call, |bytes: Bytes<'_>, from: i32, count: i32| {
                slice(&bytes, from, Some(count))
            })
        }),
        Overload::new(&[Ty::Text, Ty::Text], Ty::Text, |call| {
            let mut memo = Memo::new();
            text2(call, |text: &str, pattern: &str, out| {
                let regex =
                    memo.get(pattern, |pattern| regexp::compile(pattern, "", "substring"))?;
                Ok(regexp::first_group(regex, text).is_some_and(|found| {
                    out.push_str(found);
                    true
                }))
            })
        }),
        Overload::new(&[Ty::Text, Ty::Text, Ty::Text], Ty::Text, |call| {
            let mut memo = Memo::new();
            text3(call, |text: &str, pattern: &str, escape: &str, out| {
                let regex = memo.get(&format!("{escape}\0{pattern}"), |_| {
                    regexp::similar(pattern, escape)
                })?;
                Ok(regexp::first_group(regex, text).is_some_and(|found| {
                    out.push_str(found);
                    true
                }))
            })
        }),
    ],
);

const SUBSTR: Spec = Spec {
    name: "substr",
    overloads: SUBSTRING.overloads.split_at(4).0,
    ..SUBSTRING
};

/// `strpos(text, part)`, which `position(part in text)` is.
pub(crate) const STRPOS: Spec = Spec::immutable(
    "strpos",
    &[
        Overload::new(&[Ty::Text, Ty::Text], Ty::Int4, |call| {
            map2(call, |text: &str, part: &str| Ok(position(text, part)))
        }),
        Overload::new(&[Ty::Bytea, Ty::Bytea], Ty::Int4, |call| {
            map2(call, |bytes: Bytes<'_>, part: Bytes<'_>| {
                if part.is_empty() {
                    return Ok(1);
                }
                Ok(bytes
                    .windows(part.len())
                    .position(|window| window == part.as_ref())
                    .map_or(0, |index| index as i32 + 1))
            })
        }),
    ],
);

/// `overlay(text placing part from start [for count])`.
pub(crate) const OVERLAY: Spec = Spec::immutable(
    "overlay",
    &[
        Overload::new(&[Ty::Text, Ty::Text, Ty::Int4], Ty::Text, |call| {
            text3(call, |text: &str, part: &str, from: i32, out| {
                overlay(text, part, from, part.chars().count() as i64, out)
            })
        }),
        Overload::new(
            &[Ty::Text, Ty::Text, Ty::Int4, Ty::Int4],
            Ty::Text,
            |call| {
                text4(
                    call,
                    |text: &str, part: &str, from: i32, count: i32, out| {
                        overlay(text, part, from, i64::from(count), out)
                    },
                )
            },
        ),
    ],
);

const LEFT: Spec = Spec::immutable(
    "left",
    &[Overload::new(&[Ty::Text, Ty::Int4], Ty::Text, |call| {
        text2(call, |text: &str, count: i32, out| {
            let keep = if count < 0 {
                text.chars()
                    .count()
                    .saturating_sub(count.unsigned_abs() as usize)
            } else {
                count as usize
            };
            out.push_str(&text[..offset_of(text, keep)]);
            Ok(())
        })
    })],
);

const RIGHT: Spec = Spec::immutable(
    "right",
    &[Overload::new(&[Ty::Text, Ty::Int4], Ty::Text, |call| {
        text2(call, |text: &str, count: i32, out| {
            let skip = match count < 0 {
                true => count.unsigned_abs() as usize,
                false => text.chars().count().saturating_sub(count as usize),
            };
            out.push_str(&text[offset_of(text, skip)..]);
            Ok(())
        })
    })],
);

pub(super) const SPECS: &[Spec] = &[SUBSTRING, SUBSTR, STRPOS, OVERLAY, LEFT, RIGHT];

/// The byte offset of the character at this index, or the end.
pub(super) fn offset_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(offset, _)| offset)
}

/// The characters from `from` (1 is the first; it may lie before the text) on, `count` of them.
fn substr(text: &str, from: i64, count: Option<i64>, out: &mut String) -> PgResult<()> {
    let start = from.max(1) - 1;
    let rest = &text[offset_of(text, start as usize)..];
    match count {
        None => out.push_str(rest),
        Some(count) if count < 0 => return Err(PgError::NegativeSubstring),
        Some(count) => {
            let length = (from + count - 1 - start).max(0);
            out.push_str(&rest[..offset_of(rest, length as usize)]);
        }
    }
    Ok(())
}

fn slice(bytes: &[u8], from: i32, count: Option<i32>) -> PgResult<Vec<u8>> {
    let start = i64::from(from).max(1) - 1;
    let end = match count {
        None => bytes.len() as i64,
        Some(count) if count < 0 => return Err(PgError::NegativeSubstring),
        Some(count) => (i64::from(from) + i64::from(count) - 1).max(start),
    };
    let clamp = |at: i64| (at as usize).min(bytes.len());
    Ok(bytes[clamp(start)..clamp(end)].to_vec())
}

/// The position of the first occurrence, in characters from 1; 0 if there is none.
fn position(text: &str, part: &str) -> i32 {
    text.find(part)
        .map_or(0, |offset| text[..offset].chars().count() as i32 + 1)
}

fn overlay(text: &str, part: &str, from: i32, count: i64, out: &mut String) -> PgResult<()> {
    if from <= 0 {
        return Err(PgError::NegativeSubstring);
    }
    check_length(text.len() + part.len())?;
    out.push_str(&text[..offset_of(text, from as usize - 1)]);
    out.push_str(part);
    let resume = (i64::from(from) - 1 + count).max(0);
    out.push_str(&text[offset_of(text, resume as usize)..]);
    Ok(())
}
