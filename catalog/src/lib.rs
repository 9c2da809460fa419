//! Who exists in Tessera, what they own, and where it is stored.
//!
//! The server asks [`Catalog`] for a [`model::Database`], plans over it, and hands back a
//! [`Commit`]: catalog changes and file changes that become visible together or not at all.

pub mod id;
pub mod model;
pub mod sql_type;
pub mod system;
