//! Files that are being written and have no name yet.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::folder::Folder;
use super::{STORE, e_tag, failed, off_the_runtime};

/// A file that is being written and has no name yet; it goes with its owner.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        fs::remove_file(&self.path).ok();
    }
}

impl Staged {
    /// Gives the file its name, durably.
    pub(super) fn publish(self, folder: &Folder, path: &FsPath, create: bool) -> Result<PutResult> {
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

/// A file that is written in parts.
#[derive(Debug)]
pub(super) struct LocalUpload {
    pub(super) folder: Arc<Folder>,
    pub(super) path: PathBuf,
    pub(super) staged: Option<Arc<Staged>>,
    pub(super) offset: u64,
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
