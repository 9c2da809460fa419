//! One encrypted file as it is read: which of its chunks hold some bytes, and what they hold.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::Result;
use object_store::path::Path;

use super::error::SealError;
use super::format::{FileCipher, Sizes, Span};
use crate::storage::StoreRef;

/// How much of a whole file is read and opened at a time.
pub(super) const PIECE_BYTES: u64 = 8 << 20;
/// How many chunks are opened before others have their turn.
const CHUNKS_AT_ONCE: usize = 64;

/// What is said of a file whose bytes are not those that were written.
pub(super) fn damaged(location: &Path) -> object_store::Error {
    SealError::Damaged(location.to_string()).into()
}

/// An encrypted file that is being read.
#[derive(Clone)]
pub(super) struct File {
    pub(super) inner: StoreRef,
    pub(super) location: Path,
    pub(super) cipher: Arc<FileCipher>,
    pub(super) sizes: Sizes,
    /// Its first bytes, as far as they are at hand.
    pub(super) start: Bytes,
}

impl File {
    /// Bytes of a file, opened in one pass from where they were read to where they stay.
    pub(super) async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if ranges.iter().any(|range| range.end > self.sizes.plain) {
            return Err(damaged(&self.location));
        }
        let spans = self.spans(ranges);
        let sealed = self.sealed(&spans).await?;
        let mut opened = Vec::with_capacity(spans.len());
        for (span, sealed) in spans.iter().zip(sealed) {
            opened.push((self.sizes.plain(span), self.open_span(span, &sealed).await?));
        }
        let part = |range: &Range<u64>| {
            let at = opened.partition_point(|(span, _)| span.start <= range.start);
            let (span, bytes) = opened.get(at.checked_sub(1)?)?;
            let from = usize::try_from(range.start - span.start).ok()?;
            let to = usize::try_from(range.end.max(range.start) - span.start).ok()?;
            (to <= bytes.len()).then(|| bytes.slice(from..to))
        };
        ranges
            .iter()
            .map(|range| part(range).ok_or_else(|| damaged(&self.location)))
            .collect()
    }

    /// The chunks that ranges need, each once, in order.
    fn spans(&self, ranges: &[Range<u64>]) -> Vec<Span> {
        let mut spans: Vec<Span> = ranges.iter().map(|range| self.sizes.span(range)).collect();
        spans.sort_unstable_by_key(|span| span.chunks.start);
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.chunks.start < last.chunks.end => {
                    last.chunks.end = last.chunks.end.max(span.chunks.end);
                }
                _ => merged.push(span),
            }
        }
        merged
    }

    async fn sealed(&self, spans: &[Span]) -> Result<Vec<Bytes>> {
        let ranges: Vec<Range<u64>> = spans.iter().map(|span| self.sizes.sealed(span)).collect();
        let is_at_hand = ranges
            .iter()
            .all(|range| range.end <= self.start.len() as u64);
        if is_at_hand {
            let slice =
                |range: Range<u64>| self.start.slice(range.start as usize..range.end as usize);
            return Ok(ranges.into_iter().map(slice).collect());
        }
        let sealed = self.inner.get_ranges(&self.location, &ranges).await?;
        let whole =
            |(bytes, range): (&Bytes, &Range<u64>)| bytes.len() as u64 == range.end - range.start;
        if sealed.len() != ranges.len() || !sealed.iter().zip(&ranges).all(whole) {
            return Err(damaged(&self.location));
        }
        Ok(sealed)
    }

    async fn open_span(&self, span: &Span, sealed: &[u8]) -> Result<Bytes> {
        let range = self.sizes.plain(span);
        let mut plain = vec![0; (range.end - range.start) as usize];
        let mut opened = 0;
        for (number, last, sealed, room) in self.sizes.pairs(span, sealed, &mut plain) {
            self.cipher
                .open(number, last, sealed, room)
                .ok_or_else(|| damaged(&self.location))?;
            opened += 1;
            if opened % CHUNKS_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(Bytes::from(plain))
    }

    /// All of it, piece by piece.
    pub(super) fn stream(self) -> BoxStream<'static, Result<Bytes>> {
        let size = self.sizes.plain;
        let pieces = (0..size.div_ceil(PIECE_BYTES)).map(move |piece| {
            let start = piece * PIECE_BYTES;
            start..(start + PIECE_BYTES).min(size)
        });
        futures::stream::iter(pieces)
            .then(move |range| {
                let file = self.clone();
                async move {
                    let bytes = file.read(std::slice::from_ref(&range)).await?;
                    bytes
                        .into_iter()
                        .next()
                        .ok_or_else(|| damaged(&file.location))
                }
            })
            .boxed()
    }
}
