//! Which decoded columns are kept, within a bound of bytes.
//!
//! While there is room everything is kept. Then a column is kept when it is asked for a second time
//! within memory, and takes the place of what was not used for longest among a few that are drawn, so
//! that one pass over a big table does not drive out what many queries use.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use parking_lot::Mutex;

/// Columns that were asked for once and are remembered by their hash.
const MAX_REMEMBERED: usize = 1 << 16;
/// Kept columns from which the one to drop is chosen.
const DRAWN: usize = 8;
/// The part of all room that one column may take.
const MAX_SHARE: usize = 8;

/// A row group's column of one file; the file's name holds its store's, and with it the tenant's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) file: Arc<str>,
    pub(super) group: usize,
    pub(super) column: usize,
}

/// The decoded columns of all tenants; cheap to clone.
#[derive(Debug, Clone)]
pub struct DecodedColumns {
    max_bytes: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Key, Entry>,
    /// The keys of all entries, to draw from.
    keys: Vec<Key>,
    bytes: usize,
    /// Grows with each use.
    clock: u64,
    /// Hashes of what was asked for and not kept.
    remembered: HashMap<u64, ()>,
}

#[derive(Debug)]
struct Entry {
    values: ArrayRef,
    bytes: usize,
    used: u64,
    /// Its place in `keys`.
    place: usize,
}

impl DecodedColumns {
    /// Room for so many bytes; none keeps nothing.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            kept: Arc::default(),
        }
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.kept.lock().bytes
    }

    /// A column's values, if they are kept.
    pub(super) fn get(&self, key: &Key) -> Option<ArrayRef> {
        let mut kept = self.kept.lock();
        kept.clock += 1;
        let clock = kept.clock;
        let entry = kept.entries.get_mut(key)?;
        entry.used = clock;
        Some(Arc::clone(&entry.values))
    }

    /// Whether a column of about this size would be kept now. Asking a second time makes it so.
    pub(super) fn would_keep(&self, key: &Key, about_bytes: usize) -> bool {
        if about_bytes > self.max_bytes / MAX_SHARE {
            return false;
        }
        let mut kept = self.kept.lock();
        if kept.bytes + about_bytes <= self.max_bytes {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let hash = hasher.finish();
        if kept.remembered.remove(&hash).is_some() {
            return true;
        }
        if kept.remembered.len() >= MAX_REMEMBERED {
            kept.remembered.clear();
        }
        kept.remembered.insert(hash, ());
        false
    }

    /// Keeps a column's values, dropping others when there is no room.
    pub(super) fn put(&self, key: Key, values: ArrayRef) {
        let bytes = values.get_array_memory_size();
        if bytes > self.max_bytes / MAX_SHARE {
            return;
        }
        let mut kept = self.kept.lock();
        kept.remove(&key);
        while kept.bytes + bytes > self.max_bytes {
            if !kept.drop_one() {
                return;
            }
        }
        kept.clock += 1;
        let entry = Entry {
            values,
            bytes,
            used: kept.clock,
            place: kept.keys.len(),
        };
        kept.bytes += bytes;
        kept.keys.push(key.clone());
        kept.entries.insert(key, entry);
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        let Some(entry) = self.entries.remove(key) else {
            return;
        };
        self.bytes -= entry.bytes;
        self.keys.swap_remove(entry.place);
        if let Some(moved) = self.keys.get(entry.place)
            && let Some(moved) = self.entries.get_mut(moved)
        {
            moved.place = entry.place;
        }
    }

    /// Drops the longest unused of a few; whether there was one.
    fn drop_one(&mut self) -> bool {
        let length = self.keys.len();
        if length == 0 {
            return false;
        }
        // Steps of a fixed odd stride from a moving start draw well enough among so many.
        let start = (self.clock as usize).wrapping_mul(0x9e37_79b9) % length;
        self.clock += 1;
        let drawn = (0..DRAWN).map(|step| (start + step.wrapping_mul(0x0100_0193)) % length);
        let oldest = drawn
            .filter_map(|place| self.keys.get(place))
            .min_by_key(|key| self.entries.get(*key).map_or(0, |entry| entry.used))
            .cloned();
        match oldest {
            Some(key) => {
                self.remove(&key);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    fn key(column: usize) -> Key {
        Key {
            file: Arc::from("file"),
            group: 0,
            column,
        }
    }

    fn values() -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(0..100))
    }

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let size = values().get_array_memory_size();
        let columns = DecodedColumns::new(10 * size);
        for column in 0..100 {
            columns.put(key(column), values());
            assert!(columns.bytes() <= 10 * size);
            // The first is used all the time.
            assert!(columns.get(&key(0)).is_some(), "after {column}");
        }
        let kept = (0..100).filter(|column| columns.get(&key(*column)).is_some());
        assert_eq!(kept.count(), 10);
    }

    #[test]
    fn without_room_a_column_must_be_asked_for_twice() {
        let size = values().get_array_memory_size();
        let columns = DecodedColumns::new(8 * size);
        for column in 0..8 {
            assert!(columns.would_keep(&key(column), size));
            columns.put(key(column), values());
        }
        assert!(!columns.would_keep(&key(8), size));
        assert!(!columns.would_keep(&key(9), size));
        assert!(columns.would_keep(&key(8), size));
        assert!(!DecodedColumns::new(0).would_keep(&key(0), size));
    }
}
