//! json and jsonb: a reader that keeps numbers exact, and the functions on them.

pub(crate) mod access;
pub(crate) mod aggregate;
pub(crate) mod build;
pub(crate) mod edit;
pub(crate) mod operators;

use super::error::{PgError, PgResult};
use super::function::Spec;
use super::numeric::Numeric;
use super::output::put;

/// How deep arrays and objects may be nested.
const MAX_DEPTH: usize = 500;

/// A JSON value; numbers keep their text, objects their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads JSON text.
pub(crate) fn parse(text: &str) -> PgResult<Json> {
    let mut reader = JsonReader { text, at: 0 };
    let value = reader.value(0)?;
    reader.spaces();
    if reader.at < text.len() {
        Err(reader.invalid())
    } else {
        Ok(value)
    }
}

/// The text of a value at a path within JSON text, as it is written there; the last of members of one name.
pub(crate) fn written_at<'a>(text: &'a str, path: &[&str]) -> PgResult<Option<&'a str>> {
    let Some((step, rest)) = path.split_first() else {
        return Ok(Some(text.trim()));
    };
    let mut reader = JsonReader { text, at: 0 };
    reader.spaces();
    let found = match reader.peek() {
        Some(b'{') => reader.member(step)?,
        Some(b'[') => reader.element(step)?,
        _ => None,
    };
    match found {
        Some(found) => written_at(found, rest),
        None => Ok(None),
    }
}

struct JsonReader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> JsonReader<'a> {
    /// The text of the next value.
    fn span(&mut self) -> PgResult<&'a str> {
        self.spaces();
        let start = self.at;
        self.value(0)?;
        Ok(&self.text[start..self.at])
    }

    fn member(&mut self, key: &str) -> PgResult<Option<&'a str>> {
        self.at += 1;
        let mut found = None;
        loop {
            self.spaces();
            if self.peek() != Some(b'"') {
                return Ok(found);
            }
            let own = self.string()?;
            self.expect(b':')?;
            let value = self.span()?;
            if own == key {
                found = Some(value);
            }
            self.spaces();
            if self.peek() != Some(b',') {
                return Ok(found);
            }
            self.at += 1;
        }
    }

    /// An element by its place, from 0, or from the end where that is negative.
    fn element(&mut self, place: &str) -> PgResult<Option<&'a str>> {
        let Ok(place) = place.trim().parse::<i64>() else {
            return Ok(None);
        };
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.spaces();
            if matches!(self.peek(), Some(b']') | None) {
                break;
            }
            items.push(self.span()?);
            self.spaces();
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        let place = if place < 0 {
            place + items.len() as i64
        } else {
            place
        };
        let place = usize::try_from(place).ok();
        Ok(place.and_then(|place| items.get(place)).copied())
    }
}

impl JsonReader<'_> {
    fn invalid(&self) -> PgError {
        PgError::InvalidText("invalid input syntax for type json".to_owned())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> PgResult<()> {
        self.spaces();
        if self.peek() != Some(byte) {
            return Err(self.invalid());
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str, value: Json) -> PgResult<Json> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.invalid());
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> PgResult<Json> {
        if depth > MAX_DEPTH {
            return Err(PgError::ProgramLimit(
                "json is nested too deeply".to_owned(),
            ));
        }
        self.spaces();
        match self.peek() {
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid()),
        }
    }

    fn array(&mut self, depth: usize) -> PgResult<Json> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.spaces();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.spaces();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.invalid()),
            }
        }
    }

    fn object(&mut self, depth: usize) -> PgResult<Json> {
        self.expect(b'{')?;
        let mut members = Vec::new();
        self.spaces();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.spaces();
            let key = self.string()?;
            self.expect(b':')?;
            members.push((key, self.value(depth + 1)?));
            self.spaces();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(members));
                }
                _ => return Err(self.invalid()),
            }
        }
    }

    fn number(&mut self) -> PgResult<Json> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            reader.at - from
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let leading_zero = self.peek() == Some(b'0');
        let whole = digits(self);
        let mut valid = whole > 0 && !(leading_zero && whole > 1);
        if self.peek() == Some(b'.') {
            self.at += 1;
            valid &= digits(self) > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            valid &= digits(self) > 0;
        }
        if valid {
            Ok(Json::Number(self.text[start..self.at].to_owned()))
        } else {
            Err(self.invalid())
        }
    }

    fn hex(&mut self) -> PgResult<u32> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or_else(|| self.invalid())?;
        let code = u32::from_str_radix(digits, 16).map_err(|_| self.invalid())?;
        self.at += 4;
        Ok(code)
    }

    fn string(&mut self) -> PgResult<String> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid());
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ') else {
                return Err(self.invalid());
            };
            out.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(&mut out)?,
                _ => return Err(self.invalid()),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> PgResult<()> {
        self.at += 1;
        let c = self.peek().ok_or_else(|| self.invalid())?;
        self.at += 1;
        out.push(match c {
            b'"' | b'\\' | b'/' => char::from(c),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = self.hex()?;
                if (0xD800..0xDC00).contains(&code) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let low = self.hex()?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return Err(self.invalid());
                    }
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                }
                char::from_u32(code).ok_or_else(|| self.invalid())?
            }
            _ => return Err(self.invalid()),
        });
        Ok(())
    }
}

/// Writes a JSON string.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => put!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

impl Json {
    /// As jsonb: keys sorted by length and bytes, the last of equal ones, numbers as numeric.
    pub(crate) fn canonical(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::canonical).collect()),
            Self::Object(members) => {
                let mut sorted: Vec<(String, Self)> = members
                    .into_iter()
                    .map(|(key, value)| (key, value.canonical()))
                    .collect();
                // The sort is stable and the order reversed before it, so the last of equal keys comes first and stays.
                sorted.reverse();
                sorted
                    .sort_by(|left, right| (left.0.len(), &left.0).cmp(&(right.0.len(), &right.0)));
                sorted.dedup_by(|later, kept| later.0 == kept.0);
                Self::Object(sorted)
            }
            // Numbers of more digits than a numeric here holds stay as they were written.
            Self::Number(text) => {
                Self::Number(Numeric::parse(&text).map_or(text, |number| number.to_string()))
            }
            other => other,
        }
    }

    /// As jsonb prints: a space after colons and commas.
    pub(crate) fn write(&self, out: &mut String) {
        self.print(out, &Layout::Spaced, 0);
    }

    /// Without spaces.
    pub(crate) fn write_compact(&self, out: &mut String) {
        self.print(out, &Layout::Compact, 0);
    }

    /// On lines, indented by four.
    pub(crate) fn write_pretty(&self, out: &mut String) {
        self.print(out, &Layout::Pretty, 0);
    }

    fn print(&self, out: &mut String, layout: &Layout, depth: usize) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => put!(out, "{value}"),
            Self::Number(text) => out.push_str(text),
            Self::Text(text) => write_string(out, text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    layout.between(out, index, depth);
                    item.print(out, layout, depth + 1);
                }
                layout.close(out, depth);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    layout.between(out, index, depth);
                    write_string(out, key);
                    out.push_str(if *layout == Layout::Compact {
                        ":"
                    } else {
                        ": "
                    });
                    value.print(out, layout, depth + 1);
                }
                layout.close(out, depth);
                out.push('}');
            }
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The value as text: a string without its quotes, `None` for null.
    pub(crate) fn as_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.clone()),
            other => {
                let mut out = String::new();
                other.write(&mut out);
                Some(out)
            }
        }
    }

    pub(crate) fn without_nulls(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::without_nulls).collect()),
            Self::Object(members) => {
                let kept = members
                    .into_iter()
                    .filter(|(_, value)| *value != Self::Null);
                Self::Object(
                    kept.map(|(key, value)| (key, value.without_nulls()))
                        .collect(),
                )
            }
            other => other,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Layout {
    Compact,
    Spaced,
    Pretty,
}

impl Layout {
    fn between(&self, out: &mut String, index: usize, depth: usize) {
        if index > 0 {
            out.push(',');
        }
        match self {
            Self::Pretty => self.line(out, depth + 1),
            Self::Spaced if index > 0 => out.push(' '),
            _ => {}
        }
    }

    fn close(&self, out: &mut String, depth: usize) {
        if *self == Self::Pretty {
            self.line(out, depth);
        }
    }

    fn line(&self, out: &mut String, depth: usize) {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    }
}

/// The functions on json and jsonb.
pub(crate) fn specs() -> Vec<Spec> {
    let mut specs = Vec::new();
    specs.extend_from_slice(build::SPECS);
    specs.extend_from_slice(access::SPECS);
    specs.extend_from_slice(edit::SPECS);
    specs.extend_from_slice(operators::SPECS);
    specs
}
