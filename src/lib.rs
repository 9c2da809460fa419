//! Tessera: a multi-tenant analytics server that any PostgreSQL client can use.

pub mod error;
pub mod planner;
pub mod policy;
