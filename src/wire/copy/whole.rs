//! COPY data that is all there, read without a session: for tests that throw bytes at the formats.

use std::sync::Arc;

use tessera_catalog::sql_type::SqlType;

use super::rows::RowDecoder;
use super::split::{Splitter, check_closed};
use super::{Source, binary};
use crate::error::Result;
use crate::format::encode::Display;
use crate::session::{CopyFormat, CopyOptions, OutColumn};

/// Reads data as rows of columns of many types; gives their number.
///
/// # Errors
///
/// What is wrong with the data.
pub(in crate::wire) fn read_whole(options: CopyOptions, data: &[u8]) -> Result<usize> {
    let types = [
        ("a", SqlType::Int4),
        ("b", SqlType::Text),
        ("c", SqlType::Numeric(None)),
        ("d", SqlType::Timestamptz),
        ("e", SqlType::Bool),
        ("f", SqlType::Array(Box::new(SqlType::Int4))),
    ];
    let columns = types.map(|(name, sql_type)| OutColumn::plain(name, sql_type));
    let source = Source {
        relation: "t".to_owned(),
        columns: Arc::from(columns),
        options,
        display: Display::default(),
    };
    let refused = |fault: super::rows::Fault| fault.into_error("t", 0);
    if source.options.format == CopyFormat::Binary {
        let Some(header) = binary::header_length(data)? else {
            return Ok(0);
        };
        let rows = data.get(header..).unwrap_or_default();
        let whole = binary::whole_rows(rows, 0)?;
        let rows = rows.get(..whole).unwrap_or_default();
        let decoded = binary::decode(&source, rows).map_err(refused)?;
        return Ok(decoded.batch.num_rows());
    }
    let splitter = Splitter::new(&source.options);
    let Some(line_end) = splitter.line_end(data, true) else {
        return Ok(0);
    };
    // In two blocks, as long data comes.
    let half = splitter.whole_records(&data[..data.len() / 2], line_end);
    let (first, rest) = data.split_at(half.min(data.len()));
    check_closed(&splitter, rest)?;
    let decoder = RowDecoder::new(source, line_end);
    let mut rows = 0;
    for (index, block) in [first, rest].into_iter().enumerate() {
        let decoded = decoder.decode(block, index == 0).map_err(refused)?;
        rows += decoded.batch.num_rows();
        if decoded.ended {
            break;
        }
    }
    Ok(rows)
}
