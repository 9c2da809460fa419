//! What a fuzzer calls: each layer that reads a client's bytes, with nothing behind it, and statements
//! with a small server's tenants behind them.
//!
//! `fuzz/` has the targets of cargo-fuzz and the seeds; `tests/it/fuzz.rs` replays the seeds and mutates
//! them. An error is an answer; a panic, an endless loop, memory without bound or a word of another
//! tenant is a find. What the layers answer is thrown away.

mod world;

pub use crate::wire::fuzz::{copy_data, message, start_up};
pub use world::World;

use crate::planner;

/// The most statements of a text that are outlined one by one.
const MAX_STATEMENTS: usize = 64;

/// The text of a Query message, as far as it is read without anybody's names.
pub fn sql(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(statements) = planner::parse(text) {
        for statement in statements.iter().take(MAX_STATEMENTS) {
            let _ = planner::outline(&statement.text);
        }
    }
}
