use std::sync::Arc; use datafusion::catalog::TableFunctionImpl; pub(super) fn functions() -> Vec<(String, Arc<dyn TableFunctionImpl>)> { vec![] }
