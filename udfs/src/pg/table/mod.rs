//! Functions that are called in FROM and have an operator of their own for constants.

mod generate_series;
mod rows;

use std::sync::Arc;

use datafusion::catalog::TableFunctionImpl;

/// The table functions by name.
pub fn table_functions() -> Vec<(String, Arc<dyn TableFunctionImpl>)> {
    vec![(
        "generate_series".to_owned(),
        Arc::new(generate_series::GenerateSeries),
    )]
}
