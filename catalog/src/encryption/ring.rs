//! The keys of one tenant in memory: which one new files are encrypted with, and those of former files.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;
use zeroize::Zeroizing;

/// The length of a data key and of a master key.
pub(super) const KEY_BYTES: usize = 32;

/// A key, wiped when the last who holds it lets go.
pub(super) type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// A tenant's data key.
pub(crate) struct DataKey {
    pub(super) id: Uuid,
    pub(super) secret: Secret,
    uploads: Uploads,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DataKey").field(&self.id).finish()
    }
}

impl DataKey {
    pub(super) fn new(id: Uuid, secret: Secret) -> Self {
        Self {
            id,
            secret,
            uploads: Uploads::default(),
        }
    }

    pub(super) fn uploads(&self) -> &Uploads {
        &self.uploads
    }
}

/// How many files are being written in one way.
#[derive(Debug, Clone, Default)]
pub(super) struct Uploads(Arc<AtomicUsize>);

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Upload(Uploads);

impl Uploads {
    pub(super) fn begin(&self) -> Upload {
        self.0.fetch_add(1, Ordering::SeqCst);
        Upload(self.clone())
    }

    pub(super) fn are_none(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How the files of a space are read and written.
#[derive(Debug, Clone, Default)]
pub(crate) enum Ring {
    /// As they are.
    #[default]
    Plain,
    Open(Arc<OpenRing>),
    /// Not at all, for this reason.
    Locked(Arc<str>),
}

/// Keys that are at hand.
#[derive(Debug)]
pub(crate) struct OpenRing {
    /// The key of new files; `None` when they are not encrypted any more.
    pub(super) active: Option<Arc<DataKey>>,
    pub(super) keys: Vec<Arc<DataKey>>,
    /// Whether a plain file is right where it is: before all are rewritten.
    pub(super) plain_is_fine: bool,
}

impl OpenRing {
    pub(super) fn key(&self, id: Uuid) -> Option<&Arc<DataKey>> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl Ring {
    /// The same, with the keys that a former ring holds already, whose uploads are counted.
    pub(super) fn after(self, former: &Self) -> Self {
        let (Self::Open(next), Self::Open(former)) = (&self, former) else {
            return self;
        };
        let known = |key: &Arc<DataKey>| Arc::clone(former.key(key.id).unwrap_or(key));
        Self::Open(Arc::new(OpenRing {
            active: next.active.as_ref().map(known),
            keys: next.keys.iter().map(known).collect(),
            plain_is_fine: next.plain_is_fine,
        }))
    }
}
