//! Disk that is kept back, so that rows can be deleted when not a byte is free.
//!
//! A statement that frees space has to write first: the rows that stay, an entry in the log, a page of
//! the catalog's database. A file of the data folder holds that much. It is given up when such a
//! statement finds the disk nearly full, and taken again once there is room for several of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// The file's name in the data folder.
const HEADROOM_FILE: &str = "headroom";
/// The most that is kept back.
const MAX_BYTES: u64 = 64 << 20;
/// The part of the disk that is at most kept back: one in so many bytes.
const PART_OF_DISK: u64 = 16;
/// The reserve is taken again when the disk has room for so many of it.
const ROOM_FOR: u64 = 4;

/// The reserve of a data folder.
#[derive(Debug)]
pub(crate) struct Headroom {
    path: PathBuf,
    /// One change of the file at a time.
    changing: Mutex<()>,
}

impl Headroom {
    /// The reserve of a folder, which is not looked at yet.
    pub(crate) fn of(data: &Path) -> Self {
        Self {
            path: data.join(HEADROOM_FILE),
            changing: Mutex::new(()),
        }
    }

    /// Takes the reserve if it is not there and the disk has room for it and more.
    pub(crate) fn keep(&self) {
        let _changing = self.changing.lock();
        if self.path.exists() {
            return;
        }
        let kept = self.disk().and_then(|disk| {
            let bytes = disk.headroom();
            if disk.free / ROOM_FOR < bytes || bytes == 0 {
                return Ok(());
            }
            allocate(&self.path, bytes)
        });
        if let Err(error) = kept {
            tracing::warn!(%error, "no disk can be kept back for deleting rows");
        }
    }

    /// Gives the reserve up if the disk is nearly full: a statement that frees space is about to write.
    pub(crate) fn make_room(&self) {
        let _changing = self.changing.lock();
        let short = match self.disk() {
            Ok(disk) => disk.free < disk.headroom(),
            Err(_) => false,
        };
        if short && std::fs::remove_file(&self.path).is_ok() {
            tracing::warn!(
                "the disk is nearly full: what was kept back is given to a statement that frees space"
            );
        }
    }

    fn disk(&self) -> io::Result<Disk> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let disk = statvfs(folder)?;
        Ok(Disk {
            bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
        })
    }
}

/// A file system's sizes in bytes.
struct Disk {
    bytes: u64,
    free: u64,
}

impl Disk {
    fn headroom(&self) -> u64 {
        MAX_BYTES.min(self.bytes / PART_OF_DISK)
    }
}

/// Makes a file whose bytes are really there.
fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    if let Err(error) = fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        drop(file);
        std::fs::remove_file(path)?;
        return Err(error.into());
    }
    Ok(())
}
