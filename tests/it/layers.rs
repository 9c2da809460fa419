//! Who may import whom: the table below is the law, and the `use` lines of the sources are checked
//! against it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A module of the server, its own modules it may name, and the engines it may name.
const RULES: &[(&str, &[&str], &[&str])] = &[
    (
        "main",
        &[
            "config",
            "run",
            "demo",
            "server",
            "wire",
            "session",
            "auth",
            "error",
            "telemetry",
            "run",
            "demo",
        ],
        &["tessera_catalog", "rustls"],
    ),
    // The demo is a client that needs no socket.
    ("demo", &["run", "config", "session", "auth", "error"], &[]),
    (
        "run",
        &["config", "server", "session", "auth", "error"],
        &["tessera_catalog"],
    ),
    (
        "server",
        &["config", "wire", "session", "auth", "error", "telemetry"],
        &["tessera_catalog", "rustls", "tokio_rustls"],
    ),
    (
        "wire",
        &["session", "auth", "format", "error"],
        &[
            "tessera_catalog",
            "pgwire",
            "arrow_pg",
            "rustls",
            "tokio_rustls",
            "datafusion",
        ],
    ),
    (
        "session",
        &["auth", "planner", "policy", "execute", "format", "error"],
        &[
            "tessera_catalog",
            "tessera_udfs",
            "sqlparser",
            "datafusion",
            "datafusion_functions_json",
        ],
    ),
    (
        "planner",
        &["format", "error"],
        &["tessera_catalog", "tessera_udfs", "sqlparser", "datafusion"],
    ),
    (
        "policy",
        &["planner", "error"],
        &["tessera_catalog", "tessera_udfs", "datafusion"],
    ),
    (
        "execute",
        &["policy", "error"],
        &["tessera_catalog", "tessera_udfs", "datafusion", "ballista"],
    ),
    ("auth", &["error"], &["tessera_catalog", "argon2"]),
    // The words for what the engine cannot plan are the planner's.
    (
        "error",
        &["planner"],
        &["tessera_catalog", "tessera_udfs", "datafusion"],
    ),
    // The layers that read bytes, and a server without a socket, for tests that throw bytes at them.
    (
        "fuzz",
        &[
            "wire", "planner", "session", "auth", "config", "error", "run",
        ],
        &["tessera_catalog"],
    ),
    ("config", &["auth", "error"], &[]),
    (
        "format",
        &["error"],
        &["tessera_catalog", "tessera_udfs", "datafusion"],
    ),
    ("telemetry", &["config", "error"], &[]),
];

/// The crates that the table rules; all others are free everywhere.
const RULED: &[&str] = &[
    "tessera_catalog",
    "tessera_udfs",
    "datafusion",
    "datafusion_functions_json",
    "datafusion_pg_catalog",
    "deltalake_core",
    "object_store",
    "sqlx",
    "sqlparser",
    "pgwire",
    "arrow_pg",
    "ballista",
    "argon2",
    "rustls",
    "tokio_rustls",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The module of `src/` that a file belongs to.
fn module(file: &Path) -> String {
    let relative = file.strip_prefix(root().join("src")).expect("below src");
    let first = relative
        .components()
        .next()
        .expect("a name")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// What follows `use`, and every `name::` that stands in the text, without comments and strings.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default().trim();
        let path = code
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        if let Some(path) = path.strip_prefix("use ") {
            found.push(path.trim_end_matches(';').to_owned());
            continue;
        }
        let mut rest = code;
        while let Some(at) = rest.find("::") {
            let name: String = {
                let head: Vec<char> = rest[..at]
                    .chars()
                    .rev()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                head.into_iter().rev().collect()
            };
            let before = rest[..at - name.len()].ends_with("::");
            if !before && !name.is_empty() && !rest[..at].contains('"') {
                found.push(format!("{name}{}", &rest[at..]));
            }
            rest = &rest[at + 2..];
        }
    }
    found
}

/// The first two names of `crate::a::b` or `crate::{a, b}`: the own modules that are named.
fn own_modules(import: &str) -> Vec<String> {
    let Some(path) = import
        .strip_prefix("crate::")
        .or_else(|| import.strip_prefix("tessera::"))
    else {
        return Vec::new();
    };
    let names = match path.strip_prefix('{') {
        None => vec![path],
        Some(list) => {
            // Only the names at the first level of the braces count.
            let (mut depth, mut begin, mut names) = (0_usize, 0, Vec::new());
            for (at, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        names.push(&list[begin..at]);
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        names.push(&list[begin..at]);
                        begin = at + 1;
                    }
                    _ => {}
                }
            }
            names
        }
    };
    names
        .iter()
        .map(|name| {
            name.trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty() && name.chars().all(|c| !c.is_uppercase()))
        .collect()
}

#[test]
fn modules_import_what_the_table_allows() {
    let rules: BTreeMap<&str, (&[&str], &[&str])> = RULES
        .iter()
        .map(|(name, own, crates)| (*name, (*own, *crates)))
        .collect();
    let mut broken = Vec::new();
    for file in sources(&root().join("src")) {
        let module = module(&file);
        if module == "lib" || file.ends_with("tests.rs") {
            continue;
        }
        let Some((own, crates)) = rules.get(module.as_str()) else {
            broken.push(format!(
                "{}: no rule for the module {module}",
                file.display()
            ));
            continue;
        };
        let text = std::fs::read_to_string(&file).expect("the source can be read");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for import in imports(text) {
            let first: String = import
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if RULED.contains(&first.as_str()) && !crates.contains(&first.as_str()) {
                broken.push(format!(
                    "{}: {module} may not import {first}",
                    file.display()
                ));
            }
            for name in own_modules(&import) {
                if name != module
                    && rules.contains_key(name.as_str())
                    && !own.contains(&name.as_str())
                {
                    broken.push(format!(
                        "{}: {module} may not import {name}",
                        file.display()
                    ));
                }
            }
        }
    }
    broken.sort();
    broken.dedup();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn only_wire_imports_pgwire() {
    for folder in ["src", "catalog/src", "udfs/src"] {
        for file in sources(&root().join(folder)) {
            let inside = folder == "src" && module(&file) == "wire";
            let text = std::fs::read_to_string(&file).expect("the source can be read");
            let named = imports(&text)
                .iter()
                .any(|import| import.starts_with("pgwire"));
            assert!(inside || !named, "{} imports pgwire", file.display());
        }
    }
}

#[test]
fn the_lower_crates_know_nothing_of_the_server() {
    for (name, foreign) in [
        ("catalog", &["tessera ", "tessera-udfs", "pgwire"][..]),
        ("udfs", &["tessera ", "tessera-catalog", "pgwire", "sqlx"]),
    ] {
        let manifest = std::fs::read_to_string(root().join(name).join("Cargo.toml"))
            .expect("the manifest can be read");
        for line in manifest
            .lines()
            .map(|line| format!("{} ", line.replace(['=', '.'], " ")))
        {
            assert!(
                !foreign.iter().any(|foreign| line.starts_with(foreign)),
                "{name}: {line}"
            );
        }
    }
}

#[test]
fn the_check_itself_sees_what_it_should() {
    assert_eq!(
        own_modules("crate::{session::Session, error::{Error, Result}, wire}"),
        ["session", "error", "wire"]
    );
    assert_eq!(own_modules("crate::policy::GuardedPlan"), ["policy"]);
    assert!(own_modules("crate::Result").is_empty());
    let text = "use pgwire::api::X;\nlet a = sqlx::query(1); // sqlx::no\n";
    assert_eq!(imports(text)[0], "pgwire::api::X");
    assert!(imports(text)[1].starts_with("sqlx::"));
}
