//! Where rows lie: each part is a Delta table in its own folder of an object store.
//!
//! [`Storage`] hands out stores that cannot leave one space, writes data files, and reads and writes
//! the log at exactly the version that the catalog calls visible. It knows columns and files, and
//! nothing of names, roles or transactions: which version is visible is the catalog's business.
//!
//! A commit goes `Storage::writer` → [`PartWriter::finish`] → [`Storage::log_entry`] (kept as the redo
//! record by the catalog's transaction) → [`Storage::write_log_entry`] → [`Snapshot::advance`].

mod all_spaces;
pub mod data_file;
mod encode;
mod local;
pub mod log;
pub mod maintain;
pub mod root;
mod sample;
pub mod snapshot;
pub mod stored;
pub mod write;

use std::sync::Arc;

pub use data_file::{ColumnStats, DataFile, FileStats};
pub use encode::Encoder;
pub(crate) use local::is_disk_full;
pub use log::LogEntry;
pub use maintain::{Compaction, Erase};
use object_store::ObjectStore;
pub use root::{ALL_SPACES_URL, Storage};
pub use snapshot::Snapshot;
pub use write::{PartWriter, WriteOptions};

use crate::id::Part;

/// The folder of a part below its space's store, without a slash at its ends.
pub fn folder(part: Part) -> String {
    part.table.as_uuid().to_string()
}

/// The path of a part's file below its space's store.
pub fn file_path(part: Part, file: &str) -> object_store::path::Path {
    object_store::path::Path::from(format!("{}/{file}", folder(part)))
}

/// A store, shared.
pub type StoreRef = Arc<dyn ObjectStore>;
