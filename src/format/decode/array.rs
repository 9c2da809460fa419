//! Arrays as text: `{1,NULL,"a b"}`.

use crate::error::{Error, Result};

/// The most elements an array may have.
const MAX_ELEMENTS: usize = 1 << 27;

/// The elements of an array of one dimension; `None` is NULL.
pub fn elements(text: &str) -> Result<Vec<Option<String>>> {
    let malformed = |detail: &str| Error::Function {
        sqlstate: "22P02",
        message: format!("malformed array literal: \"{text}\""),
        detail: Some(detail.to_owned()),
        hint: None,
    };
    let trimmed = text.trim();
    let Some(inner) = trimmed.strip_prefix('{') else {
        if trimmed.starts_with('[') {
            return Err(Error::Unsupported("an array with bounds of its own".to_owned()));
        }
        return Err(malformed("Array value must start with \"{\" or dimension information."));
    };
    let mut elements = Vec::new();
    let mut letters = inner.char_indices().peekable();
    let mut end = None;
    while end.is_none() {
        while letters.next_if(|(_, letter)| letter.is_ascii_whitespace()).is_some() {}
        let mut element = String::new();
        // Up to here the element is more than white space that may be cut off.
        let mut solid = 0;
        let mut quoted = false;
        loop {
            match letters.next() {
                None => return Err(malformed("Unexpected end of input.")),
                Some((_, '"')) if !quoted && element.is_empty() => {
                    quoted = true;
                    loop {
                        match letters.next() {
                            Some((_, '"')) => break,
                            Some((_, '\\')) => element.extend(letters.next().map(|(_, letter)| letter)),
                            Some((_, letter)) => element.push(letter),
                            None => return Err(malformed("Unexpected end of input.")),
                        }
                    }
                    solid = element.len();
                }
                Some((_, '"')) => return Err(malformed("Unexpected array element.")),
                Some((_, '{')) if !quoted && element.is_empty() => {
                    return Err(Error::Unsupported("an array of several dimensions as input".to_owned()));
                }
                Some((_, '{')) => return Err(malformed("Unexpected \"{\" character.")),
                Some((_, '\\')) => {
                    element.extend(letters.next().map(|(_, letter)| letter));
                    solid = element.len();
                }
                Some((_, ',')) => break,
                Some((at, '}')) => {
                    end = Some(at + 1);
                    break;
                }
                Some((_, space)) if space.is_ascii_whitespace() => element.push(space),
                Some(_) if quoted => return Err(malformed("Unexpected array element.")),
                Some((_, letter)) => {
                    element.push(letter);
                    solid = element.len();
                }
            }
        }
        element.truncate(solid);
        if !quoted && element.is_empty() {
            if end.is_some() && elements.is_empty() {
                break;
            }
            return Err(malformed("Unexpected array element."));
        }
        let null = !quoted && element.eq_ignore_ascii_case("null");
        elements.push((!null).then_some(element));
        if elements.len() > MAX_ELEMENTS {
            let message = format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})");
            return Err(Error::ProgramLimit(message));
        }
    }
    if !inner[end.unwrap_or(inner.len())..].trim().is_empty() {
        return Err(malformed("Junk after closing right brace."));
    }
    Ok(elements)
}

/// The elements of an `int2vector` or `oidvector`, which stand between spaces.
pub fn vector(text: &str) -> impl Iterator<Item = &str> {
    text.split_ascii_whitespace()
}
