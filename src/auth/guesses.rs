//! Slows guessing down: after a few wrong proofs for one name from one address, answers come later.
//!
//! A refusal waits longer with each one before it. A right proof for the same name from the same address
//! waits a little as well, since a guesser who need not wait for a no would leave and try again; it is
//! never refused, so nobody can be locked out: neither from another address, nor from the same one.
//! Names count as they were sent, whether they exist or not.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The wait for the first refusal that costs; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The longest wait of a right proof.
const MAX_WAIT_WHEN_RIGHT: Duration = Duration::from_millis(500);

/// After so long without a refusal counting starts anew.
const FORGET: Duration = Duration::from_secs(60);

/// So many times as many refusals are free for an address as for one name from it: people share it.
const ADDRESS_FACTOR: u32 = 4;

/// How many counters there are. What is counted is spread over them by a key that nobody knows, and two
/// that meet share one, so no flood of names and addresses takes more memory or pushes others out.
const COUNTERS: usize = 16_384;

/// Refusals, counted by address and name, and by address.
#[derive(Debug)]
pub struct Guesses {
    /// Refusals that cost nothing, since people mistype.
    free: u32,
    max_wait: Duration,
    key: RandomState,
    counters: Mutex<Box<[Counter]>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    refusals: u32,
    last: Option<Instant>,
}

/// Who tries, and whose login it is to be.
#[derive(Debug, Clone, Copy)]
pub struct Guess<'a> {
    pub address: IpAddr,
    pub user: &'a str,
    pub database: &'a str,
}

impl Guesses {
    /// So many refusals are free; then they wait, at most so long. No wait at all if that is zero.
    pub fn new(free: u32, max_wait: Duration) -> Self {
        Self {
            free,
            max_wait,
            key: RandomState::new(),
            counters: Mutex::new(vec![Counter::default(); COUNTERS].into()),
        }
    }

    /// Counts a refusal and gives how long to wait before it is told.
    pub fn refused(&self, guess: Guess<'_>, now: Instant) -> Duration {
        let (of_name, of_address) = self.places(guess);
        let mut counters = self.counters.lock();
        let of_name = self.wait(counters[of_name].count(now), self.free);
        let free = self.free.saturating_mul(ADDRESS_FACTOR);
        let of_address = self.wait(counters[of_address].count(now), free);
        of_name.max(of_address)
    }

    /// Forgets the name's refusals from this address, and gives how long to wait before the login.
    pub fn accepted(&self, guess: Guess<'_>, now: Instant) -> Duration {
        let (of_name, _) = self.places(guess);
        let mut counters = self.counters.lock();
        let former = std::mem::take(&mut counters[of_name]);
        let wait = self.wait(former.refusals_by(now), self.free);
        wait.min(MAX_WAIT_WHEN_RIGHT)
    }

    fn wait(&self, refusals: u32, free: u32) -> Duration {
        match refusals.checked_sub(free.saturating_add(1)) {
            None => Duration::ZERO,
            Some(over) => FIRST_WAIT
                .saturating_mul(1 << over.min(16))
                .min(self.max_wait),
        }
    }

    fn places(&self, guess: Guess<'_>) -> (usize, usize) {
        let network = network(guess.address);
        let of_name = self.key.hash_one((network, guess.user, guess.database));
        (place(of_name), place(self.key.hash_one(network)))
    }
}

impl Counter {
    fn refusals_by(self, now: Instant) -> u32 {
        let fresh = |last| now.saturating_duration_since(last) < FORGET;
        if self.last.is_some_and(fresh) {
            self.refusals
        } else {
            0
        }
    }

    fn count(&mut self, now: Instant) -> u32 {
        let refusals = self.refusals_by(now).saturating_add(1);
        (self.refusals, self.last) = (refusals, Some(now));
        refusals
    }
}

fn place(hash: u64) -> usize {
    (hash % COUNTERS as u64) as usize
}

/// The network that an address stands for: whoever has one of IPv6 has all those of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(address: [u8; 4], user: &str) -> Guess<'_> {
        Guess {
            address: IpAddr::from(address),
            user,
            database: "acme",
        }
    }

    fn guesses() -> Guesses {
        Guesses::new(5, Duration::from_secs(2))
    }

    #[test]
    fn refusals_wait_longer_and_are_forgotten() {
        let guesses = guesses();
        let alice = guess([10, 0, 0, 1], "alice");
        let now = Instant::now();
        let waits: Vec<u128> = (0..14)
            .map(|_| guesses.refused(alice, now).as_millis())
            .collect();
        assert_eq!(
            waits,
            [
                0, 0, 0, 0, 0, 50, 100, 200, 400, 800, 1600, 2000, 2000, 2000
            ]
        );
        assert_eq!(
            guesses.refused(guess([10, 0, 0, 2], "alice"), now),
            Duration::ZERO
        );
        assert_eq!(guesses.refused(alice, now + FORGET), Duration::ZERO);
    }

    #[test]
    fn a_right_proof_waits_half_a_second_at_most_and_only_where_it_was_guessed_at() {
        let guesses = guesses();
        let now = Instant::now();
        for _ in 0..1000 {
            guesses.refused(guess([10, 0, 0, 1], "alice"), now);
        }
        let wait = |guess| guesses.accepted(guess, now);
        assert_eq!(wait(guess([10, 0, 0, 2], "alice")), Duration::ZERO);
        assert_eq!(wait(guess([10, 0, 0, 1], "bob")), Duration::ZERO);
        assert_eq!(wait(guess([10, 0, 0, 1], "alice")), MAX_WAIT_WHEN_RIGHT);
        assert_eq!(wait(guess([10, 0, 0, 1], "alice")), Duration::ZERO);
    }

    #[test]
    fn many_names_from_one_address_are_guesses_too() {
        let guesses = guesses();
        let now = Instant::now();
        let names: Vec<String> = (0..40).map(|name| name.to_string()).collect();
        let waits = names
            .iter()
            .map(|name| guesses.refused(guess([10, 0, 0, 1], name), now));
        assert!(waits.last().unwrap() > Duration::from_secs(1));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let guesses = guesses();
        let now = Instant::now();
        let of = |address: &str| Guess {
            address: address.parse().unwrap(),
            user: "alice",
            database: "acme",
        };
        for host in 1..=6 {
            guesses.refused(of(&format!("2001:db8::{host}")), now);
        }
        assert!(guesses.accepted(of("2001:db8::7"), now) > Duration::ZERO);
    }

    #[test]
    fn without_waits_nobody_waits() {
        let guesses = Guesses::new(0, Duration::ZERO);
        let alice = guess([10, 0, 0, 1], "alice");
        let now = Instant::now();
        assert!((0..100).all(|_| guesses.refused(alice, now).is_zero()));
    }
}
