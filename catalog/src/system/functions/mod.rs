//! x
use super::scene::Scene;
use datafusion::logical_expr::ScalarUDF;
use std::sync::Arc;
/// x
pub fn functions(_scene: Arc<Scene>) -> Vec<Arc<ScalarUDF>> {
    Vec::new()
}
