//! COPY TO: batches as text, csv or binary rows, each row a CopyData message.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{Stream, StreamExt};

use super::super::backend;
use crate::error::{Error, Result};
use crate::format::encode::{Column, Display};
use crate::session::{
    BatchStream, Columns, CopyFormat, CopyHeader, CopyOptions, CopyOut, Cpu, ForceColumns,
};

/// Bytes of a CopyData message before its data.
pub(in crate::wire) const MESSAGE_HEAD: u64 = 5;

/// How many batches are encoded at once.
const ENCODED_AHEAD: usize = 2;

/// The start of a binary COPY: its signature, no flags, no extension.
pub(super) const BINARY_HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Writes the rows of a COPY.
#[derive(Clone)]
pub(in crate::wire) struct Output {
    columns: Columns,
    options: CopyOptions,
    display: Display,
    /// csv: columns whose values are always quoted.
    quoted: Vec<bool>,
    /// For each byte what it asks for in the format.
    classes: Box<[Class; 256]>,
}

/// What a byte asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    /// csv: the value is quoted.
    Quote,
    /// csv: the value is quoted, and the byte escaped; text: a backslash in front.
    Escape,
    /// csv: the byte is escaped within quotes, and calls for none.
    EscapeInQuotes,
    /// text: a backslash and this letter.
    Letter(u8),
}

impl Output {
    pub(in crate::wire) fn new(copy: &CopyOut, display: Display) -> Result<Self> {
        let options = copy.options.clone();
        let quoted = copy
            .columns
            .iter()
            .map(|column| names(&options.force_quote, &column.name))
            .collect();
        let classes = Box::new(classes(&options));
        Ok(Self {
            columns: Arc::clone(&copy.columns),
            options,
            display,
            quoted,
            classes,
        })
    }

    pub(in crate::wire) fn is_binary(&self) -> bool {
        self.options.format == CopyFormat::Binary
    }

    /// Appends the line of column names, if there is one.
    pub(in crate::wire) fn begin(&self, out: &mut Vec<u8>) {
        if self.options.header == CopyHeader::Off || self.is_binary() {
            return;
        }
        let start = open_message(out);
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(self.options.delimiter);
            }
            let at = out.len();
            out.extend_from_slice(column.name.as_bytes());
            match self.options.format {
                CopyFormat::Csv => self.finish_csv(out, at, false),
                CopyFormat::Text | CopyFormat::Binary => self.finish_text(out, at),
            }
        }
        out.push(b'\n');
        backend::close(out, start);
    }

    /// Puts the header of the binary format into the first row's message, where clients look for it.
    pub(in crate::wire) fn put_header_before_first_row(&self, rows: &mut Vec<u8>) {
        if !self.is_binary() || rows.len() < 5 {
            return;
        }
        rows.splice(5..5, BINARY_HEADER.iter().copied());
        let length =
            u32::from_be_bytes([rows[1], rows[2], rows[3], rows[4]]) + BINARY_HEADER.len() as u32;
        rows[1..5].copy_from_slice(&length.to_be_bytes());
    }

    /// Appends what ends the data; `empty` when no row was written.
    pub(in crate::wire) fn end(&self, empty: bool, out: &mut Vec<u8>) {
        if self.is_binary() {
            let start = open_message(out);
            if empty {
                out.extend_from_slice(BINARY_HEADER);
            }
            out.extend_from_slice(&(-1i16).to_be_bytes());
            backend::close(out, start);
        }
    }

    /// Appends one CopyData message for each row.
    fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = super::super::rows::open(batch, &self.columns)?;
        out.reserve(batch.num_rows() * (6 + 10 * columns.len()));
        for row in 0..batch.num_rows() {
            let start = open_message(out);
            match self.options.format {
                CopyFormat::Binary => binary_row(&columns, row, out)?,
                CopyFormat::Text => self.text_row(&columns, row, out),
                CopyFormat::Csv => self.csv_row(&columns, row, out),
            }
            backend::close(out, start);
        }
        Ok(())
    }

    fn text_row(&self, columns: &[Column], row: usize, out: &mut Vec<u8>) {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(self.options.delimiter);
            }
            if column.is_null(row) {
                out.extend_from_slice(self.options.null.as_bytes());
                continue;
            }
            let at = out.len();
            column.text(row, &self.display, out);
            self.finish_text(out, at);
        }
        out.push(b'\n');
    }

    /// Escapes what was written since `at`.
    #[inline]
    fn finish_text(&self, out: &mut Vec<u8>, at: usize) {
        if out[at..]
            .iter()
            .all(|byte| self.classes[usize::from(*byte)] == Class::Plain)
        {
            return;
        }
        let value = out.split_off(at);
        for byte in value {
            match self.classes[usize::from(byte)] {
                Class::Plain | Class::Quote | Class::EscapeInQuotes => out.push(byte),
                Class::Escape => out.extend_from_slice(&[b'\\', byte]),
                Class::Letter(letter) => out.extend_from_slice(&[b'\\', letter]),
            }
        }
    }

    fn csv_row(&self, columns: &[Column], row: usize, out: &mut Vec<u8>) {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(self.options.delimiter);
            }
            if column.is_null(row) {
                out.extend_from_slice(self.options.null.as_bytes());
                continue;
            }
            let at = out.len();
            column.text(row, &self.display, out);
            let alone = columns.len() == 1 && &out[at..] == b"\\.";
            self.finish_csv(out, at, self.quoted[index] || alone);
        }
        out.push(b'\n');
    }

    /// Quotes what was written since `at`, if it must be.
    #[inline]
    fn finish_csv(&self, out: &mut Vec<u8>, at: usize, force: bool) {
        let value = &out[at..];
        let plain = !force
            && value.iter().all(|byte| {
                matches!(
                    self.classes[usize::from(*byte)],
                    Class::Plain | Class::EscapeInQuotes
                )
            })
            && value != self.options.null.as_bytes();
        if plain {
            return;
        }
        let value = out.split_off(at);
        out.push(self.options.quote);
        for byte in value {
            if matches!(
                self.classes[usize::from(byte)],
                Class::Escape | Class::EscapeInQuotes
            ) {
                out.push(self.options.escape);
            }
            out.push(byte);
        }
        out.push(self.options.quote);
    }
}

/// The batches as CopyData messages, each with its number of rows, encoded on the CPU runtime.
pub(in crate::wire) fn encode(
    output: Output,
    batches: BatchStream,
    cpu: Cpu,
) -> impl Stream<Item = Result<(Vec<u8>, u64)>> + Send {
    batches
        .map(move |batch| {
            let output = output.clone();
            let cpu = cpu.clone();
            async move {
                let batch = batch?;
                let task = cpu.spawn(async move {
                    let mut out = Vec::new();
                    output.encode(&batch, &mut out)?;
                    Ok((out, batch.num_rows() as u64))
                });
                task.await
                    .map_err(|error| Error::Internal(Box::new(error)))?
            }
        })
        .buffered(ENCODED_AHEAD)
}

/// Whether a FORCE option names the column.
pub(super) fn names(force: &ForceColumns, column: &str) -> bool {
    match force {
        ForceColumns::None => false,
        ForceColumns::All => true,
        ForceColumns::Some(names) => names.iter().any(|name| name == column),
    }
}

fn classes(options: &CopyOptions) -> [Class; 256] {
    let mut classes = [Class::Plain; 256];
    let mut set = |byte: u8, class| classes[usize::from(byte)] = class;
    match options.format {
        CopyFormat::Binary => {}
        CopyFormat::Text => {
            for (byte, letter) in [
                (8, b'b'),
                (b'\t', b't'),
                (b'\n', b'n'),
                (11, b'v'),
                (12, b'f'),
                (b'\r', b'r'),
            ] {
                set(byte, Class::Letter(letter));
            }
            set(b'\\', Class::Escape);
            set(options.delimiter, Class::Escape);
            // The usual delimiter has a letter of its own.
            if options.delimiter == b'\t' {
                set(b'\t', Class::Letter(b't'));
            }
        }
        CopyFormat::Csv => {
            for byte in [options.delimiter, b'\n', b'\r'] {
                set(byte, Class::Quote);
            }
            set(options.escape, Class::EscapeInQuotes);
            set(options.quote, Class::Escape);
        }
    }
    classes
}

fn open_message(out: &mut Vec<u8>) -> usize {
    out.push(b'd');
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    start
}

fn binary_row(columns: &[Column], row: usize, out: &mut Vec<u8>) -> Result<()> {
    out.extend_from_slice(&(columns.len() as u16).to_be_bytes());
    for column in columns {
        if column.is_null(row) {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            continue;
        }
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        column.binary(row, out)?;
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}
