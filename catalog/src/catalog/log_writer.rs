//! Brings the log entries of durable commits to storage, behind the commits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::shared::{PARALLEL_PARTS, Shared};
use crate::error::Error;
use crate::id::Part;

/// How long the writer waits for more before it deletes redo records of its own accord; a commit
/// before that takes them along.
const IDLE: Duration = Duration::from_secs(1);
/// How long after a failure the same entry is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Writes until the catalog closes.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Part>) {
    let mut failed: BTreeSet<Part> = BTreeSet::new();
    let mut last_try = Instant::now();
    loop {
        let first = match tokio::time::timeout(IDLE, queue.recv()).await {
            Ok(Some(part)) => Some(part),
            Ok(None) => break,
            Err(_) => None,
        };
        if shared.is_halted() {
            return;
        }
        let mut parts: BTreeSet<Part> = first.into_iter().collect();
        while let Ok(part) = queue.try_recv() {
            parts.insert(part);
        }
        if parts.is_empty() {
            forget_redone(&shared).await;
        }
        if last_try.elapsed() >= RETRY {
            last_try = Instant::now();
            parts.append(&mut failed);
        }
        failed.append(&mut write(&shared, parts).await);
    }
    if !failed.is_empty() {
        tokio::time::sleep(RETRY).await;
        let _ = write(&shared, failed).await;
    }
    forget_redone(&shared).await;
}

/// Writes what these parts wait for; those that failed come back.
async fn write(shared: &Shared, parts: BTreeSet<Part>) -> BTreeSet<Part> {
    let written = stream::iter(parts).map(|part| async move {
        match shared.write_pending(part).await {
            Ok(()) => None,
            Err(error @ Error::ForeignCommit { .. }) => {
                tracing::error!(%error, ?part, "a table's log was changed by another program");
                None
            }
            Err(error) => {
                tracing::warn!(%error, ?part, "a log entry could not be written yet");
                Some(part)
            }
        }
    });
    written
        .buffer_unordered(PARALLEL_PARTS)
        .filter_map(futures::future::ready)
        .collect()
        .await
}

async fn forget_redone(shared: &Shared) {
    if shared.is_halted() {
        return;
    }
    if let Err(error) = shared.forget_redone().await {
        tracing::warn!(%error, "redo records could not be deleted yet");
    }
}
