//! The instants of a statement: `now()` and its like become literals before the plan is optimised,
//! so every call of one statement answers the same and a kept plan answers anew each time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};

use crate::error::Result;
use crate::policy::Barrier;

/// The functions that answer the transaction's start, in their various types.
const OF_TRANSACTION: [&str; 6] = [
    "now",
    "current_timestamp",
    "localtimestamp",
    "current_date",
    "current_time",
    "localtime",
];

/// When the transaction and the statement began.
#[derive(Debug, Clone, Copy)]
pub struct Moments {
    pub transaction: DateTime<Utc>,
    pub statement: DateTime<Utc>,
}

impl Moments {
    /// A statement that begins now, in a transaction that began then, in microseconds since 1970.
    pub fn starting_now(transaction: i64) -> Self {
        let statement = Utc::now();
        Self {
            transaction: DateTime::from_timestamp_micros(transaction).unwrap_or(statement),
            statement,
        }
    }

    /// The plan with literals in place of the functions of the current time.
    ///
    /// # Errors
    /// A call whose precision cannot be read.
    pub fn put_into(self, plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
        if !asks(&plan)? {
            return Ok(plan);
        }
        let context = |moment: DateTime<Utc>| {
            SimplifyContext::builder()
                .with_config_options(Arc::clone(state.config_options()))
                .with_query_execution_start_time(Some(moment))
                .build()
        };
        let (transaction, statement) = (context(self.transaction), context(self.statement));
        let folded = plan.transform_up_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = &node
                && let Some(barrier) = barrier(&scan.source)
            {
                let inside = self.put_into(barrier.plan().clone(), state)?;
                let mut scan = scan.clone();
                scan.source = provider_as_source(Arc::new(barrier.with_plan(inside)));
                return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
            }
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let folded = expr.transform_up(|expr| match asked(&expr) {
                    Some(true) => fold(expr, &transaction),
                    Some(false) => fold(expr, &statement),
                    None => Ok(Transformed::no(expr)),
                })?;
                Ok(folded.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(folded.data)
    }
}

/// The rows behind a barrier, which are planned by themselves.
fn barrier(source: &Arc<dyn TableSource>) -> Option<&Barrier> {
    let source = source.downcast_ref::<DefaultTableSource>()?;
    (source.table_provider.as_ref() as &dyn std::any::Any).downcast_ref::<Barrier>()
}

fn asks(plan: &LogicalPlan) -> EngineResult<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(barrier) = barrier(&scan.source)
        {
            found = found || asks(barrier.plan())?;
        }
        node.apply_expressions(|expr| {
            found = found || expr.exists(|expr| Ok(asked(expr).is_some()))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(if found {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

/// Whether a call is for the transaction's start, the statement's, or none of both.
fn asked(expr: &Expr) -> Option<bool> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    match call.name() {
        name if OF_TRANSACTION.contains(&name) => Some(true),
        "statement_timestamp" => Some(false),
        _ => None,
    }
}

fn fold(expr: Expr, context: &SimplifyContext) -> EngineResult<Transformed<Expr>> {
    let Expr::ScalarFunction(mut call) = expr else {
        return Ok(Transformed::no(expr));
    };
    let arguments = std::mem::take(&mut call.args);
    Ok(match call.func.simplify(arguments, context)? {
        ExprSimplifyResult::Simplified(literal) => Transformed::yes(literal),
        ExprSimplifyResult::Original(arguments) => {
            call.args = arguments;
            Transformed::no(Expr::ScalarFunction(call))
        }
    })
}
