//! Columns of data files that are kept decoded in memory, so that they are decoded once and not for
//! each query: half of an analytical query's time is otherwise spent in decoding.
//!
//! What is kept is one row group's column of one immutable file, as the file reader gives it. The store
//! holds the truth: everything here can be dropped at any time, and is when room is needed.

mod cache;
mod morsel;
mod source;

pub use cache::DecodedColumns;
pub(super) use source::DecodedSource;
