//! Regular expressions in PostgreSQL's notation, on a matcher that takes linear time.
//!
//! Back-references and lookaround are refused, since no linear matcher has them. Alternatives are tried in
//! order, where PostgreSQL prefers the longest.

mod pattern;

use arrow::array::ArrayRef;
use datafusion::common::Result;
use regex::{Captures, Regex};

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Ret, Spec};
use super::super::types::Ty;
use super::super::value::{List, Memo, Reader, rows, text_rows};
use super::substr::offset_of;
use super::{MAX_ITEMS, bounded, check_length};

pub(in crate::pg::text) use pattern::similar;
pub(crate) use pattern::{compile, is_plain};

/// What the first group of the first match holds, or the whole match without groups.
pub(super) fn first_group<'a>(regex: &Regex, text: &'a str) -> Option<&'a str> {
    let captures = regex.captures(text)?;
    let group = if captures.len() > 1 {
        captures.get(1)
    } else {
        captures.get(0)
    };
    group.map(|found| found.as_str())
}

/// Calls `each` with the matches from a byte offset on, until it says to stop.
fn every_match<'a>(
    regex: &Regex,
    text: &'a str,
    from: usize,
    mut each: impl FnMut(&Captures<'a>) -> bool,
) {
    let mut at = from;
    while at <= text.len() {
        let Some(captures) = regex.captures_at(text, at) else {
            return;
        };
        let Some(whole) = captures.get(0) else { return };
        if !each(&captures) {
            return;
        }
        at = whole.end();
        if whole.is_empty() {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
}

fn groups(captures: &Captures<'_>) -> Vec<Option<String>> {
    let own = |index: usize| captures.get(index).map(|found| found.as_str().to_owned());
    if captures.len() == 1 {
        vec![own(0)]
    } else {
        (1..captures.len()).map(own).collect()
    }
}

/// The groups of the first match, or of all.
pub(crate) fn matches(regex: &Regex, text: &str, all: bool) -> Vec<Vec<Option<String>>> {
    let mut found = Vec::new();
    every_match(regex, text, 0, |captures| {
        found.push(groups(captures));
        all
    });
    found
}

/// The parts between matches; empty matches at the ends or right after another don't split.
pub(crate) fn split<'a>(regex: &Regex, text: &'a str) -> PgResult<Vec<&'a str>> {
    let mut parts = Vec::new();
    let mut last = 0;
    every_match(regex, text, 0, |captures| {
        if let Some(whole) = captures
            .get(0)
            .filter(|whole| whole.start() < text.len() && whole.end() > last)
        {
            parts.push(&text[last..whole.start()]);
            last = whole.end();
        }
        parts.len() <= MAX_ITEMS
    });
    parts.push(&text[last..]);
    bounded(parts.into_iter())
}

/// Arguments that most of the family have: text, pattern, and flags at this position.
struct Subject<'a> {
    name: &'static str,
    texts: Reader<'a, &'a str>,
    patterns: Reader<'a, &'a str>,
    flags: Option<Reader<'a, &'a str>>,
    memo: Memo<Regex>,
}

impl<'a> Subject<'a> {
    fn of(call: &'a Call<'_>, flags: Option<usize>) -> Result<Self> {
        Ok(Self {
            name: call.name,
            texts: Reader::of(call, 0)?,
            patterns: Reader::of(call, 1)?,
            flags: flags
                .filter(|index| *index < call.args.len())
                .map(|index| Reader::of(call, index))
                .transpose()?,
            memo: Memo::new(),
        })
    }

    /// The row's text, its compiled pattern, and whether the flag `g` is set where it may be.
    fn get(
        &mut self,
        row: usize,
        may_be_global: bool,
    ) -> PgResult<Option<(&'a str, &Regex, bool)>> {
        let (Some(text), Some(pattern)) = (self.texts.get(row)?, self.patterns.get(row)?) else {
            return Ok(None);
        };
        let flags = match &self.flags {
            Some(flags) => match flags.get(row)? {
                Some(flags) => flags,
                None => return Ok(None),
            },
            None => "",
        };
        let name = self.name;
        let global = may_be_global && flags.contains('g');
        let regex = if flags.is_empty() {
            self.memo
                .get(pattern, |pattern| compile(pattern, "", name))?
        } else {
            let own = if may_be_global {
                flags.replace('g', "")
            } else {
                flags.to_owned()
            };
            self.memo.get(&format!("{own}\0{pattern}"), |_| {
                compile(pattern, &own, name)
            })?
        };
        Ok(Some((text, regex, global)))
    }
}

fn regexp_match(call: &Call<'_>) -> Result<ArrayRef> {
    let mut subject = Subject::of(call, Some(2))?;
    rows(call, |row| {
        Ok(subject
            .get(row, false)?
            .and_then(|(text, regex, _)| regex.captures(text).map(|found| List(groups(&found)))))
    })
}

fn regexp_like(call: &Call<'_>) -> Result<ArrayRef> {
    let mut subject = Subject::of(call, Some(2))?;
    rows(call, |row| {
        Ok(subject
            .get(row, false)?
            .map(|(text, regex, _)| regex.is_match(text)))
    })
}

fn regexp_split_to_array(call: &Call<'_>) -> Result<ArrayRef> {
    let mut subject = Subject::of(call, Some(2))?;
    rows(call, |row| {
        let Some((text, regex, _)) = subject.get(row, false)? else {
            return Ok(None);
        };
        let parts = split(regex, text)?;
        Ok(Some(List(
            parts
                .into_iter()
                .map(|part| Some(part.to_owned()))
                .collect(),
        )))
    })
}

/// A position argument: a character from 1.
fn positive(
    reader: Option<&Reader<'_, i32>>,
    row: usize,
    what: &str,
    least: i32,
    default: i32,
) -> PgResult<Option<usize>> {
    let Some(reader) = reader else {
        return Ok(Some(default as usize));
    };
    let Some(value) = reader.get(row)? else {
        return Ok(None);
    };
    if value < least {
        return Err(PgError::InvalidParameter(format!(
            "invalid value for parameter \"{what}\": {value}"
        )));
    }
    Ok(Some(value as usize))
}

fn optional(call: &Call<'_>, index: usize) -> Option<usize> {
    (index < call.args.len()).then_some(index)
}

fn regexp_count(call: &Call<'_>) -> Result<ArrayRef> {
    let mut subject = Subject::of(call, Some(3))?;
    let start = optional(call, 2)
        .map(|index| Reader::<i32>::of(call, index))
        .transpose()?;
    rows(call, |row| {
        let Some(start) = positive(start.as_ref(), row, "start", 1, 1)? else {
            return Ok(None);
        };
        let Some((text, regex, _)) = subject.get(row, false)? else {
            return Ok(None);
        };
        let mut count = 0_i32;
        every_match(regex, text, offset_of(text, start - 1), |_| {
            count += 1;
            true
        });
        Ok(Some(count))
    })
}

/// The n-th match of a row, and the sub-expression asked for.
struct Nth<'a> {
    subject: Subject<'a>,
    start: Option<Reader<'a, i32>>,
    nth: Option<Reader<'a, i32>>,
    group: Option<Reader<'a, i32>>,
}

impl<'a> Nth<'a> {
    fn of(call: &'a Call<'_>, flags: usize, group: usize) -> Result<Self> {
        let reader = |index| {
            optional(call, index)
                .map(|index| Reader::<i32>::of(call, index))
                .transpose()
        };
        Ok(Self {
            subject: Subject::of(call, Some(flags))?,
            start: reader(2)?,
            nth: reader(3)?,
            group: reader(group)?,
        })
    }

    /// `None` for NULL arguments, `Some(None)` for no such match; else text and byte range.
    #[expect(
        clippy::type_complexity,
        reason = "three answers, used by two functions below"
    )]
    fn get(&mut self, row: usize) -> PgResult<Option<Option<(&'a str, std::ops::Range<usize>)>>> {
        let (Some(start), Some(nth), Some(group)) = (
            positive(self.start.as_ref(), row, "start", 1, 1)?,
            positive(self.nth.as_ref(), row, "n", 1, 1)?,
            positive(self.group.as_ref(), row, "subexpr", 0, 0)?,
        ) else {
            return Ok(None);
        };
        let Some((text, regex, _)) = self.subject.get(row, false)? else {
            return Ok(None);
        };
        let mut left = nth;
        let mut found = None;
        every_match(regex, text, offset_of(text, start - 1), |captures| {
            left -= 1;
            if left == 0 {
                found = captures.get(group).map(|found| (text, found.range()));
            }
            left > 0
        });
        Ok(Some(found))
    }
}

fn regexp_substr(call: &Call<'_>) -> Result<ArrayRef> {
    let mut nth = Nth::of(call, 4, 5)?;
    text_rows(call, |row, out| {
        let Some(Some((text, range))) = nth.get(row)? else {
            return Ok(false);
        };
        out.push_str(&text[range]);
        Ok(true)
    })
}

fn regexp_instr(call: &Call<'_>) -> Result<ArrayRef> {
    let mut nth = Nth::of(call, 5, 6)?;
    let end = optional(call, 4)
        .map(|index| Reader::<i32>::of(call, index))
        .transpose()?;
    rows(call, |row| {
        let Some(end) = positive(end.as_ref(), row, "endoption", 0, 0)? else {
            return Ok(None);
        };
        if end > 1 {
            return Err(PgError::InvalidParameter(format!(
                "invalid value for parameter \"endoption\": {end}"
            )));
        }
        Ok(nth.get(row)?.map(|found| match found {
            Some((text, range)) => {
                text[..if end == 1 { range.end } else { range.start }]
                    .chars()
                    .count() as i32
                    + 1
            }
            None => 0,
        }))
    })
}

/// `regexp_replace(text, pattern, replacement [, flags])`.
fn regexp_replace(call: &Call<'_>) -> Result<ArrayRef> {
    let mut subject = Subject::of(call, Some(3))?;
    let replacements = Reader::<&str>::of(call, 2)?;
    text_rows(call, |row, out| {
        let Some(replacement) = replacements.get(row)? else {
            return Ok(false);
        };
        let Some((text, regex, global)) = subject.get(row, true)? else {
            return Ok(false);
        };
        replace(regex, text, replacement, 0, usize::from(!global), out)?;
        Ok(true)
    })
}

/// `regexp_replace(text, pattern, replacement, start [, n [, flags]])`; n = 0 replaces all.
fn regexp_replace_from(call: &Call<'_>) -> Result<ArrayRef> {
    let mut subject = Subject::of(call, Some(5))?;
    let replacements = Reader::<&str>::of(call, 2)?;
    let start = Some(Reader::<i32>::of(call, 3)?);
    let nth = optional(call, 4)
        .map(|index| Reader::<i32>::of(call, index))
        .transpose()?;
    text_rows(call, |row, out| {
        let (Some(replacement), Some(start), Some(nth)) = (
            replacements.get(row)?,
            positive(start.as_ref(), row, "start", 1, 1)?,
            positive(nth.as_ref(), row, "n", 0, 1)?,
        ) else {
            return Ok(false);
        };
        let Some((text, regex, _)) = subject.get(row, true)? else {
            return Ok(false);
        };
        replace(
            regex,
            text,
            replacement,
            offset_of(text, start - 1),
            nth,
            out,
        )?;
        Ok(true)
    })
}

/// Replaces the n-th match from a byte offset on, or all if n is 0.
fn replace(
    regex: &Regex,
    text: &str,
    with: &str,
    from: usize,
    nth: usize,
    out: &mut String,
) -> PgResult<()> {
    let mut copied = 0;
    let mut count = 0;
    let mut too_long = Ok(());
    every_match(regex, text, from, |captures| {
        let Some(whole) = captures.get(0) else {
            return false;
        };
        count += 1;
        if nth != 0 && count != nth {
            return true;
        }
        out.push_str(&text[copied..whole.start()]);
        expand(captures, with, out);
        copied = whole.end();
        too_long = check_length(out.len());
        nth == 0 && too_long.is_ok()
    });
    too_long?;
    out.push_str(&text[copied..]);
    Ok(())
}

/// Writes a replacement: `\1` to `\9` are groups, `\&` the match, `\\` a backslash.
fn expand(captures: &Captures<'_>, with: &str, out: &mut String) {
    let mut chars = with.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let group = match chars.peek() {
            Some('&') => 0,
            Some(digit @ '1'..='9') => *digit as usize - '0' as usize,
            Some('\\') => {
                out.push('\\');
                chars.next();
                continue;
            }
            _ => {
                out.push('\\');
                continue;
            }
        };
        chars.next();
        out.push_str(captures.get(group).map_or("", |found| found.as_str()));
    }
}

const T: Ty = Ty::Text;
const I: Ty = Ty::Int4;

/// `regexp_like(text, pattern [, flags])`, which `~` and its kin are.
pub(crate) const REGEXP_LIKE: Spec = Spec::immutable(
    "regexp_like",
    &[
        Overload::new(&[T, T], Ty::Bool, regexp_like),
        Overload::new(&[T, T, T], Ty::Bool, regexp_like),
    ],
);

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "regexp_match",
        &[
            Overload::returning(&[T, T], Ret::ListOf(T), regexp_match),
            Overload::returning(&[T, T, T], Ret::ListOf(T), regexp_match),
        ],
    ),
    REGEXP_LIKE,
    Spec::immutable(
        "regexp_split_to_array",
        &[
            Overload::returning(&[T, T], Ret::ListOf(T), regexp_split_to_array),
            Overload::returning(&[T, T, T], Ret::ListOf(T), regexp_split_to_array),
        ],
    ),
    Spec::immutable(
        "regexp_count",
        &[
            Overload::new(&[T, T], I, regexp_count),
            Overload::new(&[T, T, I], I, regexp_count),
            Overload::new(&[T, T, I, T], I, regexp_count),
        ],
    ),
    Spec::immutable(
        "regexp_substr",
        &[
            Overload::new(&[T, T], T, regexp_substr),
            Overload::new(&[T, T, I], T, regexp_substr),
            Overload::new(&[T, T, I, I], T, regexp_substr),
            Overload::new(&[T, T, I, I, T], T, regexp_substr),
            Overload::new(&[T, T, I, I, T, I], T, regexp_substr),
        ],
    ),
    Spec::immutable(
        "regexp_instr",
        &[
            Overload::new(&[T, T], I, regexp_instr),
            Overload::new(&[T, T, I], I, regexp_instr),
            Overload::new(&[T, T, I, I], I, regexp_instr),
            Overload::new(&[T, T, I, I, I], I, regexp_instr),
            Overload::new(&[T, T, I, I, I, T], I, regexp_instr),
            Overload::new(&[T, T, I, I, I, T, I], I, regexp_instr),
        ],
    ),
    Spec::immutable(
        "regexp_replace",
        &[
            Overload::new(&[T, T, T], T, regexp_replace),
            Overload::new(&[T, T, T, T], T, regexp_replace),
            Overload::new(&[T, T, T, I], T, regexp_replace_from),
            Overload::new(&[T, T, T, I, I], T, regexp_replace_from),
            Overload::new(&[T, T, T, I, I, T], T, regexp_replace_from),
        ],
    ),
];
