//! PostgreSQL's patterns, as the matcher writes them.

use regex::{Regex, RegexBuilder};

use crate::pg::error::{PgError, PgResult};

/// What the flags say.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    ignore_case: bool,
    /// `^` and `$` match at line ends.
    anchors_at_lines: bool,
    /// `.` and `[^…]` don't match a line end.
    stop_at_lines: bool,
    expanded: bool,
    literal: bool,
}

impl Flags {
    fn set(&mut self, flag: char) -> bool {
        match flag {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'n' | 'm' => (self.anchors_at_lines, self.stop_at_lines) = (true, true),
            'p' => (self.anchors_at_lines, self.stop_at_lines) = (false, true),
            'w' => (self.anchors_at_lines, self.stop_at_lines) = (true, false),
            's' => (self.anchors_at_lines, self.stop_at_lines) = (false, false),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'q' => self.literal = true,
            'b' | 'e' => {}
            _ => return false,
        }
        true
    }
}

/// Compiles a pattern; `function` is named where the flag `g` is refused.
pub(crate) fn compile(pattern: &str, flags: &str, function: &str) -> PgResult<Regex> {
    let mut set = Flags::default();
    for flag in flags.chars() {
        if flag == 'g' {
            return Err(PgError::InvalidParameter(format!(
                "{function}() does not support the \"global\" option"
            )));
        }
        if !set.set(flag) {
            return Err(PgError::InvalidParameter(format!(
                "invalid regular expression option: \"{flag}\""
            )));
        }
    }
    let mut body = pattern;
    if let Some(rest) = body.strip_prefix("***=") {
        set.literal = true;
        body = rest;
    } else if let Some(rest) = body.strip_prefix("***:") {
        body = rest;
    }
    if let (false, Some(end)) = (set.literal, body.find(')')) {
        let letters = body.strip_prefix("(?").and_then(|rest| rest.get(..end - 2));
        if let Some(letters) =
            letters.filter(|letters| letters.bytes().all(|byte| byte.is_ascii_lowercase()))
        {
            let known = letters.chars().all(|flag| set.set(flag));
            if !known {
                return Err(PgError::InvalidRegex("invalid embedded option".to_owned()));
            }
            body = &body[end + 1..];
        }
    }
    let translated = if set.literal {
        regex::escape(body)
    } else {
        translate(body, set)?
    };
    let built = RegexBuilder::new(&translated)
        .case_insensitive(set.ignore_case)
        .multi_line(set.anchors_at_lines)
        .dot_matches_new_line(!set.stop_at_lines)
        .ignore_whitespace(set.expanded && !set.literal)
        .build();
    built.map_err(|error| {
        let text = error.to_string();
        PgError::InvalidRegex(reworded(text.lines().last().unwrap_or_default()).to_owned())
    })
}

/// Whether a pattern means the same to the engine's own matcher, which also makes plain comparisons of it.
pub(crate) fn is_plain(pattern: &str) -> bool {
    let alike = pattern
        .bytes()
        .all(|byte| !matches!(byte, b'\\' | b'.' | b'[' | b']' | b'{' | b'}'));
    alike && !pattern.contains("(?") && !pattern.starts_with("***") && Regex::new(pattern).is_ok()
}

/// What PostgreSQL says of a fault that the matcher names in its own words.
fn reworded(text: &str) -> &'static str {
    const WORDS: [(&str, &str); 8] = [
        ("unclosed group", "parentheses () not balanced"),
        ("unopened group", "parentheses () not balanced"),
        ("unclosed character class", "brackets [] not balanced"),
        (
            "repetition operator missing expression",
            "quantifier operand invalid",
        ),
        ("invalid character class range", "invalid character range"),
        ("repetition count", "invalid repetition count(s)"),
        ("repetition quantifier", "invalid repetition count(s)"),
        ("size limit", "regular expression is too complex"),
    ];
    WORDS
        .iter()
        .find(|(part, _)| text.contains(part))
        .map_or("invalid pattern", |(_, words)| words)
}

fn unsupported(what: &str) -> PgError {
    PgError::NotSupported(format!("regular expressions with {what} are not supported"))
}

/// PostgreSQL's pattern in the matcher's notation.
fn translate(pattern: &str, flags: Flags) -> PgResult<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        match c {
            '\\' => rest = escape(rest, false, &mut out)?,
            '[' => rest = bracket(rest, flags, &mut out)?,
            '(' if rest.starts_with("(?=") || rest.starts_with("(?!") => {
                return Err(unsupported("lookahead"));
            }
            '(' if rest.starts_with("(?<=") || rest.starts_with("(?<!") => {
                return Err(unsupported("lookbehind"));
            }
            '(' if rest.starts_with("(?#") => {
                let end = rest.find(')').ok_or_else(|| {
                    PgError::InvalidRegex("parentheses () not balanced".to_owned())
                })?;
                rest = &rest[end + 1..];
            }
            '{' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                out.push_str("\\{");
                rest = &rest[1..];
            }
            c => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    Ok(out)
}

/// Translates one escape and returns what follows it.
fn escape<'a>(text: &'a str, in_bracket: bool, out: &mut String) -> PgResult<&'a str> {
    let trailing = || PgError::InvalidRegex("invalid escape \\ sequence".to_owned());
    let c = text[1..].chars().next().ok_or_else(trailing)?;
    let mut after = &text[1 + c.len_utf8()..];
    let code = |out: &mut String, code: u32| {
        use std::fmt::Write;
        let _ = write!(out, "\\x{{{code:x}}}");
    };
    match c {
        'd' | 'D' | 's' | 'S' | 'w' | 'W' => out.extend(['\\', c]),
        'm' if !in_bracket => out.push_str("\\b{start}"),
        'M' if !in_bracket => out.push_str("\\b{end}"),
        'y' if !in_bracket => out.push_str("\\b"),
        'Y' if !in_bracket => out.push_str("\\B"),
        'A' if !in_bracket => out.push_str("\\A"),
        'Z' if !in_bracket => out.push_str("\\z"),
        '1'..='9' if !in_bracket => return Err(unsupported("back-references")),
        'a' => code(out, 7),
        'b' => code(out, 8),
        'B' => out.push_str("\\\\"),
        'e' => code(out, 27),
        'f' | 'n' | 'r' | 't' | 'v' => out.extend(['\\', c]),
        '0' => code(out, 0),
        'c' => {
            let letter = after.chars().next().ok_or_else(trailing)?;
            code(out, u32::from(letter) & 0x1f);
            after = &after[letter.len_utf8()..];
        }
        'x' | 'u' | 'U' => {
            let most = match c {
                'u' => 4,
                'U' => 8,
                _ => after.bytes().take_while(u8::is_ascii_hexdigit).count(),
            };
            let digits = after.get(..most).ok_or_else(trailing)?;
            code(
                out,
                u32::from_str_radix(digits, 16).map_err(|_| trailing())?,
            );
            after = &after[most..];
        }
        c if c.is_ascii_alphanumeric() => return Err(trailing()),
        c => out.push_str(&regex::escape(&c.to_string())),
    }
    Ok(after)
}

/// Translates a bracket expression and returns what follows it.
fn bracket<'a>(text: &'a str, flags: Flags, out: &mut String) -> PgResult<&'a str> {
    for (boundary, written) in [("[[:<:]]", "\\b{start}"), ("[[:>:]]", "\\b{end}")] {
        if let Some(rest) = text.strip_prefix(boundary) {
            out.push_str(written);
            return Ok(rest);
        }
    }
    let unbalanced = || PgError::InvalidRegex("brackets [] not balanced".to_owned());
    let mut rest = &text[1..];
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        if flags.stop_at_lines {
            out.push_str("\\n");
        }
        rest = after;
    }
    let mut first = true;
    loop {
        let c = rest.chars().next().ok_or_else(unbalanced)?;
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(&rest[1..]);
            }
            '[' if rest.starts_with("[:") => {
                let end = rest.find(":]").ok_or_else(unbalanced)? + 2;
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            '[' if rest.starts_with("[.") || rest.starts_with("[=") => {
                let close = if rest.starts_with("[.") { ".]" } else { "=]" };
                let end = rest[2..].find(close).ok_or_else(unbalanced)? + 2;
                out.push_str(&regex::escape(&rest[2..end]));
                rest = &rest[end + 2..];
            }
            '\\' => rest = escape(rest, true, out)?,
            '[' | ']' | '&' | '~' | '#' | ' ' => {
                out.extend(['\\', c]);
                rest = &rest[1..];
            }
            c => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        first = false;
    }
}

/// SQL's `SIMILAR TO` pattern with marks around the part that `substring` gives.
pub(in crate::pg::text) fn similar(pattern: &str, escape: &str) -> PgResult<Regex> {
    let mut marks = escape.chars();
    let mark = marks.next();
    if marks.next().is_some() {
        return Err(PgError::InvalidEscape("invalid escape string"));
    }
    let mut out = String::from("^(?:");
    let mut separators = 0;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == mark {
            match chars.next() {
                Some('"') => {
                    separators += 1;
                    out.push_str(if separators == 1 {
                        "){1,1}?("
                    } else {
                        "){1,1}(?:"
                    });
                }
                Some(c) => out.push_str(&regex::escape(&c.to_string())),
                None => return Err(PgError::InvalidEscape("invalid escape sequence")),
            }
            continue;
        }
        match c {
            '%' => out.push_str(if separators == 0 { ".*?" } else { ".*" }),
            '_' => out.push('.'),
            '(' => out.push_str("(?:"),
            '\\' | '.' | '^' | '$' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push_str(")$");
    let built = RegexBuilder::new(&out).dot_matches_new_line(true).build();
    built.map_err(|error| PgError::InvalidRegex(error.to_string()))
}
