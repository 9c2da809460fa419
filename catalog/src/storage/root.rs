//! The store that holds every space, and stores rooted at one space that cannot leave it.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
};
use parking_lot::Mutex;
use url::Url;

use super::StoreRef;
use super::all_spaces::AllSpaces;
use super::local::LocalStore;
use crate::encryption::{Ring, SealedStore};
use crate::error::{Error, Result};
use crate::id::Space;
use crate::key::KeyFilters;

/// The scheme and host of [`Storage::all_spaces_store`].
pub const ALL_SPACES_URL: &str = "spaces://tables/";

/// All parts of all spaces; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    root: StoreRef,
    /// One store a space, so that what they keep per store is kept once.
    spaces: Mutex<HashMap<Space, SealedStore>>,
    key_filters: KeyFilters,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("root", &self.inner.root.to_string())
            .finish()
    }
}

impl Storage {
    /// Opens the root that a URL names: a folder (`file:///…`), which is made if missing, or a bucket
    /// with the options of its store.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] for a URL or options that no store takes.
    pub async fn open(url: &str, options: &[(String, String)]) -> Result<Self> {
        let parsed = Url::parse(url)
            .map_err(|error| Error::Unusable(format!("invalid storage URL \"{url}\": {error}")))?;
        if parsed.scheme() == "file" {
            let folder = parsed.to_file_path().map_err(|()| {
                Error::Unusable(format!("storage URL \"{url}\" does not name a folder"))
            })?;
            let local = tokio::task::spawn_blocking(move || LocalStore::open(&folder))
                .await
                .map_err(|error| Error::Unusable(format!("could not open storage: {error}")))??;
            return Ok(Self::over(Arc::new(local)));
        }
        let options = options
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let (store, prefix) = object_store::parse_url_opts(&parsed, options)
            .map_err(|error| Error::Unusable(format!("unusable storage URL \"{url}\": {error}")))?;
        let store: StoreRef = Arc::from(store);
        if prefix.as_ref().is_empty() {
            return Ok(Self::over(store));
        }
        Ok(Self::over(Arc::new(PrefixStore::new(store, prefix))))
    }

    /// Uses a store as the root of all spaces.
    pub fn over(root: StoreRef) -> Self {
        Self {
            inner: Arc::new(Inner {
                root,
                spaces: Mutex::new(HashMap::new()),
                key_filters: KeyFilters::default(),
            }),
        }
    }

    /// What is known of the keys that files hold.
    pub(crate) fn key_filters(&self) -> &KeyFilters {
        &self.inner.key_filters
    }

    /// A store rooted at the space's prefix.
    pub fn store(&self, space: Space) -> StoreRef {
        Arc::new(self.sealed(space))
    }

    /// The same with what encryption asks of it.
    pub(crate) fn sealed(&self, space: Space) -> SealedStore {
        let mut spaces = self.inner.spaces.lock();
        let store = spaces.entry(space).or_insert_with(|| {
            let root = Arc::clone(&self.inner.root);
            SealedStore::new(Arc::new(PrefixStore::new(root, space.prefix())), space)
        });
        store.clone()
    }

    /// From now on a space's files are read and written by these keys.
    pub(crate) fn set_ring(&self, space: Space, ring: Ring) {
        if matches!(ring, Ring::Plain) && !self.inner.spaces.lock().contains_key(&space) {
            return;
        }
        self.sealed(space).set_ring(ring);
    }

    /// Whether a space's new files are encrypted.
    pub fn seals(&self, space: Space) -> bool {
        let spaces = self.inner.spaces.lock();
        spaces.get(&space).is_some_and(SealedStore::seals)
    }

    /// Whether any space's new files are.
    pub fn seals_any(&self) -> bool {
        self.inner.spaces.lock().values().any(SealedStore::seals)
    }

    /// A store rooted at the space's prefix that refuses every write.
    pub fn read_only_store(&self, space: Space) -> StoreRef {
        Arc::new(ReadOnlyStore {
            inner: self.store(space),
        })
    }

    /// A store over all spaces that refuses every write, for the operators' union over tenants: to be
    /// registered under [`ALL_SPACES_URL`] in the system database's sessions alone.
    pub fn all_spaces_store(&self) -> StoreRef {
        Arc::new(ReadOnlyStore {
            inner: Arc::new(AllSpaces::new(self.clone())),
        })
    }

    /// Forgets the store of a space that is gone.
    pub fn forget(&self, space: Space) {
        self.inner.spaces.lock().remove(&space);
    }
}

/// A store that refuses every write.
#[derive(Debug)]
struct ReadOnlyStore {
    inner: StoreRef,
}

impl fmt::Display for ReadOnlyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadOnlyStore({})", self.inner)
    }
}

fn refused(path: &Path) -> object_store::Error {
    object_store::Error::PermissionDenied {
        path: path.to_string(),
        source: "the store is read-only".into(),
    }
}

#[async_trait]
impl ObjectStore for ReadOnlyStore {
    async fn put_opts(
        &self,
        location: &Path,
        _: PutPayload,
        _: PutOptions,
    ) -> object_store::Result<PutResult> {
        Err(refused(location))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(refused(location))
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        locations
            .map(|location| location.and_then(|location| Err(refused(&location))))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, to: &Path, _: CopyOptions) -> object_store::Result<()> {
        Err(refused(to))
    }

    async fn rename_opts(&self, _: &Path, to: &Path, _: RenameOptions) -> object_store::Result<()> {
        Err(refused(to))
    }
}
