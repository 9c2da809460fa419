//! What a database's sessions share of the server, and the limits that bind them.
//!
//! A tenant's limits come from its own quotas, its plan and the server's defaults; a role's only
//! narrow them. They are looked up anew whenever the catalog has changed, so what an operator sets
//! binds open sessions from their next statement on. Each limit is enforced in one place:
//! connections at login, statements by [`Slots`], memory by the pools, temporary files by
//! `execute::TenantDisk`, processors by `execute::fair`, rows by [`Session::answered`], time by the statement's
//! deadline, tables and bytes before the commit, COPY by [`Pace`].

mod pace;
mod slots;
mod usage;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use tessera_catalog::commit::Commit;
use tessera_catalog::id::{DatabaseId, Oid, Space};
use tessera_catalog::model::{Allowance, Database, Quota, Relation, USUAL_CPU_SHARE};

use super::{Engine, Reply, Session};
use crate::error::{Error, Result};
use crate::execute::{BatchStream, Counters, CpuShare, Meter, RoleMemory, TenantDisk, TenantPool};
use crate::planner::ast::Body;
use pace::Pace;
pub(super) use slots::Slot;
use slots::{SlotLimits, Slots};
pub(super) use usage::Seen;

/// What the sessions of one database share.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) counters: Arc<Counters>,
    pub(super) cpu: Arc<CpuShare>,
    pub(super) slots: Arc<Slots>,
    pub(super) pool: Arc<TenantPool>,
    pub(super) disk: Arc<TenantDisk>,
    pace: Pace,
    roles: Mutex<HashMap<Oid, Arc<RoleMemory>>>,
}

impl Share {
    pub(super) fn new(
        counters: Arc<Counters>,
        pool: Arc<TenantPool>,
        disk: Arc<TenantDisk>,
    ) -> Self {
        Self {
            cpu: Arc::new(CpuShare::new(Arc::clone(&counters))),
            counters,
            slots: Arc::default(),
            pool,
            disk,
            pace: Pace::default(),
            roles: Mutex::default(),
        }
    }

    /// Puts limits in force that bind all sessions together.
    pub(super) fn apply(&self, allowance: &Allowance, server: (usize, u64)) {
        let (memory, spill) = server;
        let limit = allowance.get(Quota::Memory);
        let bytes = limit.map_or(memory, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        self.pool.set_limit_bytes(bytes);
        let bytes = allowance.get(Quota::Spill).map_or(spill, |b| b.min(spill));
        self.disk.set_limit_bytes(bytes);
        let weight = allowance.get(Quota::CpuShare).unwrap_or(USUAL_CPU_SHARE);
        self.cpu.set_weight(weight);
        self.slots.set_limit(allowance.get(Quota::Statements));
    }

    /// What the statements of a role hold together, if that has a limit of its own.
    fn role_memory(&self, role: Oid, limit: Option<u64>) -> Option<Arc<RoleMemory>> {
        let limit = usize::try_from(limit?).unwrap_or(usize::MAX);
        let mut roles = self.roles.lock();
        let memory = roles
            .entry(role)
            .or_insert_with(|| Arc::new(RoleMemory::new(limit)));
        memory.set_limit_bytes(limit);
        Some(Arc::clone(memory))
    }
}

/// The limits that bind a session, as its databases have them.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// The versions of the system's and the session's database that they are from.
    made_for: (u64, u64),
    tenant: Allowance,
    /// What the role may have at most, where that is less.
    role: [(Quota, Option<u64>); 4],
}

/// The quotas of a role that bind its statements; connections are counted at login.
const OF_ROLES: [Quota; 4] = [
    Quota::Statements,
    Quota::Memory,
    Quota::StatementTime,
    Quota::ResultRows,
];

impl Terms {
    /// Nothing is limited, as for operators.
    pub(super) fn unbounded() -> Self {
        Self {
            made_for: (0, 0),
            tenant: Allowance::unbounded(),
            role: OF_ROLES.map(|quota| (quota, None)),
        }
    }

    fn of_role(&self, quota: Quota) -> Option<u64> {
        let found = self.role.iter().find(|(known, _)| *known == quota);
        found.and_then(|(_, limit)| *limit)
    }

    /// The narrower of the tenant's limit and the role's.
    fn narrower(&self, quota: Quota) -> Option<u64> {
        let limits = [self.tenant.get(quota), self.of_role(quota)];
        limits.into_iter().flatten().min()
    }

    /// The time that a statement has: what the session wants within what it may.
    pub(super) fn statement_time_ms(&self, wanted: u64) -> u64 {
        match self.narrower(Quota::StatementTime) {
            Some(limit) if wanted == 0 => limit,
            Some(limit) => wanted.min(limit),
            None => wanted,
        }
    }
}

impl Session {
    /// The session's limits as they are now.
    pub(super) async fn terms(&mut self) -> Result<Arc<Terms>> {
        let Some(tenant) = self
            .login
            .database
            .tenant()
            .filter(|_| !self.login.operator)
        else {
            return Ok(Arc::clone(&self.terms));
        };
        let system = self.engine.catalog.system();
        let own = self.engine.catalog.database(self.login.database).await?;
        let made_for = (system.version, own.version);
        if self.terms.made_for == made_for {
            return Ok(Arc::clone(&self.terms));
        }
        let allowance = match system.tenants.get(&tenant) {
            Some(tenant) => Allowance::of_tenant(&system, tenant, &self.engine.limits.quotas),
            None => Allowance::unbounded(),
        };
        let role = own.roles.get(&self.login.role);
        let of_role = |quota| role.and_then(|role| role.quotas.get(quota)).flatten();
        self.share.apply(&allowance, self.engine.bounds());
        self.terms = Arc::new(Terms {
            made_for,
            tenant: allowance,
            role: OF_ROLES.map(|quota| (quota, of_role(quota))),
        });
        Ok(Arc::clone(&self.terms))
    }

    /// Lets the statement run, or has it wait for others of its tenant to end.
    ///
    /// # Errors
    /// 53400 when too many wait.
    pub(super) async fn admit(&mut self, body: &Body, terms: &Terms) -> Result<()> {
        if self.login.operator || !takes_a_slot(body) {
            return Ok(());
        }
        self.share.counters.queries.fetch_add(1, Ordering::Relaxed);
        if self.slot.is_some() {
            return Ok(());
        }
        let limits = SlotLimits {
            running: terms.tenant.get(Quota::Statements),
            waiting: terms.tenant.get(Quota::QueuedStatements),
            of_role: terms.of_role(Quota::Statements),
        };
        // Others may wait for what the transaction has locked.
        let now = self.transaction.holds_locks();
        match self.share.slots.take(self.login.role, limits, now).await {
            Ok(slot) => {
                self.slot = Some(slot);
                Ok(())
            }
            Err(_) => Err(self.over(Quota::QueuedStatements, limits.waiting.unwrap_or_default())),
        }
    }

    /// What counts a statement that starts now.
    pub(super) fn new_meter(&self, terms: &Terms) -> Arc<Meter> {
        let cpu = self.engine.fair.statement(&self.share.cpu);
        let role = self
            .share
            .role_memory(self.login.role, terms.of_role(Quota::Memory));
        Arc::new(Meter::new(cpu, Arc::clone(&self.share.counters), role))
    }

    /// The answer with its rows counted, and ended where they are too many.
    pub(super) fn answered(&self, reply: Reply, terms: &Terms) -> Reply {
        let limit = terms.narrower(Quota::ResultRows);
        match reply {
            Reply::Rows(mut rows) => {
                rows.batches = self.counted(rows.batches, limit);
                Reply::Rows(rows)
            }
            Reply::CopyOut(mut copy) => {
                copy.batches = self.counted(copy.batches, limit);
                Reply::CopyOut(copy)
            }
            other => other,
        }
    }

    fn counted(&self, batches: BatchStream, limit: Option<u64>) -> BatchStream {
        let counters = Arc::clone(&self.share.counters);
        let over = limit.map(|limit| self.over(Quota::ResultRows, limit));
        let mut state = (limit.unwrap_or(u64::MAX), over);
        Box::pin(batches.map(move |batch| {
            let batch = batch?;
            let rows = batch.num_rows() as u64;
            let (left, over) = &mut state;
            match left.checked_sub(rows) {
                Some(rest) => *left = rest,
                None => {
                    counters.rejected.fetch_add(1, Ordering::Relaxed);
                    let error = over.take();
                    return Err(error.unwrap_or_else(|| Error::internal("rows after the end")));
                }
            }
            counters.rows_returned.fetch_add(rows, Ordering::Relaxed);
            Ok(batch)
        }))
    }

    /// Checks what a commit makes against the tenant's limits, and tells what it writes.
    ///
    /// # Errors
    /// 53400 beyond the tenant's storage or tables.
    pub(super) async fn check_commit(&mut self, commit: &Commit) -> Result<Written> {
        let written = Written::of(commit);
        let Some(tenant) = self
            .login
            .database
            .tenant()
            .filter(|_| !self.login.operator)
        else {
            return Ok(written);
        };
        let terms = self.terms().await?;
        if let Some(limit) = terms.tenant.get(Quota::Storage) {
            let stored = self.engine.catalog.stored_bytes(Space::Tenant(tenant));
            let after = stored + written.bytes;
            if written.bytes > written.removed_bytes
                && after.saturating_sub(written.removed_bytes) > limit
            {
                return Err(self.over(Quota::Storage, limit));
            }
        }
        Ok(written)
    }

    /// Checks that one more table may be made in the session's database.
    ///
    /// # Errors
    /// 53400 at the tenant's limit.
    pub(super) async fn check_tables(&mut self, database: &Database) -> Result<()> {
        let terms = self.terms().await?;
        let Some(limit) = terms.tenant.get(Quota::Tables) else {
            return Ok(());
        };
        if tables(database) < limit {
            return Ok(());
        }
        Err(self.over(Quota::Tables, limit))
    }

    /// Checks that rows may still be added, before they are written.
    ///
    /// # Errors
    /// 53400 when so many bytes more are beyond the tenant's storage.
    pub(super) async fn room_for_rows(&mut self) -> Result<Option<Room>> {
        let Some(tenant) = self
            .login
            .database
            .tenant()
            .filter(|_| !self.login.operator)
        else {
            return Ok(None);
        };
        let terms = self.terms().await?;
        let Some(limit) = terms.tenant.get(Quota::Storage) else {
            return Ok(None);
        };
        let stored = self.engine.catalog.stored_bytes(Space::Tenant(tenant));
        let over = self.over(Quota::Storage, limit);
        if stored >= limit {
            return Err(over);
        }
        Ok(Some(Room {
            bytes: limit - stored,
            over: Some(over),
        }))
    }

    /// How fast the session's COPY may go.
    pub fn copy_pace(&self) -> CopyPace {
        CopyPace {
            share: Arc::clone(&self.share),
            rate: self.terms.tenant.get(Quota::CopyRate),
        }
    }

    /// The error at a limit.
    fn over(&self, quota: Quota, limit: u64) -> Error {
        Error::OverQuota {
            quota,
            limit,
            tenant: self.login.database_name.clone(),
        }
    }

    /// Counts a statement that a limit refused.
    pub(super) fn note_refusal(&self, error: &Error) {
        if error.is_over_quota() && !self.login.operator {
            self.share.counters.rejected.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How fast COPY may go, in step with the tenant's other ones.
#[derive(Debug)]
pub struct CopyPace {
    share: Arc<Share>,
    /// Bytes a second.
    rate: Option<u64>,
}

impl CopyPace {
    /// How long to wait after so many bytes.
    pub fn pause(&self, bytes: usize) -> Duration {
        match self.rate {
            Some(rate) => self.share.pace.take(bytes, rate),
            None => Duration::ZERO,
        }
    }
}

/// What rows may still take.
#[derive(Debug)]
pub(super) struct Room {
    bytes: u64,
    over: Option<Error>,
}

impl Room {
    /// Checks how many bytes were written.
    ///
    /// # Errors
    /// 53400 beyond the room.
    pub(super) fn check(&mut self, written: u64) -> Result<()> {
        if written <= self.bytes {
            return Ok(());
        }
        let error = self.over.take();
        Err(error.unwrap_or_else(|| Error::internal("written after the end")))
    }
}

/// Rows and bytes that a commit writes and takes away.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    removed_bytes: u64,
}

impl Written {
    fn of(commit: &Commit) -> Self {
        let mut written = Self::default();
        for part in &commit.parts {
            for file in &part.added {
                written.rows += file.rows;
                written.bytes += file.size;
            }
            for batch in &part.rows {
                written.rows += batch.num_rows() as u64;
                written.bytes += batch.get_array_memory_size() as u64;
            }
            written.removed_bytes += part.removed.iter().map(|file| file.size).sum::<u64>();
        }
        written
    }
}

impl Engine {
    /// The server's own bounds where a tenant has none: memory and temporary files.
    pub(super) fn bounds(&self) -> (usize, u64) {
        (self.limits.memory_bytes, self.limits.spill_bytes)
    }
}

/// The tables of a database's own, materialised views among them.
pub(super) fn tables(database: &Database) -> u64 {
    let relations = database.relations.values();
    relations.filter(|relation| is_table(relation)).count() as u64
}

fn is_table(relation: &Relation) -> bool {
    relation.table().is_some() && relation.schema != super::transaction::TEMPORARY_SCHEMA
}

/// Whether the statement is one that works, and not a word about the session or its transaction.
fn takes_a_slot(body: &Body) -> bool {
    match body {
        Body::Empty
        | Body::Transaction(_)
        | Body::Constraints { .. }
        | Body::Set(_)
        | Body::Reset(_)
        | Body::Show(_)
        | Body::Deallocate(_)
        | Body::Prepare { .. }
        | Body::CloseCursor(_)
        | Body::Discard(_)
        | Body::Listen(_)
        | Body::Unlisten(_)
        | Body::Notify { .. }
        | Body::NoOp(_)
        | Body::Unsupported(_) => false,
        Body::Query(_)
        | Body::Combined(_)
        | Body::Explain(_)
        | Body::Write(_)
        | Body::Define(_)
        | Body::DefineShared(_)
        | Body::Tenant(_)
        | Body::Plan(_)
        | Body::Role(_)
        | Body::Refresh { .. }
        | Body::Index(_)
        | Body::Sequence(_)
        | Body::UserType(_)
        | Body::Grant(_)
        | Body::Policy(_)
        | Body::Mask(_)
        | Body::DefaultPrivileges { .. }
        | Body::Copy(_)
        | Body::Execute { .. }
        | Body::Declare { .. }
        | Body::Fetch { .. }
        | Body::Lock { .. }
        | Body::Comment(_) => true,
    }
}

impl Engine {
    /// The share of a database's sessions.
    ///
    /// # Errors
    /// When the spill folder cannot be used.
    pub(super) fn share(&self, database: DatabaseId) -> Result<Arc<Share>> {
        self.environment(database)?;
        match self.environments.lock().get(&database) {
            Some(environment) => Ok(Arc::clone(&environment.share)),
            None => Err(Error::Terminated),
        }
    }

    /// Puts the catalog's limits in force for all that are at work, after an operator changed some.
    pub(super) fn refresh_shares(&self) {
        let system = self.catalog.system();
        let shares: Vec<(DatabaseId, Arc<Share>)> = {
            let environments = self.environments.lock();
            let shares = environments.iter();
            shares
                .map(|(id, environment)| (*id, Arc::clone(&environment.share)))
                .collect()
        };
        for (id, share) in shares {
            let tenant = id.tenant().and_then(|id| system.tenants.get(&id));
            if let Some(tenant) = tenant {
                let allowance = Allowance::of_tenant(&system, tenant, &self.limits.quotas);
                share.apply(&allowance, self.bounds());
            }
        }
    }
}
