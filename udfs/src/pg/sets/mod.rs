//! Functions that give a set of rows: `unnest`, `generate_series`, `jsonb_each` and their kin.
//!
//! ```text
//! call ─────▶ SetFunction ──▶ SetRows ────▶ SetRowsExec
//! (in a plan)  the element's   (logical)     (physical) a row for each element
//!              type
//! ```
//!
//! A call stands in a plan as a scalar function of the element's type ([`SetFunction`]); the planner puts a
//! [`SetRows`] below it and a column in its place. What the node evaluates is the call's [`rows_of`]: a list
//! for each row of its input, or a [`series`], which is no list because it may be longer than memory.

mod from_json;
mod from_text;
mod function;
mod node;
mod operator;
mod series;
mod unnest;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;

pub use function::{SetFunction, is_set_call, place, rows_of};
pub use node::{SetColumn, SetRows, is_set_rows, keeping_empty};
pub use operator::{SetRowsExec, SetRowsPlanner};

use super::function::Spec;

/// The functions' list forms.
fn specs() -> impl Iterator<Item = Spec> {
    [unnest::UNNEST, series::GENERATE_SERIES]
        .into_iter()
        .chain(from_json::SPECS.iter().copied())
        .chain(from_text::SPECS.iter().copied())
}

/// The functions as they stand in expressions.
pub(crate) fn set_functions() -> impl Iterator<Item = ScalarUDF> {
    specs().map(|spec| ScalarUDF::new_from_impl(SetFunction::new(Arc::new(spec.udf()))))
}

/// The names of functions whose rows have several columns, and these columns.
pub const RECORDS: [(&str, &[&str]); 4] = [
    ("json_each", &["key", "value"]),
    ("json_each_text", &["key", "value"]),
    ("jsonb_each", &["key", "value"]),
    ("jsonb_each_text", &["key", "value"]),
];

/// Whether a function of this name gives a set of rows.
pub fn is_set_function(name: &str) -> bool {
    specs().any(|spec| spec.name == name)
}
