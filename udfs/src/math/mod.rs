//! Numeric kernels on slices: no Arrow, no DataFusion, no I/O.
//!
//! The SQL functions of the sibling folders turn columns into slices and call these. Everything here is
//! deterministic, refuses bad input by value and never panics.

pub mod calendar;
pub mod forecast;
pub mod metrics;
pub mod optimize;
pub mod rng;
pub mod season;
