//! PostgreSQL's ways of saying things, turned into the engine's before planning. One each file.

pub(super) mod do_nothing;
pub(super) mod functions;
pub(super) mod locks;
pub(super) mod object_names;
pub(super) mod operators;
pub(super) mod output_names;
pub(super) mod refused;
pub(super) mod scalar_subqueries;
mod similar;
pub(super) mod single_value;
pub(super) mod spelling;
pub(super) mod time_travel;
