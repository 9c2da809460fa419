//! The model in a SQL database, and nothing of files: [`sqlite::Store`] keeps it beside the data.
//!
//! What is written goes in as one [`Batch`], in one transaction. Conflicts between transactions are
//! settled before, in memory, by [`crate::Catalog`]; this module only refuses what would break a key.

mod audit;
mod key;
mod load;
mod login;
mod persist;
mod query;
mod sqlite;
mod usage;

pub(crate) use persist::{Batch, CounterRow, DatabaseBatch};
pub(crate) use query::{PartRow, RedoRow, RemovedFileRow};
pub(crate) use sqlite::Store;
