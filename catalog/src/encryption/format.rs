//! An encrypted file's bytes.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `TESSENC` and the version, 1 |
//! | 16 | the id of the data key |
//! | 32 | the salt, random for each file |
//! | 8 | zero |
//! | then | chunks of 64 KiB, the last one shorter, each with its tag of 16 bytes; at least one |
//!
//! The file's own key is HKDF-SHA256 (RFC 5869) of the data key by the salt over the header and the place
//! where the file lies, so that a header or place that was changed gives another key, and no two files
//! share one. A chunk is sealed by AES-256-GCM with its number and whether it is the last as nonce: a
//! chunk that was changed, swapped or left out does not open, and neither does a file that was cut.

use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use uuid::Uuid;

const MAGIC: [u8; 8] = *b"TESSENC\x01";
const SALT_BYTES: usize = 32;
/// The length of a header.
pub(super) const HEADER_BYTES: usize = 64;
/// What is sealed at once.
pub(super) const CHUNK_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;
const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// How an encrypted file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header([u8; HEADER_BYTES]);

impl Header {
    /// That of a new file.
    pub(super) fn new(key: Uuid) -> Option<Self> {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(key.as_bytes());
        aws_lc_rs::rand::fill(&mut bytes[24..24 + SALT_BYTES]).ok()?;
        Some(Self(bytes))
    }

    /// That of a file that begins with these bytes, if it is encrypted.
    pub(super) fn read(start: &[u8]) -> Option<Self> {
        let bytes = start.first_chunk::<HEADER_BYTES>()?;
        bytes.starts_with(&MAGIC).then_some(Self(*bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The data key's id.
    pub(super) fn key(&self) -> Uuid {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[8..24]);
        Uuid::from_bytes(id)
    }

    fn salt(&self) -> &[u8] {
        &self.0[24..24 + SALT_BYTES]
    }
}

/// Seals and opens one file's chunks; its key is wiped when it goes.
#[derive(Debug)]
pub(super) struct FileCipher(LessSafeKey);

impl FileCipher {
    /// The cipher of the file with this header in this place; `None` if the library fails.
    pub(super) fn new(data_key: &[u8], header: &Header, place: &str) -> Option<Self> {
        let secret = Salt::new(HKDF_SHA256, header.salt()).extract(data_key);
        let info = [header.bytes(), place.as_bytes()];
        let key = secret.expand(&info, &AES_256_GCM).ok()?;
        Some(Self(LessSafeKey::new(UnboundKey::from(key))))
    }

    /// Appends a sealed chunk.
    pub(super) fn seal(
        &self,
        number: u64,
        last: bool,
        plain: &[u8],
        to: &mut Vec<u8>,
    ) -> Option<()> {
        let start = to.len();
        to.extend_from_slice(plain);
        let nonce = nonce(number, last);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut to[start..])
            .ok()?;
        to.extend_from_slice(tag.as_ref());
        Some(())
    }

    /// Opens a sealed chunk into as many bytes as it holds.
    pub(super) fn open(&self, number: u64, last: bool, sealed: &[u8], to: &mut [u8]) -> Option<()> {
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_BYTES)?)?;
        self.0
            .open_separate_gather(nonce(number, last), Aad::empty(), sealed, tag, to)
            .ok()
    }

    /// A whole file, header included.
    pub(super) fn seal_all<'a>(
        &self,
        header: &Header,
        plain: impl Iterator<Item = &'a [u8]>,
        bytes: usize,
    ) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(sealed_bytes(bytes));
        sealed.extend_from_slice(header.bytes());
        let mut chunk = Vec::with_capacity(CHUNK_BYTES.min(bytes));
        let mut number = 0;
        for mut piece in plain {
            while !piece.is_empty() {
                if chunk.len() == CHUNK_BYTES {
                    self.seal(number, false, &chunk, &mut sealed)?;
                    number += 1;
                    chunk.clear();
                }
                let taken = piece.len().min(CHUNK_BYTES - chunk.len());
                chunk.extend_from_slice(&piece[..taken]);
                piece = &piece[taken..];
            }
        }
        self.seal(number, true, &chunk, &mut sealed)?;
        Some(sealed)
    }
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; 12];
    bytes[3] = u8::from(last);
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn sealed_bytes(plain: usize) -> usize {
    HEADER_BYTES + plain + TAG_BYTES * plain.div_ceil(CHUNK_BYTES).max(1)
}

/// The sizes of a file, encrypted and not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) sealed: u64,
    pub(super) plain: u64,
}

/// Chunks one after the other, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) chunks: Range<u64>,
}

impl Sizes {
    /// Of an encrypted file of this size; `None` when none has it.
    pub(super) fn of_sealed(sealed: u64) -> Option<Self> {
        const CHUNK: u64 = SEALED_CHUNK_BYTES as u64;
        let body = sealed.checked_sub(HEADER_BYTES as u64)?;
        let chunks = body.div_ceil(CHUNK);
        let last = body.checked_sub(chunks.checked_sub(1)? * CHUNK)?;
        let least = TAG_BYTES as u64 + u64::from(chunks > 1);
        (last >= least).then(|| Self {
            sealed,
            plain: body - chunks * TAG_BYTES as u64,
        })
    }

    fn chunks(&self) -> u64 {
        self.plain.div_ceil(CHUNK_BYTES as u64).max(1)
    }

    /// The chunks that hold some bytes; of an empty file the one that says so.
    pub(super) fn span(&self, range: &Range<u64>) -> Span {
        let first = (range.start / CHUNK_BYTES as u64).min(self.chunks() - 1);
        let end = range.end.div_ceil(CHUNK_BYTES as u64).min(self.chunks());
        Span {
            chunks: first..end.max(first + 1),
        }
    }

    /// Where a span lies in the encrypted file.
    pub(super) fn sealed(&self, span: &Span) -> Range<u64> {
        let at = |chunk: u64| HEADER_BYTES as u64 + chunk * SEALED_CHUNK_BYTES as u64;
        at(span.chunks.start)..at(span.chunks.end).min(self.sealed)
    }

    /// The bytes that a span holds.
    pub(super) fn plain(&self, span: &Span) -> Range<u64> {
        let at = |chunk: u64| (chunk * CHUNK_BYTES as u64).min(self.plain);
        at(span.chunks.start)..at(span.chunks.end)
    }

    /// The sealed chunks of a span with their numbers and whether they are the last, each beside the room
    /// for what it holds.
    pub(super) fn pairs<'a>(
        &self,
        span: &Span,
        sealed: &'a [u8],
        plain: &'a mut [u8],
    ) -> impl Iterator<Item = (u64, bool, &'a [u8], &'a mut [u8])> {
        let last = self.chunks() - 1;
        let numbers = span.chunks.clone();
        // An empty file has one chunk, and no room for it is needed.
        let rooms = plain
            .chunks_mut(CHUNK_BYTES)
            .chain(std::iter::once_with(Default::default));
        numbers
            .zip(sealed.chunks(SEALED_CHUNK_BYTES))
            .zip(rooms)
            .map(move |((number, sealed), room)| (number, number == last, sealed, room))
    }
}
