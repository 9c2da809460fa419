//! EXPLAIN of the guarded plan, and EXPLAIN ANALYZE with what each operator did.

use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;

use super::describe::explain_columns;
use super::{combined, query};
use crate::error::{Error, Result};
use crate::execute::{self, Limits, Observed};
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
    let lines = match &explain.statement.body {
        Body::Query(query) => of_query(session, explain, query, parameters, limits).await?,
        Body::Write(_) | Body::Combined(_) if explain.analyze => {
            of_run_change(session, explain, parameters, limits).await?
        }
        Body::Write(_) | Body::Combined(_) => of_change(session, explain, parameters).await?,
        _ => return Err(Error::Unsupported("EXPLAIN of this statement".to_owned())),
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

async fn of_query(
    session: &mut Session,
    explain: &Explain,
    query: &ast::Query,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Vec<String>> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (plan, _, _) = query::plan(query, &scope, &[])?;
    let plan = query::bind(plan, parameters)?;
    let guarded = query::guard(session, plan, &caller, &scope).await?;
    if !explain.analyze {
        let physical = execute::physical(guarded, &scope.state, session.moments()).await?;
        return described(physical, explain);
    }
    let (physical, rows, elapsed) =
        execute::analyze(guarded, &session.execution(&scope.state, limits)).await?;
    let mut lines = measured(physical, explain)?;
    lines.extend(totals(rows, elapsed));
    Ok(lines)
}

/// What a statement that changes rows would do.
async fn of_change(
    session: &mut Session,
    explain: &Explain,
    parameters: Vec<ScalarValue>,
) -> Result<Vec<String>> {
    let parts = combined::explained(session, &explain.statement.body, parameters).await?;
    let state = {
        let display = session.display();
        session.engine_state(display)?
    };
    let mut lines = Vec::new();
    for (what, guarded) in parts {
        let physical = execute::physical(guarded, &state, session.moments()).await?;
        let under = described(physical, explain)?;
        if what.is_empty() {
            lines.extend(under);
            continue;
        }
        lines.push(what);
        lines.extend(under.into_iter().map(|line| format!("  {line}")));
    }
    Ok(lines)
}

/// Runs a statement that changes rows, and tells what it did.
async fn of_run_change(
    session: &mut Session,
    explain: &Explain,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Vec<String>> {
    let statement = explain.statement.as_ref().clone();
    let prepared = Arc::new(super::prepare(session, statement, &[]).await?);
    let started = std::time::Instant::now();
    let observed = Observed::default();
    session.observed = Some(Arc::clone(&observed));
    let reply = super::run(session, &prepared, parameters, limits).await;
    session.observed = None;
    let rows = match reply? {
        Reply::Rows(mut rows) => {
            let mut count = 0;
            while let Some(batch) = rows.batches.next().await {
                count += batch?.num_rows() as u64;
            }
            count
        }
        Reply::Done { tag } => {
            let count = tag.rsplit(' ').next().map(str::parse);
            count.and_then(std::result::Result::ok).unwrap_or_default()
        }
        Reply::Empty | Reply::CopyOut(_) | Reply::CopyIn(_) => 0,
    };
    let elapsed = started.elapsed();
    let plans = std::mem::take(&mut *observed.lock());
    let mut lines = Vec::new();
    for plan in plans {
        lines.extend(measured(plan, explain)?);
    }
    lines.extend(totals(rows, elapsed));
    Ok(lines)
}

fn described(plan: Arc<dyn ExecutionPlan>, explain: &Explain) -> Result<Vec<String>> {
    let plan = outside(plan)?;
    let text = DisplayableExecutionPlan::new(plan.as_ref())
        .indent(explain.verbose)
        .to_string();
    Ok(text.lines().map(clean).collect())
}

fn measured(plan: Arc<dyn ExecutionPlan>, explain: &Explain) -> Result<Vec<String>> {
    let plan = outside(plan)?;
    let text = DisplayableExecutionPlan::with_metrics(plan.as_ref())
        .indent(explain.verbose)
        .to_string();
    Ok(text.lines().map(clean).collect())
}

fn totals(rows: u64, elapsed: std::time::Duration) -> [String; 2] {
    let milliseconds = elapsed.as_secs_f64() * 1e3;
    [
        format!("Rows: {rows}"),
        format!("Execution Time: {milliseconds:.3} ms"),
    ]
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
