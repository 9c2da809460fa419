//! What a statement answers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::Stream;
use tessera_catalog::sql_type::SqlType;

use super::Engine;
use crate::error::Error;

#[derive(Debug, Clone)]
pub struct OutColumn {
    pub name: String,
    pub sql_type: SqlType,
    pub table: u32,
    pub column: i16,
}

impl OutColumn {
    pub fn plain(name: &str, sql_type: SqlType) -> Self {
        Self {
            name: name.to_owned(),
            sql_type,
            table: 0,
            column: 0,
        }
    }
}

pub type Columns = Arc<[OutColumn]>;
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch, Error>> + Send>>;

pub enum Reply {
    Empty,
    Done { tag: String },
    Rows(Rows),
    CopyOut(CopyOut),
    CopyIn(CopyIn),
}

pub struct Rows {
    pub columns: Columns,
    pub batches: BatchStream,
    pub tag: RowsTag,
}

#[derive(Debug, Clone)]
pub enum RowsTag {
    Counted(&'static str),
    Fixed(String),
}

pub struct CopyOut {
    pub columns: Columns,
    pub options: CopyOptions,
    pub batches: BatchStream,
}

pub struct CopyIn {
    pub relation: String,
    pub columns: Columns,
    pub options: CopyOptions,
    pub sink: CopySink,
}

pub struct CopySink {
    engine: Arc<Engine>,
    batches: Vec<RecordBatch>,
}

impl fmt::Debug for CopySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CopySink")
    }
}

impl CopySink {
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            batches: Vec::new(),
        }
    }
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.batches.push(batch);
        Ok(())
    }
    pub async fn finish(self) -> Result<u64, Error> {
        let rows = self
            .batches
            .iter()
            .map(|batch| batch.num_rows() as u64)
            .sum();
        self.engine
            .stored
            .lock()
            .insert("t".to_owned(), self.batches);
        Ok(rows)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyHeader {
    Off,
    On,
    Match,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForceColumns {
    None,
    All,
    Some(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVerbosity {
    Silent,
    Default,
    Verbose,
}

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
