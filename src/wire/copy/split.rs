//! Where records end: cuts COPY's text and csv input into blocks of whole records.

use super::bad_copy;
use crate::error::Result;
use crate::session::{CopyFormat, CopyOptions};

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    Newline,
    Return,
    ReturnNewline,
}

impl LineEnd {
    /// The byte that a record ends with.
    pub(super) fn last(self) -> u8 {
        match self {
            Self::Newline | Self::ReturnNewline => b'\n',
            Self::Return => b'\r',
        }
    }
}

/// Finds the ends of records.
#[derive(Debug, Clone)]
pub(super) struct Splitter {
    csv: bool,
    quote: u8,
    escape: u8,
}

impl Splitter {
    pub(super) fn new(options: &CopyOptions) -> Self {
        Self {
            csv: options.format == CopyFormat::Csv,
            quote: options.quote,
            escape: options.escape,
        }
    }

    /// How lines end, by the first line's end; `None` if more of it is needed.
    pub(super) fn line_end(&self, data: &[u8], at_end: bool) -> Option<LineEnd> {
        let mut state = State::default();
        for (index, byte) in data.iter().enumerate() {
            if state.is_line_end(self, *byte) {
                return match (byte, data.get(index + 1)) {
                    (b'\n', _) => Some(LineEnd::Newline),
                    (_, Some(b'\n')) => Some(LineEnd::ReturnNewline),
                    (_, Some(_)) => Some(LineEnd::Return),
                    (_, None) if at_end => Some(LineEnd::Return),
                    (_, None) => None,
                };
            }
        }
        at_end.then_some(LineEnd::Newline)
    }

    /// The length of the whole records at the start of `data`, which begins with a record.
    pub(super) fn whole_records(&self, data: &[u8], line_end: LineEnd) -> usize {
        let last = line_end.last();
        if !self.csv {
            return last_text_end(data, last);
        }
        if self.quote != self.escape {
            return self.last_csv_end_slow(data, last);
        }
        // Doubled quotes leave the parity as it is, so a line end after an even number of quotes is
        // outside of them.
        let mut odd = memchr::memchr_iter(self.quote, data).count() % 2 == 1;
        let mut end = data.len();
        while let Some(at) = memchr::memrchr(last, &data[..end]) {
            odd ^= memchr::memchr_iter(self.quote, &data[at..end]).count() % 2 == 1;
            if !odd {
                return at + 1;
            }
            end = at;
        }
        0
    }

    fn last_csv_end_slow(&self, data: &[u8], last: u8) -> usize {
        let mut state = State::default();
        let mut end = 0;
        for (index, byte) in data.iter().enumerate() {
            if state.is_line_end(self, *byte) && *byte == last {
                end = index + 1;
            }
        }
        end
    }
}

/// The last line end that no backslash makes part of a value.
fn last_text_end(data: &[u8], last: u8) -> usize {
    let mut end = data.len();
    while let Some(at) = memchr::memrchr(last, &data[..end]) {
        let mut before = at;
        // The return of a return and newline may be what the backslash is for.
        if last == b'\n' && before > 0 && data[before - 1] == b'\r' {
            before -= 1;
        }
        let escapes = |end: usize| {
            data[..end]
                .iter()
                .rev()
                .take_while(|byte| **byte == b'\\')
                .count()
        };
        if escapes(at) % 2 == 0 && (before == at || escapes(before) % 2 == 0) {
            return at + 1;
        }
        end = at;
    }
    0
}

/// Where a byte stands among quotes and escapes.
#[derive(Debug, Default)]
struct State {
    in_quotes: bool,
    escaped: bool,
}

impl State {
    /// Takes the next byte; whether it ends a line.
    fn is_line_end(&mut self, splitter: &Splitter, byte: u8) -> bool {
        let escaped = std::mem::take(&mut self.escaped);
        let line_end = matches!(byte, b'\n' | b'\r');
        if !splitter.csv {
            self.escaped = byte == b'\\' && !escaped;
            return line_end && !escaped;
        }
        if self.in_quotes && byte == splitter.escape && splitter.escape != splitter.quote {
            self.escaped = !escaped;
        } else if byte == splitter.quote && !escaped {
            self.in_quotes = !self.in_quotes;
        }
        line_end && !self.in_quotes
    }
}

/// 22P04 for a record whose quotes are not closed at the end of the data.
pub(super) fn check_closed(splitter: &Splitter, rest: &[u8]) -> Result<()> {
    let mut state = State::default();
    for byte in rest {
        state.is_line_end(splitter, *byte);
    }
    if state.in_quotes {
        Err(bad_copy("unterminated CSV quoted field"))
    } else {
        Ok(())
    }
}
