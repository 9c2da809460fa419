//! `quote_ident`, `quote_literal`, `quote_nullable`, `format` and `parse_ident`.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Ret, Spec};
use super::super::output::write_value;
use super::super::types::Ty;
use super::super::value::{List, Reader, map1, map2, text_rows, text1};
use super::check_length;

/// PostgreSQL's key words that can't stand as a bare identifier everywhere; the rest need no quotes.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

fn quote_ident(name: &str, out: &mut String) {
    let mut bytes = name.bytes();
    let starts = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let plain = starts
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && KEYWORDS.binary_search(&name).is_err() {
        out.push_str(name);
        return;
    }
    out.push('"');
    out.push_str(&name.replace('"', "\"\""));
    out.push('"');
}

fn quote_literal(text: &str, out: &mut String) {
    if text.contains('\\') {
        out.push('E');
    }
    out.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
}

const QUOTE_IDENT: Spec = Spec::immutable(
    "quote_ident",
    &[Overload::new(&[Ty::Text], Ty::Text, |call| {
        text1(call, |name: &str, out| {
            quote_ident(name, out);
            Ok(())
        })
    })],
);

/// Quotes a value of any type, or says what stands for NULL.
fn quote_any(call: &Call<'_>, null: Option<&str>) -> Result<ArrayRef> {
    let mut text = String::new();
    text_rows(call, |row, out| {
        let Some(at) = call.at(0, row) else {
            out.push_str(null.unwrap_or_default());
            return Ok(null.is_some());
        };
        text.clear();
        shown(&mut text, &call.args[0].array, at)?;
        quote_literal(&text, out);
        Ok(true)
    })
}

fn shown(out: &mut String, array: &ArrayRef, row: usize) -> PgResult<()> {
    write_value(out, array, row).map_err(PgError::of_engine)
}

const QUOTE_LITERAL: Spec = Spec::stable(
    "quote_literal",
    &[Overload::new(&[Ty::Any], Ty::Text, |call| {
        quote_any(call, None)
    })],
);

const QUOTE_NULLABLE: Spec = Spec::stable(
    "quote_nullable",
    &[Overload::new(&[Ty::Any], Ty::Text, |call| {
        quote_any(call, Some("NULL"))
    })],
);

const FORMAT: Spec = Spec::stable(
    "format",
    &[
        Overload::new(&[Ty::Text], Ty::Text, format),
        Overload::new(&[Ty::Text, Ty::Any], Ty::Text, format).variadic(),
    ],
);

fn format(call: &Call<'_>) -> Result<ArrayRef> {
    let templates = Reader::<&str>::of(call, 0)?;
    text_rows(call, |row, out| {
        let Some(template) = templates.get(row)? else {
            return Ok(false);
        };
        Formatter {
            call,
            row,
            rest: template,
            next: 1,
        }
        .run(out)?;
        Ok(true)
    })
}

/// One run over a template of `format`.
struct Formatter<'a> {
    call: &'a Call<'a>,
    row: usize,
    rest: &'a str,
    /// The argument that the next conversion without a position takes.
    next: usize,
}

impl Formatter<'_> {
    fn run(&mut self, out: &mut String) -> PgResult<()> {
        while let Some(percent) = self.rest.find('%') {
            out.push_str(&self.rest[..percent]);
            self.rest = &self.rest[percent + 1..];
            self.conversion(out)?;
            check_length(out.len())?;
        }
        out.push_str(self.rest);
        Ok(())
    }

    fn number(&mut self) -> PgResult<Option<usize>> {
        let end = self
            .rest
            .bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(self.rest.len());
        if end == 0 {
            return Ok(None);
        }
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let value: i32 = digits
            .parse()
            .map_err(|_| PgError::NumberOutOfRange("number is out of range".to_owned()))?;
        Ok(Some(value as usize))
    }

    fn take(&mut self, prefix: char) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn position(given: usize) -> PgResult<usize> {
        if given == 0 {
            let text = "format specifies argument 0, but arguments are numbered from 1";
            return Err(PgError::InvalidParameter(text.to_owned()));
        }
        Ok(given)
    }

    /// What follows a percent sign: `[position$][-][width]type`.
    fn conversion(&mut self, out: &mut String) -> PgResult<()> {
        if self.take('%') {
            out.push('%');
            return Ok(());
        }
        let mut argument = None;
        let mut width: i64 = 0;
        let first = self.number()?;
        let mut has_width = false;
        match first {
            Some(given) if self.take('$') => argument = Some(Self::position(given)?),
            Some(given) => (width, has_width) = (given as i64, true),
            None => {}
        }
        let mut left = false;
        if !has_width {
            while self.take('-') {
                left = true;
            }
            if self.take('*') {
                let at = match self.number()? {
                    Some(given) if self.take('$') => {
                        let at = Self::position(given)?;
                        self.next = at + 1;
                        at
                    }
                    Some(_) => {
                        return Err(PgError::InvalidParameter(
                            "width argument position must be ended by \"$\"".to_owned(),
                        ));
                    }
                    None => self.following(),
                };
                width = self.width(at)?;
            } else if let Some(given) = self.number()? {
                width = given as i64;
            }
        }
        if width < 0 {
            left = true;
            width = -width;
        }
        let mut chars = self.rest.chars();
        let Some(kind) = chars.next() else {
            return Err(PgError::InvalidParameter(
                "unterminated format() type specifier".to_owned(),
            ));
        };
        self.rest = chars.as_str();
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(PgError::InvalidParameter(format!(
                "unrecognized format() type specifier \"{kind}\""
            )));
        }
        let at = argument.unwrap_or_else(|| self.following());
        self.next = at + 1;
        let text = self.value(at, kind)?;
        let width = usize::try_from(width).unwrap_or(0);
        check_length(width)?;
        let padding = std::iter::repeat_n(' ', width.saturating_sub(text.chars().count()));
        if left {
            out.push_str(&text);
            out.extend(padding);
        } else {
            out.extend(padding);
            out.push_str(&text);
        }
        Ok(())
    }

    fn following(&mut self) -> usize {
        let at = self.next;
        self.next += 1;
        at
    }

    fn check(&self, at: usize) -> PgResult<()> {
        if at >= self.call.args.len() {
            return Err(PgError::InvalidParameter(
                "too few arguments for format()".to_owned(),
            ));
        }
        Ok(())
    }

    fn width(&self, at: usize) -> PgResult<i64> {
        self.check(at)?;
        let Some(row) = self.call.at(at, self.row) else {
            return Ok(0);
        };
        let mut text = String::new();
        shown(&mut text, &self.call.args[at].array, row)?;
        let invalid =
            |_| PgError::InvalidText(format!("invalid input syntax for type integer: \"{text}\""));
        text.parse::<i32>().map(i64::from).map_err(invalid)
    }

    fn value(&self, at: usize, kind: char) -> PgResult<String> {
        self.check(at)?;
        let Some(row) = self.call.at(at, self.row) else {
            return match kind {
                'I' => Err(PgError::NullNotAllowed(
                    "null values cannot be formatted as an SQL identifier".to_owned(),
                )),
                'L' => Ok("NULL".to_owned()),
                _ => Ok(String::new()),
            };
        };
        let mut text = String::new();
        shown(&mut text, &self.call.args[at].array, row)?;
        if kind == 's' {
            return Ok(text);
        }
        let mut quoted = String::new();
        match kind {
            'I' => quote_ident(&text, &mut quoted),
            _ => quote_literal(&text, &mut quoted),
        }
        Ok(quoted)
    }
}

const PARSE_IDENT: Spec = Spec::immutable(
    "parse_ident",
    &[
        Overload::returning(&[Ty::Text], Ret::ListOf(Ty::Text), |call| {
            map1(call, |text: &str| parse_ident(text, true))
        }),
        Overload::returning(&[Ty::Text, Ty::Bool], Ret::ListOf(Ty::Text), |call| {
            map2(call, parse_ident)
        }),
    ],
);

/// The parts of a qualified name, unquoted ones in lower case.
fn parse_ident(text: &str, strict: bool) -> PgResult<List<String>> {
    let invalid =
        || PgError::InvalidParameter(format!("string is not a valid identifier: \"{text}\""));
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let after;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut tail = quoted;
            loop {
                let end = tail.find('"').ok_or_else(invalid)?;
                part.push_str(&tail[..end]);
                tail = &tail[end + 1..];
                match tail.strip_prefix('"') {
                    Some(more) => {
                        part.push('"');
                        tail = more;
                    }
                    None => break,
                }
            }
            if part.is_empty() {
                return Err(invalid());
            }
            parts.push(Some(part));
            after = tail;
        } else {
            let starts = |c: char| c.is_alphabetic() || c == '_' || !c.is_ascii();
            let goes_on = |c: char| starts(c) || c.is_ascii_digit() || c == '$';
            if !rest.starts_with(starts) {
                return Err(invalid());
            }
            let end = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
            parts.push(Some(rest[..end].to_lowercase()));
            after = &rest[end..];
        }
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if after.is_empty() || !strict => return Ok(List(parts)),
            None => return Err(invalid()),
        }
    }
}

pub(super) const SPECS: &[Spec] = &[
    QUOTE_IDENT,
    QUOTE_LITERAL,
    QUOTE_NULLABLE,
    FORMAT,
    PARSE_IDENT,
];
