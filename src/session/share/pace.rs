//! How fast a tenant's COPY may go: who is too fast waits.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What may come at once after a pause.
const BURST: Duration = Duration::from_secs(1);

/// When the next data may come.
#[derive(Debug, Default)]
pub(in crate::session) struct Pace {
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Takes so many bytes, and tells how long to wait before the next ones.
    pub(in crate::session) fn take(&self, bytes: usize, bytes_per_second: u64) -> Duration {
        self.take_at(Instant::now(), bytes, bytes_per_second)
    }

    fn take_at(&self, now: Instant, bytes: usize, bytes_per_second: u64) -> Duration {
        let mut next = self.next.lock();
        let from = next.map_or(now, |next| next.max(now));
        let seconds = bytes as f64 / bytes_per_second.max(1) as f64;
        // A rate of a byte a second is as good as none at all, and not for ever.
        let after = from + Duration::from_secs_f64(seconds.min(1e6));
        *next = Some(after);
        after.saturating_duration_since(now).saturating_sub(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_goes_at_once_and_the_rest_in_time() {
        let pace = Pace::default();
        let now = Instant::now();
        assert_eq!(pace.take_at(now, 1_000, 1_000), Duration::ZERO);
        assert_eq!(pace.take_at(now, 2_000, 1_000), Duration::from_secs(2));
        // Who waited so long owes nothing beyond the burst.
        let later = now + Duration::from_secs(2);
        assert_eq!(pace.take_at(later, 1_000, 1_000), Duration::from_secs(1));
        let much_later = now + Duration::from_secs(60);
        assert_eq!(pace.take_at(much_later, 1_000, 1_000), Duration::ZERO);
    }
}
