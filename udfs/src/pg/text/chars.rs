//! Functions on the characters of a text: case, order, replacement, codes, lengths.

use std::collections::HashMap;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::output::put;
use super::super::types::{SQL_TYPE, Ty};
use super::super::value::{Bytes, Memo, map1, map2, text1, text2, text3};
use super::check_length;

const INITCAP: Spec = Spec::immutable(
    "initcap",
    &[Overload::new(&[Ty::Text], Ty::Text, |call| {
        text1(call, initcap)
    })],
);

/// The first letter of each word in upper case; words are runs of letters and digits.
fn initcap(text: &str, out: &mut String) -> PgResult<()> {
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric();
    }
    Ok(())
}

const REVERSE: Spec = Spec::immutable(
    "reverse",
    &[Overload::new(&[Ty::Text], Ty::Text, |call| {
        text1(call, |text: &str, out| {
            out.extend(text.chars().rev());
            Ok(())
        })
    })],
);

const TRANSLATE: Spec = Spec::immutable(
    "translate",
    &[Overload::new(
        &[Ty::Text, Ty::Text, Ty::Text],
        Ty::Text,
        |call| {
            let mut memo = Memo::new();
            text3(call, |text: &str, from: &str, to: &str, out| {
                let map = memo.get(&format!("{from}\0{to}"), |_| Ok(translation(from, to)))?;
                out.extend(
                    text.chars()
                        .filter_map(|c| map.get(&c).copied().unwrap_or(Some(c))),
                );
                Ok(())
            })
        },
    )],
);

/// What becomes of each character; those without a partner go. The first of equal ones counts.
fn translation(from: &str, to: &str) -> HashMap<char, Option<char>> {
    let mut to = to.chars();
    let mut map = HashMap::new();
    for c in from.chars() {
        let partner = to.next();
        map.entry(c).or_insert(partner);
    }
    map
}

const REPLACE: Spec = Spec::immutable(
    "replace",
    &[Overload::new(
        &[Ty::Text, Ty::Text, Ty::Text],
        Ty::Text,
        |call| {
            text3(call, |text: &str, from: &str, to: &str, out| {
                if from.is_empty() {
                    out.push_str(text);
                    return Ok(());
                }
                for (index, part) in text.split(from).enumerate() {
                    if index > 0 {
                        out.push_str(to);
                    }
                    out.push_str(part);
                    check_length(out.len())?;
                }
                Ok(())
            })
        },
    )],
);

const ASCII: Spec = Spec::immutable(
    "ascii",
    &[Overload::new(&[Ty::Text], Ty::Int4, |call| {
        map1(call, |text: &str| {
            Ok(text.chars().next().map_or(0, |c| c as i32))
        })
    })],
);

const CHR: Spec = Spec::immutable(
    "chr",
    &[Overload::new(&[Ty::Int4], Ty::Text, |call| {
        text1(call, |code: i32, out| {
            if code < 0 {
                return Err(PgError::ProgramLimit(
                    "character number must be positive".to_owned(),
                ));
            }
            if code == 0 {
                return Err(PgError::ProgramLimit(
                    "null character not permitted".to_owned(),
                ));
            }
            let invalid = || {
                PgError::ProgramLimit(format!(
                    "requested character not valid for encoding: {code}"
                ))
            };
            let too_large = || {
                PgError::ProgramLimit(format!(
                    "requested character too large for encoding: {code}"
                ))
            };
            let code = u32::try_from(code).map_err(|_| invalid())?;
            if code > 0x10_ffff {
                return Err(too_large());
            }
            out.push(char::from_u32(code).ok_or_else(invalid)?);
            Ok(())
        })
    })],
);

const TO_HEX: Spec = Spec::immutable(
    "to_hex",
    &[
        Overload::new(&[Ty::Int4], Ty::Text, |call| {
            text1(call, |value: i32, out| {
                put!(out, "{value:x}");
                Ok(())
            })
        }),
        Overload::new(&[Ty::Int8], Ty::Text, |call| {
            text1(call, |value: i64, out| {
                put!(out, "{value:x}");
                Ok(())
            })
        }),
    ],
);

const STARTS_WITH: Spec = Spec::immutable(
    "starts_with",
    &[Overload::new(&[Ty::Text, Ty::Text], Ty::Bool, |call| {
        map2(call, |text: &str, start: &str| Ok(text.starts_with(start)))
    })],
);

const LENGTH: Spec = Spec::immutable(
    "length",
    &[
        Overload::new(&[Ty::Text], Ty::Int4, |call| {
            map1(call, |text: &str| Ok(text.chars().count() as i32))
        }),
        Overload::new(&[Ty::Bytea], Ty::Int4, |call| {
            map1(call, |bytes: Bytes<'_>| Ok(bytes.len() as i32))
        }),
        Overload::new(&[Ty::Bytea, Ty::Text], Ty::Int4, |call| {
            map2(call, |bytes: Bytes<'_>, encoding: &str| {
                Ok(super::encode::decode_text(&bytes, encoding)?
                    .chars()
                    .count() as i32)
            })
        }),
    ],
);

const CHAR_LENGTH: Spec = Spec {
    name: "char_length",
    aliases: &["character_length"],
    overloads: LENGTH.overloads.split_at(1).0,
    ..LENGTH
};

/// How many characters a `character(n)` has with its padding, which is not kept; 0 for other texts.
fn padded_width(call: &Call<'_>) -> usize {
    let told = call
        .fields
        .first()
        .and_then(|field| field.metadata().get(SQL_TYPE));
    let width = told.and_then(|name| {
        name.strip_prefix("character(")?
            .strip_suffix(')')?
            .parse()
            .ok()
    });
    width.unwrap_or(0)
}

fn octets(text: &str, width: usize) -> i32 {
    let padding = match width {
        0 => 0,
        width => width.saturating_sub(text.chars().count()),
    };
    (text.len() + padding) as i32
}

const OCTET_LENGTH: Spec = Spec::immutable(
    "octet_length",
    &[
        Overload::new(&[Ty::Text], Ty::Int4, |call| {
            let width = padded_width(call);
            map1(call, |text: &str| Ok(octets(text, width)))
        }),
        Overload::new(&[Ty::Bytea], Ty::Int4, |call| {
            map1(call, |bytes: Bytes<'_>| Ok(bytes.len() as i32))
        }),
    ],
);

const BIT_LENGTH: Spec = Spec::immutable(
    "bit_length",
    &[
        Overload::new(&[Ty::Text], Ty::Int4, |call| {
            map1(call, |text: &str| Ok(text.len() as i32 * 8))
        }),
        Overload::new(&[Ty::Bytea], Ty::Int4, |call| {
            map1(call, |bytes: Bytes<'_>| Ok(bytes.len() as i32 * 8))
        }),
    ],
);

/// `like_escape(pattern, escape)`: the pattern with backslash for its escape.
const LIKE_ESCAPE: Spec = Spec::immutable(
    "like_escape",
    &[Overload::new(&[Ty::Text, Ty::Text], Ty::Text, |call| {
        text2(call, |pattern: &str, escape: &str, out| {
            like_escape(pattern, escape, out)
        })
    })],
);

fn like_escape(pattern: &str, escape: &str, out: &mut String) -> PgResult<()> {
    let mut marks = escape.chars();
    let mark = marks.next();
    if marks.next().is_some() {
        return Err(PgError::InvalidEscape("invalid escape string"));
    }
    let mut escaped = false;
    for c in pattern.chars() {
        if Some(c) == mark && !escaped && mark != Some('\\') {
            out.push('\\');
            escaped = true;
            continue;
        }
        if c == '\\' && mark != Some('\\') && !escaped {
            out.push('\\');
        }
        out.push(c);
        escaped = false;
    }
    Ok(())
}

/// `unistr(text)`: `\XXXX`, `\+XXXXXX`, `\uXXXX` and `\UXXXXXXXX` as characters.
const UNISTR: Spec = Spec::immutable(
    "unistr",
    &[Overload::new(&[Ty::Text], Ty::Text, |call| {
        text1(call, unistr)
    })],
);

fn unistr(text: &str, out: &mut String) -> PgResult<()> {
    let invalid = || PgError::Syntax("invalid Unicode escape".to_owned());
    let pair = || PgError::Syntax("invalid Unicode surrogate pair".to_owned());
    let mut rest = text;
    let mut high: Option<u32> = None;
    while let Some(c) = rest.chars().next() {
        if c != '\\' || rest[1..].starts_with('\\') {
            if high.is_some() {
                return Err(pair());
            }
            out.push(c);
            rest = &rest[c.len_utf8() + usize::from(c == '\\')..];
            continue;
        }
        let (skip, digits) = match rest.as_bytes().get(1) {
            Some(b'+') => (2, 6),
            Some(b'u') => (2, 4),
            Some(b'U') => (2, 8),
            _ => (1, 4),
        };
        let hex = rest.get(skip..skip + digits).ok_or_else(invalid)?;
        if !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut code = u32::from_str_radix(hex, 16).map_err(|_| invalid())?;
        rest = &rest[skip + digits..];
        match (high.take(), code) {
            (None, 0xD800..=0xDBFF) => {
                high = Some(code);
                continue;
            }
            (Some(first), 0xDC00..=0xDFFF) => {
                code = 0x10000 + ((first - 0xD800) << 10) + (code - 0xDC00)
            }
            (Some(_), _) | (None, 0xDC00..=0xDFFF) => return Err(pair()),
            (None, _) => {}
        }
        let outside =
            || PgError::InvalidParameter(format!("invalid Unicode code point: {code:04X}"));
        out.push(
            char::from_u32(code)
                .filter(|c| *c != '\0')
                .ok_or_else(outside)?,
        );
    }
    if high.is_some() { Err(pair()) } else { Ok(()) }
}

pub(super) const SPECS: &[Spec] = &[
    INITCAP,
    REVERSE,
    TRANSLATE,
    REPLACE,
    ASCII,
    CHR,
    TO_HEX,
    STARTS_WITH,
    LENGTH,
    CHAR_LENGTH,
    OCTET_LENGTH,
    BIT_LENGTH,
    LIKE_ESCAPE,
    UNISTR,
];
