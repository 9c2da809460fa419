//! EXPLAIN of the guarded plan, and EXPLAIN ANALYZE with what each operator did.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::sql::sqlparser::ast;

use super::describe::explain_columns;
use super::query;
use crate::error::{Error, Result};
use crate::execute::{self, Limits};
use crate::planner::ast::{Body, Explain};
use crate::policy::BarrierExec;
use crate::session::Session;
use crate::session::reply::{Reply, Rows, RowsTag};

pub(super) async fn run(
    session: &mut Session,
    explain: &Explain,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let json = match explain.format.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return Err(Error::Unsupported(format!("EXPLAIN (FORMAT {other})"))),
    };
    let query = match &explain.statement.body {
        Body::Query(query) => query.as_ref().clone(),
        // What an INSERT reads is what there is to explain of it.
        Body::Write(write) => match write.as_ref() {
            ast::Statement::Insert(insert) if !explain.analyze => match &insert.source {
                Some(source) => source.as_ref().clone(),
                None => return Err(Error::Unsupported("EXPLAIN of this statement".to_owned())),
            },
            _ => return Err(Error::Unsupported("EXPLAIN of this statement".to_owned())),
        },
        _ => return Err(Error::Unsupported("EXPLAIN of this statement".to_owned())),
    };
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (plan, _, _) = query::plan(&query, &scope, &[])?;
    let plan = query::bind(plan, parameters)?;
    let guarded = query::guard(session, plan, &caller, &scope).await?;
    let lines = if explain.analyze {
        let (physical, rows, elapsed) =
            execute::analyze(guarded, &session.execution(&scope.state, limits)).await?;
        let physical = outside(physical)?;
        let text = DisplayableExecutionPlan::with_metrics(physical.as_ref())
            .indent(explain.verbose)
            .to_string();
        let mut lines: Vec<String> = text.lines().map(clean).collect();
        lines.push(format!("Rows: {rows}"));
        lines.push(format!(
            "Execution Time: {:.3} ms",
            elapsed.as_secs_f64() * 1e3
        ));
        lines
    } else {
        let physical = execute::physical(guarded, &scope.state, session.moments()).await?;
        let physical = outside(physical)?;
        let text = DisplayableExecutionPlan::new(physical.as_ref())
            .indent(explain.verbose)
            .to_string();
        text.lines().map(clean).collect()
    };
    let lines = if json {
        let nodes: Vec<_> = lines
            .iter()
            .map(|line| serde_json::json!({ "Node Type": line.trim() }))
            .collect();
        let document = serde_json::json!([{ "Plan": { "Node Type": "Plan", "Plans": nodes } }]);
        let text = serde_json::to_string_pretty(&document)
            .map_err(|error| Error::Internal(Box::new(error)))?;
        vec![text]
    } else {
        lines
    };
    let field = Field::new("QUERY PLAN", DataType::Utf8View, true);
    let column = Arc::new(StringViewArray::from_iter_values(lines));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column])
        .map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(Reply::Rows(Rows {
        columns: explain_columns(),
        batches: Box::pin(futures::stream::iter([Ok(batch)])),
        tag: RowsTag::Fixed("EXPLAIN".to_owned()),
    }))
}

/// A plan without what is behind barriers: its counts would tell of rows that a policy hides.
fn outside(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let shown = plan.transform_down(|node| {
        Ok(match node.downcast_ref::<BarrierExec>() {
            Some(barrier) => Transformed::new(barrier.shown(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(node),
        })
    })?;
    Ok(shown.data)
}

/// A line without the names of files, which tell of storage.
fn clean(line: &str) -> String {
    let mut cleaned = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find("file_groups={") {
        let (before, after) = rest.split_at(start);
        cleaned.push_str(before);
        // The groups are in braces and brackets: `file_groups={2 groups: [[…], […]]}`.
        let end = after.find("]]}").map_or(after.len(), |end| end + 3);
        let count = after
            .get("file_groups={".len()..)
            .and_then(|s| s.split(':').next());
        cleaned.push_str("files={");
        cleaned.push_str(count.unwrap_or_default());
        cleaned.push('}');
        rest = after.get(end..).unwrap_or_default();
    }
    cleaned.push_str(rest);
    cleaned
}
