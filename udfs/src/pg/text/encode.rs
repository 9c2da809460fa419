//! `encode`, `decode`, `convert_from`, `convert_to` and bytea's own notation.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::error::{PgError, PgResult};
use super::super::function::{Overload, Spec};
use super::super::output::put;
use super::super::types::Ty;
use super::super::value::{Bytes, map2, text2};
use super::check_length;

const ENCODE: Spec = Spec::immutable(
    "encode",
    &[Overload::new(&[Ty::Bytea, Ty::Text], Ty::Text, |call| {
        text2(call, |bytes: Bytes<'_>, format: &str, out| {
            encode(&bytes, format, out)
        })
    })],
);

const DECODE: Spec = Spec::immutable(
    "decode",
    &[Overload::new(&[Ty::Text, Ty::Text], Ty::Bytea, |call| {
        map2(call, |text: &str, format: &str| decode(text, format))
    })],
);

const CONVERT_FROM: Spec = Spec::immutable(
    "convert_from",
    &[Overload::new(&[Ty::Bytea, Ty::Text], Ty::Text, |call| {
        text2(call, |bytes: Bytes<'_>, encoding: &str, out| {
            out.push_str(&decode_text(&bytes, encoding)?);
            Ok(())
        })
    })],
);

const CONVERT_TO: Spec = Spec::immutable(
    "convert_to",
    &[Overload::new(&[Ty::Text, Ty::Text], Ty::Bytea, |call| {
        map2(call, |text: &str, encoding: &str| {
            encode_text(text, encoding)
        })
    })],
);

pub(super) const SPECS: &[Spec] = &[ENCODE, DECODE, CONVERT_FROM, CONVERT_TO];

fn unknown(format: &str) -> PgError {
    PgError::InvalidParameter(format!("unrecognized encoding: \"{format}\""))
}

fn encode(bytes: &[u8], format: &str, out: &mut String) -> PgResult<()> {
    check_length(bytes.len().saturating_mul(2))?;
    match format.to_ascii_lowercase().as_str() {
        "hex" => bytes.iter().for_each(|byte| put!(out, "{byte:02x}")),
        "base64" => {
            let text = STANDARD.encode(bytes);
            // Lines of 76 characters, as RFC 2045 wants.
            for (index, line) in text.as_bytes().chunks(76).enumerate() {
                if index > 0 {
                    out.push('\n');
                }
                out.extend(line.iter().map(|byte| char::from(*byte)));
            }
        }
        "escape" => {
            for byte in bytes {
                match byte {
                    b'\\' => out.push_str("\\\\"),
                    0 | 0x80.. => put!(out, "\\{byte:03o}"),
                    byte => out.push(char::from(*byte)),
                }
            }
        }
        _ => return Err(unknown(format)),
    }
    Ok(())
}

fn decode(text: &str, format: &str) -> PgResult<Vec<u8>> {
    match format.to_ascii_lowercase().as_str() {
        "hex" => decode_hex(text),
        "base64" => decode_base64(text),
        "escape" => decode_escape(text),
        _ => Err(unknown(format)),
    }
}

fn decode_hex(text: &str) -> PgResult<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for c in text
        .chars()
        .filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r'))
    {
        let invalid = || PgError::InvalidParameter(format!("invalid hexadecimal digit: \"{c}\""));
        digits.push(c.to_digit(16).ok_or_else(invalid)? as u8);
    }
    if digits.len() % 2 != 0 {
        return Err(PgError::InvalidParameter(
            "invalid hexadecimal data: odd number of digits".to_owned(),
        ));
    }
    Ok(digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

fn decode_base64(text: &str) -> PgResult<Vec<u8>> {
    let mut kept = String::with_capacity(text.len());
    let mut padding = false;
    for c in text
        .chars()
        .filter(|c| !matches!(c, ' ' | '\n' | '\t' | '\r'))
    {
        if c == '=' {
            padding = true;
        } else if padding || !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/')) {
            if padding {
                return Err(PgError::InvalidParameter(
                    "unexpected \"=\" while decoding base64 sequence".to_owned(),
                ));
            }
            return Err(PgError::InvalidParameter(format!(
                "invalid symbol \"{c}\" found while decoding base64 sequence"
            )));
        }
        kept.push(c);
    }
    let end = || PgError::InvalidParameter("invalid base64 end sequence".to_owned());
    STANDARD.decode(kept).map_err(|_| end())
}

fn decode_escape(text: &str) -> PgResult<Vec<u8>> {
    let invalid = || PgError::InvalidText("invalid input syntax for type bytea".to_owned());
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte != b'\\' {
            out.push(*byte);
            at += 1;
            continue;
        }
        let octal = |index: usize, most: u8| {
            bytes
                .get(index)
                .map(|digit| digit.wrapping_sub(b'0'))
                .filter(|digit| *digit <= most)
        };
        if bytes.get(at + 1) == Some(&b'\\') {
            out.push(b'\\');
            at += 2;
        } else if let (Some(high), Some(middle), Some(low)) =
            (octal(at + 1, 3), octal(at + 2, 7), octal(at + 3, 7))
        {
            out.push(high << 6 | middle << 3 | low);
            at += 4;
        } else {
            return Err(invalid());
        }
    }
    Ok(out)
}

/// Reads bytea's notation: `\x6869`, or the escape format.
pub(crate) fn bytea_in(text: &str) -> PgResult<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(hex) => decode_hex(hex),
        None => decode_escape(text),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

fn encoding(name: &str, source: bool) -> PgResult<Encoding> {
    let plain: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    match plain.as_str() {
        "utf8" | "unicode" => Ok(Encoding::Utf8),
        "latin1" | "iso88591" => Ok(Encoding::Latin1),
        "sqlascii" => Ok(Encoding::Ascii),
        _ => {
            let which = if source { "source" } else { "destination" };
            Err(PgError::InvalidParameter(format!(
                "invalid {which} encoding name \"{name}\""
            )))
        }
    }
}

/// Bytes of this encoding as text.
pub(super) fn decode_text<'a>(bytes: &'a [u8], name: &str) -> PgResult<Cow<'a, str>> {
    if encoding(name, true)? == Encoding::Latin1 {
        return Ok(Cow::Owned(
            bytes.iter().map(|byte| char::from(*byte)).collect(),
        ));
    }
    let invalid = |at: usize| {
        let shown: Vec<String> = bytes[at..]
            .iter()
            .take(1)
            .map(|byte| format!("0x{byte:02x}"))
            .collect();
        PgError::InvalidEncoding(format!(
            "invalid byte sequence for encoding \"UTF8\": {}",
            shown.join(" ")
        ))
    };
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(invalid(at));
    }
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|error| invalid(error.valid_up_to()))
}

fn encode_text(text: &str, name: &str) -> PgResult<Vec<u8>> {
    if encoding(name, false)? != Encoding::Latin1 {
        return Ok(text.as_bytes().to_vec());
    }
    let encoded = text.chars().map(|c| {
        let shown: Vec<String> = c.to_string().bytes().map(|byte| format!("0x{byte:02x}")).collect();
        let missing = || {
            let shown = shown.join(" ");
            PgError::Untranslatable(format!(
                "character with byte sequence {shown} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\""
            ))
        };
        u8::try_from(u32::from(c)).map_err(|_| missing())
    });
    encoded.collect()
}
