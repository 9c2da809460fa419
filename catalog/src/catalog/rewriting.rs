//! Brings a tenant's files to how new ones are: under a new key, encrypted at all, or plain again.
//!
//! Each is written anew in its place; readers find either form. When none is left, no file is being
//! written in a former way and no log entry waits that was kept under a former key, the former keys go
//! with one commit. A crash at any moment leaves files of both forms and all keys: the next start counts
//! them and goes on. It runs with the rest of the upkeep, which alone removes files, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use object_store::ObjectMeta;
use tokio::sync::mpsc;

use super::committer::Request;
use super::maintenance::send;
use super::shared::Shared;
use crate::audit::{Event, Kind, SUCCESS};
use crate::commit::{Commit, DatabaseChange};
use crate::error::Result;
use crate::id::{Space, TenantId};
use crate::model::{Change, Tenant};

/// About how much is rewritten before other upkeep has its turn.
const STEP_BYTES: u64 = 64 << 20;

/// What is being rewritten.
#[derive(Debug, Default)]
pub(super) struct Rewriting {
    work: Option<Work>,
    /// Tenants for which nothing more can be done before the next round.
    tried: Vec<TenantId>,
}

/// One tenant's files.
#[derive(Debug)]
struct Work {
    tenant: Arc<Tenant>,
    /// Whether nobody was writing in a former way when they were listed.
    settled: bool,
    /// Log entries with smaller numbers may be kept under former keys.
    entries: i64,
    found: bool,
    waiting: VecDeque<ObjectMeta>,
    failed: u64,
}

impl Rewriting {
    /// Rewrites some files; whether there is more to do at once.
    pub(super) async fn step(
        &mut self,
        shared: &Shared,
        commits: &mpsc::WeakSender<Request>,
    ) -> bool {
        let work = match self.work.take() {
            Some(work) if is_wanted(shared, &work.tenant) => work,
            _ => match self.next(shared) {
                Some(tenant) => match list(shared, Arc::clone(&tenant)).await {
                    Ok(work) => work,
                    Err(error) => {
                        tracing::warn!(%error, tenant = tenant.name, "files to encrypt anew could not be listed yet");
                        self.tried.push(tenant.id);
                        return true;
                    }
                },
                None => {
                    self.tried.clear();
                    return false;
                }
            },
        };
        let work = rewrite_some(shared, work).await;
        if !work.waiting.is_empty() {
            self.work = Some(work);
            return true;
        }
        // Files that came meanwhile are as new ones are, unless someone was writing: then, and when
        // there were any, they are listed once more.
        let done = work.settled && !work.found;
        if !done && work.failed == 0 && work.found {
            return true;
        }
        self.tried.push(work.tenant.id);
        if done && let Err(error) = finish(shared, commits, &work).await {
            tracing::warn!(%error, tenant = work.tenant.name, "former keys could not be erased yet");
        }
        true
    }

    fn next(&self, shared: &Shared) -> Option<Arc<Tenant>> {
        let system = shared.system();
        let mut tenants = system.tenants.values();
        let next =
            tenants.find(|tenant| tenant.encryption.rewriting && !self.tried.contains(&tenant.id));
        next.map(Arc::clone)
    }
}

/// Whether a tenant's files are still to become what they were to become.
fn is_wanted(shared: &Shared, tenant: &Tenant) -> bool {
    let system = shared.system();
    let newest = system.tenants.get(&tenant.id);
    newest.is_some_and(|newest| newest.encryption == tenant.encryption)
}

async fn list(shared: &Shared, tenant: Arc<Tenant>) -> Result<Work> {
    let store = shared.storage.sealed(Space::Tenant(tenant.id));
    // Before the list: who begins later writes in the new way.
    let settled = store.is_settled();
    let entries = shared.next_redo.load(Ordering::Relaxed);
    let waiting = VecDeque::from(store.stale_files().await?);
    let count = waiting.len() as u64;
    shared.stale_files.lock().insert(tenant.id, count);
    Ok(Work {
        tenant,
        settled,
        entries,
        found: count > 0,
        waiting,
        failed: 0,
    })
}

async fn rewrite_some(shared: &Shared, mut work: Work) -> Work {
    let store = shared.storage.sealed(Space::Tenant(work.tenant.id));
    let mut bytes = 0;
    while bytes < STEP_BYTES
        && !shared.is_halted()
        && !shared.needs.is_closed()
        && let Some(file) = work.waiting.pop_front()
    {
        bytes += file.size;
        if let Err(error) = store.rewrite(&file.location).await {
            work.failed += 1;
            let (tenant, file) = (&work.tenant.name, &file.location);
            tracing::error!(%error, tenant, %file, "a file could not be encrypted anew");
        }
    }
    let left = work.waiting.len() as u64 + work.failed;
    shared.stale_files.lock().insert(work.tenant.id, left);
    work
}

/// Erases the former keys.
async fn finish(shared: &Shared, commits: &mpsc::WeakSender<Request>, work: &Work) -> Result<()> {
    let tenant = &work.tenant;
    let space = Space::Tenant(tenant.id);
    shared.forget_redone().await?;
    if shared.store.has_redo(space, work.entries).await? {
        return Ok(());
    }
    let base = shared.system();
    if !is_wanted(shared, tenant) {
        return Ok(());
    }
    let Some(newest) = base.tenants.get(&tenant.id) else {
        return Ok(());
    };
    let mut rewritten = newest.as_ref().clone();
    rewritten.encryption.rewritten();
    let gone: Vec<String> = tenant
        .encryption
        .keys
        .iter()
        .filter(|key| !rewritten.encryption.keys.contains(key))
        .map(|key| key.id.to_string())
        .collect();
    let object = match gone.is_empty() {
        true => format!("{}: all files are encrypted", tenant.name),
        false => format!("{}: erased {}", tenant.name, gone.join(", ")),
    };
    let audit = Event {
        kind: Kind::Tenant,
        ..Event::of_audit("REWRITE FILES", Some(object), SUCCESS)
    };
    let changes = vec![Change::PutTenant(rewritten)];
    let commit = Commit {
        databases: vec![DatabaseChange { base, changes }],
        audit: vec![audit],
        ..Commit::default()
    };
    send(commits, commit).await?;
    tracing::info!(tenant = tenant.name, "all files are as new ones are");
    Ok(())
}
