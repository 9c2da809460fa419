//! PostgreSQL's everyday functions under PostgreSQL's names, where the engine lacks them or answers differently.
//!
//! A function is data ([`function::Spec`]): its overloads with PostgreSQL's types, and for each a plain function
//! over a batch. Errors carry PostgreSQL's codes ([`PgError`]). Sessions, grants and the wire are not known here.

mod aggregate;
mod array;
mod calendar;
mod datetime;
mod error;
pub(crate) mod function;
mod json;
mod misc;
mod missing;
mod number;
mod numeric;
mod operators;
mod output;
mod planner;
mod record;
mod sample;
pub mod sets;
mod sleep;
mod table;
mod text;
pub(crate) mod types;
mod value;
mod window;
mod zone;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub use aggregate::{is_numeric_aggregate, plain_aggregate};
pub use array::any::ANY_OF_ARRAY;
pub use datetime::moments::{as_moments, days_at, is_moment};
pub use datetime::zoned::{as_times, is_time};
pub use error::PgError;
pub use missing::missing_function;
pub use number::arithmetic::checked_operator;
pub use number::exact::{NumericOperator, compared_as, is_exact, number_of_float, whole_number_of};
pub use operators::is_plain_arithmetic;
pub use planner::{PgExprPlanner, WHOLE_ROW, expr_planners};
pub use record::{RECORD, fields_of_record};
pub use sample::DRAWN;
pub use table::table_functions;
pub use types::call_name;
pub(crate) use types::is_number;
pub use window::{Exclusion, Framed, excluding};

/// The scalar functions; those that depend on the session's zone follow its configuration.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let specs = [
        datetime::specs(),
        text::specs(),
        number::specs(),
        array::specs(),
        json::specs(),
        misc::specs(),
    ];
    let functions = specs.into_iter().flatten().map(function::Spec::udf);
    functions
        .chain(datetime::now::udfs())
        .chain(sleep::udfs())
        .chain(sets::set_functions())
        .chain([record::record(), array::any::any_of_array()])
        .map(Arc::new)
        .collect()
}

/// The aggregate functions.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    aggregate::aggregates()
}

/// The window functions; the engine's own suffice.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    Vec::new()
}
