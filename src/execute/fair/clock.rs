//! What only the system can tell or do for a thread: the CPU time that it used, and giving way.

use std::cell::{Cell, RefCell};
use std::time::Instant;

/// Work shorter than this on the clock is taken to have had its processor all the time.
const SHORT_NANOS: u64 = 200_000;

thread_local! {
    static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
    static READ: RefCell<Read> = const { RefCell::new(Read { cpu: 0, since: 0 }) };
}

/// When a thread's CPU time was last read, and what was accounted for without reading it since.
struct Read {
    cpu: u64,
    since: u64,
}

/// Makes the calling thread one that runs when no other wants its processor.
///
/// Where the system refuses, the thread is one like others, and what it runs is still shared fairly.
pub(crate) fn give_way() {
    GIVES_WAY.set(true);
    if !lower_priority() {
        tracing::warn!("the threads of long statements have the same priority as others");
    }
}

/// Whether the calling thread gives way to others.
pub(super) fn gives_way() -> bool {
    GIVES_WAY.get()
}

/// The nanoseconds of CPU time of what ran on this thread since `begin`.
pub(super) fn spent(begin: Instant) -> u64 {
    let wall = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    READ.with_borrow_mut(|read| {
        if wall < SHORT_NANOS {
            read.since += wall;
            return wall;
        }
        // A thread that gave way was not on a processor all that time.
        let Some(cpu) = thread_cpu_nanos() else {
            return wall;
        };
        let spent = cpu.saturating_sub(read.cpu).saturating_sub(read.since);
        *read = Read { cpu, since: 0 };
        spent.min(wall)
    })
}

#[cfg(target_os = "linux")]
fn thread_cpu_nanos() -> Option<u64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to the struct that it is given, and nowhere else.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u64::try_from(time.tv_nsec).ok()?;
    (done == 0).then_some(seconds * 1_000_000_000 + nanos)
}

#[cfg(not(target_os = "linux"))]
fn thread_cpu_nanos() -> Option<u64> {
    None
}

/// Whether the system now prefers others to the calling thread.
#[cfg(target_os = "linux")]
fn lower_priority() -> bool {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, and the call only reads the struct that it is given.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() -> bool {
    false
}
