//! The audit as those see it who may: what is recorded, what is never in it, and that nobody gets
//! around it.

use std::collections::BTreeSet;

use crate::client::Client;
use crate::harness::{ADMIN_PASSWORD, PASSWORD, Server, Tessera, quoted};

/// Literals that no record and no line of the log may hold.
const SECRET: &str = "hunter2-and-more";

/// What the operator's audit holds of one tenant, newest last: kind, tag, login, SQLSTATE.
fn told(operator: &mut Client, tenant: &str) -> Vec<Vec<String>> {
    operator.rows(&format!(
        "SELECT kind, tag, login, sqlstate FROM tessera.audit_log WHERE tenant = '{tenant}' ORDER BY number"
    ))
}

#[track_caller]
fn assert_told(operator: &mut Client, tenant: &str, expected: [&str; 4]) {
    let all = told(operator, tenant);
    assert!(
        all.iter().any(|row| row == &expected),
        "{expected:?} is not in {all:?}"
    );
}

#[track_caller]
fn assert_valid(operator: &mut Client) {
    let verdict = operator.rows("SELECT valid, problem FROM tessera.audit_verify()");
    assert_eq!(verdict, [["t", "NULL"]]);
}

fn start() -> Option<(Tessera, Client)> {
    let server = Server::tessera()?;
    let operator = server.two_tenants();
    Some((server, operator))
}

#[test]
fn logins_failures_and_refusals_are_recorded() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    drop(server.session("acme", "alice"));
    assert!(server.login("acme", "alice", SECRET).is_err());
    assert!(server.login("acme", "no\nsuch", SECRET).is_err());
    assert!(server.login("nowhere", "alice", SECRET).is_err());
    operator.run("ALTER TENANT acme SET (max_connections = 1)");
    let held = server.session("acme", "alice");
    assert!(server.login("acme", "alice", PASSWORD).is_err());
    drop(held);
    for expected in [
        ["login", "LOGIN", "alice", "00000"],
        ["login_failed", "LOGIN", "alice", "28P01"],
        ["login_failed", "LOGIN", "no\nsuch", "28P01"],
        ["login_refused", "LOGIN", "alice", "53300"],
    ] {
        assert_told(&mut operator, "acme", expected);
    }
    let unknown = operator.rows(
        "SELECT login, object, client_addr FROM tessera.audit_log WHERE tenant IS NULL AND kind = 'login_failed'",
    );
    assert_eq!(unknown, [["alice", "database nowhere", "127.0.0.1"]]);
    // The line of a name with a line end is one line all the same.
    let log = server.log();
    assert!(
        log.contains("no\\nsuch") || log.contains("no\\x0asuch"),
        "{log}"
    );
    assert!(!log.lines().any(|line| line.starts_with("such")), "{log}");
    assert!(!log.contains(SECRET) && !log.contains(PASSWORD) && !log.contains(ADMIN_PASSWORD));
    assert_valid(&mut operator);
}

#[test]
fn definitions_rights_and_policies_are_recorded_without_values() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    let mut boss = server.session("acme", "boss");
    for sql in [
        "CREATE TABLE t (id int, word text)",
        &format!("CREATE ROLE carol LOGIN PASSWORD '{SECRET}'"),
        &format!("ALTER ROLE carol PASSWORD '{SECRET}' VALID UNTIL '2099-01-01'"),
        "GRANT SELECT (id) ON t TO carol",
        "REVOKE SELECT (id) ON t FROM carol",
        &format!("CREATE POLICY p ON t USING (word <> '{SECRET}')"),
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE MASKING POLICY m USING FULL",
        "ALTER TABLE t ALTER COLUMN word SET MASKING POLICY m",
        &format!("COMMENT ON TABLE t IS '{SECRET}'"),
        "CREATE VIEW v AS SELECT id FROM t",
        "BEGIN; CREATE TABLE undone (id int); ROLLBACK",
        "BEGIN; CREATE TABLE kept (id int); SAVEPOINT s; CREATE TABLE lost (id int); ROLLBACK TO s; COMMIT",
        "DROP VIEW v",
        "DROP ROLE carol",
    ] {
        boss.run(sql);
    }
    operator.run(&format!(
        "ALTER ROLE alice IN TENANT acme PASSWORD '{SECRET}'"
    ));
    for expected in [
        ["ddl", "CREATE TABLE", "boss", "00000"],
        ["role", "CREATE ROLE", "boss", "00000"],
        ["role", "ALTER ROLE", "boss", "00000"],
        ["role", "GRANT", "boss", "00000"],
        ["role", "REVOKE", "boss", "00000"],
        ["policy", "CREATE POLICY", "boss", "00000"],
        ["ddl", "ALTER TABLE", "boss", "00000"],
        ["policy", "CREATE MASKING POLICY", "boss", "00000"],
        ["ddl", "COMMENT", "boss", "00000"],
        ["ddl", "CREATE VIEW", "boss", "00000"],
        ["ddl", "DROP VIEW", "boss", "00000"],
        ["role", "DROP ROLE", "boss", "00000"],
    ] {
        assert_told(&mut operator, "acme", expected);
    }
    let objects: BTreeSet<String> = operator
        .rows("SELECT object FROM tessera.audit_log WHERE tag = 'CREATE TABLE' AND tenant = 'acme'")
        .concat()
        .into_iter()
        .collect();
    assert_eq!(objects, BTreeSet::from(["kept".to_owned(), "t".to_owned()]));
    let granted = "SELECT object FROM tessera.audit_log WHERE tag = 'GRANT' AND tenant = 'acme'";
    assert_eq!(operator.value(granted), "select (id) on t to carol");
    let tenants = "SELECT object FROM tessera.audit_log WHERE kind = 'tenant' ORDER BY number";
    assert_eq!(operator.rows(tenants), [["acme"], ["globex"]]);
    let created =
        "SELECT statement FROM tessera.audit_log WHERE tag = 'CREATE ROLE' AND login = 'boss'";
    assert_eq!(
        operator.value(created),
        "create role carol login password ?"
    );
    // Nothing of the secret anywhere: neither in the audit, nor in the log, nor in the database's file.
    let all = operator.rows("SELECT * FROM tessera.audit_log");
    assert!(!all.concat().iter().any(|value| value.contains(SECRET)));
    assert!(!server.log().contains(SECRET));
    let records = std::process::Command::new("grep")
        .args(["-rlaF", "password 'hunter2", "."])
        .current_dir(server.data())
        .output()
        .expect("grep runs");
    assert_eq!(String::from_utf8_lossy(&records.stdout), "");
    assert_valid(&mut operator);
}

#[test]
fn what_is_refused_is_recorded_before_the_error() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    let mut alice = server.session("acme", "alice");
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE own (id int, word text)");
    assert_eq!(
        alice
            .fail(&format!("SELECT * FROM own WHERE word = '{SECRET}'"))
            .code(),
        "42501"
    );
    assert_eq!(alice.fail("DROP TABLE own").code(), "42501");
    assert_eq!(
        alice.fail("SELECT * FROM tessera.audit_log").code(),
        "42501"
    );
    let moved = "INSERT INTO sales (tenant_id, id) VALUES ('globex', 66)";
    assert_eq!(alice.fail(moved).code(), "42501");
    let by_extended = alice.extended("SELECT * FROM own WHERE id = $1", &[Some("1")], 0);
    assert_eq!(by_extended.code(), "42501");
    let refused = operator.rows(
        "SELECT tag, object, statement FROM tessera.audit_log WHERE kind = 'refused' ORDER BY number",
    );
    let expected = [
        ["SELECT", "table own", "select * from own where word = ?"],
        ["DROP TABLE", "table own", "drop table own"],
        [
            "SELECT",
            "view audit_log",
            "select * from tessera.audit_log",
        ],
    ];
    assert_eq!(refused[..3], expected);
    assert_eq!(refused[3][0], "INSERT");
    assert!(!refused[3][1].contains("66"));
    assert_eq!(
        refused.last().expect("five")[2],
        "select * from own where id = ?"
    );
    // One fingerprint for statements that differ in their values.
    alice.fail("SELECT * FROM own WHERE word = 'other'");
    let of_own = "SELECT count(DISTINCT fingerprint) FROM tessera.audit_log \
                  WHERE statement = 'select * from own where word = ?'";
    assert_eq!(operator.value(of_own), "1");
}

#[test]
fn exports_and_sensitive_reads_are_recorded() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE plain (id int)");
    boss.run("CREATE TABLE cards (id int, card text) WITH (sensitive = true)");
    boss.run("INSERT INTO cards VALUES (1, '4111'), (2, '4222')");
    boss.run("CREATE VIEW over AS SELECT card FROM cards");
    boss.run("CREATE TABLE later (id int)");
    let count = |operator: &mut Client, kind: &str| {
        let sql = format!("SELECT count(*) FROM tessera.audit_log WHERE kind = '{kind}'");
        operator.value(&sql)
    };
    boss.rows("SELECT * FROM plain");
    boss.rows("SELECT * FROM later");
    assert_eq!(count(&mut operator, "sensitive_read"), "0");
    boss.rows("SELECT count(*) FROM cards");
    boss.rows("SELECT * FROM over");
    boss.extended("SELECT * FROM cards WHERE id = $1", &[Some("1")], 0);
    boss.run("CREATE TABLE stolen AS SELECT * FROM cards");
    boss.run("UPDATE cards SET card = 'x' WHERE id = 2");
    boss.run("BEGIN; DECLARE c CURSOR FOR SELECT * FROM cards; FETCH c; COMMIT");
    let reads = operator.rows(
        "SELECT tag, object, login FROM tessera.audit_log WHERE kind = 'sensitive_read' ORDER BY number",
    );
    let tags: Vec<&str> = reads.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        tags,
        [
            "SELECT",
            "SELECT",
            "SELECT",
            "CREATE TABLE",
            "UPDATE",
            "DECLARE CURSOR"
        ]
    );
    assert!(
        reads
            .iter()
            .all(|row| row[1] == "public.cards" && row[2] == "boss")
    );
    boss.run("ALTER TABLE later SET (sensitive = true)");
    boss.rows("SELECT * FROM later");
    boss.run("ALTER TABLE later SET (sensitive = false)");
    boss.rows("SELECT * FROM later");
    assert_eq!(count(&mut operator, "sensitive_read"), "7");
    assert_eq!(
        boss.value("SELECT reloptions FROM pg_class WHERE relname = 'cards'"),
        "{sensitive=true}"
    );
    assert_eq!(
        boss.fail("ALTER TABLE plain SET (fillfactor = 50)").code(),
        "0A000"
    );
    assert_eq!(
        boss.fail("ALTER TABLE plain SET (sensitive = 7)").code(),
        "22023"
    );

    let (data, reply) = boss.copy_out("COPY cards TO STDOUT");
    assert!(reply.error.is_none());
    boss.copy_out("COPY (SELECT id FROM cards ORDER BY 1) TO STDOUT (FORMAT csv)");
    let failed = boss.copy_out("COPY (SELECT 1 / (id - 1) FROM cards ORDER BY id DESC) TO STDOUT");
    assert_eq!(failed.1.code(), "22012");
    let exports = operator.rows(
        "SELECT kind, object, row_count, byte_count, sqlstate FROM tessera.audit_log
         WHERE kind LIKE 'export%' ORDER BY number",
    );
    let bytes = data.len().to_string();
    assert_eq!(exports[0], ["export", "cards", "NULL", "NULL", "00000"]);
    assert_eq!(exports[1], ["export_end", "NULL", "2", &bytes, "00000"]);
    assert_eq!(exports[2], ["export", "NULL", "NULL", "NULL", "00000"]);
    assert_eq!(exports[3], ["export_end", "NULL", "2", "4", "00000"]);
    assert_eq!(exports[5][4], "22012");
    assert_valid(&mut operator);
}

#[test]
fn an_operators_access_is_in_the_tenants_own_audit() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE own (id int)");
    let mut visiting = server.operator_in("acme");
    visiting.rows("SELECT * FROM own");
    visiting.run("INSERT INTO own VALUES (1)");
    operator.run("UPDATE sales SET region = 'x' WHERE tenant_id = 'acme'");
    operator.rows("SELECT count(*) FROM sales");
    let own = boss.rows(
        "SELECT login, tag, object, client_addr, number, hash FROM tessera.audit_log \
         WHERE kind = 'operator_access' ORDER BY at",
    );
    let seen: Vec<[&str; 3]> = own
        .iter()
        .map(|row| [row[0].as_str(), row[1].as_str(), row[2].as_str()])
        .collect();
    // Two tenants were made with a table of common rows; the operator put rows there.
    assert!(
        seen.contains(&["tessera", "SELECT", "public.own"]),
        "{seen:?}"
    );
    assert!(seen.contains(&["tessera", "WRITE", "own"]), "{seen:?}");
    assert!(seen.iter().any(|row| row[2] == "sales"), "{seen:?}");
    assert!(
        own.iter().all(|row| row[3..] == ["NULL", "NULL", "NULL"]),
        "{own:?}"
    );
    let of_operator = operator.rows(
        "SELECT login, object FROM tessera.audit_log \
         WHERE kind = 'operator_access' AND tag = 'SELECT' AND tenant IS NULL",
    );
    assert_eq!(of_operator, [["admin", "public.sales"]]);
}

#[test]
fn a_tenant_sees_its_own_audit_and_only_its_admin_does() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    server
        .session("globex", "boss")
        .run("CREATE TABLE globex_plans (id int)");
    let mut boss = server.session("acme", "boss");
    boss.run("CREATE TABLE own (id int)");
    let own = boss.rows("SELECT * FROM tessera.audit_log");
    assert!(!own.is_empty());
    assert!(own.iter().all(|row| row[2] == "acme"), "{own:?}");
    assert!(
        !own.concat()
            .iter()
            .any(|value| value.contains("globex") || value == "admin")
    );
    for report in [
        "audit_log",
        "failed_logins",
        "last_logins",
        "unused_roles",
        "who_can_read",
        "tables_without_policies",
    ] {
        let all = boss.rows(&format!("SELECT * FROM tessera.{report}"));
        let foreign = |value: &String| value.contains("globex") || value == "admin";
        assert!(!all.concat().iter().any(foreign), "{report}: {all:?}");
        operator.rows(&format!("SELECT * FROM tessera.{report}"));
        let mut alice = server.session("acme", "alice");
        for sql in [
            format!("SELECT * FROM tessera.{report}"),
            format!("SELECT count(*) FROM (SELECT 1 FROM tessera.{report}) AS x"),
            format!("SET search_path = tessera; SELECT * FROM {report}"),
            format!("COPY (TABLE tessera.{report}) TO STDOUT"),
            format!("EXPLAIN SELECT * FROM tessera.{report}"),
        ] {
            assert_eq!(alice.fail(&sql).code(), "42501", "{sql}");
        }
    }
    for sql in [
        "SELECT * FROM tessera.audit_verify()",
        "SELECT * FROM audit_verify()",
    ] {
        assert_eq!(boss.fail(sql).code(), "42501", "{sql}");
    }
    // Nobody writes there, and nothing turns it off.
    for sql in [
        "DELETE FROM tessera.audit_log",
        "INSERT INTO tessera.audit_log (kind) VALUES ('login')",
        "UPDATE tessera.audit_log SET kind = 'ddl'",
        "TRUNCATE tessera.audit_log",
        "DROP VIEW tessera.audit_log",
        "DROP TABLE tessera.audit_log",
    ] {
        for client in [&mut boss, &mut operator] {
            assert!(!client.fail(sql).code().is_empty(), "{sql}");
        }
    }
    // A view over it lends nobody the admin's eyes.
    boss.run("CREATE VIEW peek AS SELECT login FROM tessera.audit_log");
    boss.run("GRANT SELECT ON peek TO alice");
    let mut alice = server.session("acme", "alice");
    assert_eq!(alice.fail("SELECT * FROM peek").code(), "42501");
    assert_valid(&mut operator);
}

#[test]
fn the_audit_leaves_by_copy_and_by_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = folder.path().join("audit.jsonl");
    let config = folder.path().join("tessera.toml");
    let text = format!("[audit]\nfile = \"{}\"\n", lines.display());
    std::fs::write(&config, text).expect("written");
    let path = config.display().to_string();
    let Some(mut server) = Server::tessera_with(&["--config", &path]) else {
        return;
    };
    let mut operator = server.two_tenants();
    assert!(server.login("acme", "a\n{\"number\":99}", SECRET).is_err());
    let (data, _) =
        operator.copy_out("COPY (SELECT number, kind, hash FROM tessera.audit_log) TO STDOUT");
    assert!(!data.is_empty());
    server.stop();
    let read = |path: &std::path::Path| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).expect("the lines");
        let parsed = text
            .lines()
            .map(|line| serde_json::from_str(line).expect(line));
        parsed.collect()
    };
    let before = read(&lines);
    let numbers: Vec<i64> = before
        .iter()
        .map(|line| line["number"].as_i64().expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
    assert!(
        !std::fs::read_to_string(&lines)
            .expect("read")
            .contains(SECRET)
    );
    server.launch();
    let mut operator = server.operator();
    let last = operator.value("SELECT max(number) FROM tessera.audit_log");
    drop(operator);
    server.stop();
    let after = read(&lines);
    assert_eq!(after[..before.len()], before[..]);
    assert!(after.len() as i64 >= last.parse::<i64>().expect("a number"));
}

#[test]
fn reports_say_who_reads_what() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    let password = quoted(PASSWORD);
    let mut boss = server.session("acme", "boss");
    for sql in [
        "CREATE TABLE t (id int, word text, card text)",
        "CREATE TABLE closed (id int)",
        "CREATE ROLE readers",
        &format!("CREATE ROLE carol LOGIN PASSWORD '{password}' IN ROLE readers"),
        &format!("CREATE ROLE dave LOGIN PASSWORD '{password}'"),
        "GRANT SELECT ON t TO readers",
        "GRANT SELECT (id, word) ON t TO dave",
        "CREATE MASKING POLICY m USING FULL TO readers",
        "ALTER TABLE t ALTER COLUMN card SET MASKING POLICY m",
        "CREATE POLICY mine ON t FOR SELECT TO readers USING (id > 0)",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    ] {
        boss.run(sql);
    }
    let report = "SELECT role, relation, through, columns, policies, masked_columns \
                  FROM tessera.who_can_read WHERE relation IN ('t', 'closed') \
                  AND role IN ('carol', 'dave', 'alice') ORDER BY 1, 2";
    let expected = [
        ["carol", "t", "{readers}", "NULL", "{mine}", "{card}"],
        ["dave", "t", "{dave}", "{id,word}", "{\"(no row)\"}", "NULL"],
    ];
    assert_eq!(boss.rows(report), expected);
    let mut of_operator = operator.rows(&format!("{report}, tenant"));
    of_operator.retain(|row| row[1] == "t");
    assert_eq!(of_operator, expected);
    let open = "SELECT tablename, scope FROM tessera.tables_without_policies ORDER BY 1";
    assert_eq!(boss.rows(open), [["closed", "own"], ["sales", "common"]]);
    drop(server.session("acme", "carol"));
    assert!(server.login("acme", "carol", "wrong").is_err());
    let unused = "SELECT role, last_login IS NULL FROM tessera.unused_roles ORDER BY 1";
    assert_eq!(boss.rows(unused), [["alice", "t"], ["dave", "t"]]);
    let last = "SELECT logins, failures, last_login < now(), last_failure < now() \
                FROM tessera.last_logins WHERE role = 'carol'";
    assert_eq!(boss.rows(last), [["1", "1", "t", "t"]]);
    let failed = "SELECT login, sqlstate, client_addr FROM tessera.failed_logins";
    assert_eq!(boss.rows(failed), [["carol", "28P01", "127.0.0.1"]]);
    let operators = "SELECT role FROM tessera.last_logins WHERE tenant IS NULL";
    assert_eq!(operator.rows(operators), [["admin"]]);
}

#[test]
fn a_kill_leaves_the_chain_whole() {
    let Some((mut server, operator)) = start() else {
        return;
    };
    drop(operator);
    for round in 0..5 {
        let mut boss = server.session("acme", "boss");
        boss.run(&format!("CREATE TABLE kept{round} (id int)"));
        let address = server.address().to_owned();
        let busy = std::thread::spawn(move || {
            for number in 0.. {
                let sql = format!("CREATE TABLE r{round}_{number} (id int)");
                let sent = boss.try_send_bytes(&query(&sql));
                if sent.is_err() || !matches!(boss.try_read(), Ok(Some(_))) {
                    break;
                }
            }
            drop(address);
        });
        std::thread::sleep(std::time::Duration::from_millis(150));
        server.kill();
        busy.join().expect("the client ends");
        server.launch();
        let mut operator = server.operator();
        assert_valid(&mut operator);
        // As many tables as records of their making: neither is there without the other.
        let mut boss = server.session("acme", "boss");
        let made = boss.value(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'sales'",
        );
        let recorded =
            boss.value("SELECT count(*) FROM tessera.audit_log WHERE tag = 'CREATE TABLE'");
        assert_eq!(made, recorded);
    }
}

/// A Query message.
fn query(sql: &str) -> Vec<u8> {
    let mut bytes = vec![b'Q'];
    bytes.extend((sql.len() as u32 + 5).to_be_bytes());
    bytes.extend(sql.as_bytes());
    bytes.push(0);
    bytes
}

#[test]
fn reads_of_sensitive_tables_are_recorded_at_every_door() {
    let Some((server, mut operator)) = start() else {
        return;
    };
    let mut boss = server.session("acme", "boss");
    for sql in [
        "CREATE TABLE cards (id int PRIMARY KEY, at date, amount float8) WITH (sensitive = true)",
        "INSERT INTO cards SELECT n, date '2026-01-01' + n::int, n % 7 FROM generate_series(1, 40) AS n",
        "CREATE TABLE plain (id int, at date, amount float8)",
        "CREATE VIEW over AS SELECT * FROM cards",
        "CREATE VIEW over_over AS SELECT id FROM over",
        "CREATE TABLE narrow (id int)",
        "INSERT INTO narrow VALUES (1)",
        "CREATE POLICY of_cards ON narrow USING (id IN (SELECT id FROM cards))",
        "ALTER TABLE narrow ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE narrow FORCE ROW LEVEL SECURITY",
        "PREPARE p AS SELECT count(*) FROM cards",
    ] {
        boss.run(sql);
    }
    let mut reads = || -> i64 {
        let sql = "SELECT count(*) FROM tessera.audit_log WHERE kind = 'sensitive_read' AND object = 'public.cards'";
        operator.value(sql).parse().expect("a number")
    };
    for sql in [
        "SELECT 1 FROM over_over",
        "SELECT (SELECT max(amount) FROM cards)",
        "EXECUTE p",
        "EXECUTE p",
        "EXPLAIN ANALYZE SELECT * FROM cards",
        "EXPLAIN ANALYZE UPDATE cards SET amount = amount + 1",
        "CREATE TABLE taken AS SELECT * FROM over",
        "SELECT * INTO other FROM cards",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM cards",
        "REFRESH MATERIALIZED VIEW kept",
        "INSERT INTO plain SELECT * FROM cards",
        "UPDATE plain SET amount = c.amount FROM cards c WHERE c.id = plain.id",
        "DELETE FROM plain USING cards c WHERE c.id = plain.id AND c.amount < 0",
        "MERGE INTO plain USING cards c ON c.id = plain.id WHEN MATCHED THEN UPDATE SET amount = c.amount",
        "UPDATE cards SET amount = amount * 2",
        "DELETE FROM cards WHERE amount < 0 RETURNING *",
        "INSERT INTO cards VALUES (1, NULL, 0) ON CONFLICT (id) DO UPDATE SET amount = cards.amount RETURNING *",
        "WITH gone AS (DELETE FROM cards WHERE id = 40 RETURNING *) SELECT * FROM gone",
        "BEGIN; DECLARE c CURSOR FOR SELECT * FROM over; FETCH ALL FROM c; COMMIT",
        "SELECT count(*) FROM cards FOR VERSION AS OF 1",
        "SELECT id FROM cards WHERE id = 3 FOR UPDATE",
        "SELECT count(*) FROM forecast(cards, timestamp_col => at, data_col => amount, horizon => 1)",
        "SELECT count(*) FROM detect_anomalies((SELECT * FROM over), timestamp_col => at, data_col => amount)",
        "SELECT count(*) FROM narrow",
        "ALTER TABLE cards ADD COLUMN twice float8 GENERATED ALWAYS AS (amount * 2) STORED",
    ] {
        let before = reads();
        let reply = boss.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        assert!(reads() > before, "{sql}");
    }
    for sql in [
        "COPY cards TO STDOUT",
        "COPY (SELECT 1 FROM over_over) TO STDOUT",
        "COPY (DELETE FROM cards WHERE id = 39 RETURNING id) TO STDOUT",
    ] {
        let before = reads();
        let (_, reply) = boss.copy_out(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        assert!(reads() > before, "{sql}");
    }
    // By the extended protocol each execution of what was parsed once is recorded.
    let before = reads();
    boss.extended("SELECT id FROM cards WHERE id = $1", &[Some("1")], 0);
    assert!(reads() > before);
    // What reads no row of it is no read.
    let before = reads();
    boss.run("EXPLAIN SELECT * FROM plain");
    boss.run("INSERT INTO cards VALUES (1000, NULL, 1)");
    assert_eq!(reads(), before);
}
