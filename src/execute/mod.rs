//! Runs guarded plans, and nothing else.
//!
//! A plan is optimised and run on the CPU runtime; its batches come back through a bounded channel,
//! so a slow client holds the query back instead of filling memory. Dropping the stream stops the
//! query at once.

mod limits;
mod memory;

use std::pin::Pin;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub(crate) use limits::bounded;
pub use limits::{Interrupt, Interruption, Limits};
pub use memory::TenantPool;

use crate::error::{Error, Result};
use crate::policy::GuardedPlan;

/// Batches of a running statement.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// Batches that wait for the client before the query is held back.
const WAITING_BATCHES: usize = 4;

/// What a plan runs with.
#[derive(Clone)]
pub struct Execution {
    pub state: Arc<SessionState>,
    /// The runtime for work on the CPU.
    pub cpu: Handle,
    pub limits: Limits,
    pub interrupt: Interrupt,
}

/// Starts a plan and gives its batches as they come.
pub fn run(plan: GuardedPlan, execution: &Execution) -> BatchStream {
    let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
    let inner = execution.clone();
    let task = execution.cpu.spawn(async move {
        if let Err(error) = forward(plan, &inner, &sender).await {
            // A receiver that is gone wants no error either.
            let _ = sender.send(Err(error)).await;
        }
    });
    let limits = execution.limits;
    let interrupt = execution.interrupt.clone();
    // The limits are watched here and not on the runtime for queries, whose threads planning or a
    // long computation may hold without a pause.
    let ended = async move {
        let never = std::future::pending::<Result<()>>();
        match limits::bounded(never, limits, &interrupt).await {
            Err(error) => error,
            Ok(()) => Error::Cancelled,
        }
    };
    Box::pin(Running {
        receiver,
        task,
        ended: Some(Box::pin(ended)),
    })
}

/// Optimises a plan and makes it physical, for EXPLAIN.
///
/// # Errors
/// What the engine cannot plan.
pub async fn physical(plan: GuardedPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(state.create_physical_plan(plan.plan()).await?)
}

async fn forward(
    plan: GuardedPlan,
    execution: &Execution,
    sender: &mpsc::Sender<Result<RecordBatch>>,
) -> Result<()> {
    let plan = physical(plan, &execution.state).await?;
    let mut batches = execute_stream(plan, execution.state.task_ctx())?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The receiving end, which ends the query when it is dropped.
struct Running {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    task: tokio::task::JoinHandle<()>,
    /// The error of a statement whose time is up or that was cancelled; `None` after it came.
    ended: Option<Pin<Box<dyn Future<Output = Error> + Send>>>,
}

impl Stream for Running {
    type Item = Result<RecordBatch>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        use std::task::Poll;
        let Some(ended) = &mut self.ended else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(error) = ended.as_mut().poll(context) {
            self.ended = None;
            self.task.abort();
            return Poll::Ready(Some(Err(error)));
        }
        match self.receiver.poll_recv(context) {
            Poll::Ready(None) => match Pin::new(&mut self.task).poll(context) {
                Poll::Ready(Err(failure)) if failure.is_panic() => {
                    tracing::error!("a query panicked");
                    Poll::Ready(Some(Err(Error::internal("a query panicked"))))
                }
                _ => Poll::Ready(None),
            },
            other => other,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
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
    let work = execution.cpu.spawn(async move {
        let started = std::time::Instant::now();
        let physical = physical(plan, &inner.state).await?;
        let mut batches = execute_stream(Arc::clone(&physical), inner.state.task_ctx())?;
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            rows += batch?.num_rows() as u64;
        }
        Ok((physical, rows, started.elapsed()))
    });
    let abort = AbortOnDrop(work.abort_handle());
    let done = limits::bounded(
        async {
            work.await
                .map_err(|error| Error::Internal(Box::new(error)))?
        },
        execution.limits,
        &execution.interrupt,
    )
    .await;
    drop(abort);
    done
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
