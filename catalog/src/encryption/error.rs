//! What keeps an encrypted file from being read. No text names more than files and keys' ids.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

/// Why an encrypted file cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// Its bytes are not those that were written under its name.
    #[error("invalid data in encrypted file \"{0}\"")]
    Damaged(String),
    /// It is a plain file among encrypted ones.
    #[error("file \"{0}\" is not encrypted, as all files of its tenant are")]
    NotSealed(String),
    #[error("file \"{file}\" is encrypted with key {key}, which its tenant does not have")]
    UnknownKey { file: String, key: Uuid },
    /// The tenant's keys cannot be unwrapped.
    #[error("the tenant's files cannot be decrypted: {0}")]
    Locked(Arc<str>),
}

impl SealError {
    /// The one that caused another error.
    pub fn behind<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            // An error inside an io::Error is not its `source`.
            if let Some(inner) = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                && let Some(found) = Self::behind(inner)
            {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

impl From<SealError> for object_store::Error {
    fn from(error: SealError) -> Self {
        Self::Generic {
            store: "encryption",
            source: Box::new(error),
        }
    }
}
