//! How a tenant's files are kept from who can read the disk: which keys there are, never the keys.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Whether and with which keys a tenant's files are encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Whether new files are.
    pub on: bool,
    /// Files may be there that are not as new ones are; they are being rewritten.
    pub rewriting: bool,
    /// Some of those may be plain though new ones are not, or the reverse.
    #[serde(default)]
    pub(crate) mixed: bool,
    /// In the order in which they were made; new files are encrypted with the last.
    pub keys: Vec<WrappedKey>,
}

/// A key of a tenant's, encrypted with the server's master key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    pub id: Uuid,
    /// The id of the master key.
    pub master: String,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// In hex.
    pub(crate) wrapped: String,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("id", &self.id)
            .field("master", &self.master)
            .finish_non_exhaustive()
    }
}

impl Encryption {
    /// Encryption from birth, by a first key.
    pub fn born(key: WrappedKey) -> Self {
        Self {
            on: true,
            rewriting: false,
            mixed: false,
            keys: vec![key],
        }
    }

    /// The key of new files.
    pub fn active(&self) -> Option<&WrappedKey> {
        self.keys.last().filter(|_| self.on)
    }

    /// New files are encrypted with this key, and all others come to be.
    pub fn turn_to(&mut self, key: WrappedKey) {
        self.mixed |= !self.on;
        self.on = true;
        self.rewriting = true;
        self.keys.push(key);
    }

    /// New files are not encrypted any more, and all others come to be so.
    pub fn turn_off(&mut self) {
        self.mixed = true;
        self.on = false;
        self.rewriting = true;
    }

    /// Every file is as new ones are: the keys of former ones go.
    pub(crate) fn rewritten(&mut self) {
        let active = self.active().cloned();
        self.keys = active.into_iter().collect();
        self.rewriting = false;
        self.mixed = false;
    }
}
