//! What a client sees, tried against the real server through its socket.
//!
//! One binary, because linking the server is slow. See `harness` for how a test gets its server and
//! how the tests themselves are proved against PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on must fail"
)]

mod client;
mod harness;

mod audit;
mod auth;
mod clients;
mod concurrency;
mod conversations;
mod copy;
mod crash;
mod ddl;
mod demo;
mod disk;
mod encryption;
mod floods;
mod forecast;
mod foreign_keys;
mod fuzz;
mod grafana;
mod isolation;
mod keys;
mod layers;
mod limits;
mod locks;
mod login;
mod mutations;
mod notifications;
mod object_store;
mod pictures;
mod property;
mod quotas;
mod reference;
mod serve;
mod tls;
mod types;
mod wire;
