//! Upkeep behind the commits: checkpoints, compaction, vacuum and erasure. One part at a time.
//!
//! A compaction is a commit like any other. It keeps off a part whose rows a transaction changes, and is
//! tried again when more small files came. What fails is logged, and tried again at the next round.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use super::committer::Request;
use super::group::{COMPACTION, milliseconds};
use super::rewriting::Rewriting;
use super::shared::Shared;
use crate::commit::{Commit, PartChange};
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Part, Space, TableUuid};
use crate::locks::{Mode, Target};
use crate::model::{Relation, Scope};
use crate::storage::{Compaction, Erase, Snapshot};

/// Erasures and parts to vacuum that one round takes on.
const ROUND: i64 = 64;
/// Files below a size are joined when there are so many of them. Each size is joined for itself, so
/// that a row is rewritten a few times on its way to a big file, whatever the number of commits.
const COMPACTED_SIZES: [(u64, usize); 3] = [(256 << 10, 32), (4 << 20, 16), (64 << 20, 16)];

/// What parts need.
#[derive(Debug, Default)]
pub(super) struct Needs {
    parts: Mutex<Parts>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Parts {
    waiting: BTreeMap<Part, Need>,
    is_closed: bool,
}

#[derive(Debug)]
struct Need {
    relation: Arc<Relation>,
    /// The version to write one of.
    checkpoint: Option<i64>,
    compact: bool,
}

impl Needs {
    pub(super) fn add(
        &self,
        part: Part,
        relation: Arc<Relation>,
        checkpoint: Option<i64>,
        compact: bool,
    ) {
        let mut parts = self.parts.lock();
        let need = parts.waiting.entry(part).or_insert_with(|| Need {
            relation: Arc::clone(&relation),
            checkpoint: None,
            compact: false,
        });
        need.relation = relation;
        need.checkpoint = checkpoint.or(need.checkpoint);
        need.compact |= compact;
        drop(parts);
        self.changed.notify_one();
    }

    /// Has the upkeep look for what there is to do.
    pub(super) fn look(&self) {
        self.changed.notify_one();
    }

    /// Ends the upkeep.
    pub(super) fn close(&self) {
        self.parts.lock().is_closed = true;
        self.changed.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.parts.lock().is_closed
    }

    fn next(&self) -> Option<(Part, Need)> {
        let mut parts = self.parts.lock();
        if parts.is_closed {
            None
        } else {
            parts.waiting.pop_first()
        }
    }
}

/// Works until the catalog closes.
pub(super) async fn run(shared: Arc<Shared>, commits: mpsc::WeakSender<Request>) {
    let mut last_round: Option<Instant> = None;
    let mut sweep = Sweep::default();
    let mut rewriting = Rewriting::default();
    loop {
        let interval = shared.limits.maintenance_interval;
        if last_round.is_none_or(|last| last.elapsed() >= interval) {
            last_round = Some(Instant::now());
            round(&shared).await;
            if let Err(error) = sweep.step(&shared).await {
                tracing::warn!(%error, "a space could not be searched for lost files yet");
            }
        }
        while let Some((part, need)) = shared.needs.next() {
            if let Err(error) = tend(&shared, &commits, part, &need).await {
                tracing::warn!(%error, ?part, "upkeep of a part failed");
            }
        }
        let more = rewriting.step(&shared, &commits).await;
        if shared.needs.is_closed() || shared.is_halted() {
            return;
        }
        if more {
            continue;
        }
        let _ = tokio::time::timeout(interval, shared.needs.changed.notified()).await;
    }
}

async fn tend(
    shared: &Shared,
    commits: &mpsc::WeakSender<Request>,
    part: Part,
    need: &Need,
) -> Result<()> {
    if need.compact {
        compact(shared, commits, part, &need.relation).await?;
    }
    if let Some(version) = need.checkpoint {
        let _pin = shared.pin(part).await?;
        shared.write_pending(part).await?;
        let visible = shared.visible(part, &need.relation.name)?.version;
        // A part that was dropped has no version any more.
        if visible.is_some_and(|visible| visible >= version) {
            shared.storage.checkpoint(part, version).await?;
            shared
                .storage
                .clean_log(part, version, shared.limits.retention)
                .await?;
        }
    }
    Ok(())
}

/// Puts fewer, bigger files in the place of small ones, size by size.
async fn compact(
    shared: &Shared,
    commits: &mpsc::WeakSender<Request>,
    part: Part,
    relation: &Arc<Relation>,
) -> Result<()> {
    let owner = shared.locks.owner(DatabaseId::System, 0);
    let Some(_lock) = shared
        .locks
        .try_lock(Target::Rows(part), Mode::Exclusive, owner)
    else {
        return Ok(());
    };
    let mut least_bytes = 0;
    for (below_bytes, at_files) in COMPACTED_SIZES {
        let snapshot = shared.snapshot(part, &relation.name).await?;
        let sizes = least_bytes..below_bytes;
        least_bytes = below_bytes;
        let files = snapshot
            .files
            .iter()
            .filter(|file| sizes.contains(&file.size));
        let files: Vec<_> = files.map(Arc::clone).collect();
        if files.len() < at_files.min(shared.limits.compact_at_files) {
            continue;
        }
        let alike = Snapshot {
            files,
            ..(*snapshot).clone()
        };
        let compaction = shared.storage.compact(part, relation, &alike).await?;
        if !compaction.removed.is_empty() {
            commit_compaction(commits, part, relation, compaction).await?;
        }
    }
    Ok(())
}

async fn commit_compaction(
    commits: &mpsc::WeakSender<Request>,
    part: Part,
    relation: &Arc<Relation>,
    compaction: Compaction,
) -> Result<()> {
    let change = PartChange {
        part,
        database: database_of(part, relation),
        relation: Arc::clone(relation),
        added: compaction.added,
        rows: Vec::new(),
        removed: compaction.removed,
        claims: Vec::new(),
        referred_by: Vec::new(),
        operation: COMPACTION,
    };
    let commit = Commit {
        parts: vec![change],
        ..Commit::default()
    };
    send(commits, commit).await
}

/// Commits; that another came first is fine.
pub(super) async fn send(commits: &mpsc::WeakSender<Request>, commit: Commit) -> Result<()> {
    // Without a sender the catalog is closing.
    let Some(commits) = commits.upgrade() else {
        return Ok(());
    };
    let (reply, answer) = oneshot::channel();
    if commits
        .send(Request::Commit { commit, reply })
        .await
        .is_err()
    {
        return Ok(());
    }
    drop(commits);
    match answer.await {
        // Another changed the same first; what is left to do is found again.
        Err(_) | Ok(Err(Error::Conflict) | Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error),
    }
}

/// The database that holds a part's relation.
fn database_of(part: Part, relation: &Relation) -> DatabaseId {
    match (part.space, relation.table().map(|table| table.scope)) {
        (Space::Tenant(tenant), Some(Scope::Own)) => DatabaseId::Tenant(tenant),
        _ => DatabaseId::System,
    }
}

/// Erases what is due and what is too old.
pub(super) async fn round(shared: &Shared) {
    let now = chrono::Utc::now().timestamp_millis();
    if let Err(error) = erase(shared, now).await {
        tracing::warn!(%error, "files of dropped tables could not be erased yet");
    }
    if let Err(error) = vacuum(shared).await {
        tracing::warn!(%error, "old files could not be erased yet");
    }
    if let Err(error) = shared.store.scrub().await {
        tracing::warn!(%error, "erased keys could not be overwritten in the catalog's log yet");
    }
    let reserves = [&shared.for_deleting, &shared.for_audit].map(Arc::clone);
    let keep = move || reserves.iter().for_each(|reserve| reserve.keep());
    let _ = tokio::task::spawn_blocking(keep).await;
    if let Err(error) = prune_audit(shared).await {
        tracing::warn!(%error, "old records of the audit could not be pruned yet");
    }
}

/// Takes away records of the audit that are older than they are to be kept.
async fn prune_audit(shared: &Shared) -> Result<()> {
    let Some(retention) = shared.limits.audit_retention else {
        return Ok(());
    };
    let age = i64::try_from(retention.as_micros()).unwrap_or(i64::MAX);
    let before = chrono::Utc::now().timestamp_micros().saturating_sub(age);
    let pruned = shared.store.audit_prune(before).await?;
    if pruned > 0 {
        tracing::info!(pruned, "pruned old records of the audit");
    }
    Ok(())
}

/// Erases what dropped tables and tenants left.
pub(super) async fn erase(shared: &Shared, now: i64) -> Result<()> {
    for row in shared.store.erasures_due(now, ROUND).await? {
        let what = match row.table {
            Some(table) => Erase::Part(Part {
                space: row.space,
                table,
            }),
            None => Erase::Space(row.space),
        };
        let objects = shared.storage.erase(what).await?;
        shared.store.erased(&row).await?;
        tracing::info!(?what, objects, "erased the files of what was dropped");
    }
    Ok(())
}

/// Erases files that no version within the retention names.
async fn vacuum(shared: &Shared) -> Result<()> {
    let retention = milliseconds(shared.limits.retention);
    let until = chrono::Utc::now()
        .timestamp_millis()
        .saturating_sub(retention);
    for part in shared.store.parts_to_vacuum(until, ROUND).await? {
        // One that cannot be read, for want of its key too, must not keep the others.
        if let Err(error) = vacuum_part(shared, part, until).await {
            tracing::warn!(%error, ?part, "old files of a part could not be erased yet");
        }
    }
    Ok(())
}

async fn vacuum_part(shared: &Shared, part: Part, until: i64) -> Result<()> {
    // In this order: a file that is removed between the two is in both.
    let snapshot = shared.snapshot(part, "").await?;
    let removed = shared.store.removed_files(part).await?;
    let mut keep: HashSet<String> = snapshot
        .files
        .iter()
        .map(|file| file.path.clone())
        .collect();
    let recent = removed.into_iter().filter(|file| file.removed_at > until);
    keep.extend(recent.map(|file| file.path));
    let erased = shared
        .storage
        .vacuum(part, &keep, shared.limits.orphan_age)
        .await?;
    shared.store.vacuumed(part, until).await?;
    if erased > 0 {
        tracing::info!(?part, erased, "erased old files");
    }
    Ok(())
}

/// Goes through all spaces, one a step, for files that a crash left without a commit.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    waiting: Vec<Space>,
    last_start: Option<Instant>,
}

impl Sweep {
    /// Searches the next space; begins anew when the last search is long ago.
    pub(super) async fn step(&mut self, shared: &Shared) -> Result<()> {
        if self.waiting.is_empty() {
            let pause = shared.limits.orphan_age;
            if self.last_start.is_some_and(|last| last.elapsed() < pause) {
                return Ok(());
            }
            self.last_start = Some(Instant::now());
            self.waiting = shared
                .system()
                .tenants
                .keys()
                .copied()
                .map(Space::Tenant)
                .collect();
            self.waiting.extend([Space::Shared, Space::System]);
        }
        let Some(space) = self.waiting.pop() else {
            return Ok(());
        };
        let retention = milliseconds(shared.limits.retention);
        let until = chrono::Utc::now()
            .timestamp_millis()
            .saturating_sub(retention);
        let listed = shared
            .storage
            .store(space)
            .list_with_delimiter(None)
            .await?;
        for folder in listed.common_prefixes {
            let name = folder
                .filename()
                .and_then(|name| Uuid::parse_str(name).ok());
            let Some(table) = name.map(TableUuid::from_uuid) else {
                continue;
            };
            let part = Part { space, table };
            // One that another program wrote to must not keep the others from being searched.
            if let Err(error) = vacuum_part(shared, part, until).await {
                tracing::warn!(%error, ?part, "a part could not be searched for lost files yet");
            }
        }
        Ok(())
    }
}
