//! Who gives way to whom, on two small runtimes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::execute::Counters;

struct Bed {
    fair: Arc<Fair>,
    front: Runtime,
    back: Runtime,
}

impl Bed {
    fn new() -> Self {
        let front = Builder::new_multi_thread()
            .worker_threads(Fair::front_threads(1))
            .build()
            .unwrap();
        let back = Builder::new_multi_thread()
            .worker_threads(Fair::back_threads(1))
            .on_thread_start(give_way)
            .enable_time()
            .build()
            .unwrap();
        let fair = Fair::new(front.handle().clone(), back.handle().clone(), 1);
        Self {
            fair: Arc::new(fair),
            front,
            back,
        }
    }

    fn tenant(&self) -> (Arc<CpuShare>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (Arc::new(CpuShare::new(Arc::clone(&counters))), counters)
    }

    fn end(self) {
        self.front.shutdown_background();
        self.back.shutdown_background();
    }
}

/// Keeps a processor busy without giving anyone else a turn.
fn burn(nanos: u64) {
    let begin = Instant::now();
    while u64::try_from(begin.elapsed().as_nanos()).unwrap() < nanos {
        std::hint::spin_loop();
    }
}

/// Whether the thread gives way at each of so many steps, with so much work before each.
async fn steps(count: usize, nanos: u64) -> Vec<bool> {
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(clock::gives_way());
        burn(nanos);
        tokio::task::yield_now().await;
    }
    seen
}

#[test]
fn a_statement_gives_way_once_it_is_long_and_its_time_is_counted() {
    let bed = Bed::new();
    let (share, counters) = bed.tenant();
    let cpu = bed.fair.statement(&share);
    let seen = bed
        .front
        .block_on(cpu.spawn(steps(20, 10_000_000)))
        .unwrap();
    assert!(!seen[0], "it begins on a front thread");
    assert!(seen[19], "it ends on a back thread: {seen:?}");
    let first = seen.iter().position(|back| *back).unwrap();
    assert!(seen[first..].iter().all(|back| *back), "{seen:?}");
    assert!(counters.cpu_nanos.load(Ordering::Relaxed) > FRONT_NANOS);
    // The next one of the tenant begins in front again, as nobody else was there.
    let next = bed.fair.statement(&share);
    let seen = bed.front.block_on(next.spawn(steps(1, 1_000))).unwrap();
    assert_eq!(seen, [false]);
    bed.end();
}

#[test]
fn what_a_task_starts_belongs_to_its_statement() {
    let bed = Bed::new();
    let (share, counters) = bed.tenant();
    let cpu = bed.fair.statement(&share);
    let task = async {
        let inner = datafusion::common::runtime::SpawnedTask::spawn(steps(10, 10_000_000));
        inner.await.unwrap()
    };
    let seen = bed.front.block_on(cpu.spawn(task)).unwrap();
    assert!(!seen[0] && seen[9], "{seen:?}");
    assert!(counters.cpu_nanos.load(Ordering::Relaxed) > FRONT_NANOS);
    bed.end();
}

#[test]
fn a_panic_and_an_end_from_outside_reach_who_waits() {
    let bed = Bed::new();
    let (share, _) = bed.tenant();
    let cpu = bed.fair.statement(&share);
    cpu.charge(2 * FRONT_NANOS);
    let task = cpu.spawn(async {
        tokio::task::yield_now().await;
        panic!("as it must");
    });
    let ended: Result<(), _> = bed.front.block_on(task);
    assert!(ended.unwrap_err().is_panic());
    let endless = cpu.spawn(std::future::pending::<()>());
    endless.abort();
    assert!(bed.front.block_on(endless).unwrap_err().is_cancelled());
    // The place of neither is lost.
    let seen = bed.front.block_on(cpu.spawn(steps(3, 1_000))).unwrap();
    assert_eq!(seen, [true; 3]);
    bed.end();
}

#[test]
fn a_tenant_that_had_less_comes_first_on_threads_that_give_way() {
    let bed = Bed::new();
    let (greedy, _) = bed.tenant();
    let (modest, _) = bed.tenant();
    let order: Arc<Mutex<Vec<&str>>> = Arc::default();
    let long = |share: &Arc<CpuShare>| {
        let cpu = bed.fair.statement(share);
        cpu.statement
            .nanos
            .store(2 * FRONT_NANOS, Ordering::Relaxed);
        cpu
    };
    greedy.charge(&bed.fair, 1_000_000_000);
    // The only place is taken, so all that follow wait for it.
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let (began, begun) = std::sync::mpsc::channel::<()>();
    let holder = long(&greedy).spawn(async move {
        began.send(()).unwrap();
        held.recv().unwrap();
    });
    begun.recv().unwrap();
    let spawn = |share: &Arc<CpuShare>, name: &'static str| {
        let order = Arc::clone(&order);
        long(share).spawn(async move {
            burn(1_000_000);
            order.lock().push(name);
        })
    };
    let mut tasks: Vec<_> = (0..3).map(|_| spawn(&greedy, "greedy")).collect();
    tasks.push(spawn(&modest, "modest"));
    // Each asks once before it waits.
    std::thread::sleep(Duration::from_millis(50));
    hold.send(()).unwrap();
    bed.front.block_on(async {
        holder.await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(*order.lock(), ["modest", "greedy", "greedy", "greedy"]);
    bed.end();
}

#[test]
fn steps_that_do_not_come_back_keep_no_other_tenant_waiting() {
    let bed = Bed::new();
    let (stuck, _) = bed.tenant();
    let (other, _) = bed.tenant();
    let long = |share: &Arc<CpuShare>| {
        let cpu = bed.fair.statement(share);
        cpu.statement.gives_way.store(true, Ordering::Relaxed);
        cpu
    };
    let stop = Arc::new(AtomicBool::new(false));
    let endless = |share: &Arc<CpuShare>| {
        let stop = Arc::clone(&stop);
        long(share).spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
        })
    };
    let held: Vec<_> = (0..20).map(|_| endless(&stuck)).collect();
    let seen = bed
        .front
        .block_on(long(&other).spawn(steps(5, 1_000)))
        .unwrap();
    assert_eq!(seen, [true; 5]);
    stop.store(true, Ordering::Relaxed);
    bed.front.block_on(async {
        for task in held {
            task.await.unwrap();
        }
    });
    bed.end();
}

#[test]
fn weights_divide_the_processors_among_those_at_work() {
    let bed = Bed::new();
    let (one, _) = bed.tenant();
    let (other, _) = bed.tenant();
    other.set_weight(300);
    assert_eq!(bed.fair.processors_of(100), 1.0);
    one.charge(&bed.fair, 1);
    other.charge(&bed.fair, 1);
    assert_eq!(bed.fair.processors_of(100), 0.25);
    assert_eq!(bed.fair.processors_of(300), 0.75);
    assert!(!one.is_overdrawn());
    one.charge(&bed.fair, 1_000_000_000);
    assert!(one.is_overdrawn());
    assert!(!other.is_overdrawn());
    bed.end();
}
