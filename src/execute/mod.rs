//! Runs guarded plans, and nothing else.
//!
//! A plan is optimised and run on the CPU runtime; its batches come back through a bounded channel,
//! so a slow client holds the query back instead of filling memory. Dropping the stream stops the
//! query at once.

mod checked;
mod constant;
mod disk;
mod fair;
mod fold;
mod limits;
mod long;
mod memory;
mod meter;
mod moments;
mod planning;
mod quick;
mod usage;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::mpsc;

pub use disk::{ServerDisk, TenantDisk};
pub use fair::{Counting, Cpu, CpuShare, Fair};
pub(crate) use fair::{give_way, go_first};
pub(crate) use limits::bounded;
pub use limits::{Interrupt, Interruption, Limits};
pub use memory::{RoleMemory, StatementPool, TenantPool};
pub use meter::Meter;
pub use moments::Moments;
pub use planning::interruptible;
pub use usage::Counters;

use self::planning::Wanted;
use crate::error::{Error, Result};
use crate::policy::{GuardedPlan, Runner};

/// Batches of a running statement.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// Batches that wait for the client before the query is held back.
const WAITING_BATCHES: usize = 4;

/// What a plan runs with.
#[derive(Clone)]
pub struct Execution {
    pub state: Arc<SessionState>,
    /// Where the statement's work runs, and what counts it.
    pub meter: Arc<Meter>,
    pub limits: Limits,
    pub interrupt: Interrupt,
    /// What `now()` and its like answer.
    pub moments: Moments,
    /// Where EXPLAIN ANALYZE finds the plans that a statement ran, with their metrics.
    pub observed: Option<Observed>,
}

/// The plans that a statement has run, in the order in which they started.
pub type Observed = Arc<Mutex<Vec<Arc<dyn ExecutionPlan>>>>;

impl Runner for Execution {
    fn any_row(&self, plan: GuardedPlan) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            match run(plan, self).next().await {
                Some(batch) => Ok(batch?.num_rows() > 0),
                None => Ok(false),
            }
        })
    }
}

/// Starts a plan and gives its batches as they come.
pub fn run(plan: GuardedPlan, execution: &Execution) -> BatchStream {
    // EXPLAIN ANALYZE wants a plan that it can show.
    if execution.observed.is_none()
        && let Some(row) = constant::row(plan.plan())
    {
        return Box::pin(futures::stream::once(async { Ok(row) }));
    }
    let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
    let inner = execution.clone();
    let wanted = Wanted::default();
    let task = execution
        .meter
        .cpu()
        .spawn(wanted.clone().watch(async move {
            if let Err(error) = forward(plan, &inner, &sender).await {
                // A receiver that is gone wants no error either.
                let _ = sender.send(Err(error)).await;
            }
        }));
    let running = Running {
        receiver,
        task: AbortOnDrop { task, wanted },
        limits: execution.limits,
        interrupt: execution.interrupt.clone(),
    };
    // The limits are watched where the rows are awaited: an operator that does not come back for a
    // while keeps its own thread busy, not the client waiting.
    Box::pin(futures::stream::unfold(
        Some(running),
        |running| async move {
            let mut running = running?;
            let (limits, interrupt) = (running.limits, running.interrupt.clone());
            match limits::bounded(running.next(), limits, &interrupt).await {
                Ok(Some(batch)) => Some((Ok(batch), Some(running))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        },
    ))
}

/// Optimises a plan and makes it physical, for EXPLAIN.
///
/// # Errors
/// What the engine cannot plan.
pub async fn physical(
    plan: GuardedPlan,
    state: &SessionState,
    moments: Moments,
) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = moments.put_into(plan.into_plan(), state)?;
    Ok(state.create_physical_plan(&plan).await?)
}

async fn forward(
    plan: GuardedPlan,
    execution: &Execution,
    sender: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let plan = physical(plan, &execution.state, execution.moments).await?;
    let plan = checked::checked(plan, execution.limits, &execution.interrupt)?;
    let plan = quick::quick(plan)?;
    if let Some(observed) = &execution.observed {
        observed.lock().push(Arc::clone(&plan));
    }
    if long::works_long(plan.as_ref()) {
        execution.meter.cpu().give_way().await;
    }
    let _tally = execution.meter.tally(&plan);
    let mut batches = execute_stream(plan, context(execution))?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// What operators find: the session's settings, and memory that is the statement's. A physical plan
/// holds its functions itself, so none are copied for each statement.
fn context(execution: &Execution) -> Arc<TaskContext> {
    let state = execution.state.as_ref();
    let runtime = execution.meter.runtime(state.runtime_env());
    Arc::new(TaskContext::new(
        None,
        state.session_id().to_owned(),
        state.config().clone(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        runtime,
    ))
}

/// The receiving end, which ends the query when it is dropped.
struct Running {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    task: AbortOnDrop<()>,
    limits: Limits,
    interrupt: Interrupt,
}

impl Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.receiver.recv().await {
            return batch.map(Some);
        }
        match (&mut self.task.task).await {
            Err(failure) if failure.is_panic() => {
                tracing::error!("a query panicked");
                Err(Error::internal("a query panicked"))
            }
            _ => Ok(None),
        }
    }
}

/// Runs a plan for EXPLAIN ANALYZE: the plan with its metrics, the rows and the time it took.
///
/// # Errors
/// What the plan meets.
pub async fn analyze(
    plan: GuardedPlan,
    execution: &Execution,
) -> Result<(Arc<dyn ExecutionPlan>, u64, std::time::Duration)> {
    let inner = execution.clone();
    let wanted = Wanted::default();
    let task = execution
        .meter
        .cpu()
        .spawn(wanted.clone().watch(async move {
            let started = std::time::Instant::now();
            let physical = physical(plan, &inner.state, inner.moments).await?;
            let physical = checked::checked(physical, inner.limits, &inner.interrupt)?;
            let physical = quick::quick(physical)?;
            if long::works_long(physical.as_ref()) {
                inner.meter.cpu().give_way().await;
            }
            let _tally = inner.meter.tally(&physical);
            let mut batches = execute_stream(Arc::clone(&physical), context(&inner))?;
            let mut rows = 0;
            while let Some(batch) = batches.next().await {
                rows += batch?.num_rows() as u64;
            }
            Ok((physical, rows, started.elapsed()))
        }));
    let mut running = AbortOnDrop { task, wanted };
    limits::bounded(
        async {
            (&mut running.task)
                .await
                .map_err(|error| Error::Internal(Box::new(error)))?
        },
        execution.limits,
        &execution.interrupt,
    )
    .await
}

/// A task on the CPU runtime that ends when nobody waits for it any more.
struct AbortOnDrop<T> {
    task: tokio::task::JoinHandle<T>,
    wanted: Wanted,
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.wanted.give_up();
        self.task.abort();
    }
}
