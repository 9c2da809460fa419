//! Who exists in Tessera, what they own, and where it is stored.
//!
//! The server asks [`Catalog`] for a [`model::Database`], plans over it, and hands back a
//! [`commit::Commit`]: catalog changes and file changes that become visible together or not at all.

pub mod audit;
pub mod catalog;
pub mod commit;
pub mod encryption;
pub mod enum_type;
pub mod error;
pub mod id;
pub mod key;
pub mod locks;
pub mod model;
pub mod provider;
mod reserve;
pub mod sql_type;
pub mod storage;
mod store;
pub mod system;
pub mod zoned_time;

pub use catalog::{
    AsOf, CATALOG_FILE, Catalog, CatalogLimits, CatalogOptions, PartSize, PartVersion,
    SequenceValue,
};
pub use error::{Error, Result};
