//! A space's store whose files are encrypted by its keys, for those who read and write it as if they
//! were not. A file that lies under a former key, or plain where that is fine for now, is read as it is;
//! `rewrite.rs` brings it under the key in force, in its place and with the same name.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode,
    Result,
};
use parking_lot::{Mutex, RwLock};

use super::error::SealError;
use super::file::{File, PIECE_BYTES, damaged};
use super::format::{CHUNK_BYTES, FileCipher, HEADER_BYTES, Header, Sizes};
use super::ring::{DataKey, OpenRing, Ring, Upload, Uploads};
use super::upload::{CountedUpload, SealedUpload};
use crate::id::Space;
use crate::storage::StoreRef;

/// The most files whose headers are remembered; then all are forgotten.
const MAX_KNOWN_FILES: usize = 16_384;
/// How plain files begin: Parquet's, and those of a log.
const PLAIN_STARTS: [&[u8]; 2] = [b"PAR1", b"{"];
/// How many headers are read side by side.
pub(super) const PARALLEL_HEADERS: usize = 16;
/// How often a file is looked at anew that was rewritten while it was read.
const MAX_LOOKS: usize = 3;

/// What is known of an encrypted file.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) header: Header,
    sizes: Sizes,
    /// With the size that it has for readers.
    meta: ObjectMeta,
}

/// What a look at a file's beginning told.
pub(super) enum Look {
    Plain,
    Sealed(Box<Known>, Bytes),
}

/// A space's store; cheap to clone.
#[derive(Clone)]
pub(crate) struct SealedStore {
    pub(super) inner: StoreRef,
    /// Where its files lie, as they are bound to it.
    place: Arc<str>,
    ring: Arc<RwLock<Ring>>,
    pub(super) plain_uploads: Uploads,
    /// Headers of data files, whose names are never used twice.
    known: Arc<Mutex<HashMap<Path, Known>>>,
}

impl fmt::Debug for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedStore")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SealedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedStore({})", self.inner)
    }
}

impl SealedStore {
    /// A space's files in a store that is rooted there; plain until keys are given.
    pub(crate) fn new(inner: StoreRef, space: Space) -> Self {
        Self {
            inner,
            place: Arc::from(space.prefix()),
            ring: Arc::default(),
            plain_uploads: Uploads::default(),
            known: Arc::default(),
        }
    }

    /// From now on files are read and written by these keys.
    pub(crate) fn set_ring(&self, ring: Ring) {
        let mut current = self.ring.write();
        *current = ring.after(&current);
        drop(current);
        self.known.lock().clear();
    }

    /// Whether new files are encrypted.
    pub(crate) fn seals(&self) -> bool {
        match &*self.ring.read() {
            Ring::Plain => false,
            Ring::Open(ring) => ring.active.is_some(),
            Ring::Locked(_) => true,
        }
    }

    /// Fails when the keys are not at hand.
    pub(crate) fn check(&self) -> Result<(), SealError> {
        match &*self.ring.read() {
            Ring::Plain | Ring::Open(_) => Ok(()),
            Ring::Locked(reason) => Err(SealError::Locked(Arc::clone(reason))),
        }
    }

    pub(super) fn ring(&self) -> Result<Option<Arc<OpenRing>>> {
        match &*self.ring.read() {
            Ring::Plain => Ok(None),
            Ring::Open(ring) => Ok(Some(Arc::clone(ring))),
            Ring::Locked(reason) => Err(SealError::Locked(Arc::clone(reason)).into()),
        }
    }

    /// The key that a new file is written with, and the count that it is being written, both at one
    /// moment.
    pub(super) fn begin_upload(&self) -> Result<(Option<Arc<DataKey>>, Upload)> {
        let ring = self.ring.read();
        let active = match &*ring {
            Ring::Plain => None,
            Ring::Open(ring) => ring.active.as_ref().map(Arc::clone),
            Ring::Locked(reason) => return Err(SealError::Locked(Arc::clone(reason)).into()),
        };
        let upload = match &active {
            Some(key) => key.uploads().begin(),
            None => self.plain_uploads.begin(),
        };
        Ok((active, upload))
    }

    /// A new file's header and cipher.
    pub(super) fn new_file(&self, key: &DataKey, location: &Path) -> Result<(Header, FileCipher)> {
        let header = Header::new(key.id).ok_or_else(|| damaged(location))?;
        let cipher = self.cipher(key, &header, location)?;
        Ok((header, cipher))
    }

    pub(super) fn cipher(
        &self,
        key: &DataKey,
        header: &Header,
        location: &Path,
    ) -> Result<FileCipher> {
        let place = format!("{}/{location}", self.place);
        FileCipher::new(key.secret.as_slice(), header, &place).ok_or_else(|| damaged(location))
    }

    fn remembered(&self, location: &Path) -> Option<Known> {
        self.known.lock().get(location).cloned()
    }

    fn remember(&self, location: &Path, known: &Known) {
        if location.extension() != Some("parquet") {
            return;
        }
        let mut all = self.known.lock();
        if all.len() >= MAX_KNOWN_FILES {
            all.clear();
        }
        all.insert(location.clone(), known.clone());
    }

    pub(super) fn forget(&self, location: &Path) {
        self.known.lock().remove(location);
    }

    /// Reads a file's header, and as much after it as is asked for.
    pub(super) async fn look(
        &self,
        ring: &OpenRing,
        location: &Path,
        options: &GetOptions,
        more: usize,
    ) -> Result<Look> {
        let start = GetRange::Bounded(0..(HEADER_BYTES + more) as u64);
        let options = GetOptions {
            range: Some(start),
            head: false,
            ..options.clone()
        };
        let found = self.inner.get_opts(location, options).await?;
        let meta = found.meta.clone();
        let start = found.bytes().await?;
        let Some(header) = Header::read(&start) else {
            if !ring.plain_is_fine {
                return Err(SealError::NotSealed(location.to_string()).into());
            }
            // Else a damaged header would make a plain file of an encrypted one.
            if PLAIN_STARTS.iter().any(|plain| start.starts_with(plain)) {
                return Ok(Look::Plain);
            }
            return Err(damaged(location));
        };
        let sizes = Sizes::of_sealed(meta.size).ok_or_else(|| damaged(location))?;
        let known = Known {
            header,
            sizes,
            meta: ObjectMeta {
                location: location.clone(),
                size: sizes.plain,
                ..meta
            },
        };
        self.remember(location, &known);
        Ok(Look::Sealed(Box::new(known), start))
    }

    fn open(&self, ring: &OpenRing, location: &Path, known: &Known, start: Bytes) -> Result<File> {
        let id = known.header.key();
        let key = ring.key(id).ok_or_else(|| SealError::UnknownKey {
            file: location.to_string(),
            key: id,
        })?;
        Ok(File {
            inner: Arc::clone(&self.inner),
            location: location.clone(),
            cipher: Arc::new(self.cipher(key, &known.header, location)?),
            sizes: known.sizes,
            start,
        })
    }

    async fn ranges(
        &self,
        ring: &OpenRing,
        location: &Path,
        ranges: &[Range<u64>],
        remembered: Option<Known>,
    ) -> Result<Vec<Bytes>> {
        let (known, start) = match remembered {
            Some(known) => (known, Bytes::new()),
            None => match self.look(ring, location, &GetOptions::default(), 0).await? {
                Look::Plain => return self.inner.get_ranges(location, ranges).await,
                Look::Sealed(known, start) => (*known, start),
            },
        };
        self.open(ring, location, &known, start)?.read(ranges).await
    }

    async fn get(
        &self,
        ring: &OpenRing,
        location: &Path,
        options: &GetOptions,
        remembered: Option<Known>,
    ) -> Result<GetResult> {
        let (known, start) = match remembered {
            Some(known) => (known, Bytes::new()),
            None => {
                // Most files of a log are in their first chunk.
                let is_whole = !options.head && options.range.is_none();
                let more = if is_whole { CHUNK_BYTES } else { 0 };
                match self.look(ring, location, options, more).await? {
                    Look::Plain => return self.inner.get_opts(location, options.clone()).await,
                    Look::Sealed(known, start) => (*known, start),
                }
            }
        };
        let size = known.sizes.plain;
        let range = match &options.range {
            None => 0..size,
            Some(range) => range
                .as_range(size)
                .map_err(|error| object_store::Error::Generic {
                    store: "encryption",
                    source: error.into(),
                })?,
        };
        let payload = if options.head {
            futures::stream::empty().boxed()
        } else {
            let file = self.open(ring, location, &known, start)?;
            if options.range.is_none() && size > PIECE_BYTES {
                file.stream()
            } else {
                let bytes = file.read(std::slice::from_ref(&range)).await?;
                futures::stream::iter(bytes.into_iter().map(Ok)).boxed()
            }
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            meta: known.meta,
            range,
            attributes: Attributes::default(),
        })
    }

    /// A listed file with the size that it has for readers.
    async fn listed(&self, meta: ObjectMeta) -> Result<ObjectMeta> {
        let Ok(Some(ring)) = self.ring() else {
            return Ok(meta);
        };
        if ring.plain_is_fine {
            let options = GetOptions::default();
            return match self.look(&ring, &meta.location, &options, 0).await {
                Ok(Look::Sealed(known, _)) => Ok(ObjectMeta {
                    size: known.sizes.plain,
                    ..meta
                }),
                // What cannot be read is told by who reads it.
                _ => Ok(meta),
            };
        }
        let size = Sizes::of_sealed(meta.size).map_or(meta.size, |sizes| sizes.plain);
        Ok(ObjectMeta { size, ..meta })
    }

    fn all_listed(
        &self,
        listed: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ring() {
            Ok(Some(ring)) if ring.plain_is_fine => {
                let store = self.clone();
                let sized = listed.map(move |meta| {
                    let store = store.clone();
                    async move { store.listed(meta?).await }
                });
                sized.buffered(PARALLEL_HEADERS).boxed()
            }
            Ok(Some(_)) => listed
                .map_ok(|meta| {
                    let size = Sizes::of_sealed(meta.size).map_or(meta.size, |sizes| sizes.plain);
                    ObjectMeta { size, ..meta }
                })
                .boxed(),
            // Files can be listed, and erased, without their keys.
            Ok(None) | Err(_) => listed,
        }
    }
}

fn has_conditions(options: &GetOptions) -> bool {
    options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some()
        || options.version.is_some()
}

/// Whether a failure may come from what is remembered of a file that was rewritten since.
fn may_be_stale(error: &object_store::Error) -> bool {
    !matches!(
        error,
        object_store::Error::NotFound { .. }
            | object_store::Error::PermissionDenied { .. }
            | object_store::Error::Precondition { .. }
            | object_store::Error::NotModified { .. }
    )
}

#[async_trait]
impl ObjectStore for SealedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let (key, _upload) = self.begin_upload()?;
        let Some(key) = key else {
            return self.inner.put_opts(location, payload, options).await;
        };
        let (header, cipher) = self.new_file(&key, location)?;
        let pieces = payload.iter().map(AsRef::as_ref);
        let sealed = cipher
            .seal_all(&header, pieces, payload.content_length())
            .ok_or_else(|| damaged(location))?;
        let put = self.inner.put_opts(location, sealed.into(), options).await;
        self.forget(location);
        put
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (key, upload) = self.begin_upload()?;
        let inner = self.inner.put_multipart_opts(location, options).await?;
        let Some(key) = key else {
            return Ok(Box::new(CountedUpload::new(inner, upload)));
        };
        let (header, cipher) = self.new_file(&key, location)?;
        let location = location.clone();
        Ok(Box::new(SealedUpload::new(
            inner, &header, cipher, location, upload,
        )))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let Some(ring) = self.ring()? else {
            return self.inner.get_opts(location, options).await;
        };
        // What is read piece by piece cannot be begun anew.
        let is_streamed =
            |known: &Known| options.range.is_none() && known.sizes.plain > PIECE_BYTES;
        let mut remembered = self
            .remembered(location)
            .filter(|known| !has_conditions(&options) && !is_streamed(known));
        let mut looks = 0;
        loop {
            looks += 1;
            match self.get(&ring, location, &options, remembered.take()).await {
                Err(error) if looks < MAX_LOOKS && may_be_stale(&error) => self.forget(location),
                result => return result,
            }
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let Some(ring) = self.ring()? else {
            return self.inner.get_ranges(location, ranges).await;
        };
        let mut remembered = self.remembered(location);
        let mut looks = 0;
        loop {
            looks += 1;
            match self
                .ranges(&ring, location, ranges, remembered.take())
                .await
            {
                Err(error) if looks < MAX_LOOKS && may_be_stale(&error) => self.forget(location),
                result => return result,
            }
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.all_listed(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.all_listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let listed = self.inner.list_with_delimiter(prefix).await?;
        let objects = futures::stream::iter(listed.objects).map(|meta| self.listed(meta));
        Ok(ListResult {
            objects: objects.buffered(PARALLEL_HEADERS).try_collect().await?,
            common_prefixes: listed.common_prefixes,
        })
    }

    /// A file is bound to its place: its copy is written anew.
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if self.ring()?.is_none() {
            return self.inner.copy_opts(from, to, options).await;
        }
        let mode = match options.mode {
            CopyMode::Create => PutMode::Create,
            CopyMode::Overwrite => PutMode::Overwrite,
        };
        let bytes = self
            .get_opts(from, GetOptions::default())
            .await?
            .bytes()
            .await?;
        self.put_opts(to, bytes.into(), mode.into())
            .await
            .map(|_| ())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if self.ring()?.is_none() {
            return self.inner.rename_opts(from, to, options).await;
        }
        let mode = match options.target_mode {
            RenameTargetMode::Create => CopyMode::Create,
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
        };
        let copy = CopyOptions::new().with_mode(mode);
        self.copy_opts(from, to, copy).await?;
        self.inner.delete(from).await
    }
}
