//! The folder itself: which file an object is, how one appears in it durably, and what lies in it.

use std::collections::HashSet;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path as FsPath, PathBuf};

use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};
use parking_lot::Mutex;
use uuid::Uuid;

use super::upload::Staged;
use super::{MAX_ATTEMPTS, MAX_SYNCED_FOLDERS, STAGING, failed, object_meta, refused, sync_folder};

#[derive(Debug)]
pub(super) struct Folder {
    pub(super) root: PathBuf,
    pub(super) staging: PathBuf,
    /// Folders whose entries, up to the root, are known to be on disk.
    pub(super) synced: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// The file of an object, or the folder of a prefix; refuses names and links that could lead out.
    pub(super) fn resolve(&self, location: &Path) -> Result<PathBuf> {
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

    pub(super) fn resolve_object(&self, location: &Path) -> Result<PathBuf> {
        let path = self.resolve(location)?;
        if path == self.root {
            return Err(refused(&path, "the root is no object"));
        }
        Ok(path)
    }

    pub(super) fn stage(&self) -> Result<Staged> {
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
    pub(super) fn appear(
        &self,
        path: &FsPath,
        mut operation: impl FnMut() -> io::Result<()>,
    ) -> Result<()> {
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

    pub(super) fn make_folders(&self, folder: &FsPath) -> Result<()> {
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
    pub(super) fn sync_chain(&self, folder: &FsPath) -> Result<()> {
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

    pub(super) fn remove(&self, location: &Path) -> Result<()> {
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
    pub(super) fn list(&self, prefix: &Path, offset: Option<&Path>) -> Result<Vec<ObjectMeta>> {
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

    pub(super) fn list_folder(&self, prefix: &Path) -> Result<ListResult> {
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
    pub(super) fn entries(&self, folder: &FsPath) -> Result<Vec<(String, Metadata)>> {
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
