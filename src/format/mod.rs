//! Values as text and as PostgreSQL's binary forms, both ways.
//!
//! The wire writes results and reads parameters with it, the planner's casts go through it, and
//! messages quote values by it. It knows no connection, no statement and no catalog.

pub mod decode;
pub mod encode;
pub mod fraction;

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::common::ScalarValue;
use tessera_catalog::sql_type::SqlType;

pub use encode::Display;

use crate::error::{Error, Result};

/// The text of one value, in the forms that no setting changes.
///
/// # Errors
/// An array that does not hold values of the type, which is a bug.
pub fn text_of(array: &ArrayRef, row: usize, sql_type: &SqlType) -> Result<String> {
    let mut out = Vec::new();
    let one = array.slice(row, 1);
    encode::Column::open(&one, sql_type)?.text(0, &Display::default(), &mut out);
    String::from_utf8(out).map_err(|error| Error::Internal(Box::new(error)))
}

/// The value of a text in those forms.
///
/// # Errors
/// A text that the type does not have.
pub fn value_of(text: &str, sql_type: &SqlType, zone: &Arc<str>) -> Result<ScalarValue> {
    let display = Display {
        zone: zone.parse().unwrap_or_default(),
        ..Display::default()
    };
    decode::parse_text(text.as_bytes(), sql_type, &display)
}

/// Checks that bytes are UTF-8 without a zero, as text is.
///
/// # Errors
/// 22021 with the first bytes that are not.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    let error = match std::str::from_utf8(bytes) {
        Ok(_) if memchr::memchr(0, bytes).is_some() => {
            return Err(Error::InvalidEncoding("0x00".to_owned()));
        }
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let from = error.valid_up_to();
    let width = match bytes[from] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    };
    let fault = &bytes[from..(from + width).min(bytes.len())];
    let hex: Vec<String> = fault.iter().map(|byte| format!("0x{byte:02x}")).collect();
    Err(Error::InvalidEncoding(hex.join(" ")))
}
