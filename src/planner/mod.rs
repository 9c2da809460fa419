//! Text to plan: `parse` splits and reads, `plan` gives the names their meaning.
//!
//! A plan made here names relations, but holds no rows and has no rights: `policy` gives it both.

mod parse;
pub mod ast;
mod command;
mod cursor;
mod dialect;
mod query;
mod rewrite;
pub mod row_ids;
pub mod scope;
pub mod source;
mod names;
mod types;
pub mod view;
mod failure;

pub use failure::engine_error;
pub use parse::parse;
pub use query::plan;
pub use rewrite::output_names::shown;
pub use scope::{Scope, SessionNames};
pub use types::sql_type;
