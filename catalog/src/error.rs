//! What can go wrong in the catalog and in storage.

use thiserror::Error;

use crate::commit::Expects;
use crate::encryption::SealError;
use crate::id::{Oid, Part};

/// An error of the catalog or of storage.
#[derive(Debug, Error)]
pub enum Error {
    /// Another transaction changed the same object or the same files first.
    #[error("could not serialize access due to concurrent update")]
    Conflict,
    /// What a serializable transaction read has changed before it could commit its own changes.
    #[error("what the transaction read has changed")]
    ReadMoved,
    /// Another transaction added the same key first.
    #[error("a key of table \"{table}\" is taken")]
    KeyTaken {
        table: String,
        /// The key's own number.
        constraint: Oid,
        /// As [`crate::key::KeyColumns::hashes`] numbers it.
        hash: u128,
        part: Part,
    },
    /// A key that rows refer to went, or rows came that refer to a key that goes.
    #[error("a foreign key does not hold any more")]
    ReferenceBroken {
        expects: Expects,
        constraint: Oid,
        hash: u128,
        part: Part,
    },
    /// A sequence has no further value.
    #[error("the sequence has no further value")]
    SequenceEnd,
    /// Two transactions would wait for each other.
    #[error("deadlock detected")]
    Deadlock,
    /// A name was taken between planning and commit.
    #[error("{kind} \"{name}\" already exists")]
    NameTaken { kind: &'static str, name: String },
    /// An operator wants a name that tenants use.
    #[error("name \"{name}\" is used by {} of the tenants", tenants.len())]
    NameUsedByTenants { name: String, tenants: Vec<String> },
    /// A version or moment that the table does not have.
    #[error("version {version} of table \"{table}\" does not exist")]
    NoSuchVersion { table: String, version: String },
    /// A value that cannot be stored in its column's form.
    #[error("{0}")]
    Unstorable(String),
    /// A Delta log holds an entry that this server did not commit.
    #[error("the log of table \"{table}\" was changed by another program")]
    ForeignCommit { table: String },
    /// A file is missing or damaged.
    #[error("data of table \"{table}\" is damaged")]
    Damaged {
        table: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An encrypted file cannot be read, or a tenant's keys are not at hand.
    #[error("{0}")]
    Sealed(SealError),
    /// Tenants' keys cannot be made or unwrapped.
    #[error("the master key cannot be used: {0}")]
    MasterKey(String),
    /// The store has no room left.
    #[error("could not write: no space left on device")]
    DiskFull,
    /// The object store failed.
    #[error("the object store failed")]
    Store(#[source] object_store::Error),
    /// The catalog's own database failed.
    #[error("the catalog's database failed")]
    Database(#[source] sqlx::Error),
    /// Parquet could not be written or read.
    #[error("the data file could not be written")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Arrow refused an operation.
    #[error("the data could not be converted")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Delta's library failed.
    #[error("the table's log could not be read")]
    Delta(#[source] deltalake_core::DeltaTableError),
    /// The folder is in use by another server, or cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// A new catalog is to be made, and nobody could log in to it.
    #[error("a new catalog needs the first operator's password")]
    NoOperator,
    /// The catalog holds something this version cannot read.
    #[error("the catalog holds an unreadable {kind}")]
    Unreadable {
        kind: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// DataFusion failed below the catalog.
    #[error("the query engine failed")]
    DataFusion(#[from] datafusion::error::DataFusionError),
}

impl From<deltalake_core::DeltaTableError> for Error {
    fn from(error: deltalake_core::DeltaTableError) -> Self {
        if crate::storage::is_disk_full(&error) {
            Self::DiskFull
        } else if let Some(error) = SealError::behind(&error) {
            Self::Sealed(error)
        } else {
            Self::Delta(error)
        }
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        if crate::storage::is_disk_full(&error) {
            Self::DiskFull
        } else if let Some(error) = SealError::behind(&error) {
            Self::Sealed(error)
        } else {
            Self::Store(error)
        }
    }
}

/// A result of the catalog.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        // SQLite's own number for a full disk; an extended one has it in its lowest byte.
        const SQLITE_FULL: u32 = 13;
        let code = error.as_database_error().and_then(|error| error.code());
        let code = code.and_then(|code| code.parse::<u32>().ok());
        match code {
            Some(code) if code & 0xff == SQLITE_FULL => Self::DiskFull,
            _ => Self::Database(error),
        }
    }
}
