//! Types whose values are kept as text or bytes: booleans, strings, bytea, uuid.

use std::borrow::Cow;

use tessera_catalog::sql_type::SqlType;

use super::number::is_space;
use super::{invalid, json, number};
use crate::error::{Error, Result};

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// Reads a `boolean`: any beginning of the words that tells them apart.
pub fn boolean(text: &str) -> Result<bool> {
    match text.as_bytes() {
        b"t" => return Ok(true),
        b"f" => return Ok(false),
        _ => {}
    }
    let word = text.trim_matches(is_space).to_ascii_lowercase();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if begins("true", 1) || begins("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(invalid("boolean", text))
    }
}

/// Reads a value of a type that Arrow holds as a string, in the form in which it is kept.
pub fn string<'a>(text: &'a str, sql_type: &SqlType) -> Result<Cow<'a, str>> {
    Ok(match sql_type {
        SqlType::Varchar(Some(length)) => Cow::Borrowed(varchar(text, *length as usize, sql_type)?),
        SqlType::Char(length) if *length > 0 => {
            let text = varchar(text, *length as usize, sql_type)?;
            Cow::Borrowed(text.trim_end_matches(' '))
        }
        SqlType::Char(_) => Cow::Borrowed(text.trim_end_matches(' ')),
        SqlType::Name => Cow::Borrowed(name(text)),
        SqlType::InternalChar => {
            let first = text.chars().next().map_or(0, char::len_utf8);
            Cow::Borrowed(&text[..first])
        }
        SqlType::Uuid => uuid(text)?,
        SqlType::Enum(enumerated) => match enumerated.stored(text) {
            Some(same) if same == text => Cow::Borrowed(text),
            Some(stored) => Cow::Owned(stored.to_owned()),
            None => {
                return Err(Error::InvalidText(format!(
                    "invalid input value for enum {sql_type}: \"{text}\""
                )));
            }
        },
        SqlType::Json => {
            json::check(text)?;
            Cow::Borrowed(text)
        }
        SqlType::Jsonb => Cow::Owned(json::jsonb(text)?),
        SqlType::Numeric(None) => Cow::Owned(number::numeric_text(text)?),
        _ => Cow::Borrowed(text),
    })
}

/// A text of at most so many characters; spaces beyond are cut off, as the standard wants.
fn varchar<'a>(text: &'a str, length: usize, sql_type: &SqlType) -> Result<&'a str> {
    if text.len() <= length {
        return Ok(text);
    }
    match text.char_indices().nth(length) {
        None => Ok(text),
        Some((end, _)) if text[end..].bytes().all(|byte| byte == b' ') => Ok(&text[..end]),
        Some(_) => Err(Error::TooLong(sql_type.to_string())),
    }
}

fn name(text: &str) -> &str {
    let mut end = text.len().min(MAX_NAME_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A uuid in its usual form; read in braces, in capitals and with hyphens after any four digits.
fn uuid(text: &str) -> Result<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let usual = |(index, byte): (usize, &u8)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    if bytes.len() == 36 && bytes.iter().enumerate().all(usual) {
        return Ok(Cow::Borrowed(text));
    }
    let wrong = || invalid("uuid", text);
    let inner = match bytes {
        [b'{', inner @ .., b'}'] => inner,
        [b'{', ..] => return Err(wrong()),
        all => all,
    };
    let mut digits = String::with_capacity(36);
    let mut count = 0;
    let mut after_hyphen = true;
    for byte in inner {
        match byte {
            b'-' if !after_hyphen && count % 4 == 0 && count < 32 => after_hyphen = true,
            digit if digit.is_ascii_hexdigit() && count < 32 => {
                if matches!(count, 8 | 12 | 16 | 20) {
                    digits.push('-');
                }
                digits.push(char::from(digit.to_ascii_lowercase()));
                count += 1;
                after_hyphen = false;
            }
            _ => return Err(wrong()),
        }
    }
    if count == 32 && !after_hyphen {
        Ok(Cow::Owned(digits))
    } else {
        Err(wrong())
    }
}

/// Reads a `bytea` in hex or in escapes.
pub fn bytea(text: &str) -> Result<Vec<u8>> {
    let wrong = || Error::InvalidText("invalid input syntax for type bytea".to_owned());
    let Some(hex) = text.strip_prefix("\\x") else {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            match &bytes[at..] {
                [b'\\', b'\\', ..] => {
                    out.push(b'\\');
                    at += 2;
                }
                [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                    out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                    at += 4;
                }
                [b'\\', ..] => return Err(wrong()),
                [byte, ..] => {
                    out.push(*byte);
                    at += 1;
                }
                [] => break,
            }
        }
        return Ok(out);
    };
    let mut out = Vec::with_capacity(hex.len() / 2);
    let mut high = None;
    for letter in hex.chars() {
        let Some(digit) = letter.to_digit(16) else {
            if is_space(letter) && high.is_none() {
                continue;
            }
            let message = format!("invalid hexadecimal digit: \"{letter}\"");
            return Err(Error::InvalidParameterValue(message));
        };
        match high.take() {
            None => high = Some(digit as u8),
            Some(first) => out.push(first << 4 | digit as u8),
        }
    }
    if high.is_some() {
        let message = "invalid hexadecimal data: odd number of digits";
        return Err(Error::InvalidParameterValue(message.to_owned()));
    }
    Ok(out)
}
