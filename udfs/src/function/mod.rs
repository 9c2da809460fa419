//! Functions of rows that are called with arguments by name: `value_at_risk(ret, confidence_level => 0.99)`.
//!
//! ```text
//! SQL ─▶ rewrite: names, defaults ─▶ planner ─▶ aggregate | window | scalar (pg::function)
//!        └ checked against the Declaration
//! ```
//!
//! A function is declared as data ([`Declaration`]): its parameters, their defaults, whether it needs an order.
//! From that come the rewriting of its calls into plain positional ones, its errors and its row in `pg_proc`.
//! What it computes is in the folders beside this one.

mod aggregate;
mod answer;
mod declaration;
mod rewrite;
mod sums;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use aggregate::{AggregateSpec, Fold, Rows, Work};
pub(crate) use answer::{Answer, Shape};
pub(crate) use declaration::{Declaration, Parameter, Role, Takes};
pub(crate) use rewrite::rewrite;
pub(crate) use sums::{OfSums, over_sums};
pub(crate) use window::{Compute, Frame, OfPartition, WindowSpec};

/// A function of single rows: PostgreSQL's mechanism computes it, here its arguments get their names and defaults.
pub(crate) struct ScalarSpec {
    pub(crate) declaration: Declaration,
    pub(crate) function: crate::pg::function::Spec,
}
