//! Blocks of COPY's text and csv input to batches.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};

use super::fields::{Place, Scanner};
use super::output::names;
use super::split::LineEnd;
use super::{Source, bad_copy};
use crate::error::{Error, Result};
use crate::format::decode::{ColumnBuilder, zone_name};
use crate::session::CopyHeader;
use crate::wire::sqlstate::sqlstate;

/// The most characters of a value that a context shows.
const MAX_SHOWN_CHARACTERS: usize = 100;

/// What one block became.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) batch: RecordBatch,
    /// How many lines the block has, up to the end marker.
    pub(super) lines: u64,
    /// Rows left out by ON_ERROR, with their line, column and value.
    pub(super) skipped: Vec<Skipped>,
    /// The end marker was met: nothing follows.
    pub(super) ended: bool,
    /// Places of the rows left out by ON_ERROR, in order.
    pub(super) skipped_rows: Vec<usize>,
    /// What was decoded, to find a row's line when a constraint refuses it.
    pub(super) block: Vec<u8>,
    /// Whether the block may begin with a header.
    pub(super) first: bool,
}

impl Decoded {
    /// The place of a row of the batch among all rows of the block.
    pub(super) fn row_of_block(&self, row: usize) -> usize {
        let mut place = row;
        for skipped in &self.skipped_rows {
            place += usize::from(*skipped <= place);
        }
        place
    }
}

/// A row left out by ON_ERROR.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) line: u64,
    pub(super) column: String,
    pub(super) value: Option<String>,
}

/// An error with its place in the block.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Box<Error>,
    /// Counted from the block's first line, which is 1.
    pub(super) line: u64,
    /// What the context says after the line's number.
    pub(super) place: String,
}

impl Fault {
    /// The error as the client sees it; `before` lines came in earlier blocks.
    pub(super) fn into_error(self, relation: &str, before: u64) -> Error {
        let line = before + self.line;
        self.error
            .at(format!("COPY {relation}, line {line}{}", self.place))
    }
}

/// Decodes blocks of whole records.
pub(super) struct RowDecoder {
    source: Source,
    scanner: Scanner,
    schema: SchemaRef,
    force_not_null: Vec<bool>,
    force_null: Vec<bool>,
}

/// The schema of batches with the columns of a COPY.
pub(super) fn schema(source: &Source) -> SchemaRef {
    let zone = zone_name(&source.display);
    let fields = source
        .columns
        .iter()
        .map(|column| column.sql_type.field(&column.name, true, &zone));
    Arc::new(Schema::new(
        fields
            .map(|field| ArrowField::clone(&field))
            .collect::<Vec<_>>(),
    ))
}

impl RowDecoder {
    pub(super) fn new(source: Source, line_end: LineEnd) -> Self {
        let force = |option| {
            source
                .columns
                .iter()
                .map(|column| names(option, &column.name))
                .collect()
        };
        Self {
            scanner: Scanner::new(&source.options, line_end),
            schema: schema(&source),
            force_not_null: force(&source.options.force_not_null),
            force_null: force(&source.options.force_null),
            source,
        }
    }

    /// Decodes a block; `first` says whether it is the one that may begin with a header.
    pub(super) fn decode(&self, block: &[u8], first: bool) -> Result<Decoded, Fault> {
        let fault = |error, line| Fault {
            error: Box::new(error),
            line,
            place: String::new(),
        };
        let block = crate::format::utf8(block).map_err(|error| {
            let valid = match std::str::from_utf8(block) {
                Ok(_) => memchr::memchr(0, block).unwrap_or(0),
                Err(error) => error.valid_up_to(),
            };
            fault(
                error,
                1 + memchr::memchr_iter(b'\n', &block[..valid]).count() as u64,
            )
        })?;
        let mut run = Run {
            decoder: self,
            block,
            scratch: String::new(),
            // Records of a hundred bytes and more are the rule.
            builders: self
                .builders(block.len() / 64 + 1)
                .map_err(|error| fault(error, 1))?,
            rows: 0,
            line: 0,
            skipped: Vec::new(),
            skipped_rows: Vec::new(),
        };
        let mut at = 0;
        let mut ended = false;
        if first && self.source.options.header != CopyHeader::Off && !block.is_empty() {
            at = run.header()?;
        }
        while at < block.len() {
            run.line += 1;
            if block.as_bytes()[at] == b'\\'
                && self
                    .scanner
                    .is_end_marker(block.as_bytes(), at)
                    .map_err(|error| run.fault(error, at))?
            {
                ended = true;
                run.line -= 1;
                break;
            }
            at = run.record(at)?;
        }
        let line = run.line;
        run.finish(ended).map_err(|error| fault(error, line))
    }

    /// The line of a row of a block that was decoded before, and what the context says after it.
    pub(super) fn place_of(&self, block: &[u8], first: bool, row: usize) -> Option<(u64, String)> {
        let block = std::str::from_utf8(block).ok()?;
        let mut run = Run {
            decoder: self,
            block,
            scratch: String::new(),
            builders: Vec::new(),
            rows: 0,
            line: 0,
            skipped: Vec::new(),
            skipped_rows: Vec::new(),
        };
        let mut at = 0;
        if first && self.source.options.header != CopyHeader::Off && !block.is_empty() {
            at = run.header().ok()?;
        }
        loop {
            let from = at;
            if from >= block.len() {
                return None;
            }
            run.line += 1;
            at = run.pass(from)?;
            if run.rows == row {
                return Some((run.line, run.place(from)));
            }
            run.rows += 1;
        }
    }

    fn builders(&self, capacity: usize) -> Result<Vec<ColumnBuilder>> {
        let columns = self.source.columns.iter();
        columns
            .map(|column| ColumnBuilder::new(&column.sql_type, &self.source.display, capacity))
            .collect()
    }
}

/// The decoding of one block.
struct Run<'a> {
    decoder: &'a RowDecoder,
    block: &'a str,
    scratch: String,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    /// The line that is being read, from 1.
    line: u64,
    skipped: Vec<Skipped>,
    skipped_rows: Vec<usize>,
}

impl Run<'_> {
    /// Reads the record at `from` and gives the place of the next.
    fn record(&mut self, from: usize) -> Result<usize, Fault> {
        let decoder = self.decoder;
        let count = self.builders.len();
        let mut at = from;
        let mut skip = false;
        for index in 0..count {
            let field = match decoder.scanner.field(self.block, at, &mut self.scratch) {
                Ok(field) => field,
                Err(error) => return Err(self.fault(error, from)),
            };
            if field.spans_lines {
                // The line end of the record is not one of the value.
                let written = self.block[at..field.next].trim_end_matches(['\r', '\n']);
                let written = if field.last {
                    written
                } else {
                    &self.block[at..field.next]
                };
                self.line += decoder.scanner.line_ends(written.as_bytes());
            }
            let value = match field.value {
                Place::Block(start, end) => &self.block[start..end],
                Place::Scratch => &self.scratch,
            };
            let is_null = if field.quoted {
                decoder.force_null[index] && decoder.scanner.is_null_text(value)
            } else {
                field.is_null && !decoder.force_not_null[index]
            };
            let builder = &mut self.builders[index];
            if is_null || skip {
                builder.append_null();
            } else {
                // Where a NULL marker is no NULL it is a text, though it was cut off as a marker.
                let value = if field.is_null {
                    decoder.source.options.null.as_str()
                } else {
                    value
                };
                if let Err(error) = builder.append_text(value) {
                    if !(decoder.source.options.on_error_ignore && is_of_the_data(&error)) {
                        let value = shown(value);
                        return Err(self.fault_of(error, index, &value));
                    }
                    builder.append_null();
                    skip = true;
                    let column = decoder.source.columns[index].name.clone();
                    self.skipped.push(Skipped {
                        line: self.line,
                        column,
                        value: Some(shown(value)),
                    });
                    self.skipped_rows.push(self.rows);
                }
            }
            at = field.next;
            if field.last && index + 1 < count {
                let name = &decoder.source.columns[index + 1].name;
                return Err(self.fault(
                    bad_copy(format!("missing data for column \"{name}\"")),
                    from,
                ));
            }
            if !field.last && index + 1 == count {
                return Err(self.fault(bad_copy("extra data after last expected column"), from));
            }
        }
        if count == 0 {
            at = self.empty_record(from)?;
        }
        self.rows += 1;
        Ok(at)
    }

    /// Passes over the record at `from` and gives the place of the next.
    fn pass(&mut self, from: usize) -> Option<usize> {
        let decoder = self.decoder;
        let mut at = from;
        loop {
            let field = decoder
                .scanner
                .field(self.block, at, &mut self.scratch)
                .ok()?;
            if field.spans_lines {
                let written = &self.block[at..field.next];
                let written = match field.last {
                    true => written.trim_end_matches(['\r', '\n']),
                    false => written,
                };
                self.line += decoder.scanner.line_ends(written.as_bytes());
            }
            at = field.next;
            if field.last {
                return Some(at);
            }
        }
    }

    /// A record of a table without columns is an empty line.
    fn empty_record(&mut self, from: usize) -> Result<usize, Fault> {
        match self
            .decoder
            .scanner
            .field(self.block, from, &mut self.scratch)
        {
            Ok(field) if field.last && field.value == Place::Block(from, from) => Ok(field.next),
            Ok(_) => Err(self.fault(bad_copy("extra data after last expected column"), from)),
            Err(error) => Err(self.fault(error, from)),
        }
    }

    /// Reads the header line, and compares it if asked to.
    fn header(&mut self) -> Result<usize, Fault> {
        self.line += 1;
        let decoder = self.decoder;
        let mut found = Vec::new();
        let mut at = 0;
        loop {
            let field = decoder
                .scanner
                .field(self.block, at, &mut self.scratch)
                .map_err(|error| self.fault(error, 0))?;
            let value = match field.value {
                Place::Block(start, end) => self.block[start..end].to_owned(),
                Place::Scratch => self.scratch.clone(),
            };
            found.push((!field.is_null).then_some(value));
            at = field.next;
            if field.last {
                break;
            }
        }
        if decoder.source.options.header == CopyHeader::Match {
            self.compare(&found).map_err(|error| self.fault(error, 0))?;
        }
        Ok(at)
    }

    fn compare(&self, found: &[Option<String>]) -> Result<()> {
        let columns = &self.decoder.source.columns;
        if found.len() != columns.len() {
            let (got, expected) = (found.len(), columns.len());
            return Err(bad_copy(format!(
                "wrong number of fields in header line: got {got}, expected {expected}"
            )));
        }
        for (index, (found, column)) in found.iter().zip(columns.iter()).enumerate() {
            let (field, expected) = (index + 1, &column.name);
            match found {
                Some(name) if name == expected => {}
                Some(name) => {
                    return Err(bad_copy(format!(
                        "column name mismatch in header line field {field}: got \"{name}\", expected \"{expected}\""
                    )));
                }
                None => {
                    let null = &self.decoder.source.options.null;
                    return Err(bad_copy(format!(
                        "column name mismatch in header line field {field}: got null value (\"{null}\"), expected \"{expected}\""
                    )));
                }
            }
        }
        Ok(())
    }

    /// An error of the record that begins at `from`.
    #[cold]
    fn fault(&self, error: Error, from: usize) -> Fault {
        Fault {
            error: Box::new(error),
            line: self.line,
            place: self.place(from),
        }
    }

    /// What the context says of the record that begins at `from`.
    fn place(&self, from: usize) -> String {
        let rest = &self.block[from.min(self.block.len())..];
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        format!(": \"{}\"", shown(&rest[..end]))
    }

    /// An error of a value.
    #[cold]
    fn fault_of(&self, error: Error, column: usize, value: &str) -> Fault {
        let name = &self.decoder.source.columns[column].name;
        Fault {
            error: Box::new(error),
            line: self.line,
            place: format!(", column {name}: \"{value}\""),
        }
    }

    fn finish(mut self, ended: bool) -> Result<Decoded> {
        let arrays = self
            .builders
            .iter_mut()
            .map(ColumnBuilder::finish)
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let schema = Arc::clone(&self.decoder.schema);
        let internal = |error| Error::Internal(Box::new(error));
        let mut batch =
            RecordBatch::try_new_with_options(schema, arrays, &options).map_err(internal)?;
        if !self.skipped_rows.is_empty() {
            let mut keep = vec![true; self.rows];
            self.skipped_rows.iter().for_each(|row| keep[*row] = false);
            batch = filter_record_batch(&batch, &BooleanArray::from(keep)).map_err(internal)?;
        }
        Ok(Decoded {
            batch,
            lines: self.line,
            skipped: self.skipped,
            ended,
            skipped_rows: self.skipped_rows,
            block: Vec::new(),
            first: false,
        })
    }
}

/// Whether ON_ERROR covers the error: it says that a value is not of its type.
fn is_of_the_data(error: &Error) -> bool {
    sqlstate(error).starts_with("22")
}

/// A value as a context shows it, cut off when it is long.
fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}
