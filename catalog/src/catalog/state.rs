//! What is in memory, and how it is bounded. No I/O.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::id::{DatabaseId, Part};
use crate::model::Database;
use crate::storage::{DataFile, Snapshot};
use crate::store::PartRow;

/// The newest committed state, as far as it is in memory.
#[derive(Debug)]
pub(super) struct State {
    pub(super) system: Arc<Database>,
    pub(super) tenants: HashMap<DatabaseId, Used<Arc<Database>>>,
    pub(super) parts: HashMap<Part, Used<PartState>>,
    /// Grows when anything is taken out, so that a reader of the database can tell whether what it
    /// read may be older than what was taken out.
    pub(super) removals: u64,
    clock: AtomicU64,
}

/// A value and when it was last used.
#[derive(Debug)]
pub(super) struct Used<T> {
    pub(super) value: T,
    used: AtomicU64,
}

/// A part's newest state.
#[derive(Debug)]
pub(super) struct PartState {
    pub(super) head: Head,
    /// `None` until someone reads the part.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Commits since a load began; `None` while none is under way.
    pub(super) advances: Option<Vec<Advance>>,
    /// Log entries that are not in storage yet, the oldest first.
    pub(super) pending: VecDeque<Arc<PendingEntry>>,
    /// Held by who reads or writes the log.
    pub(super) log: Arc<tokio::sync::Mutex<()>>,
    /// The log holds another program's entry.
    pub(super) is_foreign: bool,
    /// Small files that came since the part was last compacted.
    pub(super) small_files: usize,
    /// Whoever needs the state to stay in memory.
    pub(super) pins: usize,
}

/// Which version of a part is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// `None` before the first.
    pub(super) version: Option<i64>,
    pub(super) schema_version: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Milliseconds since 1970.
    pub(super) updated_at: i64,
}

/// What one commit did to a part's files.
#[derive(Debug, Clone)]
pub(super) struct Advance {
    pub(super) head: Head,
    pub(super) added: Arc<[Arc<DataFile>]>,
    pub(super) removed: Arc<[Arc<DataFile>]>,
}

/// A log entry whose redo record is durable.
#[derive(Debug)]
pub(super) struct PendingEntry {
    /// Of the redo record.
    pub(super) number: i64,
    pub(super) commit_id: Uuid,
    pub(super) version: i64,
    pub(super) table_name: String,
    pub(super) entry: String,
}

impl State {
    pub(super) fn new(system: Arc<Database>) -> Self {
        Self {
            system,
            tenants: HashMap::new(),
            parts: HashMap::new(),
            removals: 0,
            clock: AtomicU64::new(1),
        }
    }

    pub(super) fn database(&self, id: DatabaseId) -> Option<&Arc<Database>> {
        match id {
            DatabaseId::System => Some(&self.system),
            DatabaseId::Tenant(_) => self.tenants.get(&id).map(|entry| self.touch(entry)),
        }
    }

    pub(super) fn put_database(&mut self, database: Arc<Database>, max: usize) {
        match database.id {
            DatabaseId::System => self.system = database,
            id => {
                if self.tenants.len() >= max && !self.tenants.contains_key(&id) {
                    let oldest = nth_use(self.tenants.values().map(|entry| entry.used()));
                    self.tenants.retain(|_, entry| entry.used() > oldest);
                    self.removals += 1;
                }
                let used = self.tick();
                self.tenants.insert(
                    id,
                    Used {
                        value: database,
                        used,
                    },
                );
            }
        }
    }

    pub(super) fn part(&self, part: Part) -> Option<&PartState> {
        self.parts.get(&part).map(|entry| self.touch(entry))
    }

    pub(super) fn part_mut(&mut self, part: Part) -> Option<&mut PartState> {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let entry = self.parts.get_mut(&part)?;
        *entry.used.get_mut() = now;
        Some(&mut entry.value)
    }

    pub(super) fn put_part(&mut self, part: Part, state: PartState, max: usize) {
        if self.parts.len() >= max && !self.parts.contains_key(&part) {
            let oldest = nth_use(self.parts.values().map(|entry| entry.used()));
            self.parts
                .retain(|_, entry| entry.used() > oldest || entry.value.is_needed());
            self.removals += 1;
        }
        let used = self.tick();
        self.parts.insert(part, Used { value: state, used });
    }

    /// Forgets parts that are no more; tells how many of their log entries were not written.
    pub(super) fn remove_parts(&mut self, is_gone: impl Fn(&Part) -> bool) -> usize {
        let mut lost = 0;
        self.parts.retain(|part, entry| {
            let is_gone = is_gone(part);
            if is_gone {
                lost += entry.value.pending.len();
            }
            !is_gone
        });
        self.removals += 1;
        lost
    }

    /// Forgets a database that is no more.
    pub(super) fn remove_database(&mut self, id: DatabaseId) {
        self.tenants.remove(&id);
        self.removals += 1;
    }

    fn tick(&self) -> AtomicU64 {
        AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    fn touch<'a, T>(&self, entry: &'a Used<T>) -> &'a T {
        entry.used.store(
            self.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        &entry.value
    }
}

impl<T> Used<T> {
    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// The use below which a quarter of them lies.
fn nth_use(uses: impl Iterator<Item = u64>) -> u64 {
    let mut uses: Vec<u64> = uses.collect();
    if uses.is_empty() {
        return 0;
    }
    let quarter = uses.len() / 4;
    *uses.select_nth_unstable(quarter).1
}

impl PartState {
    pub(super) fn new(row: Option<PartRow>) -> Self {
        let head = row.map_or_else(Head::default, |row| Head {
            version: Some(row.version),
            schema_version: row.schema_version,
            rows: row.rows,
            bytes: row.bytes,
            updated_at: row.updated_at,
        });
        // A part that is not born needs no reading.
        let snapshot = head.version.is_none().then(|| Arc::new(Snapshot::empty()));
        Self {
            head,
            snapshot,
            advances: None,
            pending: VecDeque::new(),
            log: Arc::default(),
            is_foreign: false,
            small_files: 0,
            pins: 0,
        }
    }

    /// Takes the next version in; `ready` is the snapshot after it, if it follows from `former`.
    pub(super) fn advance(
        &mut self,
        advance: Advance,
        ready: Option<(Arc<Snapshot>, Arc<Snapshot>)>,
    ) {
        self.head = advance.head;
        if let Some(advances) = &mut self.advances {
            advances.push(advance.clone());
        }
        if let Some(snapshot) = &self.snapshot {
            let next = match ready {
                Some((former, next)) if Arc::ptr_eq(&former, snapshot) => next,
                _ => Arc::new(advance.apply(snapshot)),
            };
            self.snapshot = Some(next);
        }
    }

    /// Whether it must stay in memory.
    fn is_needed(&self) -> bool {
        self.pins > 0 || !self.pending.is_empty() || self.advances.is_some() || self.is_foreign
    }
}

impl Head {
    /// The version after this one.
    pub(super) fn next_version(&self) -> i64 {
        self.version.map_or(0, |version| version + 1)
    }
}

impl Advance {
    /// The snapshot after this commit.
    pub(super) fn apply(&self, to: &Snapshot) -> Snapshot {
        to.advance(
            self.head.version.unwrap_or_default(),
            self.head.schema_version,
            &self.added,
            &self.removed,
            self.head.updated_at,
        )
    }
}
