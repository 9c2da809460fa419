//! The one task that commits: all transactions that wait become one durable group.
//!
//! One that fails gets its error and leaves its group; when the group as a whole fails, each is tried
//! alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::group::{COMPACTION, Group};
use super::shared::Shared;
use crate::commit::Commit;
use crate::error::Result;
use crate::id::DatabaseId;

/// The longest that commits wait for storage to catch up, at a time.
const MAX_LOG_WAIT: Duration = Duration::from_secs(1);

/// What the committer is asked.
#[derive(Debug)]
pub(super) enum Request {
    Commit {
        commit: Commit,
        reply: oneshot::Sender<Result<()>>,
    },
    /// Commit what was queued before, then end.
    Close { reply: oneshot::Sender<()> },
}

/// A transaction whose caller waits.
struct Waiting {
    commit: Commit,
    reply: oneshot::Sender<Result<()>>,
}

/// Commits until the catalog closes.
pub(super) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Request>) {
    let mut next = None;
    let closing = loop {
        let first = match next.take() {
            Some(request) => request,
            None => match queue.recv().await {
                Some(request) => request,
                None => break None,
            },
        };
        let first = match first {
            Request::Commit { commit, reply } => Waiting { commit, reply },
            Request::Close { reply } => break Some(reply),
        };
        let max = if is_alone(&first.commit) {
            1
        } else {
            shared.limits.max_group
        };
        let mut group = vec![first];
        while group.len() < max {
            match queue.try_recv() {
                Ok(Request::Commit { commit, reply }) if !leads(&commit) => {
                    group.push(Waiting { commit, reply });
                }
                Ok(request) => {
                    next = Some(request);
                    break;
                }
                Err(_) => break,
            }
        }
        commit_group(&shared, group).await;
        wait_for_log(&shared).await;
        if shared.is_halted() {
            return;
        }
    };
    queue.close();
    // Without its sender the log writer ends when it has written all.
    shared.log.lock().take();
    shared.needs.close();
    if let Some(reply) = closing {
        let _ = reply.send(());
    }
}

/// Whether a commit must be the first of its group: names that the system takes are compared with
/// the tenants' in the database, which must then hold all that came before.
fn leads(commit: &Commit) -> bool {
    is_alone(commit)
        || commit
            .databases
            .iter()
            .any(|change| change.base.id == DatabaseId::System)
}

/// Whether a commit must be a version of its own: the log says of a version as a whole that it only
/// rewrites files.
fn is_alone(commit: &Commit) -> bool {
    commit
        .parts
        .iter()
        .any(|change| change.operation == COMPACTION)
}

async fn commit_group(shared: &Shared, group: Vec<Waiting>) {
    let mut groups = VecDeque::from([group]);
    while let Some(waiting) = groups.pop_front() {
        let mut group = Group::new(shared);
        let mut admitted = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            match group.admit(&waiting.commit).await {
                Ok(()) => admitted.push(waiting),
                Err(error) => waiting.answer(Err(error)),
            }
        }
        let done = group.finish().await;
        if shared.is_halted() {
            return;
        }
        match done {
            Ok(()) => admitted
                .into_iter()
                .for_each(|waiting| waiting.answer(Ok(()))),
            Err(error) if admitted.len() > 1 => {
                // One of them may be at fault: each gets its own group, and its own error.
                tracing::warn!(%error, "a group of commits failed and is tried one by one");
                groups.extend(admitted.into_iter().map(|waiting| vec![waiting]));
            }
            Err(error) => {
                if let Some(waiting) = admitted.pop() {
                    waiting.answer(Err(error));
                }
            }
        }
    }
}

impl Waiting {
    fn answer(self, answer: Result<()>) {
        // A caller that no longer waits needs no answer.
        let _ = self.reply.send(answer);
    }
}

/// Lets storage catch up when it is far behind, so that a start never has much to redo.
async fn wait_for_log(shared: &Shared) {
    let is_behind =
        || shared.pending_entries.load(Ordering::Relaxed) > shared.limits.max_pending_entries;
    let waiting = async {
        loop {
            let written = shared.entry_written.notified();
            if !is_behind() {
                return;
            }
            written.await;
        }
    };
    if is_behind() {
        // When storage fails, commits of rows fail by themselves, and the others need not wait.
        let _ = tokio::time::timeout(MAX_LOG_WAIT, waiting).await;
    }
}
