//! Tessera: a multi-tenant analytics server that any PostgreSQL client can use.

pub mod auth;
pub mod config;
pub mod error;
pub mod planner;
pub mod server;
pub mod session;
pub mod telemetry;
pub mod wire;
