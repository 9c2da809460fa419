//! `tests/mutations` takes checks out of the guard; here only that each still stands where it looks.

use std::path::Path;

#[test]
fn each_check_still_stands_where_it_is_taken_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = include_str!("../guard_mutations.txt");
    let mut count = 0;
    for block in list.split("\n\n") {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let Some(name) = field("name") else { continue };
        let file = field("file").expect("a file");
        let taken = |sign: char| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(sign));
            lines.collect::<Vec<_>>().join("\n")
        };
        let source = std::fs::read_to_string(root.join(file)).expect("the source");
        assert_eq!(source.matches(&taken('-')).count(), 1, "{name} in {file}");
        assert!(!taken('+').is_empty() && field("tests").is_some(), "{name}");
        count += 1;
    }
    assert!(count >= 10, "{count}");
}
