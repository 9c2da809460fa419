//! Engine types and stored types.
