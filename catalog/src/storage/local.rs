//! A folder as an object store whose writes are on disk when they are acknowledged.
//!
//! A write goes to a staging file, is synced, and appears under its name by one link or rename; then
//! the folder and every folder that was made for it are synced. Links on the way to an object are
//! refused, so that no object can lie outside the root. It knows nothing of tables.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path as FsPath, PathBuf};
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
    PutResult, RenameOptions, RenameTargetMode, Result, UploadPart,
};
use parking_lot::Mutex;
use uuid::Uuid;

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

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    staging: PathBuf,
    /// Folders whose entries, up to the root, are known to be on disk.
    synced: Mutex<HashSet<PathBuf>>,
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

impl Folder {
    /// The file of an object, or the folder of a prefix; refuses names and links that could lead out.
    fn resolve(&self, location: &Path) -> Result<PathBuf> {
        let mut path = self.root.clone();
        for (depth, part) in location.parts().enumerate() {
            let part = part.as_ref();
            let plain = !part.is_empty()
                && part != "."
                && part != ".."
                && !part.contains(['/', '\\', '\0'])
                && !(depth == 0 && part == STAGING);
            path.push(part);
            if !plain {
                return Err(refused(&path, "the name is not allowed"));
            }
            match fs::symlink_metadata(&path) {
                Ok(meta) if meta.is_symlink() => return Err(refused(&path, "links are refused")),
                // What does not exist is found out by the operation itself.
                _ => {}
            }
        }
        Ok(path)
    }

    fn resolve_object(&self, location: &Path) -> Result<PathBuf> {
        let path = self.resolve(location)?;
        if path == self.root {
            return Err(refused(&path, "the root is no object"));
        }
        Ok(path)
    }

    fn stage(&self) -> Result<Staged> {
        let path = self.staging.join(Uuid::new_v4().to_string());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| failed(&path, error))?;
        Ok(Staged { file, path })
    }

    /// Runs an operation that makes `path` appear; makes its folders if they are missing.
    fn appear(&self, path: &FsPath, mut operation: impl FnMut() -> io::Result<()>) -> Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        let mut attempts = 0;
        while let Err(error) = operation() {
            attempts += 1;
            // Its folder is missing, or was empty and removed just now.
            if error.kind() != ErrorKind::NotFound || attempts > MAX_ATTEMPTS {
                return Err(failed(path, error));
            }
            self.make_folders(parent)?;
        }
        sync_folder(parent).map_err(|error| failed(parent, error))?;
        self.sync_chain(parent)
    }

    fn make_folders(&self, folder: &FsPath) -> Result<()> {
        if folder.exists() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make_folders(parent)?;
        }
        self.synced.lock().remove(folder);
        match fs::create_dir(folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            // A clean-up removed the parent in between; the caller's loop comes again.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(folder, error)),
        }
    }

    /// Makes sure that the folder's own entry, and those of the folders above it, are on disk,
    /// whoever made them.
    fn sync_chain(&self, folder: &FsPath) -> Result<()> {
        let mut missing = Vec::new();
        {
            let synced = self.synced.lock();
            let mut at = Some(folder);
            while let Some(folder) = at.filter(|folder| !synced.contains(*folder)) {
                missing.push(folder.to_path_buf());
                at = folder
                    .parent()
                    .filter(|parent| parent.starts_with(&self.root));
            }
        }
        for folder in missing.iter().rev() {
            let parent = folder.parent().unwrap_or(&self.root);
            sync_folder(parent).map_err(|error| failed(parent, error))?;
            let mut synced = self.synced.lock();
            if synced.len() >= MAX_SYNCED_FOLDERS {
                synced.clear();
                synced.insert(self.root.clone());
            }
            synced.insert(folder.clone());
        }
        Ok(())
    }

    fn remove(&self, location: &Path) -> Result<()> {
        let path = self.resolve_object(location)?;
        fs::remove_file(&path).map_err(|error| failed(&path, error))?;
        // Empty folders go too; one that is not empty, or in use again, refuses to.
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| *folder != self.root) {
            self.synced.lock().remove(folder);
            if fs::remove_dir(folder).is_err() {
                break;
            }
            parent = folder.parent();
        }
        Ok(())
    }

    /// Objects below a prefix, in order of their paths.
    fn list(&self, prefix: &Path, offset: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        let mut found = Vec::new();
        let mut folders = vec![(self.resolve(prefix)?, prefix.clone())];
        while let Some((folder, location)) = folders.pop() {
            for (name, meta) in self.entries(&folder)? {
                let Some(location) = child(&location, &name) else {
                    continue;
                };
                if meta.is_dir() {
                    folders.push((folder.join(&name), location));
                } else if offset.is_none_or(|offset| location > *offset) {
                    found.push(object_meta(location, &meta));
                }
            }
        }
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    fn list_folder(&self, prefix: &Path) -> Result<ListResult> {
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
        };
        for (name, meta) in self.entries(&self.resolve(prefix)?)? {
            let Some(location) = child(prefix, &name) else {
                continue;
            };
            if meta.is_dir() {
                result.common_prefixes.push(location);
            } else {
                result.objects.push(object_meta(location, &meta));
            }
        }
        result.common_prefixes.sort_unstable();
        result
            .objects
            .sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(result)
    }

    /// Files and folders in a folder; a folder that is gone has none.
    fn entries(&self, folder: &FsPath) -> Result<Vec<(String, Metadata)>> {
        let gone = |error: &io::Error| {
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if gone(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(folder, error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| failed(folder, error))?;
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(error) if gone(&error) => continue,
                Err(error) => return Err(failed(&entry.path(), error)),
            };
            if !(meta.is_dir() || meta.is_file()) || entry.path() == self.staging {
                continue;
            }
            if let Ok(name) = entry.file_name().into_string() {
                found.push((name, meta));
            }
        }
        Ok(found)
    }
}

/// The object path of a name in a folder, if the name can be one.
fn child(folder: &Path, name: &str) -> Option<Path> {
    let location = if folder.as_ref().is_empty() {
        Path::parse(name)
    } else {
        Path::parse(format!("{folder}/{name}"))
    };
    location.ok()
}

/// A file that is being written and has no name yet; it goes with its owner.
#[derive(Debug)]
struct Staged {
    file: File,
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        fs::remove_file(&self.path).ok();
    }
}

impl Staged {
    /// Gives the file its name, durably.
    fn publish(self, folder: &Folder, path: &FsPath, create: bool) -> Result<PutResult> {
        self.file.sync_all().map_err(|error| failed(path, error))?;
        let meta = self.file.metadata().map_err(|error| failed(path, error))?;
        if create {
            folder.appear(path, || fs::hard_link(&self.path, path))?;
        } else {
            folder.appear(path, || fs::rename(&self.path, path))?;
        }
        Ok(PutResult {
            e_tag: Some(e_tag(&meta)),
            version: None,
        })
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

/// A file that is written in parts.
#[derive(Debug)]
struct LocalUpload {
    folder: Arc<Folder>,
    path: PathBuf,
    staged: Option<Arc<Staged>>,
    offset: u64,
}

fn over() -> object_store::Error {
    object_store::Error::Generic {
        store: STORE,
        source: "the upload is over".into(),
    }
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let Some(staged) = self.staged.as_ref().map(Arc::clone) else {
            return futures::future::ready(Err(over())).boxed();
        };
        let mut offset = self.offset;
        self.offset += data.content_length() as u64;
        off_the_runtime(move || {
            for bytes in data.iter() {
                staged
                    .file
                    .write_all_at(bytes, offset)
                    .map_err(|error| failed(&staged.path, error))?;
                offset += bytes.len() as u64;
            }
            Ok(())
        })
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self
            .staged
            .take()
            .and_then(Arc::into_inner)
            .ok_or_else(over)?;
        let (folder, path) = (Arc::clone(&self.folder), self.path.clone());
        off_the_runtime(move || staged.publish(&folder, &path, false)).await
    }

    async fn abort(&mut self) -> Result<()> {
        let staged = self.staged.take().ok_or_else(over)?;
        off_the_runtime(move || {
            drop(staged);
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use object_store::ObjectStoreExt;
    #[cfg(feature = "store-contract")]
    use object_store::integration;
    use tempfile::TempDir;

    use super::*;

    fn store() -> (TempDir, LocalStore) {
        let folder = TempDir::new().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        (folder, store)
    }

    #[cfg(feature = "store-contract")]
    #[tokio::test]
    async fn it_keeps_the_contract_of_object_stores() {
        let (_folder, store) = store();
        integration::put_get_delete_list(&store).await;
        integration::list_with_offset_exclusivity(&store).await;
        integration::get_opts(&store).await;
        integration::list_uses_directories_correctly(&store).await;
        integration::list_with_delimiter(&store).await;
        integration::rename_and_copy(&store).await;
        integration::copy_if_not_exists(&store).await;
        integration::copy_rename_nonexistent_object(&store).await;
        integration::stream_get(&store).await;
        integration::put_opts(&store, false).await;
        integration::multipart_out_of_order(&store).await;
        integration::multipart_race_condition(&store, true).await;
    }

    #[tokio::test]
    async fn links_are_refused() {
        let (folder, store) = store();
        let outside = TempDir::new().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path(), folder.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        for name in ["out/secret", "file"] {
            let path = Path::from(name);
            let error = store.get(&path).await.unwrap_err();
            assert!(
                matches!(error, object_store::Error::PermissionDenied { .. }),
                "{error}"
            );
            let error = store.put(&path, "y".into()).await.unwrap_err();
            assert!(
                matches!(error, object_store::Error::PermissionDenied { .. }),
                "{error}"
            );
        }
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert!(listed.is_empty(), "{listed:?}");
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"x");
    }

    #[tokio::test]
    async fn a_path_cannot_climb_out() {
        let (folder, store) = store();
        let inner = folder.path().join("inner");
        let rooted = LocalStore::open(&inner).unwrap();
        store.put(&Path::from("secret"), "x".into()).await.unwrap();
        rooted.get(&Path::from("../secret")).await.unwrap_err();
        assert!(Path::parse("../secret").is_err());
        store.get(&Path::from(".staging/x")).await.unwrap_err();
    }

    #[tokio::test]
    async fn nothing_is_left_of_an_aborted_or_dropped_upload() {
        let (folder, store) = store();
        let path = Path::from("a/b");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("12".into()).await.unwrap();
        upload.abort().await.unwrap();
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part("12".into()).await.unwrap();
        drop(upload);
        assert_eq!(
            fs::read_dir(folder.path().join(STAGING)).unwrap().count(),
            0
        );
        store.get(&path).await.unwrap_err();
    }

    #[tokio::test]
    async fn create_wins_once() {
        let (_folder, store) = store();
        let path = Path::from("t/_delta_log/0.json");
        let puts = (0..16).map(|i| {
            let (store, path) = (store.clone(), path.clone());
            async move {
                store
                    .put_opts(&path, format!("{i}").into(), PutMode::Create.into())
                    .await
            }
        });
        let results = futures::future::join_all(puts).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    }

    #[tokio::test]
    async fn empty_folders_go_and_come_back() {
        let (folder, store) = store();
        let path = Path::from("a/b/c");
        store.put(&path, "1".into()).await.unwrap();
        store.delete(&path).await.unwrap();
        assert!(!folder.path().join("a").exists());
        store.put(&path, "2".into()).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "2");
    }

    #[test]
    fn a_full_disk_is_told() {
        let full = io::Error::from(ErrorKind::StorageFull);
        let error = failed(FsPath::new("x"), full);
        assert!(matches!(CatalogError::from(error), CatalogError::DiskFull));
        let other = failed(FsPath::new("x"), io::Error::from(ErrorKind::TimedOut));
        assert!(matches!(CatalogError::from(other), CatalogError::Store(_)));
    }
}
