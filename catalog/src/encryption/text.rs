//! Texts that somebody else keeps, sealed as files are.

use std::sync::Arc;

use bytes::Bytes;
use object_store::Result;
use object_store::path::Path;

use super::error::SealError;
use super::file::{File, damaged};
use super::format::{Header, Sizes};
use super::master::{hex, unhex};
use super::store::SealedStore;

/// What a sealed text begins with; an entry of a log, which begins with `{`, does not.
const SEALED_TEXT: &str = "sealed:";

/// A text is no file, whatever both are called.
fn text_place(place: &Path) -> Path {
    Path::from(format!("{place}#text"))
}

impl SealedStore {
    /// A text that is bound to a place, for who keeps it elsewhere; as it is where nothing is encrypted.
    pub(crate) fn seal_text(&self, place: &Path, text: String) -> Result<String> {
        let (Some(key), _upload) = self.begin_upload()? else {
            return Ok(text);
        };
        let (header, cipher) = self.new_file(&key, &text_place(place))?;
        let sealed = cipher.seal_all(&header, std::iter::once(text.as_bytes()), text.len());
        let sealed = sealed.ok_or_else(|| damaged(place))?;
        Ok(format!("{SEALED_TEXT}{}", hex(&sealed)))
    }

    /// Reads what [`SealedStore::seal_text`] made.
    pub(crate) async fn open_text(&self, place: &Path, text: &str) -> Result<String> {
        let Some(sealed) = text.strip_prefix(SEALED_TEXT) else {
            return Ok(text.to_owned());
        };
        let failed = || damaged(place);
        let bytes = Bytes::from(unhex(sealed).ok_or_else(failed)?);
        let ring = self.ring()?.ok_or_else(failed)?;
        let header = Header::read(&bytes).ok_or_else(failed)?;
        let sizes = Sizes::of_sealed(bytes.len() as u64).ok_or_else(failed)?;
        let id = header.key();
        let key = ring.key(id).ok_or_else(|| SealError::UnknownKey {
            file: place.to_string(),
            key: id,
        })?;
        let place = text_place(place);
        let file = File {
            inner: Arc::clone(&self.inner),
            cipher: Arc::new(self.cipher(key, &header, &place)?),
            location: place,
            sizes,
            start: bytes,
        };
        let all = 0..sizes.plain;
        let opened = file.read(std::slice::from_ref(&all)).await?.concat();
        String::from_utf8(opened).map_err(|_| failed())
    }
}
