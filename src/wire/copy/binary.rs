//! COPY's binary input: where its rows end, and what they hold.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};

use super::output::BINARY_HEADER;
use super::rows::{Decoded, Fault, schema};
use super::{Source, bad_copy};
use crate::error::{Error, Result};
use crate::format::decode::ColumnBuilder;

/// The flag of rows with OIDs, which are no more.
const HAS_OIDS: u32 = 1 << 16;

/// The length of the header at the start of the data; `None` if more of it is needed.
///
/// # Errors
///
/// 22P04 for data that does not begin with one.
pub(super) fn header_length(data: &[u8]) -> Result<Option<usize>> {
    const SIGNATURE_BYTES: usize = 11;
    let known = data.len().min(SIGNATURE_BYTES);
    if data[..known] != BINARY_HEADER[..known] {
        return Err(bad_copy("COPY file signature not recognized"));
    }
    let Some(fixed) = data.first_chunk::<19>() else {
        return Ok(None);
    };
    let word =
        |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let (flags, extension) = (word(SIGNATURE_BYTES), word(SIGNATURE_BYTES + 4) as usize);
    if flags & HAS_OIDS != 0 {
        return Err(bad_copy("invalid COPY file header (WITH OIDS)"));
    }
    if flags >> 16 != 0 {
        return Err(bad_copy("unrecognized critical flags in COPY file header"));
    }
    if extension > 1 << 20 {
        return Err(bad_copy("invalid COPY file header (wrong length)"));
    }
    let length = fixed.len() + extension;
    Ok((data.len() >= length).then_some(length))
}

/// The end of the whole rows in `data`, looking on from `from`, which is the start of a row.
///
/// # Errors
///
/// 22P04 for a field of an impossible length.
pub(super) fn whole_rows(data: &[u8], from: usize) -> Result<usize> {
    let mut at = from;
    'rows: loop {
        let Some(count) = data.get(at..at + 2) else {
            return Ok(at);
        };
        let count = i16::from_be_bytes([count[0], count[1]]);
        let mut end = at + 2;
        for _ in 0..count.max(0) {
            let Some(length) = data.get(end..end + 4) else {
                break 'rows;
            };
            let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            if length < -1 {
                return Err(bad_copy("invalid field size"));
            }
            end += 4 + length.max(0) as usize;
        }
        if end > data.len() {
            break;
        }
        at = end;
    }
    Ok(at)
}

/// Decodes a block of whole rows.
pub(super) fn decode(source: &Source, block: &[u8]) -> Result<Decoded, Fault> {
    let mut rows = 0;
    let mut ended = false;
    let fault = |error, rows: u64, place: &str| Fault {
        error: Box::new(error),
        line: rows + 1,
        place: place.to_owned(),
    };
    let mut builders = Vec::new();
    for column in source.columns.iter() {
        let builder = ColumnBuilder::new(&column.sql_type, &source.display, block.len() / 64 + 1);
        builders.push(builder.map_err(|error| fault(error, 0, ""))?);
    }
    let mut at = 0;
    while at + 2 <= block.len() {
        let count = i16::from_be_bytes([block[at], block[at + 1]]);
        at += 2;
        if count == -1 {
            ended = true;
            break;
        }
        if usize::try_from(count) != Ok(builders.len()) {
            let expected = builders.len();
            let error = bad_copy(format!("row field count is {count}, expected {expected}"));
            return Err(fault(error, rows, ""));
        }
        for (builder, column) in builders.iter_mut().zip(source.columns.iter()) {
            let place = || format!(", column {}", column.name);
            let length = &block[at..at + 4];
            let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
            at += 4;
            match usize::try_from(length) {
                Err(_) => builder.append_null(),
                Ok(length) => {
                    let value = &block[at..at + length];
                    builder
                        .append_binary(value)
                        .map_err(|error| fault(error, rows, &place()))?;
                    at += length;
                }
            }
        }
        rows += 1;
    }
    let arrays = builders
        .iter_mut()
        .map(ColumnBuilder::finish)
        .collect::<Result<Vec<_>>>();
    let options = RecordBatchOptions::new().with_row_count(Some(rows as usize));
    let batch = arrays.and_then(|arrays| {
        RecordBatch::try_new_with_options(Arc::clone(&schema(source)), arrays, &options)
            .map_err(|error| Error::Internal(Box::new(error)))
    });
    let batch = batch.map_err(|error| fault(error, rows, ""))?;
    Ok(Decoded {
        batch,
        lines: rows,
        skipped: Vec::new(),
        ended,
        skipped_rows: Vec::new(),
        block: Vec::new(),
        first: false,
    })
}
