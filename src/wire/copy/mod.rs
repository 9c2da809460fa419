//! COPY: rows in PostgreSQL's text, csv and binary formats, in both directions.
//!
//! Input is cut into blocks at the ends of records (`split`), and blocks are decoded into batches on
//! the CPU runtime, some at a time and handed on in order (`receive`). Output goes the other way
//! (`output`). Knows formats, not tables: rows come from and go to the session.

mod binary;
mod fields;
mod output;
mod receive;
mod rows;
mod split;
mod stops;
mod whole;

#[cfg(test)]
mod tests;

pub(super) use output::{MESSAGE_HEAD, Output, encode};
pub(super) use receive::{pause, receive};
pub(super) use whole::read_whole;

use crate::error::Error;
use crate::format::encode::Display;
use crate::session::{Columns, CopyOptions};

/// Where rows come from and what they are.
pub(super) struct Source {
    pub(super) relation: String,
    pub(super) columns: Columns,
    pub(super) options: CopyOptions,
    pub(super) display: Display,
}

/// 22P04 for data that is not of the format.
fn bad_copy(message: impl Into<String>) -> Error {
    Error::BadCopy(message.into())
}
