//! What a tenant uses, counted as its statements run.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::stats::Precision;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use tessera_catalog::model::Used;

/// What was used since it was last taken away to be kept.
#[derive(Debug, Default)]
pub struct Counters {
    pub queries: AtomicU64,
    pub rejected: AtomicU64,
    pub connections: AtomicU64,
    pub rows_read: AtomicU64,
    pub bytes_read: AtomicU64,
    pub rows_written: AtomicU64,
    pub bytes_written: AtomicU64,
    pub rows_returned: AtomicU64,
    pub cpu_nanos: AtomicU64,
    pub memory_kib_ms: AtomicU64,
}

impl Counters {
    /// What there is, left in place.
    pub fn seen(&self) -> Used {
        self.read(|counter| counter.load(Ordering::Relaxed))
    }

    /// Takes away what there is.
    pub fn take(&self) -> Used {
        self.read(|counter| counter.swap(0, Ordering::Relaxed))
    }

    /// Puts back what was taken and could not be kept.
    pub fn put_back(&self, used: &Used) {
        let add = |counter: &AtomicU64, amount: u64| {
            counter.fetch_add(amount, Ordering::Relaxed);
        };
        add(&self.queries, used.queries);
        add(&self.rejected, used.rejected);
        add(&self.connections, used.connections);
        add(&self.rows_read, used.rows_read);
        add(&self.bytes_read, used.bytes_read);
        add(&self.rows_written, used.rows_written);
        add(&self.bytes_written, used.bytes_written);
        add(&self.rows_returned, used.rows_returned);
        add(&self.cpu_nanos, used.cpu_micros.saturating_mul(1_000));
        add(&self.memory_kib_ms, used.memory_kib_ms);
    }

    fn read(&self, get: impl Fn(&AtomicU64) -> u64) -> Used {
        Used {
            queries: get(&self.queries),
            rejected: get(&self.rejected),
            connections: get(&self.connections),
            rows_read: get(&self.rows_read),
            bytes_read: get(&self.bytes_read),
            rows_written: get(&self.rows_written),
            bytes_written: get(&self.bytes_written),
            rows_returned: get(&self.rows_returned),
            cpu_micros: get(&self.cpu_nanos) / 1_000,
            memory_kib_ms: get(&self.memory_kib_ms),
        }
    }
}

/// Counts what a plan read when it is over, however it ends.
pub(super) struct Tally {
    plan: Arc<dyn ExecutionPlan>,
    counters: Arc<Counters>,
}

impl Tally {
    pub(super) fn new(plan: &Arc<dyn ExecutionPlan>, counters: &Arc<Counters>) -> Self {
        Self {
            plan: Arc::clone(plan),
            counters: Arc::clone(counters),
        }
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tally")
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let (rows, bytes) = read(self.plan.as_ref());
        self.counters.rows_read.fetch_add(rows, Ordering::Relaxed);
        self.counters.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Rows and bytes that the scans of stored tables below a node gave.
fn read(node: &dyn ExecutionPlan) -> (u64, u64) {
    if let Some(scan) = (node as &dyn std::any::Any).downcast_ref::<DataSourceExec>() {
        let source: &dyn std::any::Any = scan.data_source().as_ref();
        // Lists of values and system tables are made, not read.
        if source.is::<MemorySourceConfig>() {
            return (0, 0);
        }
        let metrics = scan.metrics();
        let rows = metrics.and_then(|metrics| metrics.output_rows());
        let rows = rows.unwrap_or_default() as u64;
        let files = source.downcast_ref::<FileScanConfig>();
        return (rows, files.map_or(0, |files| bytes_of(rows, files)));
    }
    let children = node.children();
    let of_children = children.into_iter().map(|child| read(child.as_ref()));
    of_children.fold((0, 0), |(rows, bytes), more| {
        (rows + more.0, bytes + more.1)
    })
}

/// The part of the files' bytes that so many of their rows take.
fn bytes_of(rows: u64, files: &FileScanConfig) -> u64 {
    let (mut bytes, mut all_rows) = (0_u64, 0_u64);
    for file in files.file_groups.iter().flat_map(|group| group.iter()) {
        bytes += file.object_meta.size;
        if let Some(statistics) = &file.statistics
            && let Precision::Exact(rows) | Precision::Inexact(rows) = &statistics.num_rows
        {
            all_rows += *rows as u64;
        }
    }
    if all_rows <= rows {
        return if rows == 0 { 0 } else { bytes };
    }
    (bytes as f64 * rows as f64 / all_rows as f64) as u64
}
