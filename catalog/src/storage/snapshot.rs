//! The files of one part at one version.

use std::collections::HashSet;
use std::sync::Arc;

use super::DataFile;

/// A part as one version of its log shows it.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// `None` before the part's first commit.
    pub version: Option<i64>,
    /// The table's schema version in the newest `metaData` of the log.
    pub schema_version: u64,
    pub files: Vec<Arc<DataFile>>,
    /// When the version was committed, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

impl Snapshot {
    /// A part that is not born: no rows, no files, no log.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The next version, without reading anything.
    pub fn advance(
        &self,
        version: i64,
        schema_version: u64,
        added: &[Arc<DataFile>],
        removed: &[Arc<DataFile>],
        timestamp_ms: i64,
    ) -> Self {
        let mut files = Vec::with_capacity(self.files.len() + added.len());
        if removed.is_empty() {
            files.extend(self.files.iter().map(Arc::clone));
        } else {
            let gone: HashSet<&str> = removed.iter().map(|file| file.path.as_str()).collect();
            let kept = self
                .files
                .iter()
                .filter(|file| !gone.contains(file.path.as_str()));
            files.extend(kept.map(Arc::clone));
        }
        files.extend(added.iter().map(Arc::clone));
        Self {
            version: Some(version),
            schema_version,
            files,
            timestamp_ms,
        }
    }

    /// How many rows the part has.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// How many bytes the part's files hold.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}
