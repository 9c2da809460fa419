//! The one mechanism behind every table function: `forecast((SELECT …), horizon => 12)`.
//!
//! ```text
//! SQL ─▶ planner ─▶ node ───────▶ operator ─▶ Bound::run_group, once a group
//!        │          (logical)     (physical)
//!        └ arguments, layout: checked against the Signature before anything runs
//! ```
//!
//! A function declares what it takes ([`Signature`]), says which columns it returns
//! ([`TableFunction::output`]), and computes one group ([`Bound::run_group`]). All else is here, once:
//! reading arguments, `$1`, inferring columns, planning the input as any other query, partitioning and ordering,
//! memory accounting, yielding, id columns, `status` and `on_error`.
//!
//! - The first argument and further relation arguments are planned by DataFusion's own planner over the session's
//!   catalog. No string is ever looked up as a table here.
//! - An input without rows has no groups, so it gives no rows, with and without `id_cols`.
//! - A column called `status` closes every output: NULL, or why the group was not computed.

mod arguments;
mod call;
mod group;
mod inputs;
mod layout;
mod node;
mod operator;
mod planner;
mod rewrite;
mod rows;
mod run;
mod signature;
mod value;

#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::Result;

pub use call::{Call, Options};
pub use group::{Failure, Group, Output};
pub use layout::{ColumnNames, ColumnRef, Layout, RelationLayout};
pub use node::TableFunctionNode;
pub use operator::{TableFunctionExec, TableFunctionPlanner};
pub use planner::TableFunctions;
pub use signature::{
    Argument, Class, ID_COLS, Kind, ON_ERROR, ON_ERROR_CHOICES, Presence, Rows, Signature,
    ValueType, Wanted, joined,
};
pub use value::{Constant, Value};

/// The last column of every table function.
pub const STATUS: &str = "status";

/// A function from relations to a relation.
pub trait TableFunction: Debug + Send + Sync {
    /// What it takes.
    fn signature(&self) -> &'static Signature;

    /// The columns that it returns between the id columns and `status`. Their types depend on the columns
    /// read and never on options, because options may be parameters that are not bound yet.
    ///
    /// # Errors
    /// When the columns do not fit together.
    fn output(&self, layout: &Layout) -> Result<Vec<Field>>;

    /// Checks the options together and prepares the work that all groups share. Called while planning
    /// too, as soon as the options are known, so that errors come early.
    ///
    /// # Errors
    /// When options contradict each other.
    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>>;
}

/// A table function with everything known but the rows.
pub trait Bound: Debug + Send + Sync {
    /// Computes one group. Runs to its end without yielding.
    ///
    /// # Errors
    /// [`Failure::Refused`] for a group whose data does not allow a result; it spoils no other group.
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure>;

    /// Whether the result is the same in whatever order the rows of the first relation come, so that nobody
    /// need put them in one.
    fn takes_any_order(&self) -> bool {
        false
    }

    /// The memory that computing a group of this many rows takes, beside the rows themselves.
    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(8 * 8)
    }
}

/// The columns of a call's result: id columns as they are in the input, the function's, `status`.
fn output_schema(function: &dyn TableFunction, layout: &Layout) -> Result<SchemaRef> {
    let mut fields = layout.ids().to_vec();
    fields.extend(function.output(layout)?.into_iter().map(Arc::new));
    fields.push(Arc::new(Field::new(STATUS, DataType::Utf8, true)));
    Ok(Arc::new(Schema::new(fields)))
}
