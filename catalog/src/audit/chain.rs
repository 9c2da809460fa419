//! The chain: how a record's hash follows from the one before, and how its ends are sealed.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{BROKEN, Event, Kind, Verdict};
use crate::error::{Error, Result};
use crate::id::DatabaseId;

/// The file of the key in the data folder.
pub(crate) const KEY_FILE: &str = "audit.key";

/// A record's hash.
pub(crate) type Hash = [u8; 32];

/// Where a chain ends, or what is left of it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tip {
    pub(crate) number: i64,
    pub(crate) hash: Hash,
}

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) number: i64,
    pub(crate) database: DatabaseId,
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) login: String,
    pub(crate) operator: bool,
    pub(crate) body: String,
    pub(crate) hash: String,
}

/// The chain's end and the key that seals it.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) tip: Tip,
    key: [u8; 32],
}

impl Tip {
    /// The links that events make after this end, and the end that they make.
    pub(crate) fn follow(mut self, events: &[Event]) -> Result<(Vec<Link>, Tip)> {
        let mut links = Vec::with_capacity(events.len());
        for event in events {
            let body = serde_json::to_string(event).map_err(|source| Error::Unreadable {
                kind: "audit record",
                source,
            })?;
            self = self.next(&body);
            links.push(Link {
                number: self.number,
                database: event.database,
                at: event.at,
                kind: event.kind.name().to_owned(),
                login: event.login.clone(),
                operator: event.operator,
                body,
                hash: hex(&self.hash),
            });
        }
        Ok((links, self))
    }

    /// The end after one more body.
    fn next(self, body: &str) -> Self {
        let number = self.number + 1;
        let mut digest = Sha256::new();
        digest.update(self.hash);
        digest.update(number.to_be_bytes());
        digest.update(body.as_bytes());
        Self {
            number,
            hash: digest.finalize().into(),
        }
    }
}

impl Chain {
    pub(crate) fn new(tip: Tip, key: [u8; 32]) -> Self {
        Self { tip, key }
    }

    /// The proof that the server put an anchor of this name there.
    pub(crate) fn seal(&self, name: &str, tip: Tip) -> Result<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|_| Error::Unusable("the audit's key is of no use".to_owned()))?;
        mac.update(name.as_bytes());
        mac.update(&tip.number.to_be_bytes());
        mac.update(&tip.hash);
        Ok(hex(&mac.finalize().into_bytes()))
    }
}

/// A walk along the chain that stops at the first link which does not hold.
#[derive(Debug)]
pub(crate) struct Walk {
    tip: Tip,
    verdict: Verdict,
}

impl Walk {
    /// Begins behind an anchor, or at the chain's own beginning.
    pub(crate) fn after(pruned: Option<Tip>) -> Self {
        Self {
            tip: pruned.unwrap_or_default(),
            verdict: Verdict {
                pruned: pruned.map(|tip| tip.number),
                ..Verdict::default()
            },
        }
    }

    /// Says what is wrong, unless something was found before.
    pub(crate) fn object(&mut self, number: i64, problem: impl Into<String>) {
        self.verdict
            .problem
            .get_or_insert_with(|| (number, problem.into()));
    }

    /// Whether something was found.
    pub(crate) fn is_broken(&self) -> bool {
        self.verdict.problem.is_some()
    }

    /// The last link that was looked at.
    pub(crate) fn tip(&self) -> Tip {
        self.tip
    }

    /// Looks at the next link.
    pub(crate) fn step(&mut self, link: &Link) {
        let expected = self.tip.number + 1;
        if link.number != expected {
            let missing = match link.number - 1 {
                last if last > expected => format!("records {expected} to {last} are missing"),
                _ => format!("record {expected} is missing"),
            };
            self.object(expected, missing);
        }
        let next = Tip {
            number: link.number - 1,
            hash: self.tip.hash,
        };
        let next = next.next(&link.body);
        if hex(&next.hash) != link.hash {
            self.object(link.number, "the record or its hash was changed");
        }
        match serde_json::from_str::<Event>(&link.body) {
            Ok(event) if !repeats(link, &event) => {
                self.object(link.number, "the record's columns were changed");
            }
            Ok(event) if event.kind == Kind::Audit && event.sqlstate == BROKEN => {
                let why = event.object.unwrap_or_default();
                self.object(link.number, format!("the server found at its start: {why}"));
            }
            Ok(_) => {}
            Err(_) => self.object(link.number, "the record cannot be read"),
        }
        self.tip = Tip {
            number: link.number,
            hash: unhex(&link.hash).unwrap_or(next.hash),
        };
        self.verdict.checked += 1;
        self.verdict.first.get_or_insert(link.number);
        self.verdict.last = Some(link.number);
    }

    /// Compares the end with the sealed one.
    pub(crate) fn finish(mut self, head: Option<Tip>) -> Verdict {
        match head {
            None => self.object(self.tip.number + 1, "the chain's end is not known"),
            Some(head) if head.number > self.tip.number => {
                let (first, last) = (self.tip.number + 1, head.number);
                self.object(first, format!("records {first} to {last} are missing"));
            }
            Some(head) if head != self.tip => {
                self.object(head.number, "the chain does not end where it ended");
            }
            Some(_) => {}
        }
        self.verdict.head = hex(&self.tip.hash);
        self.verdict
    }
}

/// Whether a link's columns say what its body says.
fn repeats(link: &Link, event: &Event) -> bool {
    link.database == event.database
        && link.at == event.at
        && link.kind == event.kind.name()
        && link.login == event.login
        && link.operator == event.operator
}

/// The key of a data folder, and whether it was there; it is made once and readable by the server alone.
///
/// # Errors
///
/// [`Error::Unusable`] when it cannot be read or written, or is no key.
pub(crate) fn load_key(folder: &Path) -> Result<([u8; 32], bool)> {
    let path = folder.join(KEY_FILE);
    let unusable = |what: &str| Error::Unusable(format!("{}: {what}", path.display()));
    match std::fs::read(&path) {
        Ok(kept) => {
            let key = kept.try_into().map_err(|_| unusable("not an audit key"))?;
            Ok((key, true))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
            key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
            let write = || {
                let mut options = std::fs::OpenOptions::new();
                let mut file = options
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)?;
                file.write_all(&key)?;
                file.sync_all()
            };
            write().map_err(|error: std::io::Error| unusable(&error.to_string()))?;
            Ok((key, false))
        }
        Err(error) => Err(unusable(&error.to_string())),
    }
}

/// Bytes as two letters each.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads what [`hex`] wrote.
fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}

impl Tip {
    /// The hash in hex.
    pub(crate) fn hex(&self) -> String {
        hex(&self.hash)
    }

    /// Reads an anchor's number and hash.
    pub(crate) fn read(number: i64, text: &str) -> Option<Self> {
        Some(Self {
            number,
            hash: unhex(text)?,
        })
    }
}
