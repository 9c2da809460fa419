//! PostgreSQL's ways of saying things, turned into the engine's before planning. One each file.

mod aggregates;
pub(super) mod functions;
pub(super) mod literals;
pub(super) mod output_names;
pub(super) mod refused;
mod similar;
pub(super) mod spelling;
pub(super) mod time_travel;
