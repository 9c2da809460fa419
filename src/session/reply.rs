//! What a statement answers, for the wire to write.

use std::sync::Arc;

use tessera_catalog::sql_type::SqlType;

pub use super::copy_sink::CopySink;
pub use crate::execute::BatchStream;
use crate::execute::Limits;

/// A column of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct OutColumn {
    pub name: String,
    pub sql_type: SqlType,
    /// The table that the column comes from, or 0.
    pub table: u32,
    /// The column's number in that table, or 0.
    pub column: i16,
}

impl OutColumn {
    /// A column of no table.
    pub fn plain(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            name: name.into(),
            sql_type,
            table: 0,
            column: 0,
        }
    }
}

/// An answer's columns, shared by all who look at them.
pub type Columns = Arc<[OutColumn]>;

/// A statement's answer.
pub enum Reply {
    /// Of a statement without content.
    Empty,
    /// Of a command.
    Done {
        tag: String,
    },
    Rows(Rows),
    CopyOut(CopyOut),
    CopyIn(Box<CopyIn>),
}

impl Reply {
    /// Of a command that has no number in its tag.
    pub fn done(tag: &str) -> Self {
        Self::Done {
            tag: tag.to_owned(),
        }
    }
}

/// Rows and how their tag is made.
pub struct Rows {
    pub columns: Columns,
    pub batches: BatchStream,
    pub tag: RowsTag,
}

/// The tag after rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowsTag {
    /// The word before the number of rows: `SELECT`, `INSERT 0`.
    Counted(&'static str),
    /// As it is: `EXPLAIN`, `SHOW`.
    Fixed(String),
}

/// COPY TO STDOUT.
pub struct CopyOut {
    pub columns: Columns,
    pub options: CopyOptions,
    pub batches: BatchStream,
}

/// COPY FROM STDIN: batches of these columns are wanted.
pub struct CopyIn {
    pub relation: String,
    pub columns: Columns,
    pub options: CopyOptions,
    /// When it has taken too long; until its end, as its rows come from the client.
    pub limits: Limits,
    pub sink: CopySink,
}

/// COPY's three formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// Whether the first line names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyHeader {
    Off,
    On,
    /// It must name them as the table does.
    Match,
}

/// Columns of a FORCE option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForceColumns {
    None,
    All,
    Some(Vec<String>),
}

/// How much ON_ERROR tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVerbosity {
    Silent,
    Default,
    Verbose,
}

/// COPY's options, checked.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub delimiter: u8,
    pub null: String,
    pub header: CopyHeader,
    pub quote: u8,
    pub escape: u8,
    pub force_quote: ForceColumns,
    pub force_not_null: ForceColumns,
    pub force_null: ForceColumns,
    pub on_error_ignore: bool,
    pub reject_limit: Option<u64>,
    pub log_verbosity: LogVerbosity,
}

impl CopyOptions {
    /// A format's defaults.
    pub fn new(format: CopyFormat) -> Self {
        let csv = format == CopyFormat::Csv;
        Self {
            format,
            delimiter: if csv { b',' } else { b'\t' },
            null: if csv { String::new() } else { "\\N".to_owned() },
            header: CopyHeader::Off,
            quote: b'"',
            escape: b'"',
            force_quote: ForceColumns::None,
            force_not_null: ForceColumns::None,
            force_null: ForceColumns::None,
            on_error_ignore: false,
            reject_limit: None,
            log_verbosity: LogVerbosity::Default,
        }
    }
}

/// What a client is told beside the answer.
#[derive(Debug, Clone)]
pub struct Notice {
    pub severity: &'static str,
    pub sqlstate: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Notice {
    /// A NOTICE without a warning.
    pub fn plain(message: impl Into<String>) -> Self {
        Self {
            severity: "NOTICE",
            sqlstate: "00000",
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// A WARNING.
    pub fn warning(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: "WARNING",
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }
}
