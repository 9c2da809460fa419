//! Numeric kernels on slices: no Arrow, no DataFusion, no I/O.

pub mod calendar;
pub mod forecast;
