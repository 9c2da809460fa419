//! The functions that SQL can call.
//!
//! ```text
//! error      what can be wrong with a call
//! pg         PostgreSQL's own functions, where the engine lacks them or answers differently
//! function   scalar, aggregate and window functions with named arguments
//! relation   the one mechanism behind every table function
//! series, forecast, anomaly, stats, kpi, money, portfolio, risk, sentiment
//!            …and the functions on both, one folder a topic
//! walk       the way through parsed SQL
//! reference  the manual: a page a function, with an example that a test runs
//! math       the numbers: slices in, slices out
//! ```
//!
//! The server calls [`rewrite_calls`] on the parsed statement, gives its session state
//! what [`register_all`] adds, its query planner [`extension_planners`], and its plan guard [`is_known_node`].

pub mod anomaly;
pub mod error;
mod features;
pub mod forecast;
mod function;
mod kpi;
mod listing;
pub mod math;
mod money;
pub mod pg;
pub mod portfolio;
pub mod reference;
pub mod relation;
mod risk;
mod sentiment;
pub mod series;
mod stats;
pub mod walk;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableFunction as TableFunctionOf;
use datafusion::common::Result;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::logical_expr::UserDefinedLogicalNode;
use datafusion::logical_expr::planner::RelationPlanner;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::ExtensionPlanner;
use datafusion::sql::sqlparser::ast::VisitMut;

pub use error::Error;
pub use features::{feature_of, features};
use function::{AggregateSpec, Declaration, ScalarSpec, WindowSpec};
pub use listing::{Listed, ListedArgument, Shape, listing};
use relation::{TableFunction, TableFunctionNode, TableFunctionPlanner, TableFunctions};

static TABLE_FUNCTIONS: LazyLock<TableFunctions> = LazyLock::new(|| {
    let mut functions: Vec<Arc<dyn TableFunction>> = forecast::tables();
    functions.extend(risk::tables());
    functions.extend(sentiment::tables());
    functions.extend(portfolio::table_functions());
    functions.extend(anomaly::tables());
    functions.extend(series::tables());
    functions.extend(stats::tables());
    functions.extend(kpi::tables());
    TableFunctions::new(functions)
});

/// Every table function; a new one is a line in the list above.
pub fn table_functions() -> &'static TableFunctions {
    &TABLE_FUNCTIONS
}

/// What plans calls of table functions in FROM.
pub fn relation_planners() -> Vec<Arc<dyn RelationPlanner>> {
    vec![Arc::new(table_functions().clone())]
}

/// What turns our logical nodes into operators; for the session's query planner.
pub fn extension_planners() -> Vec<Arc<dyn ExtensionPlanner + Send + Sync>> {
    vec![
        Arc::new(TableFunctionPlanner),
        Arc::new(pg::sets::SetRowsPlanner),
    ]
}

/// Adds our functions and planners to those that the builder has; where the engine has a function of the
/// same name, ours takes its place. The query planner stays the caller's: it must use [`extension_planners`].
pub fn register_all(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let scalars = builder.scalar_functions().get_or_insert_default();
    scalars.extend(pg::scalar_functions());
    scalars.extend(self::scalars().map(|spec| Arc::new(spec.function.udf())));
    let aggregates = builder.aggregate_functions().get_or_insert_default();
    aggregates.extend(pg::aggregate_functions());
    aggregates.extend(self::aggregates().map(|spec| Arc::new(spec.udaf())));
    let windows = builder.window_functions().get_or_insert_default();
    windows.extend(pg::window_functions());
    windows.extend(self::windows().map(|spec| Arc::new(spec.udwf())));
    // The first planner that knows an operator decides, so PostgreSQL's come before the engine's.
    let planners = builder.expr_planners().get_or_insert_default();
    planners.splice(0..0, pg::expr_planners());
    let tables = builder.table_functions().get_or_insert_default();
    for (name, function) in pg::table_functions() {
        tables.insert(name.clone(), Arc::new(TableFunctionOf::new(name, function)));
    }
    let planners = builder.relation_planners().get_or_insert_default();
    planners.extend(relation_planners());
    builder
}

/// Puts the set-returning functions in place of others of their names.
///
/// # Errors
/// What the registry refuses.
pub fn register_set_functions(registry: &mut dyn FunctionRegistry) -> Result<()> {
    for function in pg::sets::set_functions() {
        registry.register_udf(Arc::new(function))?;
    }
    Ok(())
}

/// Makes the calls in a statement or expression plain, before DataFusion plans them: `forecast(sales, …)` reads
/// `forecast((SELECT * FROM sales), …)`, and named arguments of other functions come in their places.
///
/// # Errors
/// For calls that the functions' declarations do not allow.
pub fn rewrite_calls(node: &mut impl VisitMut) -> error::Result<()> {
    table_functions().rewrite_relation_arguments(node);
    function::rewrite(node, declaration)
}

/// The functions with named arguments, table functions excepted.
fn declarations() -> impl Iterator<Item = &'static Declaration> {
    let aggregates = aggregates().map(|spec| &spec.declaration);
    let windows = windows().map(|spec| &spec.declaration);
    scalars()
        .map(|spec| &spec.declaration)
        .chain(aggregates)
        .chain(windows)
}

fn aggregates() -> impl Iterator<Item = &'static AggregateSpec> {
    risk::aggregates()
        .chain(sentiment::aggregates())
        .chain(stats::aggregates())
        .chain(money::aggregates())
}

fn windows() -> impl Iterator<Item = &'static WindowSpec> {
    risk::windows()
        .chain(money::windows())
        .chain(anomaly::windows())
}

fn scalars() -> impl Iterator<Item = &'static ScalarSpec> {
    risk::scalars()
        .chain(sentiment::scalars())
        .chain(money::scalars())
}

fn declaration(name: &str) -> Option<&'static Declaration> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Declaration>> =
        LazyLock::new(|| declarations().map(|found| (found.name, found)).collect());
    BY_NAME.get(name).copied()
}

/// Whether an operator runs one of our functions over relations, which work through a group at a stretch.
pub fn is_table_operator(plan: &dyn ExecutionPlan) -> bool {
    (plan as &dyn std::any::Any).is::<relation::TableFunctionExec>()
}

/// Whether an extension node is one of ours: it reads nothing but its inputs, and gives each row of its
/// result from them and its options.
pub fn is_known_node(node: &dyn UserDefinedLogicalNode) -> bool {
    node.as_any().is::<TableFunctionNode>() || node.as_any().is::<pg::sets::SetRows>()
}
