//! What the query engine sees of a table: its files, scanned by DataFusion's own Parquet source, and
//! rows in memory.
//!
//! [`shape`] says how a table's columns lie in files, [`scan`] turns files into a plan, [`source`] is
//! the one place that says which bytes are read for a file. Nothing here knows of rights or policies.

mod decoded;
mod memory;
mod part;
mod restore;
mod rows;
mod scan;
mod shape;
mod source;
mod union;

pub use decoded::DecodedColumns;
pub use memory::MemoryTable;
pub use part::{PartTable, PartTableOptions};
pub use rows::{RowsBranch, RowsTable, RowsTableOptions};
pub use union::{BranchRows, OpenBranch, UnionBranch, UnionTable, UnionTableOptions};

#[cfg(test)]
mod tests;
