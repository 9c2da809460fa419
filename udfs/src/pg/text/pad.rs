//! `lpad`, `rpad`, `btrim`, `ltrim`, `rtrim` and `repeat`.

use std::collections::HashSet;

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Bytes, Memo, map2, text1, text2, text3};
use super::substr::offset_of;
use super::{MAX_TEXT_BYTES, check_length};

const LPAD: Spec = Spec::immutable(
    "lpad",
    &[
        Overload::new(&[Ty::Text, Ty::Int4], Ty::Text, |call| {
            text2(call, |text: &str, length: i32, out| {
                pad(text, length, " ", true, out)
            })
        }),
        Overload::new(&[Ty::Text, Ty::Int4, Ty::Text], Ty::Text, |call| {
            text3(call, |text: &str, length: i32, fill: &str, out| {
                pad(text, length, fill, true, out)
            })
        }),
    ],
);

const RPAD: Spec = Spec::immutable(
    "rpad",
    &[
        Overload::new(&[Ty::Text, Ty::Int4], Ty::Text, |call| {
            text2(call, |text: &str, length: i32, out| {
                pad(text, length, " ", false, out)
            })
        }),
        Overload::new(&[Ty::Text, Ty::Int4, Ty::Text], Ty::Text, |call| {
            text3(call, |text: &str, length: i32, fill: &str, out| {
                pad(text, length, fill, false, out)
            })
        }),
    ],
);

/// The first `length` characters of text and fill, the fill on one side.
fn pad(text: &str, length: i32, fill: &str, left: bool, out: &mut String) -> PgResult<()> {
    let length = usize::try_from(length).unwrap_or(0);
    if length > MAX_TEXT_BYTES / 4 {
        return Err(PgError::too_large());
    }
    let kept = &text[..offset_of(text, length)];
    let missing = length - kept.chars().count();
    if !left {
        out.push_str(kept);
    }
    if !fill.is_empty() {
        out.extend(fill.chars().cycle().take(missing));
    }
    if left {
        out.push_str(kept);
    }
    Ok(())
}

fn trim(call: &Call<'_>, left: bool, right: bool) -> Result<ArrayRef> {
    let one = |text: &str, inside: &dyn Fn(char) -> bool, out: &mut String| {
        let mut kept = text;
        if left {
            kept = kept.trim_start_matches(inside);
        }
        if right {
            kept = kept.trim_end_matches(inside);
        }
        out.push_str(kept);
    };
    if call.args.len() == 1 {
        return text1(call, |text: &str, out| {
            one(text, &|c| c == ' ', out);
            Ok(())
        });
    }
    let mut memo = Memo::new();
    text2(call, |text: &str, set: &str, out| {
        let set = memo.get(set, |set| Ok(set.chars().collect::<HashSet<char>>()))?;
        one(text, &|c| set.contains(&c), out);
        Ok(())
    })
}

fn trim_bytes(bytes: &[u8], set: &[u8], left: bool, right: bool) -> Vec<u8> {
    let mut kept = bytes;
    while let (true, Some((first, rest))) = (left, kept.split_first()) {
        if !set.contains(first) {
            break;
        }
        kept = rest;
    }
    while let (true, Some((last, rest))) = (right, kept.split_last()) {
        if !set.contains(last) {
            break;
        }
        kept = rest;
    }
    kept.to_vec()
}

macro_rules! trim_spec {
    ($name:literal, $left:literal, $right:literal, $aliases:expr) => {
        Spec::immutable(
            $name,
            &[
                Overload::new(&[Ty::Text], Ty::Text, |call| trim(call, $left, $right)),
                Overload::new(&[Ty::Text, Ty::Text], Ty::Text, |call| {
                    trim(call, $left, $right)
                }),
                Overload::new(&[Ty::Bytea, Ty::Bytea], Ty::Bytea, |call| {
                    map2(call, |bytes: Bytes<'_>, set: Bytes<'_>| {
                        Ok(trim_bytes(&bytes, &set, $left, $right))
                    })
                }),
            ],
        )
        .also($aliases)
    };
}

const REPEAT: Spec = Spec::immutable(
    "repeat",
    &[Overload::new(&[Ty::Text, Ty::Int4], Ty::Text, |call| {
        text2(call, |text: &str, count: i32, out| {
            let count = usize::try_from(count).unwrap_or(0);
            check_length(text.len().saturating_mul(count))?;
            (0..count).for_each(|_| out.push_str(text));
            Ok(())
        })
    })],
);

pub(super) const SPECS: &[Spec] = &[
    LPAD,
    RPAD,
    trim_spec!("btrim", true, true, &["trim"]),
    trim_spec!("ltrim", true, false, &[]),
    trim_spec!("rtrim", false, true, &[]),
    REPEAT,
];
