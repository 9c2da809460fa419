//! Which bytes are read for an immutable data file: the one place where scans get their source.
