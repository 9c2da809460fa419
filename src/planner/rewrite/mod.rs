//! PostgreSQL's ways of saying things, turned into the engine's before planning. One each file.

pub(super) mod alike;
pub(super) mod counted;
pub(super) mod create_table;
pub(super) mod do_nothing;
pub(super) mod domains;
pub(super) mod fractions;
pub(super) mod from_functions;
pub(super) mod full_join;
pub(super) mod functions;
mod hypothetical;
pub(super) mod locks;
mod nested_arrays;
pub(super) mod object_names;
pub(super) mod operators;
pub(super) mod output_names;
pub(super) mod refused;
pub(super) mod sampled;
pub(super) mod sets;
pub(super) mod short_aliases;
mod similar;
pub(super) mod single_value;
pub(super) mod spelling;
pub(super) mod subqueries;
pub(super) mod time_travel;
mod type_bases;
pub(super) mod whole_rows;
pub(super) mod windows;
