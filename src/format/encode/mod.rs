//! Values on their way to the client: Arrow columns to PostgreSQL's text and binary forms.
//!
//! A batch is opened once per column ([`Column`]) and then written row by row into one buffer,
//! without an allocation per row or value. Knows no connection and no statement.

pub mod array;
pub mod binary;
pub mod column;
pub mod datetime;
pub mod display;
pub mod interval;
pub mod number;
pub mod text;

pub use column::Column;
pub use display::{ByteaOutput, DateOrder, DateStyle, Display, IntervalStyle};
