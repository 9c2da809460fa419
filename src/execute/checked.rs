//! Checks inside operators that do not give way by themselves.
//!
//! Most operators come back after each batch, and a statement that is cancelled ends there. A nested
//! loop join works through all pairs of its inputs before it has a batch to give, so its condition
//! looks whether the statement is still wanted each time it is evaluated.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::Result as EngineResult;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder};

use super::limits::{Interrupt, Limits};
use crate::error::{Error, Result};

/// The same plan, whose long loops end when the statement does.
pub(super) fn checked(
    plan: Arc<dyn ExecutionPlan>,
    limits: Limits,
    interrupt: &Interrupt,
) -> Result<Arc<dyn ExecutionPlan>> {
    let checked = plan.transform_up(|node| {
        let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
            return Ok(Transformed::no(node));
        };
        let Some(filter) = join.filter() else {
            return Ok(Transformed::no(node));
        };
        let condition = Arc::new(Checked {
            inner: Arc::clone(filter.expression()),
            limits,
            interrupt: interrupt.clone(),
        });
        let columns = filter.column_indices().to_vec();
        let filter = JoinFilter::new(condition, columns, Arc::clone(filter.schema()));
        let (left, right) = (Arc::clone(join.left()), Arc::clone(join.right()));
        let rebuilt = NestedLoopJoinExecBuilder::new(left, right, *join.join_type())
            .with_projection_ref(join.projection().clone())
            .with_filter(Some(filter))
            .build()?;
        Ok(Transformed::yes(Arc::new(rebuilt) as Arc<dyn ExecutionPlan>))
    })?;
    Ok(checked.data)
}

/// A condition that fails once its statement is cancelled or out of time.
struct Checked {
    inner: Arc<dyn PhysicalExpr>,
    limits: Limits,
    interrupt: Interrupt,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PartialEq for Checked {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Checked {}

impl Hash for Checked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Checked {
    fn data_type(&self, input_schema: &Schema) -> EngineResult<DataType> {
        self.inner.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> EngineResult<bool> {
        self.inner.nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> EngineResult<ColumnarValue> {
        self.interrupt.check()?;
        if self
            .limits
            .deadline
            .is_some_and(|deadline| deadline <= tokio::time::Instant::now())
        {
            return Err(Error::StatementTimeout.into());
        }
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> EngineResult<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        let interrupt = self.interrupt.clone();
        Ok(Arc::new(Self {
            inner,
            limits: self.limits,
            interrupt,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
