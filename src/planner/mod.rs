//! Text to plan: `parse` splits and reads, `plan` gives the names their meaning.
//!
//! A plan made here names relations, but holds no rows and has no rights: `policy` gives it both.

mod aside;
pub mod ast;
mod cast;
mod command;
pub mod condition;
mod cursor;
mod depth;
mod dialect;
mod domain;
mod exclusion;
mod failure;
mod keyword;
mod locking_words;
mod names;
pub mod origin;
mod outline;
pub mod params;
mod parse;
mod position;
mod query;
mod rewrite;
pub mod row_ids;
pub mod scope;
mod size;
pub mod source;
mod types;
mod typing;
mod user_types;
pub mod view;

use std::sync::Arc;

use datafusion::execution::SessionState;

use crate::format::Display;

pub use cast::assign;
pub use command::serial;
pub use failure::engine_error;
pub use names::name_parts;
pub use outline::outline;
pub use params::Parameters;
pub use parse::{changes_rows, is_change, parse};
pub use position::placed;
pub use query::{expression, plan, plan_change};
pub(crate) use rewrite::alike::{cast_to, is_untyped};
pub use rewrite::create_table::{LIKE, LIKE_OPTIONS};
pub use rewrite::do_nothing::DO_NOTHING;
pub use rewrite::domains::bind_types;
pub use rewrite::fractions::digits_of;
pub use rewrite::object_names::name_objects;
pub use rewrite::output_names::{numbered, output_name, shown};
pub use scope::{Scope, SessionNames};
pub use types::sql_type;
pub(crate) use types::written_type;
pub use typing::settle_bound;
pub use user_types::UserTypes;

/// Adds our rules to the engine's, after those that add casts of their own.
pub fn register_rules(state: &mut SessionState, display: Display) {
    state.add_analyzer_rule(Arc::new(cast::PostgresCasts { display }));
}
