//! COPY FROM STDIN: the client's bytes into blocks, the blocks into batches, the batches to the session.
//!
//! Blocks are decoded on the CPU runtime while the next ones arrive; when enough are under way the
//! socket is not read, so a client is never faster than its rows are taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::rows::{Decoded, Fault, RowDecoder};
use super::split::{LineEnd, Splitter, check_closed};
use super::{Source, bad_copy, binary};
use crate::error::{Error, Result};
use crate::session::{CopyFormat, CopyPace, CopySink, Cpu, LogVerbosity, Notice};
use crate::wire::connection::Watch;
use crate::wire::link::{CopyEvent, Link};

/// The size of a block: some 64 thousand rows of a hundred bytes.
const BLOCK_BYTES: usize = 8 * 1024 * 1024;

/// The longest record, as in PostgreSQL.
const MAX_RECORD_BYTES: usize = 1 << 30;

/// How many blocks are decoded at once.
const DECODED_AHEAD: usize = 2;

/// The most rows for which a notice of its own is sent.
const MAX_ROW_NOTICES: usize = 1000;

/// Takes all of a COPY's data and gives the number of rows and what there is to tell.
pub(in crate::wire) async fn receive(
    link: &mut Link,
    source: Source,
    sink: CopySink,
    watch: &Watch,
    (cpu, pace): (Cpu, CopyPace),
) -> Result<(u64, Vec<Notice>)> {
    let mut input = Input::new(source, sink, cpu);
    loop {
        let event = tokio::select! {
            biased;
            event = link.read_copy() => event,
            () = watch.interrupt.terminated() => return Err(Error::Terminated),
        };
        let error = match event {
            Ok(CopyEvent::Data(data)) => {
                pause(pace.pause(data.len()), watch).await?;
                input.push(&data, link, watch).await?;
                continue;
            }
            Ok(CopyEvent::Done) => break,
            Ok(CopyEvent::Fail(why)) => Error::Function {
                sqlstate: "57014",
                message: format!("COPY from stdin failed: {why}"),
                detail: None,
                hint: None,
            },
            Err(error @ Error::Protocol(_)) => error,
            Err(other) => return Err(other),
        };
        // A line that came whole and is wrong was wrong before that.
        input.take_whole_lines(link, watch).await?;
        return Err(error.at(input.place()));
    }
    input.finish(link, watch).await
}

/// Waits as long as the tenant's rate asks for, unless the session is to end.
pub(in crate::wire) async fn pause(time: Duration, watch: &Watch) -> Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    tokio::select! {
        biased;
        error = watch.interrupt.wait() => Err(error),
        () = tokio::time::sleep(time) => Ok(()),
    }
}

struct Input {
    source: Source,
    sink: CopySink,
    cpu: Cpu,
    splitter: Splitter,
    /// What has come and is not yet part of a block.
    pending: Vec<u8>,
    /// Records are looked for when so much is pending.
    wanted: usize,
    format: Format,
    first: bool,
    ended: bool,
    blocks: VecDeque<JoinHandle<Result<Decoded, Fault>>>,
    /// The memory of blocks that were handed on, for those to come: fresh memory of this size costs
    /// a fault for each of its pages.
    spare: Vec<Vec<u8>>,
    /// Lines of the blocks that were handed on.
    lines: u64,
    skipped: u64,
    notices: Vec<Notice>,
}

/// What is known of the data's form.
enum Format {
    /// Text or csv, before its first line end.
    Unknown,
    Lines {
        decoder: Arc<RowDecoder>,
        line_end: LineEnd,
    },
    BinaryHeader,
    /// Rows, found whole up to this place in what is pending.
    Binary {
        source: Arc<Source>,
        whole: usize,
    },
}

impl Input {
    fn new(source: Source, sink: CopySink, cpu: Cpu) -> Self {
        let format = match source.options.format {
            CopyFormat::Binary => Format::BinaryHeader,
            CopyFormat::Text | CopyFormat::Csv => Format::Unknown,
        };
        Self {
            splitter: Splitter::new(&source.options),
            source,
            sink,
            cpu,
            pending: Vec::new(),
            wanted: BLOCK_BYTES,
            format,
            first: true,
            ended: false,
            blocks: VecDeque::new(),
            spare: Vec::new(),
            lines: 0,
            skipped: 0,
            notices: Vec::new(),
        }
    }

    fn place(&self) -> String {
        format!("COPY {}, line {}", self.source.relation, self.lines + 1)
    }

    async fn push(&mut self, data: &[u8], link: &Link, watch: &Watch) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.pending.extend_from_slice(data);
        if self.pending.len() < self.wanted {
            return Ok(());
        }
        let length = self.whole(false).map_err(|error| error.at(self.place()))?;
        if length > 0 {
            return self.start_block(length, link, watch).await;
        }
        if self.pending.len() > MAX_RECORD_BYTES {
            let message = format!("a row of COPY is longer than {MAX_RECORD_BYTES} bytes");
            return Err(Error::ProgramLimit(message).at(self.place()));
        }
        // A record longer than a block: look again when there is twice as much.
        self.wanted = self.pending.len() * 2;
        Ok(())
    }

    /// Takes all records that have come whole.
    async fn take_whole_lines(&mut self, link: &Link, watch: &Watch) -> Result<()> {
        let length = self.whole(false).map_err(|error| error.at(self.place()))?;
        if length > 0 {
            self.start_block(length, link, watch).await?;
        }
        while !self.blocks.is_empty() {
            self.take_block(link, watch).await?;
        }
        Ok(())
    }

    /// The length of the whole records in what is pending.
    fn whole(&mut self, at_end: bool) -> Result<usize> {
        if let Format::BinaryHeader = self.format {
            match binary::header_length(&self.pending)? {
                None if at_end => return Err(bad_copy("COPY file signature not recognized")),
                None => return Ok(0),
                Some(length) => {
                    self.pending.drain(..length);
                    let source = Arc::new(self.copy_of_source());
                    self.format = Format::Binary { source, whole: 0 };
                }
            }
        }
        if let Format::Unknown = self.format {
            match self.splitter.line_end(&self.pending, at_end) {
                None => return Ok(0),
                Some(line_end) => {
                    let decoder = Arc::new(RowDecoder::new(self.copy_of_source(), line_end));
                    self.format = Format::Lines { decoder, line_end };
                }
            }
        }
        match &mut self.format {
            Format::Binary { whole, .. } => {
                *whole = binary::whole_rows(&self.pending, *whole)?;
                let length = *whole;
                if at_end && length < self.pending.len() {
                    return Err(bad_copy("unexpected EOF in COPY data"));
                }
                Ok(length)
            }
            Format::Lines { .. } if at_end => {
                check_closed(&self.splitter, &self.pending)?;
                Ok(self.pending.len())
            }
            Format::Lines { line_end, .. } => {
                Ok(self.splitter.whole_records(&self.pending, *line_end))
            }
            Format::Unknown | Format::BinaryHeader => Ok(0),
        }
    }

    fn copy_of_source(&self) -> Source {
        Source {
            relation: self.source.relation.clone(),
            columns: Arc::clone(&self.source.columns),
            options: self.source.options.clone(),
            display: self.source.display,
        }
    }

    /// Has the first `length` pending bytes decoded.
    async fn start_block(&mut self, length: usize, link: &Link, watch: &Watch) -> Result<()> {
        if self.blocks.len() >= DECODED_AHEAD {
            self.take_block(link, watch).await?;
        }
        if self.ended {
            return Ok(());
        }
        let mut next = self.spare.pop().unwrap_or_default();
        next.extend_from_slice(&self.pending[length..]);
        self.pending.truncate(length);
        let block = std::mem::replace(&mut self.pending, next);
        self.wanted = BLOCK_BYTES;
        let first = std::mem::replace(&mut self.first, false);
        let task = match &mut self.format {
            Format::Lines { decoder, .. } => {
                let decoder = Arc::clone(decoder);
                self.cpu.spawn(async move {
                    let mut decoded = decoder.decode(&block, first)?;
                    (decoded.block, decoded.first) = (block, first);
                    Ok(decoded)
                })
            }
            Format::Binary { source, whole } => {
                *whole = 0;
                let source = Arc::clone(source);
                self.cpu.spawn(async move {
                    let mut decoded = binary::decode(&source, &block)?;
                    decoded.block = block;
                    Ok(decoded)
                })
            }
            Format::Unknown | Format::BinaryHeader => return Ok(()),
        };
        self.blocks.push_back(task);
        Ok(())
    }

    /// Hands the oldest block's rows on.
    async fn take_block(&mut self, link: &Link, watch: &Watch) -> Result<()> {
        let Some(task) = self.blocks.pop_front() else {
            return Ok(());
        };
        let decoded = watch
            .run(link, task)
            .await
            .map_err(|error| Error::Internal(Box::new(error)))?;
        if self.ended {
            return Ok(());
        }
        let decoded =
            decoded.map_err(|fault| fault.into_error(&self.source.relation, self.lines))?;
        self.note_skipped(&decoded)?;
        self.lines += decoded.lines;
        self.ended = decoded.ended;
        if decoded.batch.num_rows() > 0 {
            let write = self.sink.write(decoded.batch.clone());
            let written = watch.run(link, write).await;
            written.map_err(|error| self.at_failed_row(error, &decoded))?;
        }
        self.keep_spare(decoded.block);
        Ok(())
    }

    fn keep_spare(&mut self, mut block: Vec<u8>) {
        if self.spare.len() <= DECODED_AHEAD && block.capacity() <= 2 * BLOCK_BYTES {
            block.clear();
            self.spare.push(block);
        }
    }

    /// The error with the line of the row that a constraint refused, if one did.
    fn at_failed_row(&self, error: Error, decoded: &Decoded) -> Error {
        let Some(failed) = self.sink.failed_row() else {
            return error;
        };
        let before = self.lines - decoded.lines;
        let row = decoded.row_of_block(failed.row);
        let place = match &self.format {
            Format::Lines { decoder, .. } => decoder.place_of(&decoded.block, decoded.first, row),
            _ => Some((row as u64 + 1, String::new())),
        };
        let Some((line, text)) = place else {
            return error;
        };
        let text = if failed.alone { text } else { String::new() };
        let relation = &self.source.relation;
        error.at(format!("COPY {relation}, line {}{text}", before + line))
    }

    fn note_skipped(&mut self, decoded: &Decoded) -> Result<()> {
        let options = &self.source.options;
        for skipped in &decoded.skipped {
            self.skipped += 1;
            let line = self.lines + skipped.line;
            let (column, value) = (
                &skipped.column,
                skipped.value.as_deref().unwrap_or_default(),
            );
            if options
                .reject_limit
                .is_some_and(|limit| self.skipped > limit)
            {
                let limit = options.reject_limit.unwrap_or_default();
                let message = format!(
                    "skipped more than REJECT_LIMIT ({limit}) rows due to data type incompatibility"
                );
                let place = format!(
                    "COPY {}, line {line}, column {column}: \"{value}\"",
                    self.source.relation
                );
                return Err(Error::InvalidText(message).at(place));
            }
            if options.log_verbosity == LogVerbosity::Verbose
                && self.notices.len() < MAX_ROW_NOTICES
            {
                self.notices.push(notice(format!(
                    "skipping row due to data type incompatibility at line {line} for column \"{column}\": \"{value}\""
                )));
            }
        }
        Ok(())
    }

    async fn finish(mut self, link: &Link, watch: &Watch) -> Result<(u64, Vec<Notice>)> {
        if !self.ended {
            let place =
                |input: &Self| format!("COPY {}, line {}", input.source.relation, input.lines + 1);
            match self.whole(true) {
                Ok(0) => {}
                Ok(length) => self.start_block(length, link, watch).await?,
                Err(error) => {
                    // An earlier block may hold an earlier error.
                    while !self.blocks.is_empty() {
                        self.take_block(link, watch).await?;
                    }
                    return Err(error.at(place(&self)));
                }
            }
        }
        while !self.blocks.is_empty() {
            self.take_block(link, watch).await?;
        }
        if self.skipped > 0 && self.source.options.log_verbosity != LogVerbosity::Silent {
            let rows = if self.skipped == 1 {
                "row was"
            } else {
                "rows were"
            };
            let text = format!(
                "{} {rows} skipped due to data type incompatibility",
                self.skipped
            );
            self.notices.push(notice(text));
        }
        let finish = self.sink.finish();
        let rows = watch.run(link, finish).await?;
        Ok((rows, self.notices))
    }
}

fn notice(message: String) -> Notice {
    Notice {
        severity: "NOTICE",
        sqlstate: "00000",
        message,
        detail: None,
        hint: None,
    }
}
