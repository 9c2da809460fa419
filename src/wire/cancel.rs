//! Cancel keys: a second connection that knows a session's key may cancel its statement.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::{Rng, RngCore};
use subtle::ConstantTimeEq;

use crate::session::Interrupt;

/// The key's length in protocol 3.0.
pub(super) const SHORT_KEY_BYTES: usize = 4;

/// The key's length from protocol 3.2.
pub(super) const LONG_KEY_BYTES: usize = 32;

/// The keys of the live sessions.
#[derive(Debug, Clone, Default)]
pub struct CancelKeys {
    sessions: Arc<Mutex<HashMap<i32, Target>>>,
}

#[derive(Debug)]
struct Target {
    key: Vec<u8>,
    interrupt: Interrupt,
}

/// A session's entry among the keys; gone when dropped.
#[derive(Debug)]
pub(super) struct CancelKey {
    sessions: Arc<Mutex<HashMap<i32, Target>>>,
    pub(super) pid: i32,
    pub(super) key: Vec<u8>,
}

impl CancelKeys {
    /// Draws a number and a key for a session.
    pub(super) fn register(&self, key_bytes: usize, interrupt: Interrupt) -> CancelKey {
        let mut random = rand::rng();
        let mut key = vec![0; key_bytes];
        random.fill_bytes(&mut key);
        let mut sessions = self.sessions.lock();
        // Numbers are random, so that they tell nothing of other sessions.
        let pid = loop {
            let pid = random.random_range(1..i32::MAX);
            if !sessions.contains_key(&pid) {
                break pid;
            }
        };
        sessions.insert(
            pid,
            Target {
                key: key.clone(),
                interrupt,
            },
        );
        CancelKey {
            sessions: Arc::clone(&self.sessions),
            pid,
            key,
        }
    }

    /// Cancels the session's statement if the key is right; else nothing happens.
    pub(super) fn cancel(&self, pid: i32, key: &[u8]) {
        let sessions = self.sessions.lock();
        if let Some(target) = sessions.get(&pid)
            && bool::from(target.key.as_slice().ct_eq(key))
        {
            target.interrupt.cancel();
        }
    }

    /// Ends all sessions.
    pub fn terminate_all(&self) {
        self.sessions
            .lock()
            .values()
            .for_each(|target| target.interrupt.terminate());
    }
}

impl Drop for CancelKey {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.pid);
    }
}
