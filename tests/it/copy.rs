//! COPY in and out: text, csv and binary, errors with their line, all or nothing.

use futures::{SinkExt, TryStreamExt};
use postgres_protocol::message::frontend;

use crate::harness::Server;

#[test]
fn text_goes_in_and_out() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int, s text, d date)");
    let data = b"1\ta\\tb\t2026-01-01\n2\t\\N\t\\N\n3\tback\\\\slash\\nline\tinfinity\n";
    let reply = client.copy_in("COPY t FROM STDIN", &[&data[..10], &data[10..]]);
    assert_eq!((reply.code(), reply.tags()), ("", vec!["COPY 3"]));
    let (out, reply) = client.copy_out("COPY (SELECT * FROM t ORDER BY id) TO STDOUT");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(data));
    assert_eq!(reply.tags(), ["COPY 3"]);
    assert!(
        reply.trace.starts_with('H') && reply.trace.ends_with("cCZ"),
        "{}",
        reply.trace
    );
}

#[test]
fn csv_knows_headers_quotes_and_null() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int, s text, n numeric(6, 2))");
    let data = "id;s;n\n1;\"a;\"\"b\"\"\";1.50\n2;;\n3;\"\";9\n4;\"two\nlines\";-1\n";
    let reply = client.copy_in(
        "COPY t FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';')",
        &[data.as_bytes()],
    );
    assert_eq!((reply.code(), reply.tags()), ("", vec!["COPY 4"]));
    assert_eq!(
        client.rows("SELECT id, s, n, s IS NULL FROM t ORDER BY id"),
        [
            ["1", "a;\"b\"", "1.50", "f"],
            ["2", "NULL", "NULL", "t"],
            ["3", "", "9.00", "f"],
            ["4", "two\nlines", "-1.00", "f"]
        ]
    );
    let (out, _) =
        client.copy_out("COPY (SELECT * FROM t ORDER BY id) TO STDOUT (FORMAT csv, HEADER)");
    assert_eq!(
        String::from_utf8_lossy(&out),
        "id,s,n\n1,\"a;\"\"b\"\"\",1.50\n2,,\n3,\"\",9.00\n4,\"two\nlines\",-1.00\n"
    );
    let (out, _) =
        client.copy_out("COPY t (s) TO STDOUT (FORMAT csv, NULL 'none', FORCE_QUOTE (s))");
    assert!(String::from_utf8_lossy(&out).contains("none\n"));
    // The grammar from before 9.0.
    let reply = client.copy_in(
        "COPY t (id, s) FROM STDIN DELIMITER ',' CSV",
        &[b"9,old\r\n"],
    );
    assert_eq!((reply.code(), reply.tags()), ("", vec!["COPY 1"]));
}

#[test]
fn binary_comes_back_as_it_went() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run(
        "CREATE TABLE t (i int, b bigint, f float8, n numeric, s text, d date, ts timestamptz, u uuid, a int[], y bytea)",
    );
    client.run(
        "INSERT INTO t VALUES (1, 2, 'NaN', 1.50, 'é', '-infinity', '2026-01-01 00:00+00',
           'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,NULL}', '\\x00ff'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    let (out, reply) = client.copy_out("COPY t TO STDOUT (FORMAT binary)");
    assert_eq!(reply.tags(), ["COPY 2"]);
    assert!(out.starts_with(b"PGCOPY\n\xff\r\n\0") && out.ends_with(&[0xff, 0xff]));
    client.run("CREATE TABLE u (LIKE t)");
    let chunks: Vec<&[u8]> = out.chunks(7).collect();
    let reply = client.copy_in("COPY u FROM STDIN BINARY", &chunks);
    assert_eq!((reply.code(), reply.tags()), ("", vec!["COPY 2"]));
    let all = "i, b, f, n, s, d, ts, u, a, y";
    assert_eq!(
        client.rows(&format!("SELECT {all} FROM t ORDER BY i")),
        client.rows(&format!("SELECT {all} FROM u ORDER BY i"))
    );
}

#[test]
fn a_bad_row_undoes_all_and_names_its_line() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int PRIMARY KEY, d date)");
    for (data, code, line) in [
        (
            "1\t2026-01-01\nx\t2026-01-02\n",
            "22P02",
            "COPY t, line 2, column id: \"x\"",
        ),
        ("1\t2026-01-01\n2\n", "22P04", "COPY t, line 2: \"2\""),
        (
            "1\t2026-01-01\textra\n",
            "22P04",
            "COPY t, line 1: \"1\t2026-01-01\textra\"",
        ),
        (
            "1\t2026-02-30\n",
            "22008",
            "COPY t, line 1, column d: \"2026-02-30\"",
        ),
        (
            "\\N\t2026-02-03\n",
            "23502",
            "COPY t, line 1: \"\\N\t2026-02-03\"",
        ),
        ("1\t\\N\n1\t\\N\n", "23505", "COPY t, line 2"),
    ] {
        let reply = client.copy_in("COPY t FROM STDIN", &[data.as_bytes()]);
        assert_eq!(
            (reply.code(), reply.status),
            (code, 'I'),
            "{data:?}: {:?}",
            reply.error
        );
        assert_eq!(
            reply.error.as_ref().map(|error| error.field('W')),
            Some(line),
            "{data:?}"
        );
        assert_eq!(client.value("SELECT count(*) FROM t"), "0", "{data:?}");
    }
    let reply = client.copy_in("COPY t FROM STDIN", &[b"1\t2026-01-01\n"]);
    assert_eq!(reply.tags(), ["COPY 1"]);
}

#[test]
fn copy_fail_leaves_nothing() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int)");
    assert!(client.simple("COPY t FROM STDIN").trace.ends_with('G'));
    client.send(|buf| {
        frontend::CopyData::new(&b"1\n2\n"[..])?.write(buf);
        frontend::copy_fail("changed my mind", buf)
    });
    let reply = client.reply();
    assert_eq!((reply.code(), reply.status), ("57014", 'I'));
    assert_eq!(client.value("SELECT count(*) FROM t"), "0");
}

#[test]
fn errors_before_any_data() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int); CREATE VIEW v AS SELECT id FROM t");
    assert_eq!(client.fail("COPY nosuch FROM STDIN").code(), "42P01");
    assert_eq!(client.fail("COPY t (nope) FROM STDIN").code(), "42703");
    // PostgreSQL asks for the data before it looks at the kind.
    assert_eq!(
        client.copy_in("COPY v FROM STDIN", &[b"1\n"]).code(),
        "42809"
    );
    assert_eq!(client.fail("COPY v TO STDOUT").code(), "42809");
    assert_eq!(client.fail("COPY t FROM '/etc/passwd'").code(), "42501");
    assert_eq!(client.fail("COPY t TO '/tmp/out'").code(), "42501");
    assert_eq!(client.fail("COPY t FROM PROGRAM 'true'").code(), "42501");
    assert_eq!(
        client.fail("COPY t FROM STDIN (FORMAT nonsense)").code(),
        "22023"
    );
    assert_eq!(client.fail("COPY (SELECT 1 / 0) TO STDOUT").code(), "22012");
    assert_eq!(client.value("SELECT 1"), "1");
}

#[test]
fn copy_is_part_of_a_transaction() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int)");
    client.run("BEGIN");
    assert_eq!(
        client
            .copy_in("COPY t FROM STDIN", &[b"1\n2\n\\.\n"])
            .status,
        'T'
    );
    assert_eq!(client.value("SELECT count(*) FROM t"), "2");
    client.run("ROLLBACK");
    assert_eq!(client.value("SELECT count(*) FROM t"), "0");
}

#[test]
fn defaults_fill_columns_that_are_left_out() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run("CREATE TABLE t (id int, s text DEFAULT 'none', n serial)");
    assert_eq!(
        client
            .copy_in("COPY t (id) FROM STDIN", &[b"7\n8\n"])
            .code(),
        ""
    );
    assert_eq!(
        client.rows("SELECT id, s, n FROM t ORDER BY id"),
        [["7", "none", "1"], ["8", "none", "2"]]
    );
}

#[tokio::test]
async fn a_driver_copies_many_rows_through_the_extended_protocol() {
    let server = Server::start();
    let client = server.tenant().driver().await;
    client
        .batch_execute("CREATE TABLE t (id int, s text)")
        .await
        .expect("the table is made");
    let mut sink = Box::pin(
        client
            .copy_in("COPY t FROM STDIN (FORMAT csv)")
            .await
            .expect("COPY starts"),
    );
    for chunk in 0..100 {
        let rows: String = (0..1000)
            .map(|row| format!("{},row {row}\n", chunk * 1000 + row))
            .collect();
        sink.send(bytes::Bytes::from(rows))
            .await
            .expect("the server takes data");
    }
    assert_eq!(sink.as_mut().finish().await.expect("COPY ends"), 100_000);
    let row = client
        .query_one("SELECT count(*), sum(id::bigint)::text FROM t", &[])
        .await
        .expect("a row");
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, &str>(1)),
        (100_000, "4999950000")
    );
    let stream = client
        .copy_out("COPY (SELECT id FROM t ORDER BY id LIMIT 3) TO STDOUT")
        .await
        .expect("COPY starts");
    let chunks: Vec<bytes::Bytes> = stream.try_collect().await.expect("all data comes");
    assert_eq!(chunks.concat(), b"0\n1\n2\n");
}
