//! json and jsonb: the one is checked and kept as it is, the other is written anew.

use super::number;
use crate::error::{Error, Result};

/// How deep a document may nest.
const MAX_DEPTH: usize = 1000;

/// Checks a `json`.
pub fn check(text: &str) -> Result<()> {
    Parser::new(text).document().map(drop)
}

/// Reads a `jsonb` as the text that PostgreSQL prints for it: keys sorted by length and bytes, the
/// last of equal keys kept, numbers exact, one space after `:` and `,`.
pub fn jsonb(text: &str) -> Result<String> {
    let value = Parser::new(text).document()?;
    let mut out = String::with_capacity(text.len());
    write(&value, &mut out)?;
    Ok(out)
}

enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(String),
    Array(Vec<Value<'a>>),
    Object(Vec<(String, Value<'a>)>),
}

fn write(value: &Value<'_>, out: &mut String) -> Result<()> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(text) => out.push_str(&number::numeric_text(text)?),
        Value::String(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<&(String, Value<'_>)> = fields.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
            out.push('{');
            let mut first = true;
            for (index, (key, value)) in sorted.iter().enumerate() {
                // The sort is stable, so the last of equal keys is the last that was written.
                if sorted.get(index + 1).is_some_and(|(next, _)| next == key) {
                    continue;
                }
                if !first {
                    out.push_str(", ");
                }
                first = false;
                quote(key, out);
                out.push_str(": ");
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// Appends a JSON string with the escapes that PostgreSQL writes.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn document(mut self) -> Result<Value<'a>> {
        let value = self.value(0)?;
        self.space();
        if self.at < self.text.len() { Err(self.wrong()) } else { Ok(value) }
    }

    fn wrong(&self) -> Error {
        let detail = match self.text[self.at..].chars().next() {
            None => "The input string ended unexpectedly.".to_owned(),
            Some(_) => {
                let rest = &self.text[self.at..];
                let end = rest
                    .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
                    .filter(|end| *end > 0)
                    .unwrap_or_else(|| rest.chars().next().map_or(0, char::len_utf8));
                format!("Token \"{}\" is invalid.", &rest[..end])
            }
        };
        Error::Function {
            sqlstate: "22P02",
            message: "invalid input syntax for type json".to_owned(),
            detail: Some(detail),
            hint: None,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes the byte if it comes next, after white space.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.wrong()) }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>> {
        if depth > MAX_DEPTH {
            return Err(Error::TooComplex(format!("json nested deeper than {MAX_DEPTH}")));
        }
        self.space();
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                let mut fields = Vec::new();
                if self.take(b'}') {
                    return Ok(Value::Object(fields));
                }
                loop {
                    self.space();
                    let key = self.string()?;
                    self.expect(b':')?;
                    fields.push((key, self.value(depth + 1)?));
                    if self.take(b'}') {
                        return Ok(Value::Object(fields));
                    }
                    self.expect(b',')?;
                }
            }
            Some(b'[') => {
                self.at += 1;
                let mut items = Vec::new();
                if self.take(b']') {
                    return Ok(Value::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    if self.take(b']') {
                        return Ok(Value::Array(items));
                    }
                    self.expect(b',')?;
                }
            }
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                let rest = &self.text[self.at..];
                let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
                for (word, value) in words {
                    let after = rest.strip_prefix(word).map(|after| after.bytes().next());
                    if after.is_some_and(|next| next.is_none_or(|byte| !byte.is_ascii_alphanumeric())) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err(self.wrong())
            }
        }
    }

    fn number(&mut self) -> Result<Value<'a>> {
        let start = self.at;
        let digits = |parser: &mut Self| {
            let from = parser.at;
            while matches!(parser.peek(), Some(b'0'..=b'9')) {
                parser.at += 1;
            }
            parser.at - from
        };
        self.at += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        let whole = digits(self);
        let mut right = whole == 1 || (whole > 1 && !zero);
        if self.peek() == Some(b'.') {
            self.at += 1;
            right &= digits(self) > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'-' | b'+')));
            right &= digits(self) > 0;
        }
        right &= !matches!(self.peek(), Some(byte) if byte.is_ascii_alphanumeric());
        if right {
            Ok(Value::Number(&self.text[start..self.at]))
        } else {
            self.at = start;
            Err(self.wrong())
        }
    }

    fn string(&mut self) -> Result<String> {
        if self.peek() != Some(b'"') {
            return Err(self.wrong());
        }
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            while self.peek().is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
                self.at += 1;
            }
            out.push_str(&self.text[from..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => {
                    self.at = start;
                    return Err(self.wrong());
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let letter = self.peek().ok_or_else(|| self.wrong())?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.four()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if !self.text[self.at..].starts_with("\\u") {
                        return Err(self.wrong());
                    }
                    self.at += 2;
                    let second = self.four()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.wrong());
                    }
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                if code == 0 {
                    return Err(Error::Function {
                        sqlstate: "22P05",
                        message: "unsupported Unicode escape sequence".to_owned(),
                        detail: Some("\\u0000 cannot be converted to text.".to_owned()),
                        hint: None,
                    });
                }
                char::from_u32(code).ok_or_else(|| self.wrong())?
            }
            _ => {
                self.at -= 1;
                return Err(self.wrong());
            }
        })
    }

    fn four(&mut self) -> Result<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or_else(|| self.wrong())?;
        let code = digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?));
        let code = code.ok_or_else(|| self.wrong())?;
        self.at += 4;
        Ok(code)
    }
}
