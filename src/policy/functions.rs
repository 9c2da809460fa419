//! Which functions a query calls, and whether the caller may.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};

use super::rights::{Caller, Object, check};
use crate::error::Result;
use tessera_catalog::model::Privilege;

/// Checks the functions of one expression, its sub-queries excepted.
///
/// # Errors
/// 42501 for a function that the caller may not call.
pub fn check_calls(caller: &Caller, expr: &Expr) -> Result<()> {
    let mut refused = Ok(());
    use datafusion::common::tree_node::TreeNode;
    expr.apply(|expr| {
        let name = match expr {
            Expr::ScalarFunction(call) => call.func.name(),
            Expr::AggregateFunction(call) => call.func.name(),
            Expr::WindowFunction(call) => match &call.fun {
                WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                WindowFunctionDefinition::WindowUDF(function) => function.name(),
            },
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        refused = check(caller, Privilege::Execute, Object::Function(name));
        Ok(if refused.is_ok() {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    })?;
    refused
}
