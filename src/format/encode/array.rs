//! Arrays and records as text.

use super::column::{Column, Field, List, Values};
use super::{Display, number};

/// Appends `{a,"b c",NULL}`.
pub(super) fn array(list: &List, row: usize, display: &Display, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, item) in list.range(row).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if list.items.is_null(item) {
            out.extend_from_slice(b"NULL");
        } else if let Values::List(inner) = &list.items.values {
            array(inner, item, display, out);
        } else {
            let start = out.len();
            list.items.text(item, display, out);
            if list.items.may_need_quotes() && needs_quotes(&out[start..]) {
                quote(out, start);
            }
        }
    }
    out.push(b'}');
}

/// Appends `1 2 3`.
pub(super) fn vector(list: &List, row: usize, display: &Display, out: &mut Vec<u8>) {
    for (index, item) in list.range(row).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        if list.items.is_null(item) {
            number::integer(0, out);
        } else {
            list.items.text(item, display, out);
        }
    }
}

/// Appends `(1,"a b",)`; a NULL field is nothing at all.
pub(super) fn record(fields: &[Field], row: usize, display: &Display, out: &mut Vec<u8>) {
    out.push(b'(');
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if field.column.is_null(row) {
            continue;
        }
        let start = out.len();
        field.column.text(row, display, out);
        let text = &out[start..];
        let special = |byte: &u8| {
            matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || byte.is_ascii_whitespace() || *byte == 0x0b
        };
        if text.is_empty() || text.iter().any(special) {
            double(out, start);
        }
    }
    out.push(b')');
}

impl Column {
    fn may_need_quotes(&self) -> bool {
        !matches!(
            self.values,
            Values::Bool(_) | Values::Int2(_) | Values::Int4(_) | Values::Int8(_) | Values::Oid(_)
        )
    }
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case(b"null")
        || text.iter().any(|byte| {
            matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',' | 0x0b) || byte.is_ascii_whitespace()
        })
}

/// Puts what was written since `start` into quotes, with `\` before quotes and backslashes.
fn quote(out: &mut Vec<u8>, start: usize) {
    let text = out.split_off(start);
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Puts what was written since `start` into quotes, with quotes and backslashes doubled.
fn double(out: &mut Vec<u8>, start: usize) {
    let text = out.split_off(start);
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}
