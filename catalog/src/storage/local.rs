//! A durable store on local disk.
use std::path::Path as FsPath;

use object_store::local::LocalFileSystem;

use crate::error::{Error, Result};

pub(super) struct LocalStore;

impl LocalStore {
    pub(super) fn open(root: &FsPath) -> Result<LocalFileSystem> {
        std::fs::create_dir_all(root)
            .map_err(|error| Error::Unusable(format!("could not make the folder: {error}")))?;
        LocalFileSystem::new_with_prefix(root).map_err(Error::Store)
    }
}
