//! Room that is kept free for the audit: when one tenant fills the disk, others' logins and refusals can
//! still be recorded, and so go on.
//!
//! The room is a file of zeros. It is given up when the disk is full, and taken again when there is room.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The file in the data folder.
const RESERVE_FILE: &str = "audit.reserve";
/// Enough for hundreds of records, each written by itself.
const RESERVE_BYTES: usize = 8 << 20;
/// How much is written at once.
const BLOCK_BYTES: usize = 1 << 20;

/// The room.
#[derive(Debug, Clone)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The room in a data folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            path: folder.join(RESERVE_FILE),
        }
    }

    /// Takes the room, unless it is taken or there is none.
    pub(super) fn take(&self) {
        let length = std::fs::metadata(&self.path).map(|file| file.len());
        if length.is_ok_and(|length| length == RESERVE_BYTES as u64) {
            return;
        }
        let write = || {
            let mut file = std::fs::File::create(&self.path)?;
            let block = vec![0; BLOCK_BYTES];
            for _ in 0..RESERVE_BYTES / BLOCK_BYTES {
                file.write_all(&block)?;
            }
            file.sync_data()
        };
        if write().is_err() {
            self.give();
        }
    }

    /// Gives the room up; whether there was any.
    pub(super) fn give(&self) -> bool {
        std::fs::remove_file(&self.path).is_ok()
    }
}
