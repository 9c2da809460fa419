//! Disk that is kept back, each time as one file of the data folder, for what must go on when there is
//! hardly a byte free: a statement that frees space has to write first (the rows that stay, an entry in
//! the log, a page of the catalog's database), and others' logins and refusals are to be recorded when
//! one tenant fills the disk.
//!
//! A reserve is given up when it is needed, and taken again once there is room.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// For statements that free space.
const FOR_DELETING: Size = Size {
    file: "headroom",
    max_bytes: 64 << 20,
    part_of_disk: 16,
    room_for: 4,
};
/// For records of the audit: enough for hundreds, each written by itself.
const FOR_AUDIT: Size = Size {
    file: "audit.reserve",
    max_bytes: 8 << 20,
    part_of_disk: 1,
    room_for: 1,
};
/// How much is written at once where a file's room cannot be had otherwise.
const BLOCK_BYTES: usize = 1 << 20;

/// How much is kept back, and when.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// The file's name in the data folder.
    file: &'static str,
    max_bytes: u64,
    /// At most one in so many bytes of the disk.
    part_of_disk: u64,
    /// It is taken when the disk has room for so many of it.
    room_for: u64,
}

/// What is kept back for one purpose.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    size: Size,
    /// One change of the file at a time.
    changing: Mutex<()>,
}

impl Reserve {
    /// What a data folder keeps for statements that free space; it is not looked at yet.
    pub(crate) fn for_deleting(data: &Path) -> Self {
        Self::of(data, FOR_DELETING)
    }

    /// What a data folder keeps for the audit; it is not looked at yet.
    pub(crate) fn for_audit(data: &Path) -> Self {
        Self::of(data, FOR_AUDIT)
    }

    fn of(data: &Path, size: Size) -> Self {
        Self {
            path: data.join(size.file),
            size,
            changing: Mutex::new(()),
        }
    }

    /// Takes the reserve if it is not there and the disk has room for it.
    pub(crate) fn keep(&self) {
        let _changing = self.changing.lock();
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() > 0) {
            return;
        }
        let kept = self.disk().and_then(|disk| {
            let bytes = self.bytes(&disk);
            if bytes == 0 || disk.free / self.size.room_for < bytes {
                return Ok(());
            }
            allocate(&self.path, bytes)
        });
        if let Err(error) = kept {
            tracing::warn!(%error, file = self.size.file, "no disk can be kept back");
        }
    }

    /// Gives the reserve up; whether there was any.
    pub(crate) fn give_up(&self) -> bool {
        let _changing = self.changing.lock();
        std::fs::remove_file(&self.path).is_ok()
    }

    /// Gives the reserve up if the disk is nearly full; whether it did.
    pub(crate) fn give_up_when_short(&self) -> bool {
        let is_short = |disk: Disk| disk.free < self.bytes(&disk);
        self.disk().is_ok_and(is_short) && self.give_up()
    }

    fn bytes(&self, disk: &Disk) -> u64 {
        self.size.max_bytes.min(disk.bytes / self.size.part_of_disk)
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

/// Makes a file whose bytes are really there, or none.
fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    if let Err(error) = fill(file, bytes) {
        std::fs::remove_file(path)?;
        return Err(error);
    }
    Ok(())
}

fn fill(mut file: File, bytes: u64) -> io::Result<()> {
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP) => {}
        done => return Ok(done?),
    }
    let block = vec![0; BLOCK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(BLOCK_BYTES as u64);
        file.write_all(&block[..now as usize])?;
        left -= now;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_there_until_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        for reserve in [
            Reserve::for_deleting(folder.path()),
            Reserve::for_audit(folder.path()),
        ] {
            assert!(!reserve.give_up());
            // What a crash left of it is not taken for it.
            std::fs::write(&reserve.path, "").unwrap();
            reserve.keep();
            let disk = reserve.disk().unwrap();
            let kept = std::fs::metadata(&reserve.path).unwrap().len();
            if kept > 0 {
                assert_eq!(kept, reserve.bytes(&disk));
            }
            assert!(reserve.give_up());
            assert!(!reserve.path.exists());
        }
    }

    #[test]
    fn a_file_is_filled_where_room_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filled");
        allocate(&path, 3 << 20 | 5).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 3 << 20 | 5);
    }
}
