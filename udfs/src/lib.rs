//! The functions that SQL can call.
//!
//! ```text
//! error      what can be wrong with a call
//! pg         PostgreSQL's own functions, where the engine lacks them or answers differently
//! relation   the one mechanism behind every table function
//! forecast   …and the functions on it, one folder a topic
//! math       the numbers: slices in, slices out
//! ```
//!
//! The server calls [`rewrite_relation_arguments`] on the parsed statement, gives its session state
//! what [`register_all`] adds, its query planner [`extension_planners`], and its plan guard [`is_known_node`].

pub mod error;
pub mod forecast;
pub mod math;
pub mod pg;
pub mod relation;

#[cfg(test)]
mod testing;

use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableFunction as TableFunctionOf;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::UserDefinedLogicalNode;
use datafusion::logical_expr::planner::RelationPlanner;
use datafusion::physical_planner::ExtensionPlanner;
use datafusion::sql::sqlparser::ast::Statement;

pub use error::Error;
use relation::{TableFunction, TableFunctionNode, TableFunctionPlanner, TableFunctions};

static TABLE_FUNCTIONS: LazyLock<TableFunctions> = LazyLock::new(|| {
    let functions: Vec<Arc<dyn TableFunction>> = vec![Arc::new(forecast::ForecastFunction)];
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
    vec![Arc::new(TableFunctionPlanner)]
}

/// Adds our functions and planners to those that the builder has; where the engine has a function of the
/// same name, ours takes its place. The query planner stays the caller's: it must use [`extension_planners`].
pub fn register_all(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let scalars = builder.scalar_functions().get_or_insert_default();
    scalars.extend(pg::scalar_functions());
    let aggregates = builder.aggregate_functions().get_or_insert_default();
    aggregates.extend(pg::aggregate_functions());
    let windows = builder.window_functions().get_or_insert_default();
    windows.extend(pg::window_functions());
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

/// Makes `forecast(sales, …)` read `forecast((SELECT * FROM sales), …)` everywhere in a statement,
/// so that DataFusion sees the table before it plans.
pub fn rewrite_relation_arguments(statement: &mut Statement) {
    table_functions().rewrite_relation_arguments(statement);
}

/// Whether an extension node is one of ours: it reads nothing but its inputs, and gives each row of its
/// result from them and its options.
pub fn is_known_node(node: &dyn UserDefinedLogicalNode) -> bool {
    node.as_any().is::<TableFunctionNode>()
}
