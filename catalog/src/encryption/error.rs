//! What keeps an encrypted file from being read. No text names more than files and keys' ids.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use parquet::errors::ParquetError;
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

/// The name of the store that these errors come from.
const STORE: &str = "encryption";
/// How the text begins of what is locked.
const LOCKED: &str = "the tenant's files cannot be decrypted";

impl SealError {
    /// The one that caused another error.
    pub fn behind(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found.clone());
            }
            // An error inside an io::Error is not its `source`.
            if let Some(inner) = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                && let Some(found) = Self::behind(inner)
            {
                return Some(found);
            }
            let boxed = error.downcast_ref::<Box<ParquetError>>();
            let parquet = boxed.map(|boxed| &**boxed);
            let parquet = parquet.or(error.downcast_ref::<ParquetError>());
            if let Some(ParquetError::General(text)) = parquet
                && let Some(found) = Self::in_text(text)
            {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// The one in a text: who reads a file's metadata keeps no more of an error than what it said.
    fn in_text(text: &str) -> Option<Self> {
        let (_, said) = text.rsplit_once(&format!("Generic {STORE} error: "))?;
        if said.starts_with(LOCKED) {
            return Some(Self::Locked(Arc::from(said)));
        }
        let mut quoted = said.split('"');
        Some(Self::Damaged(quoted.nth(1)?.to_owned()))
    }
}

impl From<SealError> for object_store::Error {
    fn from(error: SealError) -> Self {
        Self::Generic {
            store: STORE,
            source: Box::new(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_behind_others_and_in_their_texts() {
        let all = [
            SealError::Damaged("t/a.parquet".to_owned()),
            SealError::Locked(Arc::from("why")),
        ];
        for error in all {
            let store = object_store::Error::from(error.clone());
            let text = format!("Failed to fetch metadata for file t/a.parquet: {store}");
            let said = SealError::behind(&ParquetError::General(text.clone()));
            let boxed: Box<ParquetError> = Box::new(ParquetError::General(text));
            assert_eq!(said, SealError::behind(&boxed));
            match (&error, said) {
                (SealError::Damaged(_), said) => assert_eq!(said.as_ref(), Some(&error)),
                (_, said) => assert!(matches!(said, Some(SealError::Locked(_))), "{said:?}"),
            }
            let parquet = ParquetError::External(Box::new(store));
            assert_eq!(SealError::behind(&parquet), Some(error.clone()));
            assert_eq!(
                SealError::behind(&io::Error::other(error.clone())),
                Some(error)
            );
        }
        assert_eq!(
            SealError::behind(&ParquetError::General("other".to_owned())),
            None
        );
    }
}
