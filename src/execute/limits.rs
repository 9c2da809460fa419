//! Time limits and interruptions around a whole statement.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// Bounds of one statement.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// When `statement_timeout` ends the statement; `None` without one.
    pub deadline: Option<Instant>,
}

impl Limits {
    /// Bounds of a statement that starts now.
    pub fn starting_now(statement_timeout_ms: u64) -> Self {
        let timeout = Duration::from_millis(statement_timeout_ms);
        let deadline = (statement_timeout_ms > 0).then(|| Instant::now() + timeout);
        Self { deadline }
    }
}

/// Why a statement was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// By a cancel request: the statement ends, the session goes on.
    Cancel,
    /// By the operator or the server's stop: the session ends.
    Terminate,
}

/// A handle by which other sessions and the server end what a session does.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// 0 nothing, 1 cancel, 2 terminate.
    state: AtomicU8,
    changed: Notify,
}

impl Interrupt {
    /// Ends the statement that runs now; without one, nothing.
    pub fn cancel(&self) {
        let _ = self
            .shared
            .state
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
        self.shared.changed.notify_waiters();
    }

    /// Ends the session.
    pub fn terminate(&self) {
        self.shared.state.store(2, Ordering::Release);
        self.shared.changed.notify_waiters();
    }

    /// Forgets a cancel request; said when a statement starts.
    pub fn clear(&self) {
        let _ = self
            .shared
            .state
            .compare_exchange(1, 0, Ordering::AcqRel, Ordering::Acquire);
    }

    /// What was asked for.
    pub fn requested(&self) -> Option<Interruption> {
        match self.shared.state.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Interruption::Cancel),
            _ => Some(Interruption::Terminate),
        }
    }

    /// Fails if something was asked for.
    ///
    /// # Errors
    /// 57014 or 57P01.
    pub fn check(&self) -> Result<()> {
        match self.requested() {
            None => Ok(()),
            Some(Interruption::Cancel) => Err(Error::Cancelled),
            Some(Interruption::Terminate) => Err(Error::Terminated),
        }
    }

    /// Waits until the session is to end.
    pub async fn terminated(&self) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.requested() == Some(Interruption::Terminate) {
                return;
            }
            changed.await;
        }
    }

    /// Waits until something is asked for.
    pub async fn wait(&self) -> Error {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // Registers before looking, so that no request falls between.
            changed.as_mut().enable();
            if let Err(error) = self.check() {
                return error;
            }
            changed.await;
        }
    }
}

/// Runs work until it is done, its time is up or it is interrupted.
///
/// # Errors
/// The work's own, 57014 when cancelled or out of time, 57P01 when the session is ended.
pub(crate) async fn bounded<T>(
    work: impl Future<Output = Result<T>>,
    limits: Limits,
    interrupt: &Interrupt,
) -> Result<T> {
    let deadline = async {
        match limits.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        error = interrupt.wait() => Err(error),
        () = deadline => Err(Error::StatementTimeout),
        done = work => done,
    }
}
