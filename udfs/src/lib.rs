//! The functions that SQL can call.
//!
//! ```text
//! error      what can be wrong with a call
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
pub mod relation;

#[cfg(test)]
mod testing;

use std::sync::{Arc, LazyLock};

use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::planner::RelationPlanner;
use datafusion::logical_expr::{ScalarUDF, UserDefinedLogicalNode};
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

/// Every scalar function.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    Vec::new()
}

/// What plans calls of table functions in FROM.
pub fn relation_planners() -> Vec<Arc<dyn RelationPlanner>> {
    vec![Arc::new(table_functions().clone())]
}

/// What turns our logical nodes into operators; for the session's query planner.
pub fn extension_planners() -> Vec<Arc<dyn ExtensionPlanner + Send + Sync>> {
    vec![Arc::new(TableFunctionPlanner)]
}

/// Adds our functions and relation planners to a session. The query planner stays the caller's:
/// it must use [`extension_planners`].
///
/// # Errors
/// When a function cannot be registered, which is a bug.
pub fn register_all(state: &mut SessionState) -> datafusion::common::Result<()> {
    for function in scalar_functions() {
        state.register_udf(function)?;
    }
    for planner in relation_planners() {
        state.register_relation_planner(planner)?;
    }
    Ok(())
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
