//! Temporary files of queries: encrypted where they may hold rows of a tenant whose files are.
//!
//! Each has a key of its own, which is in memory alone and gone with the file. Its bytes are frames: a
//! length of four bytes, and as many sealed bytes. Where the files lie, and how much they may take, is
//! the business of who makes the files below.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::{Stream, StreamExt};
use uuid::Uuid;

use super::error::SealError;
use super::format::{CHUNK_BYTES, FileCipher, Header};
use super::ring::Secret;

const LENGTH_BYTES: usize = 4;
const TAG_BYTES: usize = 16;

type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Makes temporary files.
pub struct SpillFiles {
    files: Arc<dyn TempFileFactory>,
    /// Whether the next file is to be encrypted.
    seals: Box<dyn Fn() -> bool + Send + Sync>,
}

impl SpillFiles {
    /// Files of those that `files` makes, encrypted when `seals` says so at their birth.
    pub fn new(
        files: Arc<dyn TempFileFactory>,
        seals: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            files,
            seals: Box::new(seals),
        }
    }
}

impl TempFileFactory for SpillFiles {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self.files.create_temp_file(description)?;
        if !(self.seals)() {
            return Ok(file);
        }
        let mut secret = Secret::default();
        let cipher = aws_lc_rs::rand::fill(secret.as_mut_slice())
            .ok()
            .and_then(|()| Header::new(Uuid::nil()))
            .and_then(|header| FileCipher::new(secret.as_slice(), &header, "spill"))
            .ok_or_else(|| damaged("no key could be made"))?;
        Ok(Arc::new(SealedFile {
            file,
            cipher: Arc::new(cipher),
            next: Arc::default(),
        }))
    }
}

fn damaged(what: &str) -> DataFusionError {
    DataFusionError::External(Box::new(SealError::Damaged(format!("temporary: {what}"))))
}

struct SealedFile {
    file: Arc<dyn SpillFile>,
    cipher: Arc<FileCipher>,
    /// The number of the next frame; none has the same as another, whoever writes.
    next: Arc<AtomicU64>,
}

impl SpillFile for SealedFile {
    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(&self) -> Result<Pieces> {
        let frames = Frames {
            pieces: self.file.read_stream()?,
            cipher: Arc::clone(&self.cipher),
            buffer: BytesMut::new(),
            next: 0,
        };
        let opened = futures::stream::try_unfold(frames, |mut frames| async move {
            Ok(frames.next().await?.map(|bytes| (bytes, frames)))
        });
        Ok(opened.boxed())
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(SealedWriter {
            inner: self.file.open_writer()?,
            cipher: Arc::clone(&self.cipher),
            plain: Vec::with_capacity(CHUNK_BYTES),
            sealed: Vec::with_capacity(CHUNK_BYTES + LENGTH_BYTES + TAG_BYTES),
            next: Arc::clone(&self.next),
        }))
    }
}

/// Reads a file's frames.
struct Frames {
    pieces: Pieces,
    cipher: Arc<FileCipher>,
    buffer: BytesMut,
    next: u64,
}

impl Frames {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(opened) = self.take()? {
                return Ok(Some(opened));
            }
            match self.pieces.next().await {
                Some(piece) => self.buffer.extend_from_slice(&piece?),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(damaged("it ends within a frame")),
            }
        }
    }

    /// The next frame, if all of it is here.
    fn take(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if !(TAG_BYTES..=CHUNK_BYTES + TAG_BYTES).contains(&length) {
            return Err(damaged("a frame has a wrong length"));
        }
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH_BYTES);
        let sealed = self.buffer.split_to(length);
        let mut plain = vec![0; length - TAG_BYTES];
        self.cipher
            .open(self.next, false, &sealed, &mut plain)
            .ok_or_else(|| damaged("a frame was changed"))?;
        self.next += 1;
        Ok(Some(Bytes::from(plain)))
    }
}

struct SealedWriter {
    inner: Box<dyn SpillWriter>,
    cipher: Arc<FileCipher>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    next: Arc<AtomicU64>,
}

impl SealedWriter {
    fn write_frame(&mut self) -> io::Result<()> {
        if self.plain.is_empty() {
            return Ok(());
        }
        self.sealed.clear();
        let length = (self.plain.len() + TAG_BYTES) as u32;
        self.sealed.extend_from_slice(&length.to_be_bytes());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.cipher
            .seal(number, false, &self.plain, &mut self.sealed)
            .ok_or_else(|| io::Error::other("a temporary file could not be encrypted"))?;
        self.plain.clear();
        self.inner.write_all(&self.sealed)
    }
}

impl Write for SealedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.plain.len() == CHUNK_BYTES {
            self.write_frame()?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.plain.len());
        self.plain.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_frame()?;
        self.inner.flush()
    }
}

impl SpillWriter for SealedWriter {
    fn finish(&mut self) -> Result<()> {
        self.write_frame().map_err(DataFusionError::IoError)?;
        self.inner.finish()
    }
}

impl Drop for SealedWriter {
    fn drop(&mut self) {
        // Who needs to know whether it went well has flushed or finished.
        let _ = self.write_frame();
    }
}
