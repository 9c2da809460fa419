//! Values on their way from the client: PostgreSQL's text and binary forms to Arrow.
//!
//! A parameter becomes a `ScalarValue`, a column of COPY an array ([`ColumnBuilder`]); both read values
//! by the same functions, with PostgreSQL's messages and codes. Knows no connection and no statement.

pub mod array;
pub mod binary;
pub mod builder;
pub mod datetime;
pub mod interval;
pub mod json;
pub mod number;
pub mod text;

use std::sync::Arc;

use datafusion::common::ScalarValue;
use tessera_catalog::sql_type::SqlType;

pub use builder::ColumnBuilder;

use super::encode::Display;
use crate::error::{Error, Result};

/// Reads the text form of a value, as a quoted literal or a text parameter has it.
///
/// A value of an unknown type stays a text. The name of an object, where a `reg*` type wants its
/// number, stays a text as well, to be looked up by who knows the catalog.
///
/// # Errors
///
/// PostgreSQL's error for a text that is not of the type.
pub fn parse_text(bytes: &[u8], sql_type: &SqlType, display: &Display) -> Result<ScalarValue> {
    let text = crate::format::utf8(bytes)?;
    Ok(match sql_type {
        SqlType::Int2 => ScalarValue::Int16(Some(number::int2(text)?)),
        SqlType::Int4 => ScalarValue::Int32(Some(number::int4(text)?)),
        SqlType::Int8 => ScalarValue::Int64(Some(number::int8(text)?)),
        SqlType::Bool => ScalarValue::Boolean(Some(text::boolean(text)?)),
        SqlType::Text | SqlType::Unknown | SqlType::Varchar(None) | SqlType::Record | SqlType::Void => {
            ScalarValue::Utf8View(Some(text.to_owned()))
        }
        SqlType::Reg(_) => match text.parse() {
            Ok(oid) => ScalarValue::UInt32(Some(oid)),
            Err(_) if text == "-" => ScalarValue::UInt32(Some(0)),
            Err(_) => ScalarValue::Utf8View(Some(text.to_owned())),
        },
        other => {
            let mut builder = ColumnBuilder::new(other, display, 1)?;
            builder.append_text(text)?;
            scalar(builder)?
        }
    })
}

/// Reads the binary form of a value.
///
/// # Errors
///
/// 22P03 for bytes that are not of the type's form.
pub fn parse_binary(bytes: &[u8], sql_type: &SqlType, display: &Display) -> Result<ScalarValue> {
    let own = match sql_type {
        SqlType::Unknown | SqlType::Record | SqlType::Void => &SqlType::Text,
        other => other,
    };
    let mut builder = ColumnBuilder::new(own, display, 1)?;
    builder.append_binary(bytes)?;
    scalar(builder)
}

/// The NULL of a type.
///
/// # Errors
///
/// When the type has no Arrow form, which is a bug of ours.
pub fn null(sql_type: &SqlType, display: &Display) -> Result<ScalarValue> {
    match sql_type {
        SqlType::Unknown | SqlType::Void => Ok(ScalarValue::Utf8View(None)),
        other => ScalarValue::try_from(&other.arrow(&zone_name(display)))
            .map_err(|error| Error::Internal(Box::new(error))),
    }
}

/// The session's time zone as Arrow's types name it.
pub fn zone_name(display: &Display) -> Arc<str> {
    Arc::from(display.zone.name())
}

fn scalar(mut builder: ColumnBuilder) -> Result<ScalarValue> {
    ScalarValue::try_from_array(&builder.finish()?, 0).map_err(|error| Error::Internal(Box::new(error)))
}

/// 22P02 for a text that is not of the type.
pub(super) fn invalid(type_name: impl std::fmt::Display, text: &str) -> Error {
    Error::InvalidText(format!("invalid input syntax for type {type_name}: \"{text}\""))
}

#[cfg(test)]
mod tests;
