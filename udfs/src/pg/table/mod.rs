//! Functions that are called in FROM.

mod from_json;
mod from_text;
mod generate_series;
mod rows;

use std::sync::Arc;

use datafusion::catalog::TableFunctionImpl;

/// The table functions by name.
pub fn table_functions() -> Vec<(String, Arc<dyn TableFunctionImpl>)> {
    let mut functions: Vec<(String, Arc<dyn TableFunctionImpl>)> = vec![(
        "generate_series".to_owned(),
        Arc::new(generate_series::GenerateSeries),
    )];
    functions.extend(from_text::functions());
    functions.extend(from_json::functions());
    functions
}
