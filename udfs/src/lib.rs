//! The functions that SQL can call.

pub mod math;
