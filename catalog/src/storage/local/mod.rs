//! A folder as an object store whose writes are on disk when they are acknowledged.
//!
//! A write goes to a staging file, is synced, and appears under its name by one link or rename; then
//! the folder and every folder that was made for it are synced. Links on the way to an object are
//! refused, so that no object can lie outside the root. It knows nothing of tables.

mod folder;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path as FsPath;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, RenameTargetMode, Result,
};
use parking_lot::Mutex;
use uuid::Uuid;

use self::folder::Folder;
use self::upload::LocalUpload;
use crate::error::Error as CatalogError;

const STORE: &str = "local";
/// The folder below the root that holds unfinished writes; no object can have its name.
const STAGING: &str = ".staging";
/// Unfinished writes of this age belong to no running server.
const STAGING_LEFTOVER_AGE: Duration = Duration::from_secs(3600);
/// How often a write makes its folder again that a clean-up takes away.
const MAX_ATTEMPTS: usize = 16;
/// How many folders are remembered as synced.
const MAX_SYNCED_FOLDERS: usize = 100_000;

/// A folder as an object store.
#[derive(Debug, Clone)]
pub(super) struct LocalStore {
    folder: Arc<Folder>,
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalStore({})", self.folder.root.display())
    }
}

impl LocalStore {
    /// Opens a folder, makes it if missing, and removes what a crash left unfinished.
    pub(super) fn open(root: &FsPath) -> crate::error::Result<Self> {
        let unusable = |error: io::Error| {
            CatalogError::Unusable(format!(
                "could not use folder \"{}\": {error}",
                root.display()
            ))
        };
        fs::create_dir_all(root).map_err(unusable)?;
        let root = fs::canonicalize(root).map_err(unusable)?;
        let staging = root.join(STAGING);
        fs::create_dir_all(&staging).map_err(unusable)?;
        sync_folder(&root).map_err(unusable)?;
        if let Some(parent) = root.parent() {
            sync_folder(parent).map_err(unusable)?;
        }
        for entry in fs::read_dir(&staging).map_err(unusable)?.flatten() {
            let age = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .map(|at| at.elapsed());
            if matches!(age, Ok(Ok(age)) if age > STAGING_LEFTOVER_AGE) {
                // Another server may have removed it first.
                fs::remove_file(entry.path()).ok();
            }
        }
        let synced = Mutex::new(HashSet::from([root.clone()]));
        Ok(Self {
            folder: Arc::new(Folder {
                root,
                staging,
                synced,
            }),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let folder = Arc::clone(&self.folder);
        off_the_runtime(move || work(&folder)).await
    }
}

/// Runs blocking work on the runtime's blocking threads, or here where there is no runtime.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await?,
        Err(_) => work(),
    }
}

/// Whether a store failed because there is no room left.
pub(crate) fn is_disk_full(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if matches!(
                error.kind(),
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded
            ) {
                return true;
            }
            // An error inside an io::Error is not its `source`.
            if error.get_ref().is_some_and(|inner| is_disk_full(inner)) {
                return true;
            }
        }
        cause = error.source();
    }
    false
}

fn failed(path: &FsPath, source: io::Error) -> object_store::Error {
    let name = path.display().to_string();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => object_store::Error::NotFound {
            path: name,
            source: source.into(),
        },
        ErrorKind::AlreadyExists => object_store::Error::AlreadyExists {
            path: name,
            source: source.into(),
        },
        ErrorKind::PermissionDenied => object_store::Error::PermissionDenied {
            path: name,
            source: source.into(),
        },
        _ => object_store::Error::Generic {
            store: STORE,
            source: source.into(),
        },
    }
}

fn refused(path: &FsPath, why: &'static str) -> object_store::Error {
    object_store::Error::PermissionDenied {
        path: path.display().to_string(),
        source: why.into(),
    }
}

fn sync_folder(folder: &FsPath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn e_tag(meta: &Metadata) -> String {
    let modified = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok())
        .unwrap_or_default();
    format!(
        "{:x}-{:x}-{:x}",
        meta.ino(),
        modified.as_micros(),
        meta.len()
    )
}

fn object_meta(location: Path, meta: &Metadata) -> ObjectMeta {
    let modified = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    ObjectMeta {
        location,
        last_modified: modified.into(),
        size: meta.len(),
        e_tag: Some(e_tag(meta)),
        version: None,
    }
}

fn read_range(file: &mut File, path: &FsPath, range: &Range<u64>) -> Result<Bytes> {
    let length = range.end.saturating_sub(range.start);
    file.seek(SeekFrom::Start(range.start))
        .map_err(|error| failed(path, error))?;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(path, error))?;
    if bytes.len() as u64 != length {
        let message = format!("\"{}\" ends before byte {}", path.display(), range.end);
        return Err(object_store::Error::Generic {
            store: STORE,
            source: message.into(),
        });
    }
    Ok(bytes.into())
}

fn not_implemented(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "LocalStore".to_owned(),
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(not_implemented("put with PutMode::Update")),
        };
        if !options.attributes.is_empty() {
            return Err(not_implemented("put with attributes"));
        }
        let location = location.clone();
        self.run(move |folder| {
            let path = folder.resolve_object(&location)?;
            let mut staged = folder.stage()?;
            for bytes in payload.iter() {
                staged
                    .file
                    .write_all(bytes)
                    .map_err(|error| failed(&path, error))?;
            }
            staged.publish(folder, &path, create)
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !options.attributes.is_empty() {
            return Err(not_implemented("put_multipart with attributes"));
        }
        let location = location.clone();
        let (path, staged) = self
            .run(move |folder| Ok((folder.resolve_object(&location)?, folder.stage()?)))
            .await?;
        Ok(Box::new(LocalUpload {
            folder: Arc::clone(&self.folder),
            path,
            staged: Some(Arc::new(staged)),
            offset: 0,
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let location = location.clone();
        self.run(move |folder| {
            let path = folder.resolve_object(&location)?;
            let file = File::open(&path).map_err(|error| failed(&path, error))?;
            let meta = file.metadata().map_err(|error| failed(&path, error))?;
            if meta.is_dir() {
                let error = io::Error::new(ErrorKind::NotFound, "it is a folder");
                return Err(failed(&path, error));
            }
            let meta = object_meta(location, &meta);
            options.check_preconditions(&meta)?;
            let range = match &options.range {
                None => 0..meta.size,
                Some(range) => {
                    range
                        .as_range(meta.size)
                        .map_err(|error| object_store::Error::Generic {
                            store: STORE,
                            source: error.into(),
                        })?
                }
            };
            Ok(GetResult {
                payload: GetResultPayload::File(file, path),
                meta,
                range,
                attributes: Attributes::default(),
            })
        })
        .await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let location = location.clone();
        let ranges = ranges.to_vec();
        self.run(move |folder| {
            let path = folder.resolve_object(&location)?;
            let mut file = File::open(&path).map_err(|error| failed(&path, error))?;
            ranges
                .iter()
                .map(|range| read_range(&mut file, &path, range))
                .collect()
        })
        .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .map(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    store
                        .run(move |folder| folder.remove(&location).map(|()| location))
                        .await
                }
            })
            .buffered(8)
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_from(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_from(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.run(move |folder| folder.list_folder(&prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.run(move |folder| {
            let (from, to) = (folder.resolve_object(&from)?, folder.resolve_object(&to)?);
            fs::metadata(&from).map_err(|error| failed(&from, error))?;
            // Objects are never changed in place, so two names may share one file.
            match options.mode {
                CopyMode::Create => folder.appear(&to, || fs::hard_link(&from, &to)),
                CopyMode::Overwrite => {
                    let link = folder.staging.join(Uuid::new_v4().to_string());
                    fs::hard_link(&from, &link).map_err(|error| failed(&from, error))?;
                    let result = folder.appear(&to, || fs::rename(&link, &to));
                    // Renaming one name of a file to another of its names leaves both.
                    fs::remove_file(&link).ok();
                    result
                }
            }
        })
        .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.run(move |folder| {
            let (source, target) = (folder.resolve_object(&from)?, folder.resolve_object(&to)?);
            fs::metadata(&source).map_err(|error| failed(&source, error))?;
            match options.target_mode {
                RenameTargetMode::Create => {
                    folder.appear(&target, || fs::hard_link(&source, &target))?;
                    folder.remove(&from)
                }
                RenameTargetMode::Overwrite => {
                    folder.appear(&target, || fs::rename(&source, &target))?;
                    let parent = source.parent().unwrap_or(&folder.root);
                    sync_folder(parent).map_err(|error| failed(parent, error))
                }
            }
        })
        .await
    }
}

impl LocalStore {
    /// Lists in order, as readers of a log expect of a store that is no plain file system.
    fn list_from(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = prefix.cloned().unwrap_or_default();
        let offset = offset.cloned();
        let listed = async move {
            store
                .run(move |folder| folder.list(&prefix, offset.as_ref()))
                .await
        };
        listed
            .into_stream()
            .map_ok(|found| futures::stream::iter(found.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }
}
