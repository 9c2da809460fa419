//! One memory pool for the server, with a share for each tenant, a role's part of it, and what each
//! statement holds for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

use super::Counters;

/// How the engine calls those who merge what a sort has spilled. They take memory for as many files at
/// once as they can get, and make do with two; each gets an even part.
const MERGE: &str = "ExternalSorterMerge";
/// What merges leave to sorts that still read: one part in so many.
const MERGES_LEAVE: usize = 2;

/// A tenant's share of the server's pool: what it takes counts against both.
///
/// Within the share, operators that can spill get an even part each of what the others leave. Without
/// that, the first of two sorts would take everything and the second, with nothing of its own to spill, fail.
#[derive(Debug)]
pub struct TenantPool {
    server: Arc<dyn MemoryPool>,
    limit_bytes: AtomicUsize,
    taken: Mutex<Taken>,
}

/// What a tenant's operators hold.
#[derive(Debug, Default)]
struct Taken {
    /// Operators that can spill.
    spillers: usize,
    /// Merges of what sorts have spilled.
    merges: usize,
    /// Bytes that can be spilled.
    spillable: usize,
    /// Bytes that cannot.
    fixed: usize,
}

impl Taken {
    fn of(&mut self, reservation: &MemoryReservation) -> &mut usize {
        if reservation.consumer().can_spill() {
            &mut self.spillable
        } else {
            &mut self.fixed
        }
    }

    /// Whether a reservation of `size` bytes may take `additional` ones.
    fn allows(&self, reservation: &MemoryReservation, additional: usize, limit: usize) -> bool {
        let all = self.spillable.saturating_add(self.fixed);
        if all.saturating_add(additional) > limit {
            return false;
        }
        if is_merge(reservation.consumer()) {
            let part = (limit - limit / MERGES_LEAVE) / self.merges.max(1);
            return reservation.size().saturating_add(additional) <= part;
        }
        if !reservation.consumer().can_spill() {
            return true;
        }
        let part = limit.saturating_sub(self.fixed) / self.spillers.max(1);
        reservation.size().saturating_add(additional) <= part
    }
}

fn is_merge(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(MERGE)
}

impl TenantPool {
    /// A share of at most `limit_bytes` of the server's pool.
    pub fn new(server: Arc<dyn MemoryPool>, limit_bytes: usize) -> Self {
        Self {
            server,
            limit_bytes: AtomicUsize::new(limit_bytes),
            taken: Mutex::default(),
        }
    }

    /// What is taken now.
    pub fn used_bytes(&self) -> usize {
        let taken = self.taken.lock();
        taken.spillable + taken.fixed
    }

    /// Changes the share; what is already taken stays.
    pub fn set_limit_bytes(&self, limit_bytes: usize) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }
}

impl std::fmt::Display for TenantPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "tenant's share of {} bytes",
            self.limit_bytes.load(Ordering::Relaxed)
        )
    }
}

impl MemoryPool for TenantPool {
    fn name(&self) -> &str {
        "tenant"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        let mut taken = self.taken.lock();
        taken.spillers += usize::from(consumer.can_spill());
        taken.merges += usize::from(is_merge(consumer));
        drop(taken);
        self.server.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut taken = self.taken.lock();
        let (spills, merges) = (consumer.can_spill(), is_merge(consumer));
        taken.spillers = taken.spillers.saturating_sub(usize::from(spills));
        taken.merges = taken.merges.saturating_sub(usize::from(merges));
        drop(taken);
        self.server.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.taken.lock().of(reservation) += additional;
        self.server.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        *self.taken.lock().of(reservation) -= shrink;
        self.server.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        {
            let mut taken = self.taken.lock();
            if !taken.allows(reservation, additional, limit) {
                let consumer = reservation.consumer().name();
                let held = reservation.size();
                tracing::debug!(consumer, held, additional, limit, ?taken, "memory refused");
                // Names of other consumers stay inside: the text reaches the client.
                return Err(DataFusionError::ResourcesExhausted(
                    "the tenant's share".to_owned(),
                ));
            }
            *taken.of(reservation) += additional;
        }
        self.server.try_grow(reservation, additional).map_err(|_| {
            *self.taken.lock().of(reservation) -= additional;
            DataFusionError::ResourcesExhausted("the server's memory".to_owned())
        })
    }

    fn reserved(&self) -> usize {
        self.used_bytes()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes.load(Ordering::Relaxed))
    }
}

/// What the statements of one role hold together.
#[derive(Debug)]
pub struct RoleMemory {
    limit_bytes: AtomicUsize,
    used_bytes: AtomicUsize,
}

impl RoleMemory {
    /// A part of at most `limit_bytes` of the tenant's share.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes: AtomicUsize::new(limit_bytes),
            used_bytes: AtomicUsize::new(0),
        }
    }

    /// Changes the part; what is already taken stays.
    pub fn set_limit_bytes(&self, limit_bytes: usize) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> Result<()> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        let taken = self
            .used_bytes
            .try_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|used| *used <= limit)
            });
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(DataFusionError::ResourcesExhausted(
                "the role's part".to_owned(),
            )),
        }
    }

    fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one statement takes of its tenant's share.
#[derive(Debug)]
pub struct StatementPool {
    tenant: Arc<dyn MemoryPool>,
    role: Option<Arc<RoleMemory>>,
    counters: Arc<Counters>,
    held: Mutex<Held>,
}

/// How much is held, and what was held before by the time.
#[derive(Debug)]
struct Held {
    bytes: usize,
    since: Instant,
    byte_nanos: u128,
}

impl Held {
    fn settle(&mut self) {
        let now = Instant::now();
        self.byte_nanos += self.bytes as u128 * (now - self.since).as_nanos();
        self.since = now;
    }
}

impl StatementPool {
    /// A statement that holds nothing yet.
    pub fn new(
        tenant: Arc<dyn MemoryPool>,
        role: Option<Arc<RoleMemory>>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            tenant,
            role,
            counters,
            held: Mutex::new(Held {
                bytes: 0,
                since: Instant::now(),
                byte_nanos: 0,
            }),
        }
    }

    fn hold(&self, bytes: usize) {
        let mut held = self.held.lock();
        held.settle();
        held.bytes += bytes;
    }
}

impl Drop for StatementPool {
    fn drop(&mut self) {
        const KIB_MS: u128 = 1_024 * 1_000_000;
        let mut held = self.held.lock();
        held.settle();
        let amount = u64::try_from(held.byte_nanos / KIB_MS).unwrap_or(u64::MAX);
        self.counters
            .memory_kib_ms
            .fetch_add(amount, Ordering::Relaxed);
    }
}

impl std::fmt::Display for StatementPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a statement's part of {}", self.tenant)
    }
}

impl MemoryPool for StatementPool {
    fn name(&self) -> &str {
        "statement"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.tenant.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.tenant.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if let Some(role) = &self.role {
            role.used_bytes.fetch_add(additional, Ordering::Relaxed);
        }
        self.tenant.grow(reservation, additional);
        self.hold(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.tenant.shrink(reservation, shrink);
        if let Some(role) = &self.role {
            role.give_back(shrink);
        }
        let mut held = self.held.lock();
        held.settle();
        held.bytes = held.bytes.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if let Some(role) = &self.role {
            role.take(additional)?;
        }
        if let Err(error) = self.tenant.try_grow(reservation, additional) {
            if let Some(role) = &self.role {
                role.give_back(additional);
            }
            return Err(error);
        }
        self.hold(additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.tenant.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        match &self.role {
            Some(role) => MemoryLimit::Finite(role.limit_bytes.load(Ordering::Relaxed)),
            None => self.tenant.memory_limit(),
        }
    }
}
