//! Slows guessing down: after a few wrong proofs from one address, each further refusal is told later.
//!
//! Only refusals wait, so a victim whose name is guessed, or who shares the address, logs in as ever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Refusals that cost nothing yet, since people mistype.
const FREE: u32 = 5;

/// The wait for the first refusal that costs; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// After so long without a refusal an address starts anew.
const FORGET: Duration = Duration::from_secs(60);

/// The most addresses that are remembered.
const MAX_ADDRESSES: usize = 10_000;

/// Refusals by address.
#[derive(Debug, Default)]
pub struct Guesses {
    addresses: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl Guesses {
    /// Counts a refusal and gives how long to wait before it is told.
    pub fn refused(&self, address: IpAddr, now: Instant) -> Duration {
        let mut addresses = self.addresses.lock();
        if addresses.len() >= MAX_ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, (_, last)| now.duration_since(*last) < FORGET);
            if addresses.len() >= MAX_ADDRESSES {
                return MAX_WAIT;
            }
        }
        let (count, last) = addresses.entry(address).or_insert((0, now));
        if now.duration_since(*last) >= FORGET {
            *count = 0;
        }
        (*count, *last) = (count.saturating_add(1), now);
        match count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(over) => (FIRST_WAIT * 2u32.pow(over.min(8))).min(MAX_WAIT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_wait_longer_and_are_forgotten() {
        let guesses = Guesses::default();
        let address = IpAddr::from([10, 0, 0, 1]);
        let now = Instant::now();
        let waits: Vec<u128> = (0..14)
            .map(|_| guesses.refused(address, now).as_millis())
            .collect();
        assert_eq!(
            waits,
            [
                0, 0, 0, 0, 0, 50, 100, 200, 400, 800, 1600, 2000, 2000, 2000
            ]
        );
        assert_eq!(
            guesses.refused(IpAddr::from([10, 0, 0, 2]), now),
            Duration::ZERO
        );
        assert_eq!(guesses.refused(address, now + FORGET), Duration::ZERO);
    }
}
