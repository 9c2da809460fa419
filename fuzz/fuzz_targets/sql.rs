//! See `tessera::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tessera::fuzz::sql(data));
