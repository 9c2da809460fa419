//! One memory pool for the server, with a share for each tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

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
        if !reservation.consumer().can_spill() {
            return true;
        }
        let part = limit.saturating_sub(self.fixed) / self.spillers.max(1);
        reservation.size().saturating_add(additional) <= part
    }
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
        if consumer.can_spill() {
            self.taken.lock().spillers += 1;
        }
        self.server.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            let mut taken = self.taken.lock();
            taken.spillers = taken.spillers.saturating_sub(1);
        }
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
        let taken = self.taken.lock();
        taken.spillable + taken.fixed
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes.load(Ordering::Relaxed))
    }
}
