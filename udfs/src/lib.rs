//! The functions that SQL can call.

pub mod pg;
