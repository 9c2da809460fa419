//! Tessera: a multi-tenant analytics server that any PostgreSQL client can use.
//!
//! A statement goes one way:
//!
//! ```text
//! bytes ─▶ wire ─▶ session ─▶ planner ─▶ policy ─▶ execute ─▶ format::encode ─▶ bytes
//!         (pgwire)             parse+plan   guard
//!
//!      catalog: who exists, what they own, where it is stored
//!      udfs:    the functions SQL can call
//! ```

pub mod auth;
pub mod config;
pub mod demo;
pub mod error;
pub mod execute;
pub mod format;
pub mod fuzz;
pub mod planner;
pub mod policy;
pub mod run;
pub mod server;
pub mod session;
pub mod telemetry;
pub mod wire;
