//! Time, memory, connections, depth: a limit gives an error, and the server lives on.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::harness::{PASSWORD, Server};
use crate::wire::ENDLESS;

#[test]
fn a_tenants_statement_timeout_binds_its_sessions() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (statement_timeout = '1s')");
    let mut client = server.session("acme", "alice");
    let begin = Instant::now();
    assert_eq!(client.fail(ENDLESS).code(), "57014");
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn memory_is_bounded_for_each_tenant() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (memory_limit = '64MB', statement_timeout = '60s')");
    let mut client = server.session("acme", "alice");
    for sql in [
        "SELECT length(string_agg(repeat('x', 1000), '')) FROM generate_series(1, 1000000)",
        "SELECT cardinality(array_agg(n)) FROM generate_series(1, 50000000) AS n",
        "SELECT count(*) FROM (SELECT repeat(n::text, 200) AS k FROM generate_series(1, 2000000) AS n GROUP BY 1) AS g",
        "SELECT length(repeat('x', 2000000000))",
    ] {
        let reply = client.simple(sql);
        // Either it spills and answers, or it is refused; it never takes the server down.
        assert!(
            matches!(reply.code(), "" | "53200" | "54000" | "57014"),
            "{sql}: {:?}",
            reply.error
        );
        assert!(server.lives(), "{sql}");
    }
    let error = client.fail("SELECT cardinality(array_agg(repeat('x', 10000) || n)) FROM generate_series(1, 100000) AS n");
    assert_eq!(error.code(), "53200", "{error}");
    assert!(!error.to_string().contains("globex"));
    assert_eq!(
        server
            .session("globex", "alice")
            .value("SELECT count(*) FROM sales"),
        "2"
    );
}

#[test]
fn sorts_windows_and_groups_beyond_memory_spill_and_answer() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (memory_limit = '80MB', statement_timeout = '300s')");
    let mut client = server.session("acme", "alice");
    // A machine that does other work too takes its time.
    client.set_read_timeout(Duration::from_secs(300));
    // 2,000,000 texts of 96 bytes: more than twice the memory.
    let texts = "SELECT md5(n::text) || md5((n + 1)::text) || md5((n * 7)::text) AS noise \
                 FROM generate_series(1, 2000000) AS n";
    let sorted = format!(
        "SELECT count(*) FROM (SELECT noise, lag(noise) OVER (ORDER BY noise) AS before FROM ({texts}) AS t) AS s \
         WHERE before <= noise"
    );
    assert_eq!(client.value(&sorted), "1999999");
    let grouped = format!(
        "SELECT count(*) FROM (SELECT noise, count(*) FROM ({texts}) AS t GROUP BY noise) AS g"
    );
    assert_eq!(client.value(&grouped), "2000000");
    let spilled =
        std::fs::read_dir(server.data().join("spill")).expect("the folder for what spills");
    let left: Vec<_> = spilled.filter_map(Result::ok).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn changes_count_their_rows_against_memory() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (memory_limit = '32MB', statement_timeout = '120s')");
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE wide (n bigint, label text)");
    client.run("INSERT INTO wide SELECT n, 'label ' || n FROM generate_series(1, 400000) AS n");
    let error = client.fail("UPDATE wide SET label = repeat('x', 100) || n");
    assert_eq!(error.code(), "53200", "{error}");
    assert_eq!(
        client.value("SELECT count(*) FROM wide WHERE label LIKE 'label%'"),
        "400000"
    );
    client.run("UPDATE wide SET label = 'other' WHERE n <= 1000");
    assert_eq!(
        client.value("SELECT count(*) FROM wide WHERE label LIKE 'label%'"),
        "399000"
    );
}

#[test]
fn connections_are_limited_for_each_tenant() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (max_connections = 3)");
    let held: Vec<Client> = (0..3).map(|_| server.session("acme", "alice")).collect();
    let error = server
        .login("acme", "alice", PASSWORD)
        .err()
        .expect("refused");
    assert_eq!((error.code(), error.field('S')), ("53300", "FATAL"));
    // Others are free, and the operator counts towards no tenant.
    assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    assert_eq!(server.operator_in("acme").value("SELECT 1"), "1");
    drop(held);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
}

#[test]
fn deep_and_long_statements_are_refused_and_the_server_lives() {
    let server = Server::start();
    let tenant = server.tenant();
    let statements = [
        format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT 1{}", " + 1".repeat(50_000)),
        format!("SELECT 1 WHERE true{}", " OR 1 = 2".repeat(50_000)),
        format!("SELECT {}1", "- ".repeat(50_000)),
        format!("SELECT {}1", "NOT ".repeat(50_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(5_000)),
        format!("SELECT 1{}", " BETWEEN 1 AND 1".repeat(19_000)),
        format!("SELECT 1{}", " XOR 1".repeat(50_000)),
        format!("SELECT 1{}", " AND 1 XOR 1".repeat(19_000)),
        format!("SELECT 1{}", " OPERATOR(+) 1".repeat(50_000)),
        format!(
            "SELECT 1{}",
            " + CASE WHEN true AND true THEN 1 END".repeat(19_000)
        ),
        format!("SELECT {}1{}", "abs(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT {}", "CASE WHEN true THEN ".repeat(10_000)),
        format!("SELECT '{}'::jsonb", "[".repeat(100_000)),
        format!(
            "SELECT {}1 AS n{}",
            "* FROM (SELECT ".repeat(3_000),
            ") AS t".repeat(3_000)
        ),
    ];
    for sql in &statements {
        let mut client = tenant.connect();
        client.run("SET statement_timeout = '20s'");
        let reply = client.simple(sql);
        let known = matches!(
            reply.code(),
            "" | "54001" | "54000" | "57014" | "42601" | "42883" | "22P02" | "42804"
        );
        assert!(known, "{}…: {:?}", &sql[..60], reply.error);
        assert_eq!(tenant.connect().value("SELECT 1"), "1");
    }
}

#[test]
fn long_chains_of_conditions_are_answered() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut client = server.session("acme", "boss");
    client.run("CREATE TABLE numbers AS SELECT n FROM generate_series(1, 10000) AS n");
    let terms = |count: usize, operator: &str, word: &str| {
        let terms: Vec<String> = (1..=count).map(|n| format!("n {operator} {n}")).collect();
        terms.join(word)
    };
    // Their texts are too long to be shown when one fails.
    let rows = |client: &mut Client, sql: &str| {
        let reply = client.simple(sql);
        match &reply.error {
            Some(error) => format!("{error:?}"),
            None => reply.rows().concat().concat(),
        }
    };
    let several = terms(3_000, "= 2 *", " OR ");
    let sql = format!("SELECT count(*) FROM numbers WHERE {several}");
    assert_eq!(rows(&mut client, &sql), "3000");
    let none = terms(1_000, "<> 2 *", " AND ");
    let sql = format!("SELECT count(*) FROM numbers WHERE {none}");
    assert_eq!(rows(&mut client, &sql), "9000");
    let too_many = terms(10_000, "<> 2 *", " AND ");
    for sql in [
        format!("SELECT count(*) FROM numbers WHERE {too_many}"),
        format!(
            "SELECT count(*) FROM numbers WHERE {}",
            vec![format!("({none})"); 20].join(" AND ")
        ),
    ] {
        let reply = client.simple(&sql);
        assert_eq!(reply.code(), "54001");
    }
    let pairs: Vec<String> = (1..=500)
        .map(|n| format!("(n > {n} AND n < {n} + 2)"))
        .collect();
    let sql = format!("SELECT count(*) FROM numbers WHERE {}", pairs.join(" OR "));
    assert_eq!(rows(&mut client, &sql), "500");
}

#[test]
fn statements_that_double_at_each_line_are_refused_at_once() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut client = server.session("acme", "boss");
    client.run("SET statement_timeout = '60s'");
    let doubled: Vec<String> = (1..40)
        .map(|n| format!("q{n} AS (SELECT a.n FROM q{} AS a, q{} AS b)", n - 1, n - 1))
        .collect();
    let sql = format!(
        "WITH q0 AS (SELECT 1 AS n), {} SELECT count(*) FROM q39",
        doubled.join(", ")
    );
    assert_eq!(client.fail(&sql).code(), "54001");
    client.run("CREATE VIEW v0 AS SELECT 1 AS n");
    let mut refused = None;
    for n in 1..32 {
        let before = n - 1;
        let reply = client.simple(&format!(
            "CREATE VIEW v{n} AS SELECT a.n FROM v{before} AS a, v{before} AS b"
        ));
        if reply.code() == "54001" {
            refused = Some(n);
            break;
        }
    }
    assert!(refused.is_some(), "views double without bound");
    assert_eq!(client.value("SELECT n FROM v3"), "1");
}

#[test]
fn huge_arguments_are_bounded() {
    let Some(mut server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT acme SET (memory_limit = '128MB', statement_timeout = '5s')");
    let mut client = server.session("acme", "alice");
    for sql in [
        "SELECT repeat('x', 2147483647)",
        "SELECT lpad('x', 2147483647)",
        "SELECT array_fill(1, ARRAY[2000000000])",
        "SELECT count(*) FROM generate_series(1, 9223372036854775807)",
        "SELECT * FROM generate_series(1, 9223372036854775806) LIMIT 1",
        "SELECT factorial(100000)",
        "SELECT power(10::numeric, 100000)",
        "SELECT regexp_replace(repeat('a', 30000), '(a*)*b', 'x')",
    ] {
        let begin = Instant::now();
        client.simple(sql);
        assert!(
            begin.elapsed() < Duration::from_secs(8),
            "{sql}: {:?}",
            begin.elapsed()
        );
        assert!(server.lives(), "{sql}");
    }
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn silent_connections_are_dropped_and_do_not_lock_others_out() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut silent: Vec<Client> = (0..200)
        .map(|_| Client::dial(server.address()).expect("connects"))
        .collect();
    let begin = Instant::now();
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    let last = silent.last_mut().expect("there are some");
    last.set_read_timeout(Duration::from_secs(20));
    while let Some(message) = last.try_read().expect("closed within 20 s, not left open") {
        assert_eq!(message.tag, 'E');
    }
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_heavy_neighbour_leaves_short_queries_short() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER TENANT globex SET (statement_timeout = '10s', max_connections = 50)");
    std::thread::scope(|scope| {
        for _ in 0..20 {
            let mut heavy = server.session("globex", "alice");
            scope.spawn(move || heavy.simple(ENDLESS));
        }
        let mut client = server.session("acme", "alice");
        let mut times: Vec<Duration> = (0..20)
            .map(|_| {
                let begin = Instant::now();
                assert_eq!(client.value("SELECT count(*) FROM sales"), "3");
                begin.elapsed()
            })
            .collect();
        times.sort();
        assert!(times[18] < Duration::from_secs(2), "{times:?}");
    });
}
