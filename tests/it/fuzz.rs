//! The kept seeds of `fuzz/seeds`, and a little mutation of them, in every run; minutes of it in a long one.
//!
//! `TESSERA_TEST_FUZZ_SECONDS` is the time for each target, `TESSERA_TEST_FUZZ_TARGET` the only one that is
//! run. What crashes is written to the target's folder before it is tried, so that it is there when the
//! process is gone; a seed that did no harm is taken away again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tessera::fuzz::World;

/// A layer that reads bytes.
struct Target {
    name: &'static str,
    run: fn(&World, &[u8]),
    /// Pieces that mutation puts in: what the layer looks for.
    pieces: &'static [&'static [u8]],
}

const TARGETS: [Target; 4] = [
    Target {
        name: "start_up",
        run: |_, data| tessera::fuzz::start_up(data),
        pieces: &[
            b"user\0",
            b"database\0",
            b"options\0",
            b"-c a=b",
            b"_pq_.x\0",
            b"\0\x03\0\0",
            b"\0\x03\0\x02",
            b"\\",
            b"\xff\xfe",
        ],
    },
    Target {
        name: "message",
        run: |_, data| tessera::fuzz::message(data),
        pieces: &[
            b"\0",
            b"\xff\xff",
            b"\x7f\xff\xff\xff",
            b"\x80\0\0\0",
            b"\xff\xff\xff\xff",
            b"\0\x01",
            b"S\0",
            b"P\0",
            b"SELECT 1\0",
        ],
    },
    Target {
        name: "copy_data",
        run: |_, data| tessera::fuzz::copy_data(data),
        pieces: &[
            b"\n",
            b"\r\n",
            b"\"",
            b"\\.",
            b"\\N",
            b"\\x4",
            b"\\007",
            b",",
            b"{1,NULL}",
            b"infinity",
            b"1e400",
            b"PGCOPY\n\xff\r\n\0",
            b"\0\x06",
            b"\xff\xff\xff\xff",
            b"\0\0\0\x04",
        ],
    },
    Target {
        name: "sql",
        run: World::sql,
        pieces: &[
            b"SELECT ",
            b"(",
            b")",
            b"'",
            b"$$",
            b"E'\\",
            b"U&'\\",
            b"/*",
            b"*/",
            b"--",
            b"::",
            b" FROM ",
            b"CASE WHEN ",
            b" OVER (",
            b"ARRAY[",
            b"WITH a AS (",
            b"INSERT INTO t VALUES ",
            b"MERGE INTO ",
            b"GRANT ",
            b"CREATE POLICY p ON t USING (",
            b"COPY (",
            b"\xc3\xa9",
            b"1e9",
            b" INTERVAL '",
            b"EXPLAIN ",
            b"DECLARE c CURSOR FOR ",
        ],
    },
];

/// Mutations of each seed in an ordinary run.
const MUTATIONS: usize = 150;
/// Longer inputs teach nothing more here.
const MAX_BYTES: usize = 16 << 10;
/// How long one input may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target.name)
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder(target)).expect("the seeds' folder");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).expect("a seed"))
        .collect();
    assert!(!seeds.is_empty(), "no seeds of {}", target.name);
    seeds
}

/// Runs one input as the server would: where the stack is the server's.
fn run(target: &Target, world: &World, input: &[u8]) {
    let begin = Instant::now();
    (target.run)(world, input);
    assert!(
        begin.elapsed() < PATIENCE,
        "{}: {:?}",
        target.name,
        begin.elapsed()
    );
}

/// A generator that gives the same mutations for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Changes an input in one to four places.
fn mutate(dice: &mut Dice, target: &Target, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        match dice.below(8) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = dice.next() as u8,
            2 => input.truncate(at),
            3 => {
                let end = at + dice.below(input.len() - at + 1);
                input.drain(at..end);
            }
            4 => {
                let end = at + dice.below((input.len() - at + 1).min(64));
                let again = input[at..end].repeat(1 + dice.below(40));
                input.splice(at..at, again);
            }
            5 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                input.splice(at.., other[from..].iter().copied());
            }
            _ => {
                let piece = target.pieces[dice.below(target.pieces.len())];
                let times = if dice.below(20) == 0 { 400 } else { 1 };
                input.splice(at..at, piece.repeat(times));
            }
        }
    }
    input.truncate(MAX_BYTES);
    input
}

/// On a thread with the stack of those that read statements in the server.
fn with_the_servers_stack(work: impl FnOnce(&World) + Send + 'static) {
    let thread = std::thread::Builder::new()
        .stack_size(128 << 20)
        .spawn(move || {
            let folder = tempfile::tempdir().expect("a folder");
            let world = World::open(folder.path()).expect("a world");
            work(&world);
        });
    thread.expect("a thread").join().expect("no panic");
}

#[test]
fn kept_seeds_do_no_harm() {
    with_the_servers_stack(|world| {
        for target in &TARGETS {
            for seed in seeds(target) {
                run(target, world, &seed);
                // Cut off anywhere, too.
                for end in 0..seed.len().min(200) {
                    run(target, world, &seed[..end]);
                }
            }
        }
    });
}

#[test]
fn mutations_of_the_seeds_do_no_harm() {
    let seconds = std::env::var("TESSERA_TEST_FUZZ_SECONDS");
    let seconds: Option<u64> = seconds.ok().and_then(|text| text.parse().ok());
    let start = match seconds {
        None => 0x1234_5678_9abc_def1,
        Some(_) => u64::from(std::process::id()) << 20 | 1,
    };
    let wanted = std::env::var("TESSERA_TEST_FUZZ_TARGET").ok();
    let is_wanted =
        move |target: &&Target| wanted.as_deref().is_none_or(|name| name == target.name);
    with_the_servers_stack(move |world| {
        for target in TARGETS.iter().filter(is_wanted) {
            let seeds = seeds(target);
            let mut dice = Dice(start);
            let kept = folder(target).join("running");
            let (begin, mut count) = (Instant::now(), 0_usize);
            loop {
                let is_over = match seconds {
                    None => count >= MUTATIONS * seeds.len(),
                    Some(seconds) => begin.elapsed() >= Duration::from_secs(seconds),
                };
                if is_over {
                    break;
                }
                let input = mutate(&mut dice, target, &seeds);
                if seconds.is_some() {
                    std::fs::write(&kept, &input).expect("kept");
                }
                run(target, world, &input);
                count += 1;
            }
            let _ = std::fs::remove_file(&kept);
            println!("{}: {count} inputs in {:?}", target.name, begin.elapsed());
        }
    });
}
