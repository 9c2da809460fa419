//! The extended protocol: descriptions, portals, pipelines and formats.

use postgres_protocol::message::frontend;

use crate::client::{Client, bind, columns};
use crate::harness::Server;

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
