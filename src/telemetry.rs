//! The process's log: one line an event to standard error, as text or JSON.
//!
//! Whatever a client sends, it cannot begin a line of its own: control characters are written as
//! escapes.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};
use crate::error::{Error, Result};

/// Begins to log.
///
/// # Errors
///
/// When the filter cannot be read, or the process logs already.
pub fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .map_err(|error| Error::Start(format!("log filter \"{}\": {error}", log.filter)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(OneLine::stderr);
    let started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Error::Start(format!("the log could not be started: {error}")))
}

/// A writer that keeps each event on its line.
struct OneLine<W>(W);

impl OneLine<io::Stderr> {
    fn stderr() -> Self {
        Self(io::stderr())
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes one event, which ends with a line end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        let mut line = Vec::with_capacity(event.len() + 1);
        for byte in text {
            match byte {
                b'\t' | 0x20..=0x7e | 0x80.. => line.push(*byte),
                control => write!(line, "\\x{control:02x}")?,
            }
        }
        line.push(b'\n');
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

// A writer made for one event at a time, as the subscriber asks.
const _: fn() = || {
    fn is_writer<W: for<'a> MakeWriter<'a>>(_: W) {}
    is_writer(OneLine::stderr);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_on_its_line() {
        let mut writer = OneLine(Vec::new());
        writer.write_all(b"user=a\nroot\x1b[31m\n").unwrap();
        assert_eq!(writer.0, b"user=a\\x0aroot\\x1b[31m\n");
    }
}
