//! Tenants whose files are encrypted, as their clients and whoever holds the disk see them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::harness::{PASSWORD, Server, Tessera, quoted};

/// Words that acme and globex write and nobody else does.
const SECRET: &str = "quokkaquokka";
const OPEN_WORD: &str = "wombatwombat";
const FIRST_KEY: &str = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988";
const SECOND_KEY: &str = "8a7b6c5d4e3f20118a7b6c5d4e3f20118a7b6c5d4e3f20118a7b6c5d4e3f2011";
/// How long files may take to be rewritten.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with a master key, which lies beside the data and not in it.
struct Bed {
    server: Tessera,
    folder: tempfile::TempDir,
}

impl Bed {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("tessera.toml");
        let key = folder.path().join("master.key");
        let text = format!("[encryption]\nmaster_key_file = \"{}\"\n", key.display());
        std::fs::write(&config, text).expect("the configuration is written");
        write_key(folder.path(), FIRST_KEY);
        let config = config.to_str().expect("a path in UTF-8").to_owned();
        let server = Server::tessera_with(&["--config", &config])?;
        Some(Self { server, folder })
    }

    /// The tenant `acme`, encrypted, and `globex`, which is not.
    fn with_tenants() -> Option<(Self, Client)> {
        let bed = Self::new()?;
        let mut operator = bed.server.operator();
        operator.run("CREATE TABLE sales (id integer, word text)");
        for (tenant, how) in [("acme", " ENCRYPTED"), ("globex", "")] {
            operator.run(&format!(
                "CREATE TENANT {tenant}{how} WITH (admin = 'boss', password = '{}')",
                quoted(PASSWORD)
            ));
        }
        Some((bed, operator))
    }

    /// Whether a word is to be read anywhere in the data folder.
    fn tells(&self, word: &str) -> bool {
        holds(self.server.data(), word.as_bytes())
    }

    fn restart(&mut self) {
        assert!(self.server.stop().success());
        self.server.launch();
    }
}

fn write_key(folder: &Path, text: &str) {
    let path = folder.join("master.key");
    std::fs::write(&path, text).expect("the key is written");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("the key's permissions are set");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn holds(folder: &Path, word: &[u8]) -> bool {
    files(folder).iter().any(|path| {
        // A file that is gone tells nothing.
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word)
    })
}

/// The data files below a folder.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let is_data = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "parquet")
            && !path.to_string_lossy().contains("_delta_log")
    };
    files(folder).into_iter().filter(is_data).collect()
}

/// Writes a word in every way that rows come in.
fn fill(boss: &mut Client, word: &str) {
    for sql in [
        "CREATE TABLE diary (id int PRIMARY KEY, word text)".to_owned(),
        format!("INSERT INTO diary VALUES (1, '{word}'), (2, '{word}')"),
        format!("UPDATE diary SET word = '{word} twice' WHERE id = 2"),
        format!("INSERT INTO diary VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET word = '{word}'"),
        format!(
            "MERGE INTO diary d USING (VALUES (3, '{word}')) v (id, word) ON d.id = v.id
                 WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.word)"
        ),
        "CREATE TABLE copied AS SELECT * FROM diary".to_owned(),
        "CREATE MATERIALIZED VIEW kept AS SELECT word FROM diary".to_owned(),
        "DELETE FROM copied WHERE id = 1".to_owned(),
        format!("INSERT INTO sales (id, word) VALUES (1, '{word}')"),
        "ALTER TABLE diary ADD COLUMN more text".to_owned(),
    ] {
        boss.run(&sql);
    }
    let rows: String = (10..3000).map(|id| format!("{id},{word}{id}\n")).collect();
    let reply = boss.copy_in("COPY copied FROM STDIN (FORMAT csv)", &[rows.as_bytes()]);
    assert_eq!(reply.code(), "", "{:?}", reply.error);
}

/// Reads it back in every way that rows go out.
fn check(boss: &mut Client, word: &str) {
    assert_eq!(
        boss.rows("SELECT id, word FROM diary ORDER BY id"),
        [
            ["1".to_owned(), word.to_owned()],
            ["2".to_owned(), format!("{word} twice")],
            ["3".to_owned(), word.to_owned()]
        ]
    );
    assert_eq!(boss.value("SELECT count(*) FROM copied"), "2992");
    assert_eq!(
        boss.value("SELECT word FROM copied WHERE id = 2999"),
        format!("{word}2999")
    );
    assert_eq!(boss.value("SELECT count(word) FROM kept"), "3");
    assert_eq!(boss.value("SELECT word FROM sales"), word);
    let (out, _) = boss.copy_out("COPY (SELECT word FROM diary WHERE id = 1) TO STDOUT");
    assert_eq!(out, format!("{word}\n").into_bytes());
    assert_eq!(
        boss.value("SELECT count(*) FROM diary FOR VERSION AS OF 0"),
        "2"
    );
}

fn wait_for_rewriting(operator: &mut Client) {
    let begin = Instant::now();
    let sql = "SELECT count(*) FROM tessera.encryption WHERE rewriting";
    while operator.value(sql) != "0" {
        assert!(
            begin.elapsed() < PATIENCE,
            "{:?}",
            operator.rows("SELECT * FROM tessera.encryption")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_an_encrypted_tenant_writes_is_nowhere_on_the_disk() {
    let Some((mut bed, _)) = Bed::with_tenants() else {
        return;
    };
    for (tenant, word) in [("acme", SECRET), ("globex", OPEN_WORD)] {
        let mut boss = bed.server.session(tenant, "boss");
        fill(&mut boss, word);
        check(&mut boss, word);
    }
    assert!(
        bed.tells(OPEN_WORD),
        "the search finds what is not encrypted"
    );
    assert!(!bed.tells(SECRET));
    // A cursor's rows lie in the temporary folder as long as it is open.
    let mut boss = bed.server.session("acme", "boss");
    boss.run("BEGIN");
    boss.run(&format!(
        "DECLARE c SCROLL CURSOR FOR SELECT n, '{SECRET}' || n FROM generate_series(1, 200000) AS n"
    ));
    boss.run("MOVE FORWARD 200000 IN c");
    let spilled: u64 = files(&bed.server.data().join("spill"))
        .iter()
        .map(|path| path.metadata().expect("its size").len())
        .sum();
    assert!(spilled > 1 << 20, "{spilled}");
    assert!(!bed.tells(SECRET));
    boss.run("MOVE ABSOLUTE 77 IN c");
    assert_eq!(
        boss.rows("FETCH 1 FROM c"),
        [["78".to_owned(), format!("{SECRET}78")]]
    );
    drop(boss);
    // Neither is it after a crash and a start that finds everything.
    bed.server.kill();
    assert!(!bed.tells(SECRET));
    bed.server.launch();
    check(&mut bed.server.session("acme", "boss"), SECRET);
    let mut operator = bed.server.operator();
    assert_eq!(
        operator.rows("SELECT tenant_id, word FROM sales ORDER BY 1"),
        [["acme", SECRET], ["globex", OPEN_WORD]]
    );
    bed.restart();
    check(&mut bed.server.session("acme", "boss"), SECRET);
    assert!(!bed.tells(SECRET));
}

#[test]
fn encryption_is_turned_on_rotated_and_turned_off_under_readers() {
    let Some((mut bed, mut operator)) = Bed::with_tenants() else {
        return;
    };
    let mut boss = bed.server.session("globex", "boss");
    fill(&mut boss, OPEN_WORD);
    assert!(bed.tells(OPEN_WORD));
    let state = "SELECT encrypted, former_keys, rewriting, files_left FROM tessera.encryption \
                 WHERE tenantname = 'globex'";
    assert_eq!(operator.rows(state), [["f", "0", "f", "0"]]);
    operator.run("ALTER TENANT globex SET ENCRYPTION ON");
    check(&mut boss, OPEN_WORD);
    wait_for_rewriting(&mut operator);
    assert_eq!(operator.rows(state), [["t", "0", "f", "0"]]);
    check(&mut boss, OPEN_WORD);
    // What stood in the catalog before, as redo records do, is overwritten there in time; files are not
    // plain any more at once.
    assert!(!holds(
        &bed.server.data().join("tables"),
        OPEN_WORD.as_bytes()
    ));
    let key = "SELECT key_id FROM tessera.encryption WHERE tenantname = 'globex'";
    let first = operator.value(key);
    for _ in 0..2 {
        operator.run("ALTER TENANT globex ROTATE KEY");
    }
    check(&mut boss, OPEN_WORD);
    wait_for_rewriting(&mut operator);
    assert_ne!(operator.value(key), first);
    check(&mut boss, OPEN_WORD);
    bed.restart();
    let mut operator = bed.server.operator();
    let mut boss = bed.server.session("globex", "boss");
    check(&mut boss, OPEN_WORD);
    operator.run("ALTER TENANT globex SET ENCRYPTION OFF");
    check(&mut boss, OPEN_WORD);
    wait_for_rewriting(&mut operator);
    assert_eq!(operator.rows(state), [["f", "0", "f", "0"]]);
    assert!(holds(&bed.server.data().join("tables"), b"PAR1"));
    check(&mut boss, OPEN_WORD);
    let error = operator.fail("ALTER TENANT globex ROTATE KEY");
    assert_eq!(error.code(), "55000", "{error}");
}

#[test]
fn who_changes_files_is_found_out() {
    let Some((mut bed, mut operator)) = Bed::with_tenants() else {
        return;
    };
    operator.run("ALTER TENANT globex SET ENCRYPTION ON");
    wait_for_rewriting(&mut operator);
    for tenant in ["acme", "globex"] {
        let mut boss = bed.server.session(tenant, "boss");
        boss.run("CREATE TABLE one (id int, word text)");
        boss.run(&format!("INSERT INTO one VALUES (1, '{SECRET}')"));
        boss.run("CREATE TABLE other (id int, word text)");
        boss.run("INSERT INTO other VALUES (2, 'mine')");
    }
    assert!(bed.server.stop().success());
    let tables = bed.server.data().join("tables").join("tenants");
    let tenants: Vec<PathBuf> = std::fs::read_dir(&tables)
        .expect("tenants' folders")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    let own: Vec<Vec<PathBuf>> = tenants.iter().map(|folder| data_files(folder)).collect();
    assert_eq!(own.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    let good: Vec<Vec<Vec<u8>>> = own
        .iter()
        .map(|files| {
            files
                .iter()
                .map(|path| std::fs::read(path).expect("a file"))
                .collect()
        })
        .collect();
    let mut flipped = good[0][0].clone();
    flipped[100] ^= 4;
    let bad: [(&str, Vec<u8>); 5] = [
        ("a changed bit", flipped),
        ("a cut file", good[0][0][..good[0][0].len() - 7].to_vec()),
        ("another table's file", good[0][1].clone()),
        ("another tenant's file", good[1][0].clone()),
        (
            "a plain file",
            b"PAR1 and so on, long enough to be looked at as one, PAR1".repeat(3),
        ),
    ];
    for (what, bytes) in bad {
        std::fs::write(&own[0][0], bytes).expect("the file is replaced");
        bed.server.launch();
        let mut failures = 0;
        for tenant in ["acme", "globex"] {
            let mut boss = bed.server.session(tenant, "boss");
            for table in ["one", "other"] {
                let reply = boss.simple(&format!("SELECT word FROM {table}"));
                match reply.code() {
                    "" => {
                        let word = if table == "one" { SECRET } else { "mine" };
                        assert_eq!(reply.rows(), [[word]], "{what}");
                    }
                    code => {
                        failures += 1;
                        let error = reply.error.as_ref().expect("an error");
                        assert_eq!(code, "XX001", "{what}: {error}");
                        let name = own[0][0].file_name().expect("a name").to_string_lossy();
                        assert!(error.message().contains(&*name), "{what}: {error}");
                        assert!(
                            reply.answers.iter().all(|answer| answer.rows.is_empty()),
                            "{what}"
                        );
                    }
                }
            }
        }
        assert_eq!(failures, 1, "{what}");
        assert!(bed.server.stop().success());
    }
    std::fs::write(&own[0][0], &good[0][0]).expect("the file is put back");
    bed.server.launch();
    let mut boss = bed.server.session("acme", "boss");
    assert_eq!(boss.value("SELECT word FROM one"), SECRET);
}

#[test]
fn the_master_key_is_missed_found_and_rotated() {
    let Some((mut bed, mut operator)) = Bed::with_tenants() else {
        return;
    };
    for tenant in ["acme", "globex"] {
        let mut boss = bed.server.session(tenant, "boss");
        boss.run("INSERT INTO sales (id, word) VALUES (1, 'w')");
    }
    operator.run("ALTER TENANT acme RENAME TO acme2");
    operator.run("ALTER TENANT acme2 RENAME TO acme");
    drop(operator);
    write_key(bed.folder.path(), SECOND_KEY);
    bed.restart();
    let mut acme = bed.server.session("acme", "boss");
    for sql in [
        "SELECT * FROM sales",
        "SELECT count(*) FROM sales",
        "INSERT INTO sales (id, word) VALUES (2, 'x')",
        "DELETE FROM sales",
    ] {
        let error = acme.fail(sql);
        assert_eq!(error.code(), "58030", "{sql}: {error}");
        assert!(error.field('H').contains("ROTATE MASTER KEY"), "{error}");
        assert!(!error.to_string().contains("master.key"), "{error}");
    }
    assert_eq!(acme.value("SELECT 1"), "1");
    let mut globex = bed.server.session("globex", "boss");
    assert_eq!(globex.value("SELECT count(*) FROM sales"), "1");
    globex.run("INSERT INTO sales (id, word) VALUES (2, 'x')");
    let mut operator = bed.server.operator();
    let error = operator.fail("ALTER TENANT acme ROTATE KEY");
    assert_eq!(error.code(), "58030", "{error}");
    // The former key below the new one opens what it wrapped; then the new one does alone.
    write_key(bed.folder.path(), &format!("{SECOND_KEY}\n{FIRST_KEY}\n"));
    let before = operator.value("SELECT master_key FROM tessera.encryption WHERE encrypted");
    operator.run("ALTER SYSTEM ROTATE MASTER KEY");
    let after = operator.value("SELECT master_key FROM tessera.encryption WHERE encrypted");
    assert_ne!(before, after);
    assert_eq!(acme.value("SELECT count(*) FROM sales"), "1");
    write_key(bed.folder.path(), SECOND_KEY);
    operator.run("ALTER SYSTEM ROTATE MASTER KEY");
    write_key(bed.folder.path(), FIRST_KEY);
    let error = operator.fail("ALTER SYSTEM ROTATE MASTER KEY");
    assert_eq!(error.code(), "55000", "{error}");
    write_key(bed.folder.path(), SECOND_KEY);
    bed.restart();
    let mut acme = bed.server.session("acme", "boss");
    assert_eq!(acme.value("SELECT count(*) FROM sales"), "1");
    // All of it is in the audit; no key is there, nor in the log or the data.
    let mut operator = bed.server.operator();
    let recorded =
        "SELECT count(*) > 0 FROM tessera.audit_log WHERE tag = 'ALTER SYSTEM' AND kind = 'tenant'";
    assert_eq!(operator.value(recorded), "t");
    for key in [FIRST_KEY, SECOND_KEY] {
        let part = &key[..16];
        let found = operator.value(&format!(
            "SELECT count(*) FROM tessera.audit_log a WHERE a::text LIKE '%{}' || '{}%'",
            &part[..8],
            &part[8..]
        ));
        assert_eq!(found, "0");
        assert!(!bed.server.log().contains(part));
        assert!(!bed.tells(part));
    }
}

#[test]
fn operators_alone_change_encryption_and_a_tenant_sees_its_own() {
    let Some((bed, mut operator)) = Bed::with_tenants() else {
        return;
    };
    let mut boss = bed.server.session("acme", "boss");
    for sql in [
        "ALTER TENANT acme SET ENCRYPTION OFF",
        "ALTER TENANT globex SET ENCRYPTION ON",
        "ALTER TENANT nobody SET ENCRYPTION ON",
        "ALTER TENANT acme ROTATE KEY",
        "ALTER SYSTEM ROTATE MASTER KEY",
        "CREATE TENANT third ENCRYPTED",
    ] {
        let error = boss.fail(sql);
        assert_eq!(error.code(), "42501", "{sql}: {error}");
    }
    assert_eq!(
        boss.rows("SELECT tenantname, encrypted, key_id IS NULL, master_key IS NULL FROM tessera.encryption"),
        [["acme", "t", "f", "t"]]
    );
    assert_eq!(
        operator.value("SELECT count(*) FROM tessera.encryption"),
        "2"
    );
    for sql in [
        "BEGIN; ALTER TENANT acme ROTATE KEY",
        "BEGIN; ALTER SYSTEM ROTATE MASTER KEY",
    ] {
        let reply = operator.simple(sql);
        assert_eq!(reply.code(), "25001", "{sql}");
        operator.run("ROLLBACK");
    }
    let reply = operator.simple("ALTER TENANT acme SET ENCRYPTION ON");
    assert!(reply.notices[0].message().contains("already on"));
    let reply = operator.simple("DROP TENANT acme CASCADE");
    assert!(
        reply.notices[0].field('D').contains("keys are erased"),
        "{:?}",
        reply.notices
    );
}

#[test]
fn without_a_master_key_nothing_is_encrypted() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    for sql in [
        "CREATE TENANT third ENCRYPTED",
        "ALTER TENANT acme SET ENCRYPTION ON",
        "ALTER SYSTEM ROTATE MASTER KEY",
    ] {
        let error = operator.fail(sql);
        assert_eq!(error.code(), "55000", "{sql}: {error}");
        assert!(error.field('H').contains("[encryption]"), "{sql}: {error}");
    }
    assert_eq!(
        operator.value("SELECT count(*) FROM tessera.encryption WHERE encrypted"),
        "0"
    );
    assert_eq!(
        server
            .session("acme", "boss")
            .value("SELECT count(*) FROM sales"),
        "3"
    );
}
