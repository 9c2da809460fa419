//! Generated statements over two tenants with secrets in every cell.
//!
//! Each statement runs as a role of acme. Two things must hold of everything that the server sends, be it
//! rows, errors, notices, tags, EXPLAIN or COPY. No byte of it is a secret of globex. And it is the same,
//! to the byte, after globex has put other secrets, and twenty times as many, in their place: what globex
//! has changes nothing that acme observes.
//!
//! Seeds that once found something stand in `tests/data/property_seeds.txt` and run each time;
//! `TESSERA_TEST_STATEMENTS` and `TESSERA_TEST_SEED` make a long run of others.

use std::fmt::Write as _;

use postgres_protocol::message::frontend;

use crate::client::Client;
use crate::harness::{PASSWORD, Server, Tessera, quoted};

/// What stands in every text of globex, and in every number, one after the other in two worlds.
const SECRETS: [(&str, &str); 2] = [("zqxglobexzqx", "48151623"), ("wvkglobexwvk", "42108151")];
/// Statements of each kept seed in an ordinary run.
const STATEMENTS: usize = 40;

/// A generator that gives the same statements for the same seed.
struct Dice(u64);

impl Dice {
    /// The next number, by SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn happens(&mut self, in_ten: usize) -> bool {
        self.below(10) < in_ten
    }
}

/// Relations with the columns id, word, amount and day.
const RELATIONS: &[&str] = &[
    "ledger",
    "shared_book",
    "own",
    "over",
    "over_shared",
    "snapshot",
    "public.ledger",
];
const NUMBERS: &[&str] = &[
    "id",
    "amount",
    "length(word)",
    "id % 3",
    "abs(amount)",
    "extract(day FROM day)::int",
];
const TEXTS: &[&str] = &[
    "word",
    "upper(word)",
    "left(word, 3)",
    "word || id::text",
    "day::text",
    "current_tenant()",
];
const AGGREGATES: &[&str] = &[
    "count(*)",
    "count(DISTINCT word)",
    "sum(amount)",
    "min(word)",
    "max(word)",
    "max(amount)",
    "string_agg(word, ',' ORDER BY word, id)",
    "array_agg(id ORDER BY id)",
    "bool_or(id > 2)",
    "min(day)",
];
/// Expressions that fail on some rows: on globex's above all, should one come by.
const FRAGILE: &[&str] = &[
    "1 / (id - 3)",
    "word::int",
    "(amount || 'x')::numeric",
    "1 / (length(word) - 12)",
    "word::date",
    "CASE WHEN word LIKE '%globex%' THEN 1 / (id - id) ELSE 0 END",
    "(ARRAY[1])[id] / (amount - 48151623)",
    "to_date(word, 'YYYY')",
    "repeat(word, 1)::bigint",
    "ln(amount - amount)",
];

fn number(dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => format!("({} + {})", number(dice), dice.below(9)),
        1 => format!("coalesce({}, 0)", dice.one(NUMBERS)),
        2 if dice.happens(3) => dice.one(FRAGILE).to_owned(),
        _ => dice.one(NUMBERS).to_owned(),
    }
}

fn condition(dice: &mut Dice) -> String {
    match dice.below(12) {
        0 => format!("{} > {}", number(dice), dice.below(30)),
        1 => format!("word LIKE '%{}%'", dice.one(&["a", "globex", "z", "north"])),
        2 => format!("id IN (SELECT id FROM {})", dice.one(RELATIONS)),
        3 => format!(
            "EXISTS (SELECT 1 FROM {} e WHERE e.id >= 4)",
            dice.one(RELATIONS)
        ),
        4 => format!("({} OR {})", condition(dice), condition(dice)),
        5 => format!("NOT ({})", condition(dice)),
        6 => format!(
            "amount >= ALL (SELECT amount FROM {} WHERE id < 3)",
            dice.one(RELATIONS)
        ),
        7 => "tenant_of(word) IS NULL".replace("tenant_of(word)", "nullif(word, 'x')"),
        8 => format!(
            "day BETWEEN '2020-01-01' AND '2020-0{}-01'",
            1 + dice.below(9)
        ),
        9 => format!("amount = (SELECT max(amount) FROM {})", dice.one(RELATIONS)),
        10 => "true".to_owned(),
        _ => format!("{} IS NOT NULL", dice.one(TEXTS)),
    }
}

/// A query with the columns a and b; in a fixed order when `ordered`.
fn select(dice: &mut Dice, depth: usize) -> String {
    let from = source(dice, depth);
    let filter = match dice.happens(6) {
        true => format!(" WHERE {}", condition(dice)),
        false => String::new(),
    };
    match dice.below(6) {
        0 => format!(
            "SELECT {} AS a, {} AS b FROM {from}{filter}",
            dice.one(AGGREGATES),
            dice.one(AGGREGATES)
        ),
        1 => format!(
            "SELECT {t} AS a, {} AS b FROM {from}{filter} GROUP BY {t} HAVING count(*) > {}",
            dice.one(AGGREGATES),
            dice.below(2),
            t = dice.one(&["word", "day", "id % 2"])
        ),
        2 => format!(
            "SELECT word AS a, {} OVER (ORDER BY id, word) AS b FROM {from}{filter}",
            dice.one(&[
                "row_number()",
                "sum(amount)",
                "lag(word)",
                "first_value(word)",
                "count(*)",
                "rank()"
            ])
        ),
        3 if depth > 0 => {
            let operator = dice.one(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]);
            let right = dice.one(RELATIONS);
            format!(
                "SELECT word AS a, id AS b FROM {from}{filter} {operator} SELECT word, id FROM {right}"
            )
        }
        4 => format!(
            "SELECT DISTINCT {} AS a, {} AS b FROM {from}{filter} ORDER BY 1, 2 LIMIT {}",
            dice.one(TEXTS),
            number(dice),
            1 + dice.below(5)
        ),
        _ => format!(
            "SELECT {} AS a, {} AS b FROM {from}{filter}",
            dice.one(TEXTS),
            number(dice)
        ),
    }
}

fn source(dice: &mut Dice, depth: usize) -> String {
    let relation = dice.one(RELATIONS);
    if depth == 0 {
        return relation.to_owned();
    }
    match dice.below(9) {
        0 => format!("(SELECT * FROM {relation} WHERE {}) AS s", condition(dice)),
        1 => format!(
            "{relation} JOIN (SELECT id AS other FROM {}) j ON id = other",
            dice.one(RELATIONS)
        ),
        2 => format!(
            "{relation} LEFT JOIN (SELECT id AS other, word AS twin FROM {}) j ON id = other",
            dice.one(RELATIONS)
        ),
        3 => format!(
            "{relation} CROSS JOIN (SELECT count(*) AS c FROM {}) k",
            dice.one(RELATIONS)
        ),
        4 => format!(
            "{relation}, LATERAL (SELECT max(l.word) AS top FROM {} l WHERE l.id > 1) AS lat",
            dice.one(RELATIONS)
        ),
        5 => format!("(SELECT * FROM {relation} ORDER BY amount DESC, id, word LIMIT 3) AS s"),
        6 => format!(
            "(SELECT {relation_columns} FROM {relation} FULL JOIN {} x USING (id)) AS s",
            dice.one(RELATIONS),
            relation_columns = "id, x.word, x.amount, x.day"
        ),
        _ => relation.to_owned(),
    }
}

/// Tables that acme's role may write.
const TARGETS: &[&str] = &["ledger", "own", "shared_book"];

fn change(dice: &mut Dice) -> String {
    let target = dice.one(TARGETS);
    let returning = dice.one(&[
        "",
        " RETURNING *",
        " RETURNING word, amount",
        " RETURNING 1 / (id - 2)",
    ]);
    let changed = match dice.below(6) {
        0 => format!(
            "UPDATE {target} SET word = word || '!' WHERE {}{returning}",
            condition(dice)
        ),
        1 => format!("DELETE FROM {target} WHERE {}{returning}", condition(dice)),
        2 => format!(
            "INSERT INTO {target} (id, word, amount, day) SELECT id + 100, word, amount, day FROM {} WHERE id < 9{returning}",
            dice.one(RELATIONS)
        ),
        3 => format!(
            "INSERT INTO {target} (id, word) VALUES ({}, 'mine') ON CONFLICT DO NOTHING{returning}",
            dice.below(20)
        ),
        4 => format!(
            "UPDATE {target} SET amount = s.amount FROM {} s WHERE s.id = {target}.id{returning}",
            dice.one(RELATIONS)
        ),
        _ => format!(
            "MERGE INTO {target} t USING {} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET word = s.word \
             WHEN NOT MATCHED THEN INSERT (id, word) VALUES (s.id, s.word)",
            dice.one(RELATIONS)
        ),
    };
    format!("BEGIN; {changed}; SELECT count(*), min(word), max(word) FROM {target}; ROLLBACK")
}

/// What asks about things and not rows.
const ABOUT: &[&str] = &[
    "SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('ledger', 'own', 'shared_book', 'hidden') ORDER BY 1",
    "SELECT count(*) FROM pg_class WHERE oid >= 16384",
    "SELECT pg_total_relation_size('ledger'), pg_relation_size('own')",
    "SELECT datname FROM pg_database ORDER BY 1",
    "SELECT rolname FROM pg_roles ORDER BY 1",
    "SELECT relname, n_live_tup, n_tup_ins FROM pg_stat_user_tables ORDER BY 1",
    "SELECT count(*) FROM pg_stat_activity WHERE datname <> current_database()",
    "SELECT tablename, attname, n_distinct FROM pg_stats ORDER BY 1, 2",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
    "SELECT * FROM hidden",
    "SELECT 'hidden'::regclass",
    "SELECT * FROM zqxglobexzqx.x",
    "SELECT nextval('counter'), currval('counter')",
    "SELECT polname FROM pg_policy ORDER BY 1",
    "SELECT * FROM forecast((SELECT day, amount FROM ledger), timestamp_col => day, data_col => amount, horizon => 2)",
    "SELECT (ttest_1samp(amount, mu => 4)).statistic FROM ledger",
    "SELECT count(*) FROM ledger FOR VERSION AS OF 1",
    "SHOW ALL",
    "SELECT count(*) FROM tessera.audit_log",
    "SET ROLE gina",
    "SET SESSION AUTHORIZATION gina",
    "GRANT SELECT ON own TO gina",
    "DROP TABLE hidden",
    "SELECT has_table_privilege('gina', 'ledger', 'SELECT')",
];

/// A statement, and whether its answer is the same each time.
fn statement(dice: &mut Dice) -> (String, bool) {
    match dice.below(12) {
        0 => (format!("EXPLAIN {}", select(dice, 1)), true),
        1 => (format!("EXPLAIN ANALYZE {}", select(dice, 1)), false),
        2 => (
            format!("COPY ({}) TO STDOUT (FORMAT csv)", select(dice, 1)),
            true,
        ),
        3 | 4 => (change(dice), true),
        5 => {
            let about = dice.one(ABOUT);
            // Sizes and activity are the session's own, and may move by themselves.
            (about.to_owned(), !about.contains("nextval"))
        }
        6 => (
            format!(
                "WITH c AS ({}) SELECT count(*), min(a::text), max(b::text) FROM c",
                select(dice, 2)
            ),
            true,
        ),
        7 => (
            format!("SELECT {} FROM {}", dice.one(FRAGILE), dice.one(RELATIONS)),
            true,
        ),
        8 => (
            format!(
                "PREPARE p AS {}; EXECUTE p; EXECUTE p; DEALLOCATE p",
                select(dice, 1)
            ),
            true,
        ),
        9 => (
            format!(
                "BEGIN; DECLARE c CURSOR FOR {}; FETCH 2 FROM c; FETCH ALL FROM c; ROLLBACK",
                select(dice, 1)
            ),
            false,
        ),
        _ => (select(dice, 2), true),
    }
}

/// Everything that the server says to a Query message: as it came, and with the rows in order.
struct Said {
    raw: Vec<u8>,
    sorted: Vec<(char, Vec<u8>)>,
}

/// A message without the numbers that the engine gives to expressions: they count what the tenant's own
/// sessions have planned.
fn without_numbers(body: Vec<u8>) -> Vec<u8> {
    const NUMBERED: &str = "__common_expr_";
    if !holds(&body, NUMBERED) {
        return body;
    }
    // What tells a row's length goes with them.
    let line = String::from_utf8_lossy(body.get(6..).unwrap_or_default());
    let mut pieces = line.split(NUMBERED);
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept.push_str(NUMBERED);
        kept.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    kept.into_bytes()
}

fn ask(client: &mut Client, sql: &str) -> Said {
    client.send(|buf| frontend::query(sql, buf));
    let mut said = Said {
        raw: Vec::new(),
        sorted: Vec::new(),
    };
    loop {
        let message = client
            .try_read()
            .expect("the server answers in time")
            .unwrap_or_else(|| panic!("{sql}: the connection was closed"));
        said.raw.extend_from_slice(&message.body);
        said.raw.push(0);
        let is_last = message.tag == 'Z';
        said.sorted
            .push((message.tag, without_numbers(message.body)));
        if is_last {
            break;
        }
    }
    // Rows without an order may come in any.
    let mut from = 0;
    while from < said.sorted.len() {
        let is_row = |tag: char| tag == 'D' || tag == 'd';
        let run = said.sorted[from..]
            .iter()
            .take_while(|(tag, _)| is_row(*tag));
        let to = from + run.count();
        said.sorted[from..to].sort();
        from = to + 1;
    }
    said
}

/// Whether bytes hold others; texts in either case.
fn holds(bytes: &[u8], secret: &str) -> bool {
    let lower = bytes.to_ascii_lowercase();
    lower
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

fn show(said: &Said) -> String {
    let mut text = String::new();
    for (tag, body) in &said.sorted {
        let _ = writeln!(text, "{tag} {}", String::from_utf8_lossy(body));
    }
    text
}

/// Both tenants with rows everywhere; acme's are fixed.
fn world() -> Option<Tessera> {
    let server = Server::tessera()?;
    let mut operator = server.operator();
    let password = quoted(PASSWORD);
    for sql in [
        "CREATE TABLE ledger (id int, word text, amount numeric(12, 2), day date)",
        "CREATE SHARED TABLE shared_book (id int, word text, amount numeric(12, 2), day date, owner text)",
        "ALTER TABLE shared_book ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY owners ON shared_book USING (owner = current_tenant())",
        "GRANT SELECT ON shared_book TO PUBLIC",
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
        ] {
            boss.run(sql);
        }
        for name in ["own", "over", "over_shared", "snapshot"] {
            boss.run(&format!("GRANT ALL ON {name} TO {role}"));
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
    let shared = format!("INSERT INTO shared_book SELECT v.*, 'acme' FROM (VALUES {rows}) v");
    operator.run(&shared);
    Some(server)
}

/// Puts secrets into every cell of globex, in place of what was there.
fn fill(server: &Tessera, secret: (&str, &str), rows: usize) {
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
}

/// The kept seeds, and how many statements each makes.
fn runs() -> Vec<(u64, usize)> {
    let variable = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(statements) = variable("TESSERA_TEST_STATEMENTS") {
        let seed = variable("TESSERA_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("TESSERA_TEST_SEED={seed}");
        return vec![(seed, statements as usize)];
    }
    include_str!("../data/property_seeds.txt")
        .lines()
        .filter_map(|line| line.split('#').next()?.trim().parse().ok())
        .map(|seed| (seed, STATEMENTS))
        .collect()
}

/// The runs' statements, each with where it comes from and whether its answer is the same each time.
fn statements() -> Vec<(String, String, bool)> {
    let mut statements = Vec::new();
    for (seed, count) in runs() {
        let mut dice = Dice(seed);
        for number in 0..count {
            let (sql, repeats) = statement(&mut dice);
            let place = format!("seed {seed}, statement {number}: {sql}");
            statements.push((place, sql, repeats));
        }
    }
    statements
}

#[test]
fn generated_statements_tell_nothing_of_another_tenant() {
    let Some(server) = world() else { return };
    let statements = statements();
    let mut before: Vec<Said> = Vec::new();
    let mut leaks: Vec<String> = Vec::new();
    let (mut answered, mut failed) = (0, 0);
    for (round, secret) in SECRETS.into_iter().enumerate() {
        fill(&server, secret, 15 + round * 300);
        let mut alice = server.session("acme", "alice");
        alice.run("SET statement_timeout = '60s'");
        for (index, (place, sql, repeats)) in statements.iter().enumerate() {
            let said = ask(&mut alice, sql);
            // What the client itself wrote may come back in an error.
            let mut secrets = [secret.0, secret.1].into_iter();
            if secrets.any(|secret| !sql.contains(secret) && holds(&said.raw, secret)) {
                leaks.push(format!("{place}\ntells a secret:\n{}", show(&said)));
            }
            let is_error = said.sorted.iter().any(|(tag, _)| *tag == 'E');
            *if is_error { &mut failed } else { &mut answered } += 1;
            if round == 0 {
                before.push(said);
            } else if *repeats && said.sorted != before[index].sorted {
                let (before, after) = (show(&before[index]), show(&said));
                leaks.push(format!("{place}\nbefore:\n{before}\nafter:\n{after}"));
            }
            // A transaction that an error left open.
            ask(&mut alice, "ROLLBACK");
            ask(&mut alice, "DEALLOCATE ALL");
        }
    }
    println!("{answered} statements answered, {failed} failed");
    let count = leaks.len();
    leaks.truncate(12);
    assert!(
        leaks.is_empty(),
        "{count} leaks, such as:\n{}",
        leaks.join("\n\n")
    );
    // A generator whose statements all fail proves nothing.
    assert!(answered > failed, "{answered} answered, {failed} failed");
}
