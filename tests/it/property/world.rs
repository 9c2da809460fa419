//! Both tenants, and what is changed beside them.

use crate::harness::{PASSWORD, Server, Tessera, quoted};

/// Both tenants with rows everywhere; acme's are fixed.
pub(super) fn world() -> Option<Tessera> {
    let server = Server::tessera()?;
    let mut operator = server.operator();
    let password = quoted(PASSWORD);
    for sql in [
        "CREATE TABLE ledger (id int, word text, amount numeric(12, 2), day date)",
        "CREATE SHARED TABLE shared_book (id int, word text, amount numeric(12, 2), day date, owner text)",
        "ALTER TABLE shared_book ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY owners ON shared_book USING (owner = current_tenant())",
        "GRANT SELECT ON shared_book TO PUBLIC",
        "CREATE SHARED TABLE card_book (id int, word text, amount numeric(12, 2), day date)",
        "CREATE MASKING POLICY covered USING FULL",
        "CREATE MASKING POLICY gone USING NULL",
        "ALTER TABLE card_book ALTER COLUMN word SET MASKING POLICY covered",
        "ALTER TABLE card_book ALTER COLUMN amount SET MASKING POLICY gone",
        "GRANT SELECT ON card_book TO PUBLIC",
        "CREATE SEQUENCE counter",
    ] {
        let reply = operator.simple(sql);
        // Sequences may be the tenants' own alone.
        assert!(
            reply.error.is_none() || sql.contains("SEQUENCE"),
            "{sql}: {:?}",
            reply.error
        );
    }
    for (tenant, role) in [("acme", "alice"), ("globex", "gina")] {
        operator.run(&format!(
            "CREATE TENANT {tenant} WITH (admin = 'boss', password = '{password}')"
        ));
        operator.run(&format!(
            "CREATE ROLE {role} IN TENANT {tenant} LOGIN PASSWORD '{password}'"
        ));
        operator.run(&format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ledger TO ROLE {role} IN TENANT {tenant}"
        ));
        let mut boss = server.session(tenant, "boss");
        for sql in [
            "CREATE TABLE own (id int, word text, amount numeric(12, 2), day date)",
            "CREATE VIEW over AS SELECT id, word, amount, day FROM ledger WHERE id > 0",
            "CREATE VIEW over_shared AS SELECT id, word, amount, day FROM shared_book",
            "CREATE MATERIALIZED VIEW snapshot AS SELECT id, word, amount, day FROM ledger",
            "CREATE TABLE narrow (id int, word text, amount numeric(12, 2), day date, owner text DEFAULT current_user)",
            "CREATE POLICY owners ON narrow USING (owner = current_user)",
            "ALTER TABLE narrow ENABLE ROW LEVEL SECURITY",
            "CREATE TABLE masked (id int, word text, amount numeric(12, 2), day date)",
            "CREATE MASKING POLICY letters USING PARTIAL (0, '****', 0)",
            "CREATE MASKING POLICY amounts USING FULL",
            "ALTER TABLE masked ALTER COLUMN word SET MASKING POLICY letters",
            "ALTER TABLE masked ALTER COLUMN amount SET MASKING POLICY amounts",
            "CREATE VIEW over_narrow WITH (security_invoker = true) AS SELECT id, word, amount, day FROM narrow",
            "CREATE VIEW over_masked WITH (security_invoker = true) AS SELECT id, word, amount, day FROM masked WHERE id > 0",
        ] {
            boss.run(sql);
        }
        for name in [
            "own",
            "over",
            "over_shared",
            "snapshot",
            "over_narrow",
            "over_masked",
        ] {
            boss.run(&format!("GRANT ALL ON {name} TO {role}"));
        }
        for name in ["narrow", "masked"] {
            boss.run(&format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {role}"
            ));
        }
    }
    server
        .session("globex", "boss")
        .run("CREATE TABLE hidden (id int)");
    let rows = "(1, 'north', 10.5, date '2020-01-01'), (2, 'south', 20, date '2020-02-01'), \
                (3, 'a very long word', 30.25, date '2020-03-01'), (4, NULL, NULL, NULL), (5, 'north', 5, date '2020-05-05')";
    let mut acme = server.session("acme", "boss");
    acme.run(&format!(
        "INSERT INTO ledger (id, word, amount, day) SELECT * FROM (VALUES {rows}) v"
    ));
    acme.run(&format!("INSERT INTO own SELECT * FROM (VALUES {rows}) v"));
    acme.run("REFRESH MATERIALIZED VIEW snapshot");
    acme.run(&format!(
        "INSERT INTO narrow SELECT v.*, 'alice' FROM (VALUES {rows}) v"
    ));
    let shared = format!("INSERT INTO shared_book SELECT v.*, 'acme' FROM (VALUES {rows}) v");
    operator.run(&shared);
    Some(server)
}

/// Puts secrets into every cell of globex in place of what was there, others into the rows and columns that
/// policies and masks hide from acme's role, and many more rows or as many.
pub(super) fn fill(server: &Tessera, secret: (&str, &str), hidden: (&str, &str), rows: usize) {
    let (word, number) = secret;
    let made = format!(
        "SELECT n::int AS id, '{word}' || n AS word, {number} + n / 100.0 AS amount, date '2090-01-01' + n::int AS day FROM generate_series(1, {rows}) AS n"
    );
    let mut boss = server.session("globex", "boss");
    boss.run("DELETE FROM ledger");
    boss.run("DELETE FROM own");
    boss.run(&format!(
        "INSERT INTO ledger (id, word, amount, day) {made}"
    ));
    boss.run(&format!("INSERT INTO own {made}"));
    boss.run("REFRESH MATERIALIZED VIEW snapshot");
    let mut operator = server.operator();
    operator.run("DELETE FROM shared_book WHERE owner = 'globex'");
    operator.run(&format!(
        "INSERT INTO shared_book SELECT v.*, 'globex' FROM ({made}) v"
    ));
    let (word, number) = hidden;
    let cells = |rows: usize| {
        format!(
            "SELECT n::int AS id, '{word}' || n AS word, {number} + n / 100.0 AS amount, date '2090-01-01' + n::int AS day FROM generate_series(1, {rows}) AS n"
        )
    };
    operator.run("DELETE FROM card_book");
    operator.run(&format!("INSERT INTO card_book {}", cells(12)));
    let mut acme = server.session("acme", "boss");
    acme.run("DELETE FROM narrow WHERE owner = 'boss'");
    acme.run(&format!(
        "INSERT INTO narrow SELECT q.*, 'boss' FROM ({}) AS q",
        cells(rows)
    ));
    acme.run("DELETE FROM masked");
    acme.run(&format!("INSERT INTO masked {}", cells(12)));
}
