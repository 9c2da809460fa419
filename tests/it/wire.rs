//! Start-up, both protocols, formats, portals, pipelining, cancel, notices, SQLSTATEs.

use std::time::{Duration, Instant};

use postgres_protocol::message::frontend;

use crate::client::{Client, bind, columns, error_fields, values};
use crate::harness::{PASSWORD, Server};

// ── Start-up ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn start_up_tells_parameters_and_a_cancel_key() {
    let server = Server::start();
    let client = server
        .tenant()
        .connect_with(&[("application_name", "the test")])
        .expect("logs in");
    for (name, value) in [
        ("server_encoding", "UTF8"),
        ("client_encoding", "UTF8"),
        ("application_name", "the test"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("integer_datetimes", "on"),
        ("standard_conforming_strings", "on"),
        ("is_superuser", "off"),
    ] {
        assert_eq!(
            client.parameters.get(name).map(String::as_str),
            Some(value),
            "{name}"
        );
    }
    for name in ["server_version", "TimeZone", "session_authorization"] {
        assert!(client.parameters.contains_key(name), "{name}");
    }
    assert_ne!(client.process_id, 0);
    assert_eq!(client.secret_key.len(), 4);
}

#[test]
fn start_up_settings_and_options_take_effect() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = tenant
        .connect_with(&[
            ("TimeZone", "Asia/Tokyo"),
            ("options", "-c statement_timeout=7s -cextra_float_digits=2"),
            ("search_path", "public"),
        ])
        .expect("logs in");
    assert_eq!(client.value("SHOW timezone"), "Asia/Tokyo");
    assert_eq!(client.value("SHOW statement_timeout"), "7s");
    assert_eq!(client.value("SHOW extra_float_digits"), "2");
    assert_eq!(client.value("SHOW search_path"), "public");
    client.run("SET timezone = 'UTC'");
    assert_eq!(
        client.parameters.get("TimeZone").map(String::as_str),
        Some("UTC")
    );
    client.run("RESET timezone");
    assert_eq!(client.value("SHOW timezone"), "Asia/Tokyo");
    let error = tenant
        .connect_with(&[("no_such_setting", "1")])
        .err()
        .expect("an unknown setting is fatal");
    assert_eq!((error.code(), error.field('S')), ("42704", "FATAL"));
}

#[test]
fn what_the_server_tells_is_not_for_a_client_to_say() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let log_in = |options: &[(&str, &str)]| {
        let login = Client::login(server.address(), "acme", "alice", PASSWORD, options);
        login.map(drop).map_err(|error| error.code().to_owned())
    };
    assert_eq!(log_in(&[("row_security", "off")]), Ok(()));
    for name in ["is_superuser", "session_authorization", "server_version"] {
        let refused = Err("55P02".to_owned());
        let option = format!("-c {name}=x");
        assert_eq!(log_in(&[(name, "x")]), refused, "{name}");
        assert_eq!(log_in(&[("options", &option)]), refused, "{name}");
    }
    assert_eq!(log_in(&[("memory_limit", "99GB")]), Err("42501".to_owned()));
    assert_eq!(
        log_in(&[("options", "-c role=boss")]),
        Err("0A000".to_owned())
    );
}

#[test]
fn a_newer_minor_version_and_unknown_options_are_negotiated() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = Client::dial(server.address()).expect("connects");
    let mut body = Vec::new();
    body.extend_from_slice(&(3_u32 << 16 | 9999).to_be_bytes());
    for text in [
        "user",
        &tenant.admin,
        "database",
        &tenant.name,
        "_pq_.nonsense",
        "1",
    ] {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend(body);
    client.send_bytes(&packet);
    let answer = client.read();
    assert_eq!(answer.tag, 'v');
    let text = String::from_utf8_lossy(&answer.body[8..]).into_owned();
    assert_eq!(
        i32::from_be_bytes(answer.body[4..8].try_into().expect("4 bytes")),
        1
    );
    assert_eq!(text.trim_end_matches('\0'), "_pq_.nonsense");
    assert_eq!(client.read().tag, 'R');
}

#[test]
fn ssl_and_gss_requests_get_one_byte() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 8, 4, 210, 22, 48]);
    let gss = client.read_byte();
    assert!(gss == b'N' || server.is_postgres() && gss == b'G');
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 8, 4, 210, 22, 47]);
    assert!(matches!(client.read_byte(), b'N' | b'S'));
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 8, 4, 210, 22, 47]);
    if client.read_byte() == b'N' {
        client
            .log_in(&tenant.name, &tenant.admin, PASSWORD, &[])
            .expect("plain text goes on after a no");
    }
}

#[test]
fn malformed_first_packets_end_one_connection_alone() {
    let server = Server::start();
    let tenant = server.tenant();
    let packets: [&[u8]; 9] = [
        &[0, 0, 0, 0],
        &[0, 0, 0, 3],
        &[0, 0, 0, 7, 0, 3, 0],
        &[0xff; 8],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, 0],
        &[0, 0, 0, 14, 0, 3, 0, 0, b'u', b's', b'e', b'r', 0, b'x'],
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for packet in packets {
        let mut client = Client::dial(server.address()).expect("connects");
        client.set_read_timeout(Duration::from_secs(20));
        let _ = client.try_send_bytes(packet);
        // An error or a close; both are an answer. Silence is not.
        if let Ok(Some(message)) = client.try_read() {
            assert_eq!(message.tag, 'E', "{packet:?}");
        }
    }
    assert_eq!(tenant.connect().value("SELECT 1"), "1");
}

#[test]
fn nothing_runs_before_the_password() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = Client::dial(server.address()).expect("connects");
    client.send(|buf| {
        frontend::startup_message([("user", &*tenant.admin), ("database", &*tenant.name)], buf)
    });
    assert_eq!(client.read().tag, 'R');
    client.send(|buf| frontend::query("SELECT 1", buf));
    while let Ok(Some(message)) = client.try_read() {
        assert_eq!(message.tag, 'E');
    }
    assert_eq!(tenant.connect().value("SELECT 1"), "1");
}

// ── The simple protocol ──────────────────────────────────────────────────────────────────────

#[test]
fn every_statement_has_its_command_tag() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    for (sql, tag) in [
        ("CREATE TABLE t (id int, s text)", "CREATE TABLE"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT 0 2"),
        ("UPDATE t SET s = 'c' WHERE id = 1", "UPDATE 1"),
        ("DELETE FROM t WHERE id = 9", "DELETE 0"),
        ("SELECT * FROM t", "SELECT 2"),
        ("VALUES (1)", "SELECT 1"),
        ("TABLE t", "SELECT 2"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "SELECT 1"),
        ("CREATE TABLE u AS SELECT * FROM t", "SELECT 2"),
        ("INSERT INTO t VALUES (5, 'x') RETURNING id", "INSERT 0 1"),
        ("CREATE VIEW v AS SELECT 1 AS one", "CREATE VIEW"),
        ("ALTER TABLE t ADD COLUMN n int", "ALTER TABLE"),
        ("TRUNCATE u", "TRUNCATE TABLE"),
        ("COMMENT ON TABLE t IS 'x'", "COMMENT"),
        ("CREATE SCHEMA s", "CREATE SCHEMA"),
        ("DROP SCHEMA s", "DROP SCHEMA"),
        ("DROP VIEW v", "DROP VIEW"),
        ("DROP TABLE u", "DROP TABLE"),
        ("BEGIN", "BEGIN"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("ROLLBACK TO a", "ROLLBACK"),
        ("RELEASE a", "RELEASE"),
        ("COMMIT", "COMMIT"),
        ("START TRANSACTION", "START TRANSACTION"),
        ("ABORT", "ROLLBACK"),
        ("SET application_name = 'x'", "SET"),
        ("RESET application_name", "RESET"),
        ("SHOW application_name", "SHOW"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("EXECUTE p", "SELECT 1"),
        ("DEALLOCATE p", "DEALLOCATE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("DISCARD ALL", "DISCARD ALL"),
        ("GRANT SELECT ON t TO PUBLIC", "GRANT"),
        ("REVOKE SELECT ON t FROM PUBLIC", "REVOKE"),
    ] {
        let reply = client.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        assert_eq!(reply.tags(), [tag], "{sql}");
    }
}

#[test]
fn several_statements_are_one_implicit_transaction() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let reply = client.simple("CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t");
    assert_eq!(reply.tags(), ["CREATE TABLE", "INSERT 0 1", "SELECT 1"]);
    assert_eq!(reply.status, 'I');
    let reply = client.simple("INSERT INTO t VALUES (2); SELECT 1 / 0; INSERT INTO t VALUES (3)");
    assert_eq!((reply.code(), reply.tags().len()), ("22012", 1));
    assert_eq!(client.value("SELECT count(*) FROM t"), "1");
    // An explicit COMMIT inside the text keeps what came before it.
    let reply = client.simple("BEGIN; INSERT INTO t VALUES (4); COMMIT; SELECT 1 / 0");
    assert_eq!(reply.code(), "22012");
    assert_eq!(client.value("SELECT count(*) FROM t"), "2");
}

#[test]
fn an_empty_query_gets_its_own_answer() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    for sql in ["", ";", "  ", "-- a comment"] {
        assert_eq!(client.simple(sql).trace, "IZ", "{sql:?}");
    }
    let reply = client.simple("SELECT 1;; SELECT 2;");
    assert_eq!(reply.tags(), ["SELECT 1", "SELECT 1"]);
}

#[test]
fn the_status_follows_the_transaction() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    assert_eq!(client.simple("SELECT 1").status, 'I');
    assert_eq!(client.simple("BEGIN").status, 'T');
    assert_eq!(client.simple("SELECT 1 / 0").status, 'E');
    let reply = client.simple("SELECT 1");
    assert_eq!((reply.code(), reply.status), ("25P02", 'E'));
    let reply = client.simple("COMMIT");
    assert_eq!((reply.tags(), reply.status), (vec!["ROLLBACK"], 'I'));
}

#[test]
fn notices_come_and_can_be_silenced() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let reply = client.simple("DROP TABLE IF EXISTS nosuch");
    assert_eq!(reply.notices.len(), 1);
    let notice = &reply.notices[0];
    assert_eq!((notice.field('S'), notice.code()), ("NOTICE", "00000"));
    assert_eq!(
        notice.message(),
        "table \"nosuch\" does not exist, skipping"
    );
    client.run("SET client_min_messages = warning");
    assert!(
        client
            .simple("DROP TABLE IF EXISTS nosuch")
            .notices
            .is_empty()
    );
    let reply = client.simple("COMMIT");
    assert_eq!(
        reply.notices.first().map(|notice| notice.code()),
        Some("25P01")
    );
}

#[test]
fn errors_carry_position_detail_and_names() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let error = client.fail("SELECT 1, nope FROM (SELECT 1 AS a) AS t");
    assert_eq!(
        (error.code(), error.field('S'), error.field('V')),
        ("42703", "ERROR", "ERROR")
    );
    assert_eq!(error.field('P'), "11");
    client.run("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0))");
    client.run("INSERT INTO t VALUES (1, 1)");
    let error = client.fail("INSERT INTO t VALUES (1, 2)");
    assert_eq!(
        error.message(),
        "duplicate key value violates unique constraint \"t_pkey\""
    );
    assert_eq!(error.field('D'), "Key (id)=(1) already exists.");
    assert_eq!(
        (error.field('s'), error.field('t'), error.field('n')),
        ("public", "t", "t_pkey")
    );
    let error = client.fail("INSERT INTO t VALUES (2, NULL)");
    assert_eq!(
        (error.code(), error.field('t'), error.field('c')),
        ("23502", "t", "n")
    );
    let error = client.fail("INSERT INTO t VALUES (2, -5)");
    assert_eq!((error.code(), error.field('n')), ("23514", "t_n_check"));
}

#[test]
fn wide_and_long_results_stream() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    assert_eq!(
        client
            .rows("SELECT n FROM generate_series(1, 200000) AS n")
            .len(),
        200_000
    );
    assert_eq!(
        client.value("SELECT length(repeat('x', 5000000))"),
        "5000000"
    );
    assert_eq!(client.value("SELECT repeat('é', 1000000)").len(), 2_000_000);
    let many: Vec<String> = (1..=400).map(|n| format!("{n} AS c{n}")).collect();
    assert_eq!(
        client.rows(&format!("SELECT {}", many.join(", ")))[0].len(),
        400
    );
}

#[test]
fn bad_bytes_in_a_query_are_refused() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let mut packet = vec![b'Q', 0, 0, 0, 15];
    packet.extend_from_slice(b"SELECT '\xff'\0");
    packet[4] = (packet.len() - 1) as u8;
    client.send_bytes(&packet);
    let reply = client.reply();
    assert_eq!((reply.code(), reply.status), ("22021", 'I'));
    assert_eq!(client.value("SELECT 1"), "1");
}

// ── The extended protocol ────────────────────────────────────────────────────────────────────

#[test]
fn describe_tells_parameters_and_columns() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int, s varchar(10), n numeric(8, 2))");
    client.send(|buf| {
        frontend::parse(
            "p",
            "SELECT id, s, n FROM t WHERE id = $1 AND s = $2",
            [],
            buf,
        )?;
        frontend::describe(b'S', "p", buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.read().tag, '1');
    let parameters = client.read();
    assert_eq!(parameters.tag, 't');
    let oids: Vec<u32> = parameters.body[2..]
        .chunks(4)
        .map(|chunk| u32::from_be_bytes(chunk.try_into().expect("4 bytes")))
        .collect();
    assert_eq!(oids[0], 23);
    assert!(
        matches!(oids[1], 25 | 1043),
        "text or varchar, not {}",
        oids[1]
    );
    let described = columns(&client.read().body);
    let oid: u32 = client_after(&mut client)
        .value("SELECT 't'::regclass::oid")
        .parse()
        .expect("a number");
    let expected = [
        ("id", 1, 23, 4, -1),
        ("s", 2, 1043, -1, 14),
        ("n", 3, 1700, -1, 524_294),
    ];
    for (column, (name, number, type_oid, length, typmod)) in described.iter().zip(expected) {
        assert_eq!(column.name, name);
        assert_eq!(column.table_oid, oid, "{name}");
        assert_eq!(
            (
                column.number,
                column.type_oid,
                column.type_len,
                column.typmod
            ),
            (number, type_oid, length, typmod),
            "{name}"
        );
    }
    client.send(|buf| {
        frontend::parse("", "INSERT INTO t VALUES ($1, $2, $3)", [], buf)?;
        frontend::describe(b'S', "", buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().trace, "1tnZ");
}

/// Reads to ReadyForQuery and gives the client back for the next statement.
fn client_after(client: &mut Client) -> &mut Client {
    client.reply();
    client
}

#[test]
fn parameter_types_are_inferred() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id bigint, d date, n numeric, b boolean, tags text[])");
    for (sql, expected) in [
        ("SELECT 1 + $1", vec![23]),
        ("SELECT $1::date", vec![1082]),
        ("SELECT * FROM t WHERE id = $1", vec![20]),
        (
            "SELECT * FROM t WHERE d BETWEEN $1 AND $2",
            vec![1082, 1082],
        ),
        ("SELECT * FROM t WHERE id = ANY ($1)", vec![1016]),
        ("SELECT * FROM t LIMIT $1 OFFSET $2", vec![20, 20]),
        (
            "INSERT INTO t (id, d, n, b) VALUES ($1, $2, $3, $4)",
            vec![20, 1082, 1700, 16],
        ),
        ("UPDATE t SET n = $2 WHERE id = $1", vec![20, 1700]),
        ("SELECT $1", vec![25]),
        ("SELECT upper($1)", vec![25]),
        ("SELECT coalesce(b, $1) FROM t", vec![16]),
        ("SELECT now() - $1::interval", vec![1186]),
        ("SELECT 'a' || $1", vec![25]),
        ("SELECT CASE WHEN $1 THEN 1 END", vec![16]),
        ("DELETE FROM t WHERE $1 = ANY (tags)", vec![25]),
    ] {
        client.send(|buf| {
            frontend::parse("", sql, [], buf)?;
            frontend::describe(b'S', "", buf)?;
            frontend::sync(buf);
            Ok(())
        });
        let first = client.read();
        assert_eq!(first.tag, '1', "{sql}: {first:?}");
        let body = client.read().body;
        let oids: Vec<u32> = body[2..]
            .chunks(4)
            .map(|chunk| u32::from_be_bytes(chunk.try_into().expect("4 bytes")))
            .collect();
        assert_eq!(oids, expected, "{sql}");
        client.reply();
    }
    client.send(|buf| {
        frontend::parse("", "SELECT $2::int", [], buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "42P18");
}

#[test]
fn portals_give_rows_in_portions_and_interleave() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("BEGIN");
    client.send(|buf| {
        frontend::parse("s", "SELECT n FROM generate_series(1, 5) AS n", [], buf)?;
        bind("a", "s", &[], 0, buf)?;
        bind("b", "s", &[], 0, buf)?;
        frontend::execute("a", 2, buf)?;
        frontend::execute("b", 3, buf)?;
        frontend::execute("a", 2, buf)?;
        frontend::sync(buf);
        Ok(())
    });
    let reply = client.reply();
    assert_eq!(reply.trace, "122DDsDDDsDDsZ");
    let numbers: Vec<Vec<String>> = reply
        .answers
        .iter()
        .map(|answer| answer.text().concat())
        .collect();
    assert_eq!(
        numbers,
        [vec!["1", "2"], vec!["1", "2", "3"], vec!["3", "4"]]
    );
    // Inside the transaction both live on across Sync.
    client.send(|buf| {
        frontend::execute("a", 2, buf)?;
        frontend::execute("b", 0, buf)?;
        frontend::close(b'P', "a", buf)?;
        frontend::sync(buf);
        Ok(())
    });
    let reply = client.reply();
    assert_eq!(reply.trace, "DCDDC3Z");
    assert_eq!(reply.tags(), ["SELECT 1", "SELECT 2"]);
    client.send(|buf| {
        frontend::execute("a", 0, buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "34000");
    client.run("ROLLBACK");
    client.send(|buf| {
        frontend::execute("b", 0, buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "34000");
}

#[test]
fn a_pipeline_skips_to_sync_after_an_error() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (n int)");
    client.send(|buf| {
        for sql in [
            "INSERT INTO t VALUES (1)",
            "SELECT 1 / 0",
            "INSERT INTO t VALUES (2)",
        ] {
            frontend::parse("", sql, [], buf)?;
            bind("", "", &[], 0, buf)?;
            frontend::execute("", 0, buf)?;
        }
        frontend::sync(buf);
        frontend::parse("", "SELECT count(*) FROM t", [], buf)?;
        bind("", "", &[], 0, buf)?;
        frontend::execute("", 0, buf)?;
        frontend::sync(buf);
        Ok(())
    });
    let first = client.reply();
    assert_eq!((first.code(), first.status), ("22012", 'I'));
    // The whole pipeline up to Sync was one transaction.
    assert_eq!(client.reply().rows(), [["0"]]);
}

#[test]
fn flush_sends_without_ending() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.send(|buf| {
        frontend::parse("", "SELECT 42", [], buf)?;
        bind("", "", &[], 0, buf)?;
        frontend::execute("", 0, buf)?;
        frontend::flush(buf);
        Ok(())
    });
    let tags: String = (0..4).map(|_| client.read().tag).collect();
    assert_eq!(tags, "12DC");
    client.send(|buf| {
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.read().tag, 'Z');
}

#[test]
fn statements_that_are_not_there() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.send(|buf| {
        bind("", "nosuch", &[], 0, buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "26000");
    client.send(|buf| {
        frontend::describe(b'P', "nosuch", buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "34000");
    client.send(|buf| {
        frontend::close(b'S', "nosuch", buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().trace, "3Z");
    client.send(|buf| {
        frontend::parse("twice", "SELECT 1", [], buf)?;
        frontend::parse("twice", "SELECT 2", [], buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "42P05");
    client.send(|buf| {
        frontend::parse("", "SELECT 1; SELECT 2", [], buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().code(), "42601");
    let reply = client.extended("SELECT $1::int + $2::int", &[Some("1")], 0);
    assert_eq!(reply.code(), "08P01");
    let reply = client.extended("SELECT $1::int", &[Some("x")], 0);
    assert_eq!(reply.code(), "22P02");
    assert_eq!(client.extended("", &[], 0).trace, "12nIZ");
}

#[test]
fn text_and_binary_results_agree() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let sql = "SELECT 1::int2, -2::int4, 3::int8, true, 'é'::text, 1.5::float4, -0.25::float8";
    let reply = client.extended(sql, &[], 1);
    assert!(
        reply.answers[0]
            .columns
            .iter()
            .all(|column| column.format == 1)
    );
    let row: Vec<Vec<u8>> = reply.answers[0].rows[0]
        .iter()
        .map(|value| value.clone().expect("no NULL"))
        .collect();
    assert_eq!(row[0], 1_i16.to_be_bytes());
    assert_eq!(row[1], (-2_i32).to_be_bytes());
    assert_eq!(row[2], 3_i64.to_be_bytes());
    assert_eq!(row[3], [1]);
    assert_eq!(row[4], "é".as_bytes());
    assert_eq!(row[5], 1.5_f32.to_be_bytes());
    assert_eq!(row[6], (-0.25_f64).to_be_bytes());
    assert_eq!(
        client.extended(sql, &[], 0).rows(),
        [["1", "-2", "3", "t", "é", "1.5", "-0.25"]]
    );
}

#[test]
fn a_statement_outlives_ddl_on_its_table() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    client.send(|buf| {
        frontend::parse("one", "SELECT a FROM t", [], buf)?;
        frontend::parse("all", "SELECT * FROM t", [], buf)?;
        frontend::sync(buf);
        Ok(())
    });
    assert_eq!(client.reply().trace, "11Z");
    client.run("ALTER TABLE t ADD COLUMN b int DEFAULT 2");
    let mut run = |name: &str| {
        client.send(|buf| {
            bind("", name, &[], 0, buf)?;
            frontend::execute("", 0, buf)?;
            frontend::sync(buf);
            Ok(())
        });
        client.reply()
    };
    assert_eq!(run("one").rows(), [["1"]]);
    let error = run("all").error.expect("the columns changed");
    assert_eq!(
        (error.code(), error.message()),
        ("0A000", "cached plan must not change result type")
    );
}

#[test]
fn the_extended_protocol_runs_ddl_and_transactions() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    assert_eq!(client.extended("BEGIN", &[], 0).status, 'T');
    assert_eq!(
        client.extended("CREATE TABLE t (n int)", &[], 0).tags(),
        ["CREATE TABLE"]
    );
    assert_eq!(
        client
            .extended("INSERT INTO t VALUES ($1), ($2)", &[Some("5"), None], 0)
            .tags(),
        ["INSERT 0 2"]
    );
    assert_eq!(client.extended("COMMIT", &[], 0).status, 'I');
    assert_eq!(
        client.extended("SELECT n FROM t ORDER BY n", &[], 0).rows(),
        [["5"], ["NULL"]]
    );
}

// ── Cancel and time-outs ─────────────────────────────────────────────────────────────────────

/// A statement that runs for minutes unless it is stopped, and that the optimiser cannot shorten.
pub(crate) const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b \
                                  WHERE (a::bigint * 7919 + b) % 1000003 = 5";

fn cancel(address: &str, process_id: i32, key: i32) {
    let mut client = Client::dial(address).expect("connects");
    client.send(|buf| {
        frontend::cancel_request(process_id, key, buf);
        Ok(())
    });
    assert!(
        matches!(client.try_read(), Ok(None)),
        "a cancel request gets no answer"
    );
}

#[test]
fn cancel_stops_a_statement_and_a_wrong_key_does_nothing() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    let key = i32::from_be_bytes(client.secret_key[..4].try_into().expect("4 bytes"));
    let process_id = client.process_id;
    client.send(|buf| frontend::query(ENDLESS, buf));
    std::thread::sleep(Duration::from_millis(500));
    cancel(server.address(), process_id, key.wrapping_add(1));
    client.set_read_timeout(Duration::from_millis(1500));
    assert!(
        client.try_read().is_err(),
        "a wrong key must not stop the statement"
    );
    client.set_read_timeout(Duration::from_secs(30));
    let begin = Instant::now();
    cancel(server.address(), process_id, key);
    let reply = client.reply();
    assert_eq!((reply.code(), reply.status), ("57014", 'I'));
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn statement_timeout_is_57014() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("SET statement_timeout = '300ms'");
    let begin = Instant::now();
    let error = client.fail(ENDLESS);
    assert_eq!(
        (error.code(), error.message()),
        ("57014", "canceling statement due to statement timeout")
    );
    assert!(
        begin.elapsed() < Duration::from_millis(2300),
        "{:?}",
        begin.elapsed()
    );
    client.run("SET statement_timeout = 0");
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn unknown_messages_end_the_connection_alone() {
    let server = Server::start();
    let tenant = server.tenant();
    for packet in [
        &b"z\0\0\0\x04"[..],
        b"Q\0\0\0\x03",
        b"Q\xff\xff\xff\xff",
        b"B\0\0\0\x05\0",
        b"Q\0\0\0\x06ab",
    ] {
        let mut client = tenant.connect();
        client.set_read_timeout(Duration::from_secs(20));
        let _ = client.try_send_bytes(packet);
        let first = client
            .try_read()
            .expect("an answer or a close, not silence");
        if let Some(message) = first {
            assert_eq!(message.tag, 'E', "{packet:?}");
            assert_eq!(error_fields(&message.body).code(), "08P01", "{packet:?}");
        }
    }
    assert_eq!(tenant.connect().value("SELECT 1"), "1");
}

#[test]
fn data_rows_hold_null_apart_from_empty() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.send(|buf| frontend::query("SELECT NULL::text, ''", buf));
    assert_eq!(client.read().tag, 'T');
    assert_eq!(values(&client.read().body), [None, Some(Vec::new())]);
    client.reply();
    let again = Client::login(
        server.address(),
        "no such database",
        "nobody",
        PASSWORD,
        &[],
    );
    assert_eq!(
        again
            .err()
            .map(|error| error.field('S').to_owned())
            .as_deref(),
        Some("FATAL")
    );
}
