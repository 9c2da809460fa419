//! Temporary files: each tenant's within its own bound, all of them within the server's.
//!
//! The engine asks here for files when a statement has no more memory. Bytes are counted before they
//! are written, and given back when the last holder of a file is gone, with the file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::error::Error;

/// What is read of a file at a time, in bytes.
const READ_BYTES: usize = 128 << 10;

/// The temporary files of the whole server.
#[derive(Debug)]
pub struct ServerDisk {
    folder: PathBuf,
    limit_bytes: u64,
    used_bytes: AtomicU64,
}

impl ServerDisk {
    /// Files of at most so many bytes together, in a folder that is there.
    pub fn new(folder: PathBuf, limit_bytes: u64) -> Self {
        Self {
            folder,
            limit_bytes,
            used_bytes: AtomicU64::new(0),
        }
    }

    /// What all tenants' files take now.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }
}

/// A tenant's part of the server's temporary files.
#[derive(Debug)]
pub struct TenantDisk {
    server: Arc<ServerDisk>,
    limit_bytes: AtomicU64,
    used_bytes: AtomicU64,
}

impl TenantDisk {
    /// A part that may be as great as the whole.
    pub fn new(server: Arc<ServerDisk>) -> Self {
        Self {
            limit_bytes: AtomicU64::new(server.limit_bytes),
            used_bytes: AtomicU64::new(0),
            server,
        }
    }

    /// Changes the bound; what is written already stays.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// What its files take now.
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// What makes its files.
    pub fn files(self: &Arc<Self>) -> Arc<dyn TempFileFactory> {
        Arc::new(Files(Arc::clone(self)))
    }

    fn take(&self, bytes: u64) -> std::result::Result<(), Error> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        if !add_within(&self.used_bytes, bytes, limit) {
            return Err(full("The tenant's temporary files take all that they may."));
        }
        if !add_within(&self.server.used_bytes, bytes, self.server.limit_bytes) {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            // Whose files they are is nobody's business.
            return Err(full(
                "Temporary files take all that the server has for them.",
            ));
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.server.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn full(detail: &str) -> Error {
    Error::OutOfMemory {
        detail: detail.to_owned(),
    }
}

/// Adds to a count unless that would be more than `limit`.
fn add_within(count: &AtomicU64, bytes: u64, limit: u64) -> bool {
    let added = count.try_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
        used.checked_add(bytes).filter(|used| *used <= limit)
    });
    added.is_ok()
}

/// Makes a tenant's files.
struct Files(Arc<TenantDisk>);

impl TempFileFactory for Files {
    fn create_temp_file(&self, _description: &str) -> Result<Arc<dyn SpillFile>> {
        let path = self.0.server.folder.join(Uuid::new_v4().to_string());
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).open(&path)?;
        let held = Held {
            path,
            disk: Arc::clone(&self.0),
            bytes: AtomicU64::new(0),
        };
        Ok(Arc::new(TemporaryFile {
            file,
            held: Arc::new(held),
        }))
    }
}

struct TemporaryFile {
    file: File,
    held: Arc<Held>,
}

/// A file's place and bytes, until nobody writes or reads it any more.
struct Held {
    path: PathBuf,
    disk: Arc<TenantDisk>,
    bytes: AtomicU64,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, "a temporary file could not be removed");
        }
        self.disk.give_back(self.bytes.load(Ordering::Relaxed));
    }
}

impl SpillFile for TemporaryFile {
    fn path(&self) -> Option<&Path> {
        Some(&self.held.path)
    }

    fn size(&self) -> Option<u64> {
        Some(self.held.bytes.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let held = Arc::clone(&self.held);
        let chunks = futures::stream::try_unfold((held, None), |(held, file)| async move {
            let mut file = match file {
                Some(file) => file,
                None => tokio::fs::File::open(&held.path).await?,
            };
            let mut chunk = BytesMut::with_capacity(READ_BYTES);
            let read = file.read_buf(&mut chunk).await?;
            let next = (held, Some(file));
            Ok::<_, DataFusionError>((read > 0).then(|| (chunk.freeze(), next)))
        });
        Ok(Box::pin(chunks))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer {
            file: self.file.try_clone()?,
            held: Arc::clone(&self.held),
        }))
    }
}

struct Writer {
    file: File,
    held: Arc<Held>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = bytes.len() as u64;
        let disk = &self.held.disk;
        disk.take(length).map_err(std::io::Error::other)?;
        self.held.bytes.fetch_add(length, Ordering::Relaxed);
        // What a failed write left is counted until the file is gone.
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    fn server(limit_bytes: u64) -> (tempfile::TempDir, Arc<ServerDisk>) {
        let folder = tempfile::tempdir().unwrap();
        let disk = ServerDisk::new(folder.path().to_owned(), limit_bytes);
        (folder, Arc::new(disk))
    }

    fn file(disk: &Arc<TenantDisk>) -> Arc<dyn SpillFile> {
        Files(Arc::clone(disk)).create_temp_file("a test").unwrap()
    }

    #[tokio::test]
    async fn what_was_written_is_read_and_given_back_with_the_last_holder() {
        let (folder, server) = server(1_000);
        let tenant = Arc::new(TenantDisk::new(Arc::clone(&server)));
        let kept = file(&tenant);
        let mut writer = kept.open_writer().unwrap();
        writer.write_all(b"one").unwrap();
        drop(writer);
        kept.open_writer().unwrap().write_all(b"two").unwrap();
        assert_eq!((tenant.used_bytes(), server.used_bytes()), (6, 6));
        assert_eq!(kept.size(), Some(6));
        let stream = kept.read_stream().unwrap();
        drop(kept);
        assert_eq!(server.used_bytes(), 6);
        let read: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(read.concat(), b"onetwo");
        assert_eq!((tenant.used_bytes(), server.used_bytes()), (0, 0));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn tenants_together_write_no_more_than_the_server_has() {
        let (_folder, server) = server(100);
        let [one, other] = [0, 1].map(|_| Arc::new(TenantDisk::new(Arc::clone(&server))));
        one.set_limit_bytes(70);
        let (mine, others) = (file(&one), file(&other));
        mine.open_writer().unwrap().write_all(&[0; 70]).unwrap();
        let own_bound = mine.open_writer().unwrap().write_all(&[0]).unwrap_err();
        assert!(
            own_bound.to_string().contains("out of memory"),
            "{own_bound}"
        );
        let mut writer = others.open_writer().unwrap();
        assert!(writer.write_all(&[0; 31]).is_err());
        writer.write_all(&[0; 30]).unwrap();
        assert_eq!((one.used_bytes(), other.used_bytes()), (70, 30));
        drop(mine);
        writer.write_all(&[0; 70]).unwrap();
        assert_eq!(server.used_bytes(), 100);
    }
}
