//! Files that are written in parts, and counted as long as they are.

use async_trait::async_trait;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::error::SealError;
use super::format::{CHUNK_BYTES, FileCipher, Header};
use super::ring::Upload;

/// Parts are handed on when they have this size: stores want all but the last to be of 5 MiB at least.
const LEAST_PART_BYTES: usize = 6 << 20;

/// A plain file.
#[derive(Debug)]
pub(super) struct CountedUpload {
    inner: Box<dyn MultipartUpload>,
    _upload: Upload,
}

impl CountedUpload {
    pub(super) fn new(inner: Box<dyn MultipartUpload>, upload: Upload) -> Self {
        Self {
            inner,
            _upload: upload,
        }
    }
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

/// A file that is encrypted on its way.
#[derive(Debug)]
pub(super) struct SealedUpload {
    inner: Box<dyn MultipartUpload>,
    cipher: FileCipher,
    location: Path,
    /// What is ready and not handed on: the header at first.
    sealed: Vec<u8>,
    /// What is not sealed yet. Something is always kept back, because the last chunk says that it is.
    plain: Vec<u8>,
    /// The number of the next chunk.
    next: u64,
    _upload: Upload,
}

impl SealedUpload {
    pub(super) fn new(
        inner: Box<dyn MultipartUpload>,
        header: &Header,
        cipher: FileCipher,
        location: Path,
        upload: Upload,
    ) -> Self {
        Self {
            inner,
            cipher,
            location,
            sealed: header.bytes().to_vec(),
            plain: Vec::new(),
            next: 0,
            _upload: upload,
        }
    }

    /// Seals whole chunks; all that is left when this is the end.
    fn seal(&mut self, end: bool) -> Result<()> {
        let failed = || object_store::Error::from(SealError::Damaged(self.location.to_string()));
        let whole = self.plain.len().saturating_sub(1) / CHUNK_BYTES;
        let (chunks, rest) = self.plain.split_at(whole * CHUNK_BYTES);
        for chunk in chunks.chunks(CHUNK_BYTES) {
            self.cipher
                .seal(self.next, false, chunk, &mut self.sealed)
                .ok_or_else(failed)?;
            self.next += 1;
        }
        if end {
            self.cipher
                .seal(self.next, true, rest, &mut self.sealed)
                .ok_or_else(failed)?;
        }
        self.plain.drain(..whole * CHUNK_BYTES);
        Ok(())
    }
}

#[async_trait]
impl MultipartUpload for SealedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        for bytes in data.iter() {
            self.plain.extend_from_slice(bytes);
        }
        if let Err(error) = self.seal(false) {
            return futures::future::ready(Err(error)).boxed();
        }
        if self.sealed.len() < LEAST_PART_BYTES {
            return futures::future::ready(Ok(())).boxed();
        }
        self.inner.put_part(std::mem::take(&mut self.sealed).into())
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.seal(true)?;
        let rest = std::mem::take(&mut self.sealed);
        self.inner.put_part(rest.into()).await?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
