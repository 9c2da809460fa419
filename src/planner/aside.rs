//! Keeps planning from holding up others: a large statement takes its thread for long, and the
//! connections that this thread serves go on elsewhere meanwhile.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Texts below this length are split and read faster than another thread wakes.
pub(super) const SHORT_TEXT_BYTES: usize = 4096;

/// Runs work of the CPU while other tasks of its thread move to another.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(work)
        }
        // There are no other tasks, or no thread for them to move to.
        _ => work(),
    }
}
