//! See `tessera::fuzz`. The world's folder is a new one each time; whoever fuzzes takes them away.
#![no_main]

use std::sync::LazyLock;

use tessera::fuzz::World;

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("tessera-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    World::open(&folder).expect("a world")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| WORLD.sql(data));
