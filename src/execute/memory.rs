//! One memory pool for the server, with a share for each tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A tenant's share of the server's pool: what it takes counts against both.
#[derive(Debug)]
pub struct TenantPool {
    server: Arc<dyn MemoryPool>,
    limit_bytes: AtomicUsize,
    used_bytes: AtomicUsize,
}

impl TenantPool {
    /// A share of at most `limit_bytes` of the server's pool.
    pub fn new(server: Arc<dyn MemoryPool>, limit_bytes: usize) -> Self {
        Self {
            server,
            limit_bytes: AtomicUsize::new(limit_bytes),
            used_bytes: AtomicUsize::new(0),
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
        self.server.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.server.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used_bytes.fetch_add(additional, Ordering::Relaxed);
        self.server.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.used_bytes.fetch_sub(shrink, Ordering::Relaxed);
        self.server.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let limit = self.limit_bytes.load(Ordering::Relaxed);
        let taken = self
            .used_bytes
            .try_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                used.checked_add(additional).filter(|used| *used <= limit)
            });
        if taken.is_err() {
            // Names of other consumers stay inside: the text reaches the client.
            return Err(DataFusionError::ResourcesExhausted(
                "the tenant's share".to_owned(),
            ));
        }
        self.server.try_grow(reservation, additional).map_err(|_| {
            self.used_bytes.fetch_sub(additional, Ordering::Relaxed);
            DataFusionError::ResourcesExhausted("the server's memory".to_owned())
        })
    }

    fn reserved(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit_bytes.load(Ordering::Relaxed))
    }
}
