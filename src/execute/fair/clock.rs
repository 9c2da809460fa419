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

/// How much nicer than others the threads are that give way: a fifth of the weight.
const NICER: i32 = 7;
/// What a thread that gives way runs at a time, in nanoseconds.
const LONG_SLICE_NANOS: u64 = 3_000_000;
/// What others run at a time, so that they need not wait for the end of a longer slice: the least
/// that the system knows.
const SHORT_SLICE_NANOS: u64 = 100_000;

/// Makes the calling thread one that gives way to others.
///
/// Where the system refuses, the thread is one like others, and what it runs is still shared fairly.
pub(crate) fn give_way() {
    GIVES_WAY.set(true);
    if !adjust(NICER, LONG_SLICE_NANOS) {
        tracing::warn!("the threads of long statements have the same priority as others");
    }
}

/// Makes the calling thread one that soon gets a processor from those that give way.
pub(crate) fn go_first() {
    // Systems that know no slices have a fixed one.
    adjust(0, SHORT_SLICE_NANOS);
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

/// Changes the calling thread's priority and its slice; whether the system did.
#[cfg(target_os = "linux")]
fn adjust(nicer: i32, slice_nanos: u64) -> bool {
    let mut attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    let size = attributes.size;
    // SAFETY: 0 is the calling thread, and the call writes to the struct of this size alone.
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if read != 0 || attributes.sched_policy != libc::SCHED_OTHER as u32 {
        return false;
    }
    attributes.size = size;
    attributes.sched_flags = 0;
    attributes.sched_nice = (attributes.sched_nice + nicer).min(19);
    attributes.sched_runtime = slice_nanos;
    // SAFETY: 0 is the calling thread, and the call only reads the struct.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn adjust(_nicer: i32, _slice_nanos: u64) -> bool {
    false
}
