//! Regular time grids: what frequency timestamps have, what comes next, and where observations are missing.
//!
//! Timestamps are microseconds since 1970 on the wall clock of the series; a caller with a time zone converts
//! before and after. Days that are an hour short or long, as daylight saving leaves them in UTC, are still days.

mod detect;
mod frequency;
mod grid;

pub use detect::detect_frequency;
pub use frequency::{Frequency, Unit};
pub use grid::{Aligned, align, interpolate};

#[cfg(test)]
mod tests;
