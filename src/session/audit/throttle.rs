//! Keeps refusals from filling the disk: beyond a rate they are counted, and the count goes with the
//! next one that is recorded. Each database has its own, so that one cannot hide another's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tessera_catalog::id::DatabaseId;

/// Refusals of one database that are recorded whatever their rate.
const BURST: u32 = 1_000;
/// How often one more is.
const EVERY: Duration = Duration::from_millis(20);
/// Databases that are remembered; full ones are forgotten beyond.
const MAX_DATABASES: usize = 10_000;

/// How many refusals may still be recorded, by database.
#[derive(Debug, Default)]
pub(in crate::session) struct Throttle {
    databases: Mutex<HashMap<DatabaseId, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    filled_at: Instant,
    /// Refusals that were not recorded.
    dropped: i64,
}

impl Throttle {
    /// How many were left out before this one, if it is to be recorded.
    pub(super) fn admit(&self, database: DatabaseId) -> Option<i64> {
        self.admit_at(database, Instant::now())
    }

    fn admit_at(&self, database: DatabaseId, now: Instant) -> Option<i64> {
        let mut databases = self.databases.lock();
        if databases.len() >= MAX_DATABASES {
            databases.retain(|_, bucket| bucket.dropped > 0 || bucket.left < BURST / 2);
        }
        let bucket = databases.entry(database).or_insert(Bucket {
            left: BURST,
            filled_at: now,
            dropped: 0,
        });
        let more = now.duration_since(bucket.filled_at).as_millis() / EVERY.as_millis();
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(BURST);
            bucket.left = bucket.left.saturating_add(more).min(BURST);
            bucket.filled_at = now;
        }
        if bucket.left == 0 {
            bucket.dropped += 1;
            return None;
        }
        bucket.left -= 1;
        Some(std::mem::take(&mut bucket.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let throttle = Throttle::default();
        let begin = Instant::now();
        let of = DatabaseId::System;
        for _ in 0..BURST {
            assert_eq!(throttle.admit_at(of, begin), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(throttle.admit_at(of, begin), None);
        }
        assert_eq!(throttle.admit_at(of, begin + EVERY), Some(5));
        assert_eq!(throttle.admit_at(of, begin + EVERY), None);
        let later = begin + EVERY * (2 * BURST);
        assert_eq!(throttle.admit_at(of, later), Some(1));
    }
}
