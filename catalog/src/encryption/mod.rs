//! Tenants' files as nobody can read them who has the disk and not the keys.
//!
//! Each tenant has a data key of its own; the catalog keeps it wrapped by the server's master key
//! ([`master`], which comes from a file, a variable or a command, see [`source`]). A file is cut into
//! chunks, each sealed by a key that is derived for this file in this place ([`format`](mod@format)), so that any
//! range of it can be read, and whatever was changed, swapped, moved or cut off is found. [`SealedStore`]
//! does so below everything that reads or writes a tenant's space, which therefore knows nothing of it;
//! [`SpillFiles`] does the same for temporary files.
//!
//! What is seen from outside: how many files there are, their names, sizes and times.

mod error;
mod file;
mod format;
mod keys;
mod master;
mod rewrite;
mod ring;
mod source;
mod spill;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod upload;

pub use error::SealError;
pub use keys::Keys;
pub(crate) use ring::Ring;
pub use source::MasterKeySource;
pub use spill::SpillFiles;
pub(crate) use store::SealedStore;
