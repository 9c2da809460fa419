//! Filters of files' keys, kept in memory within a bound; those unused for longest go first.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{KeyColumns, KeyFilter};

/// The most memory of all filters, in bytes: about 128 million keys.
const MAX_FILTER_BYTES: usize = 256 << 20;

/// Filters by the name of their file, which is never used twice.
#[derive(Debug, Default)]
pub(crate) struct KeyFilters(Mutex<Cached>);

#[derive(Debug, Default)]
struct Cached {
    files: HashMap<String, Vec<Entry>>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    columns: Box<[i16]>,
    nulls_distinct: bool,
    filter: Arc<KeyFilter>,
    used: u64,
}

impl Entry {
    fn is_of(&self, key: &KeyColumns) -> bool {
        self.nulls_distinct == key.nulls_distinct && self.columns.iter().copied().eq(key.numbers())
    }
}

impl KeyFilters {
    /// The filter of a file's keys, if it is in memory.
    pub(crate) fn get(&self, file: &str, key: &KeyColumns) -> Option<Arc<KeyFilter>> {
        let mut cached = self.0.lock();
        cached.clock += 1;
        let now = cached.clock;
        let entry = cached
            .files
            .get_mut(file)?
            .iter_mut()
            .find(|entry| entry.is_of(key))?;
        entry.used = now;
        Some(Arc::clone(&entry.filter))
    }

    /// Keeps the filter of a file's keys.
    pub(crate) fn put(&self, file: &str, key: &KeyColumns, filter: Arc<KeyFilter>) {
        let mut cached = self.0.lock();
        cached.clock += 1;
        let used = cached.clock;
        let entries = cached.files.entry(file.to_owned()).or_default();
        if entries.iter().any(|entry| entry.is_of(key)) {
            return;
        }
        let bytes = filter.bytes();
        entries.push(Entry {
            columns: key.numbers().collect(),
            nulls_distinct: key.nulls_distinct,
            filter,
            used,
        });
        cached.bytes += bytes;
        if cached.bytes > MAX_FILTER_BYTES {
            cached.evict();
        }
    }
}

impl Cached {
    /// Forgets the quarter that was not used for longest.
    fn evict(&mut self) {
        let mut uses: Vec<u64> = self
            .files
            .values()
            .flatten()
            .map(|entry| entry.used)
            .collect();
        if uses.is_empty() {
            return;
        }
        let quarter = uses.len() / 4;
        let oldest = *uses.select_nth_unstable(quarter).1;
        let mut freed = 0;
        self.files.retain(|_, entries| {
            entries.retain(|entry| {
                let stays = entry.used > oldest;
                freed += if stays { 0 } else { entry.filter.bytes() };
                stays
            });
            !entries.is_empty()
        });
        self.bytes = self.bytes.saturating_sub(freed);
    }
}
