//! Every SQL type in text and binary, as result and as parameter, with NULL, NaN, infinities,
//! extreme dates and empty arrays.

use std::time::{Duration, SystemTime};

use postgres_protocol::message::frontend;
use tokio_postgres::types::{Date, Timestamp, Type};
use uuid::Uuid;

use crate::client::Client;
use crate::harness::Server;

/// Type, its OID, and values in the text that the server itself writes.
const TYPES: &[(&str, u32, &[&str])] = &[
    ("bool", 16, &["t", "f"]),
    ("int2", 21, &["0", "-32768", "32767"]),
    ("int4", 23, &["0", "-2147483648", "2147483647"]),
    (
        "int8",
        20,
        &["0", "-9223372036854775808", "9223372036854775807"],
    ),
    ("oid", 26, &["0", "4294967295"]),
    (
        "float4",
        700,
        &[
            "0",
            "-0",
            "1.5",
            "3.4028235e+38",
            "1e-45",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
    ),
    (
        "float8",
        701,
        &[
            "0",
            "-0",
            "0.1",
            "1.7976931348623157e+308",
            "5e-324",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
    ),
    (
        "numeric",
        1700,
        &[
            "0",
            "0.00",
            "-1.50",
            "12345678901234567890.123456789",
            "0.000000000000000000001",
            "10000",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
    ),
    (
        "text",
        25,
        &["", "a", "é€𝄞", "tab\tand\nline", "it's \"quoted\""],
    ),
    ("varchar", 1043, &["", "abc"]),
    ("name", 19, &["abc"]),
    ("bytea", 17, &["\\x", "\\x00ff10"]),
    (
        "uuid",
        2950,
        &[
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "00000000-0000-0000-0000-000000000000",
        ],
    ),
    (
        "date",
        1082,
        &[
            "2026-11-21",
            "1970-01-01",
            "2000-01-01",
            "0001-01-01",
            "4713-01-01 BC",
            "5874897-12-31",
            "infinity",
            "-infinity",
        ],
    ),
    (
        "time",
        1083,
        &["00:00:00", "23:59:59.999999", "24:00:00", "13:45:30.5"],
    ),
    ("timetz", 1266, &["13:45:30+02", "00:00:00.000001-11:30"]),
    (
        "timestamp",
        1114,
        &[
            "2026-11-21 13:45:30",
            "1999-12-31 23:59:59.999999",
            "0044-03-15 00:00:00 BC",
            // The last whole year that microseconds since 1970 reach.
            "294246-12-31 23:59:59.999999",
            "infinity",
            "-infinity",
        ],
    ),
    (
        "timestamptz",
        1184,
        &[
            "2026-11-21 13:45:30+00",
            "1969-12-31 23:59:59.999999+00",
            "0044-03-15 00:00:00+00 BC",
            "infinity",
            "-infinity",
        ],
    ),
    (
        "interval",
        1186,
        &[
            "00:00:00",
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 mons +1 day -00:00:01",
            "1 day",
            "-00:00:00.000001",
        ],
    ),
    ("json", 114, &["{\"a\":  1}", "[]", "null"]),
    (
        "jsonb",
        3802,
        &["{\"a\": 1, \"b\": [1, null]}", "[]", "null", "1.50"],
    ),
    ("int4[]", 1007, &["{}", "{1,NULL,-3}", "{{1,2},{3,4}}"]),
    ("int8[]", 1016, &["{9223372036854775807}"]),
    ("text[]", 1009, &["{}", "{a,\"b c\",NULL,\"\",\"NULL\"}"]),
    ("float8[]", 1022, &["{NaN,Infinity,0.1}"]),
    ("bool[]", 1000, &["{t,f,NULL}"]),
    ("date[]", 1182, &["{2026-01-01,infinity}"]),
    ("numeric[]", 1231, &["{1.50,NaN}"]),
    ("uuid[]", 2951, &["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]),
];

fn utc(server: &Server) -> Client {
    let mut client = server.tenant().connect();
    client.run("SET timezone = 'UTC'");
    client
}

#[test]
fn text_goes_through_every_type() {
    let server = Server::start();
    let mut client = utc(&server);
    for (name, oid, texts) in TYPES {
        for text in *texts {
            let reply = client.extended(&format!("SELECT $1::{name}"), &[Some(text)], 0);
            assert_eq!(reply.rows(), [[*text]], "{name}");
            assert_eq!(reply.answers[0].columns[0].type_oid, *oid, "{name}");
        }
        let reply = client.extended(&format!("SELECT $1::{name}"), &[None], 1);
        assert_eq!(reply.answers[0].rows, [[None]], "{name}");
    }
}

#[test]
fn binary_results_go_back_in_as_binary_parameters() {
    let server = Server::start();
    let mut client = utc(&server);
    for (name, oid, texts) in TYPES {
        for text in *texts {
            let sql = format!("SELECT $1::{name}");
            let reply = client.extended(&sql, &[Some(text)], 1);
            assert!(reply.error.is_none(), "{name} {text}: {:?}", reply.error);
            let binary = reply.answers[0].rows[0][0].clone().expect("no NULL");
            client.send(|buf| {
                frontend::parse("", &sql, [*oid], buf)?;
                let bound = frontend::bind(
                    "",
                    "",
                    [1],
                    [&binary],
                    |bytes, buf| {
                        buf.extend_from_slice(bytes);
                        Ok(postgres_protocol::IsNull::No)
                    },
                    [0],
                    buf,
                );
                bound.map_err(|_| std::io::Error::other("the parameter does not fit"))?;
                frontend::execute("", 0, buf)?;
                frontend::sync(buf);
                Ok(())
            });
            assert_eq!(client.reply().rows(), [[*text]], "{name}");
        }
    }
}

#[test]
fn tables_keep_every_type() {
    let server = Server::start();
    let mut client = utc(&server);
    for (number, (name, _, texts)) in TYPES.iter().enumerate() {
        client.run(&format!("CREATE TABLE t{number} (n int, v {name})"));
        for (n, text) in texts.iter().enumerate() {
            let sql = format!("INSERT INTO t{number} VALUES ($1, $2)");
            let reply = client.extended(&sql, &[Some(&n.to_string()), Some(text)], 0);
            assert!(reply.error.is_none(), "{name} {text}: {:?}", reply.error);
        }
        client.run(&format!("INSERT INTO t{number} VALUES (-1, NULL)"));
        let rows = client
            .rows(&format!("SELECT v FROM t{number} ORDER BY n"))
            .concat();
        let expected: Vec<&str> = std::iter::once("NULL")
            .chain(texts.iter().copied())
            .collect();
        assert_eq!(rows, expected, "{name}");
    }
}

#[test]
fn malformed_binary_parameters_are_refused() {
    let server = Server::start();
    let mut client = utc(&server);
    for (oid, name, bytes, code) in [
        (23, "int4", &[0_u8, 1][..], "22P03"),
        (20, "int8", &[], "22P03"),
        (16, "bool", &[1, 1], "22P03"),
        (701, "float8", &[0; 9], "22P03"),
        (2950, "uuid", &[0; 15], "22P03"),
        (1082, "date", &[0; 3], "22P03"),
        (25, "text", &[0xff, 0xfe], "22021"),
        (1007, "int4[]", &[0, 0, 0, 1, 0xff], "22P03"),
    ] {
        client.send(|buf| {
            frontend::parse("", &format!("SELECT $1::{name}"), [oid], buf)?;
            let bound = frontend::bind(
                "",
                "",
                [1],
                [bytes],
                |bytes, buf| {
                    buf.extend_from_slice(bytes);
                    Ok(postgres_protocol::IsNull::No)
                },
                [0],
                buf,
            );
            bound.map_err(|_| std::io::Error::other("the parameter does not fit"))?;
            frontend::execute("", 0, buf)?;
            frontend::sync(buf);
            Ok(())
        });
        let reply = client.reply();
        // PostgreSQL calls what is too short a protocol violation and what is too long a bad value.
        assert!(
            reply.code() == code || reply.code() == "08P01",
            "{name} {bytes:?}: {:?}",
            reply.error
        );
        assert_eq!(client.value("SELECT 1"), "1");
    }
}

#[tokio::test]
async fn a_driver_binds_and_reads_binary() {
    let server = Server::start();
    let client = server.tenant().driver().await;
    let row = client
        .query_one(
            "SELECT $1::int2, $2::int4, $3::int8, $4::float4, $5::float8, $6::bool, $7::text, $8::bytea",
            &[&1_i16, &-2_i32, &i64::MAX, &f32::NAN, &f64::NEG_INFINITY, &true, &"é", &&b"\0\xff"[..]],
        )
        .await
        .expect("a row");
    assert_eq!(
        (
            row.get::<_, i16>(0),
            row.get::<_, i32>(1),
            row.get::<_, i64>(2)
        ),
        (1, -2, i64::MAX)
    );
    assert!(row.get::<_, f32>(3).is_nan());
    assert_eq!(
        (row.get::<_, f64>(4), row.get::<_, bool>(5)),
        (f64::NEG_INFINITY, true)
    );
    assert_eq!(
        (row.get::<_, &str>(6), row.get::<_, &[u8]>(7)),
        ("é", &b"\0\xff"[..])
    );

    let id = Uuid::from_u128(7);
    let document = serde_json::json!({"a": [1, null]});
    let moment = SystemTime::UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001);
    let row = client
        .query_one(
            "SELECT $1::uuid, $2::jsonb, $3::json, $4::timestamptz",
            &[&id, &document, &document, &moment],
        )
        .await
        .expect("a row");
    assert_eq!(row.get::<_, Uuid>(0), id);
    assert_eq!(row.get::<_, serde_json::Value>(1), document);
    assert_eq!(row.get::<_, serde_json::Value>(2), document);
    assert_eq!(row.get::<_, SystemTime>(3), moment);

    let row = client
        .query_one(
            "SELECT $1::int[], $2::text[], $3::date, $4::timestamp",
            &[
                &vec![Some(1), None],
                &Vec::<String>::new(),
                &Date::<chrono::NaiveDate>::PosInfinity,
                &Timestamp::<chrono::NaiveDateTime>::NegInfinity,
            ],
        )
        .await
        .expect("a row");
    assert_eq!(row.get::<_, Vec<Option<i32>>>(0), [Some(1), None]);
    assert!(row.get::<_, Vec<String>>(1).is_empty());
    assert_eq!(row.get::<_, Date<chrono::NaiveDate>>(2), Date::PosInfinity);
    assert_eq!(
        row.get::<_, Timestamp<chrono::NaiveDateTime>>(3),
        Timestamp::NegInfinity
    );
}

#[tokio::test]
async fn a_driver_describes_a_table() {
    let server = Server::start();
    let client = server.tenant().driver().await;
    client
        .batch_execute("CREATE TABLE t (id bigint, n numeric(10, 2), at timestamptz, tags text[])")
        .await
        .expect("the table is made");
    let statement = client
        .prepare("SELECT * FROM t WHERE id = $1 AND at > $2")
        .await
        .expect("it is prepared");
    assert_eq!(statement.params(), [Type::INT8, Type::TIMESTAMPTZ]);
    let types: Vec<&Type> = statement
        .columns()
        .iter()
        .map(tokio_postgres::Column::type_)
        .collect();
    assert_eq!(
        types,
        [
            &Type::INT8,
            &Type::NUMERIC,
            &Type::TIMESTAMPTZ,
            &Type::TEXT_ARRAY
        ]
    );
    assert!(
        client
            .query(&statement, &[&1_i64, &SystemTime::now()])
            .await
            .expect("it runs")
            .is_empty()
    );
}
