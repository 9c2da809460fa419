//! Text to plan: `parse` splits and reads, `plan` gives the names their meaning.
//!
//! A plan made here names relations, but holds no rows and has no rights: `policy` gives it both.

mod parse;
pub mod ast;
mod cast;
mod command;
mod cursor;
mod dialect;
mod query;
mod rewrite;
pub mod row_ids;
pub mod scope;
pub mod source;
mod names;
pub mod params;
mod types;
pub mod view;
mod failure;

use std::sync::Arc;

use datafusion::execution::SessionState;

use crate::format::Display;

pub use failure::engine_error;
pub use parse::parse;
pub use params::Parameters;
pub use query::{expression, plan};
pub use rewrite::output_names::{numbered, output_name, shown};
pub use cast::assign;
pub use scope::{Scope, SessionNames};
pub use types::sql_type;

/// Adds our rules to the engine's, after those that add casts of their own.
pub fn register_rules(state: &mut SessionState, display: Display) {
    state.add_analyzer_rule(Arc::new(cast::PostgresCasts { display }));
}
