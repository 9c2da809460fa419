//! The audit as lines of JSON in a file, for a machine elsewhere to collect.
//!
//! A line has the record's number and hash and the event as it was hashed, so whoever has the lines can
//! walk the chain. The file is only appended to, and follows the audit within a second; after a restart
//! it goes on behind its last line.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tessera_catalog::Catalog;
use tessera_catalog::audit::Record;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// How often new records are looked for.
const EVERY: Duration = Duration::from_millis(500);
/// Records that are written at once.
const PAGE: i64 = 1_000;
/// Longer than any line.
const TAIL_BYTES: u64 = 64 << 10;

/// Writes records to the file until told to stop, and then those that are left.
///
/// # Errors
/// A file that cannot be opened; what fails later is logged and tried again.
pub async fn write_lines(catalog: Catalog, path: PathBuf, stop: CancellationToken) -> Result<()> {
    let opened = path.clone();
    let begun = tokio::task::spawn_blocking(move || last_number(&opened)).await;
    let mut last = begun
        .map_err(|error| Error::Internal(Box::new(error)))?
        .map_err(|error| cannot(&path, &error))?;
    loop {
        let stopping = stop.is_cancelled();
        match follow(&catalog, &path, last).await {
            Ok(now) => last = now,
            Err(error) => tracing::error!(%error, "the audit's file could not be written"),
        }
        if stopping {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Appends what came after a record; gives the last one.
async fn follow(catalog: &Catalog, path: &Path, mut last: i64) -> Result<i64> {
    loop {
        let records = catalog.audit_after(None, last, PAGE).await?;
        let Some(newest) = records.last() else {
            return Ok(last);
        };
        let number = newest.number;
        let lines: String = records.iter().map(line).collect();
        let opened = path.to_owned();
        let written = tokio::task::spawn_blocking(move || append(&opened, &lines)).await;
        written
            .map_err(|error| Error::Internal(Box::new(error)))?
            .map_err(|error| cannot(path, &error))?;
        last = number;
    }
}

fn line(record: &Record) -> String {
    let Record {
        number, hash, body, ..
    } = record;
    format!("{{\"number\":{number},\"hash\":\"{hash}\",\"event\":{body}}}\n")
}

fn append(path: &Path, lines: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}

/// The number in the file's last whole line; what a crash left of another is ended.
fn last_number(path: &Path) -> std::io::Result<i64> {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    if tail.last().is_some_and(|last| *last != b'\n') {
        file.write_all(b"\n")?;
    }
    let tail = String::from_utf8_lossy(&tail);
    let number = |line: &str| {
        let read: serde_json::Value = serde_json::from_str(line).ok()?;
        read.get("number")?.as_i64()
    };
    Ok(tail.lines().rev().find_map(number).unwrap_or_default())
}

fn cannot(path: &Path, error: &std::io::Error) -> Error {
    Error::Start(format!("the audit's file {}: {error}", path.display()))
}
