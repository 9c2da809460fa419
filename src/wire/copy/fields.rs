//! One record of COPY's text or csv input, cut into its fields.

use super::bad_copy;
use super::split::LineEnd;
use super::stops::Stops;
use crate::error::{Error, Result};
use crate::format::utf8;
use crate::session::{CopyFormat, CopyOptions};

/// Cuts records into fields.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    csv: bool,
    quote: u8,
    escape: u8,
    delimiter: u8,
    null: Vec<u8>,
    line_end: LineEnd,
    /// The bytes at which a plain field stops.
    stops: Stops,
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Where its value lies.
    pub(super) value: Place,
    /// It is the NULL marker.
    pub(super) is_null: bool,
    /// csv: it was in quotes.
    pub(super) quoted: bool,
    /// csv: lines may end within it.
    pub(super) spans_lines: bool,
    /// It is the last of its record.
    pub(super) last: bool,
    /// Where the next field or record begins.
    pub(super) next: usize,
}

/// Where a field's value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the block, from here to there.
    Block(usize, usize),
    /// In the scratch buffer, since it had to be written anew.
    Scratch,
}

impl Scanner {
    pub(super) fn new(options: &CopyOptions, line_end: LineEnd) -> Self {
        let csv = options.format == CopyFormat::Csv;
        let special = if csv { options.quote } else { b'\\' };
        let stops = Stops::new([options.delimiter, special, b'\n', b'\r']);
        Self {
            csv,
            quote: options.quote,
            escape: options.escape,
            delimiter: options.delimiter,
            null: options.null.clone().into_bytes(),
            line_end,
            stops,
        }
    }

    /// The field that begins at `from`.
    #[inline]
    pub(super) fn field(&self, block: &str, from: usize, scratch: &mut String) -> Result<Field> {
        let bytes = block.as_bytes();
        let stop = self.stops.first(bytes, from);
        let (last, next) = match bytes.get(stop) {
            None => (true, stop),
            Some(byte) if *byte == self.delimiter => (false, stop + 1),
            Some(b'\n' | b'\r') => (true, self.line_end(bytes, stop)?),
            Some(_) if self.csv => return self.quoted(block, from, stop, scratch),
            Some(_) => return self.escaped(block, from, stop, scratch),
        };
        let is_null = bytes[from..stop] == self.null[..];
        Ok(Field {
            value: Place::Block(from, stop),
            is_null,
            quoted: false,
            spans_lines: false,
            last,
            next,
        })
    }

    /// Whether the record that begins at `from` is the end marker `\.`.
    ///
    /// # Errors
    ///
    /// 22P04 if it begins as one in the text format and is more.
    pub(super) fn is_end_marker(&self, bytes: &[u8], from: usize) -> Result<bool> {
        let [b'\\', b'.', rest @ ..] = &bytes[from..] else {
            return Ok(false);
        };
        match rest.first() {
            None | Some(b'\n' | b'\r') => Ok(true),
            Some(_) if self.csv => Ok(false),
            Some(_) => Err(bad_copy("end-of-copy marker corrupt")),
        }
    }

    /// How many lines end within the range, which is part of a quoted field.
    pub(super) fn line_ends(&self, bytes: &[u8]) -> u64 {
        memchr::memchr_iter(self.line_end.last(), bytes).count() as u64
    }

    /// Checks the line end at `at` and gives what follows it.
    #[inline]
    fn line_end(&self, bytes: &[u8], at: usize) -> Result<usize> {
        match (self.line_end, bytes[at], bytes.get(at + 1)) {
            (LineEnd::Newline, b'\n', _) | (LineEnd::Return, b'\r', _) => Ok(at + 1),
            (LineEnd::ReturnNewline, b'\r', Some(b'\n')) => Ok(at + 2),
            (_, byte, _) => Err(self.stray(byte)),
        }
    }

    #[cold]
    fn stray(&self, byte: u8) -> Error {
        let (name, letter) = if byte == b'\n' {
            ("newline", "n")
        } else {
            ("carriage return", "r")
        };
        let (message, hint) = if self.csv {
            (
                format!("unquoted {name} found in data"),
                format!("Use quoted CSV field to represent {name}."),
            )
        } else {
            (
                format!("literal {name} found in data"),
                format!("Use \"\\{letter}\" to represent {name}."),
            )
        };
        Error::Function {
            sqlstate: "22P04",
            message,
            detail: None,
            hint: Some(hint),
        }
    }

    /// A field of the text format with a backslash at `stop`.
    fn escaped(
        &self,
        block: &str,
        from: usize,
        stop: usize,
        scratch: &mut String,
    ) -> Result<Field> {
        let bytes = block.as_bytes();
        let mut stop = stop;
        let (last, next) = loop {
            match bytes.get(stop) {
                None => break (true, stop),
                Some(b'\\') => stop = self.stops.first(bytes, (stop + 2).min(bytes.len())),
                Some(byte) if *byte == self.delimiter => break (false, stop + 1),
                Some(_) => break (true, self.line_end(bytes, stop)?),
            }
        };
        let raw = &bytes[from..stop];
        let is_null = raw == &self.null[..];
        if !is_null {
            *scratch = unescape(raw)?;
        }
        Ok(Field {
            value: Place::Scratch,
            is_null,
            quoted: false,
            spans_lines: false,
            last,
            next,
        })
    }

    /// A csv field with a quote at `stop`.
    fn quoted(&self, block: &str, from: usize, stop: usize, scratch: &mut String) -> Result<Field> {
        let bytes = block.as_bytes();
        // As a rule all of it is in quotes, and no quote within.
        if stop == from
            && let Some((close, spans_lines)) = self.closing(bytes, from + 1)
        {
            let end = match bytes.get(close + 1) {
                _ if bytes[close] != self.quote => None,
                None => Some((true, close + 1)),
                Some(byte) if *byte == self.delimiter => Some((false, close + 2)),
                Some(b'\n' | b'\r') => Some((true, self.line_end(bytes, close + 1)?)),
                Some(_) => None,
            };
            if let Some((last, next)) = end {
                let value = Place::Block(from + 1, close);
                return Ok(Field {
                    value,
                    is_null: false,
                    quoted: true,
                    spans_lines,
                    last,
                    next,
                });
            }
        }
        self.quoted_anew(block, from, scratch)
    }

    /// The first quote or escape from `from`, and whether a line ends before it.
    #[inline]
    fn closing(&self, bytes: &[u8], from: usize) -> Option<(usize, bool)> {
        let line_end = self.line_end.last();
        let found = memchr::memchr3(self.quote, self.escape, line_end, &bytes[from..])?;
        if bytes[from + found] != line_end {
            return Some((from + found, false));
        }
        let found = memchr::memchr2(self.quote, self.escape, &bytes[from..])?;
        Some((from + found, true))
    }

    /// A csv field with quotes within, written anew without them.
    fn quoted_anew(&self, block: &str, from: usize, scratch: &mut String) -> Result<Field> {
        let bytes = block.as_bytes();
        let mut value = std::mem::take(scratch).into_bytes();
        value.clear();
        let mut in_quotes = false;
        let mut at = from;
        let (last, next) = loop {
            let Some(byte) = bytes.get(at).copied() else {
                if in_quotes {
                    return Err(bad_copy("unterminated CSV quoted field"));
                }
                break (true, at);
            };
            if in_quotes {
                let after = bytes.get(at + 1).copied();
                if byte == self.escape
                    && after.is_some_and(|next| next == self.quote || next == self.escape)
                {
                    value.extend(after);
                    at += 2;
                    continue;
                }
                if byte == self.quote {
                    in_quotes = false;
                } else {
                    value.push(byte);
                }
            } else if byte == self.quote {
                in_quotes = true;
            } else if byte == self.delimiter {
                break (false, at + 1);
            } else if matches!(byte, b'\n' | b'\r') {
                break (true, self.line_end(bytes, at)?);
            } else {
                value.push(byte);
            }
            at += 1;
        };
        *scratch = utf8(&value)?.to_owned();
        Ok(Field {
            value: Place::Scratch,
            is_null: false,
            quoted: true,
            spans_lines: true,
            last,
            next,
        })
    }

    /// Whether a quoted value is the NULL marker, for FORCE_NULL.
    pub(super) fn is_null_text(&self, value: &str) -> bool {
        value.as_bytes() == self.null
    }
}

/// A value of the text format without its backslashes.
fn unescape(raw: &[u8]) -> Result<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at).copied() {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(letter) = raw.get(at).copied() else {
            out.push(b'\\');
            break;
        };
        at += 1;
        let digits = |from: usize, most: usize, radix: u32| {
            let run = raw[from..].iter().take(most);
            let run: Vec<u32> = run
                .map_while(|byte| char::from(*byte).to_digit(radix))
                .collect();
            (
                run.iter().fold(0, |sum, digit| sum * radix + digit),
                run.len(),
            )
        };
        out.push(match letter {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let (value, length) = digits(at - 1, 3, 8);
                at += length - 1;
                value as u8
            }
            b'x' => match digits(at, 2, 16) {
                (_, 0) => b'x',
                (value, length) => {
                    at += length;
                    value as u8
                }
            },
            other => other,
        });
    }
    utf8(&out).map(str::to_owned)
}
