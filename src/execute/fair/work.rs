//! A task of a statement: it is polled where its statement belongs, and each poll is counted.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use tessera_catalog::storage::Encoder;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::gate::{Entered, Ticket};
use super::{Cpu, clock};

thread_local! {
    /// The statement whose work this thread does.
    static CURRENT: RefCell<Option<Cpu>> = const { RefCell::new(None) };
}

/// A task of a statement.
pub(super) struct Work<T> {
    cpu: Cpu,
    inner: Option<BoxFuture<'static, T>>,
    /// Its place among those that wait for a thread that gives way.
    ticket: Option<Arc<Ticket>>,
    /// Once it runs on such threads.
    moved: Option<AbortOnDropHandle<T>>,
}

impl<T: Send + 'static> Work<T> {
    pub(super) fn new(cpu: Cpu, inner: BoxFuture<'static, T>) -> Self {
        Self {
            cpu,
            inner: Some(inner),
            ticket: None,
            moved: None,
        }
    }

    /// Goes on as a task of the threads that give way.
    fn go(&mut self, inner: BoxFuture<'static, T>, cx: &mut Context<'_>) -> Poll<T> {
        let work = Self::new(self.cpu.clone(), inner);
        let mut moved = AbortOnDropHandle::new(self.cpu.fair.back.spawn(work));
        let polled = joined(Pin::new(&mut moved).poll(cx));
        self.moved = Some(moved);
        polled
    }
}

impl<T: Send + 'static> Future for Work<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        if let Some(moved) = &mut this.moved {
            return joined(Pin::new(moved).poll(cx));
        }
        if !clock::gives_way() {
            if this.cpu.is_long() {
                if let Some(inner) = this.inner.take() {
                    return this.go(inner, cx);
                }
            } else if let Some(inner) = &mut this.inner {
                let _step = this.cpu.statement.share.step_in_front();
                return this.cpu.measured(|| inner.as_mut().poll(cx));
            }
            return Poll::Pending;
        }
        let gate = &this.cpu.fair.gate;
        match gate.enter(&this.cpu.statement, &mut this.ticket, cx) {
            Entered::Wait { watch } => {
                if watch {
                    this.cpu.fair.watch();
                }
                Poll::Pending
            }
            Entered::Go(_grant) => match &mut this.inner {
                Some(inner) => this.cpu.measured(|| inner.as_mut().poll(cx)),
                None => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.cpu.fair.gate.leave(&ticket);
        }
    }
}

/// Work that stays where it is polled, and is counted there.
pub struct Counting<F> {
    cpu: Cpu,
    inner: Pin<Box<F>>,
}

impl<F: Future> Counting<F> {
    pub(super) fn new(cpu: Cpu, inner: F) -> Self {
        Self {
            cpu,
            inner: Box::pin(inner),
        }
    }
}

impl<F: Future> Future for Counting<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let inner = &mut this.inner;
        this.cpu.measured(|| inner.as_mut().poll(cx))
    }
}

impl Encoder for Cpu {
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let task = self.spawn(async move { work() });
        // A panic inside is seen by who waits for what the work was to give.
        Box::pin(async move { drop(task.await) })
    }
}

/// What a task gave that went elsewhere; it panics where its panic is looked for.
fn joined<T>(polled: Poll<Result<T, JoinError>>) -> Poll<T> {
    match polled {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(value)) => Poll::Ready(value),
        Poll::Ready(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The server stops, and nobody waits.
            Err(_) => Poll::Pending,
        },
    }
}

impl Cpu {
    /// Runs a part of the statement's work, counting its CPU time.
    fn measured<T>(&self, run: impl FnOnce() -> T) -> T {
        let _current = Current::set(self.clone());
        let begin = Instant::now();
        let value = run();
        self.charge(clock::spent(begin));
        value
    }
}

/// Puts back the statement of before when dropped.
struct Current(Option<Cpu>);

impl Current {
    fn set(cpu: Cpu) -> Self {
        Self(CURRENT.replace(Some(cpu)))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

/// Makes tasks that operators start tasks of the statement that they are of.
struct Tracer;

impl JoinSetTracer for Tracer {
    fn trace_future(
        &self,
        future: BoxFuture<'static, Box<dyn Any + Send>>,
    ) -> BoxFuture<'static, Box<dyn Any + Send>> {
        match CURRENT.with_borrow(Clone::clone) {
            Some(cpu) => Work::new(cpu, future).boxed(),
            None => future,
        }
    }

    fn trace_block(
        &self,
        run: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> Box<dyn FnOnce() -> Box<dyn Any + Send> + Send> {
        match CURRENT.with_borrow(Clone::clone) {
            Some(cpu) => Box::new(move || cpu.measured(run)),
            None => run,
        }
    }
}

/// Has operators' tasks counted from now on, for the whole process.
pub(super) fn trace() {
    static TRACER: Tracer = Tracer;
    // Another server in the process did it before.
    let _ = set_join_set_tracer(&TRACER);
}
