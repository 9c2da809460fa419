//! The functions that SQL can call.

/// Whether a plan's node is one of ours.
pub fn is_known_node(_node: &dyn datafusion::logical_expr::UserDefinedLogicalNode) -> bool {
    false
}
