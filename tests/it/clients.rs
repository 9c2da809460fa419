//! What real clients send before and between the user's own statements.
//!
//! psql runs as itself; drivers and BI tools are represented by the queries that they send, as
//! observed against PostgreSQL 15.

use std::process::Command;

use crate::harness::{PASSWORD, Server, Tenant};

const SCHEMA: &str = "
    CREATE TABLE customer (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', tags text[]);
    CREATE TABLE purchase (id serial, customer_id int REFERENCES customer (id), amount numeric(10, 2) CHECK (amount > 0));
    CREATE VIEW spent AS SELECT customer_id, sum(amount) AS total FROM purchase GROUP BY customer_id;
    COMMENT ON TABLE customer IS 'who buys';
    INSERT INTO customer VALUES (1, 'ann', '{a}'), (2, 'bob', NULL);
    INSERT INTO purchase (customer_id, amount) VALUES (1, 5), (1, 6), (2, 7)";

/// Runs psql with a command, or gives None where psql is not installed.
fn psql(tenant: &Tenant, arguments: &[&str]) -> Option<String> {
    let (host, port) = tenant.address.rsplit_once(':').expect("host:port");
    let output = Command::new("psql")
        .args([
            "-X",
            "-h",
            host,
            "-p",
            port,
            "-U",
            &tenant.admin,
            "-d",
            &tenant.name,
            "-v",
            "ON_ERROR_STOP=1",
        ])
        .args(arguments)
        .env("PGPASSWORD", PASSWORD)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn psql_describes_what_is_there() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant.connect().run(SCHEMA);
    for (command, expected) in [
        (
            "\\dt",
            "public|customer|table|OWNER\npublic|purchase|table|OWNER\n",
        ),
        ("\\dv", "public|spent|view|OWNER\n"),
        ("\\ds", "public|purchase_id_seq|sequence|OWNER\n"),
        ("\\di", "public|customer_pkey|index|OWNER|customer\n"),
        ("\\dd nosuch*", ""),
        ("\\dT nosuch*", ""),
    ] {
        let Some(output) = psql(&tenant, &["-At", "-c", command]) else {
            return;
        };
        assert_eq!(
            output.replace(&tenant.admin, "OWNER"),
            expected,
            "{command}"
        );
    }
    for (table, expected) in [
        (
            "customer",
            "Table \"public.customer\"\nColumn|Type|Collation|Nullable|Default\nid|integer||not null|\n\
             name|character varying(20)||not null|'x'::character varying\ntags|text[]|||\n\
             Indexes:\n    \"customer_pkey\" PRIMARY KEY, btree (id)\nReferenced by:\n    TABLE \"purchase\" CONSTRAINT \
             \"purchase_customer_id_fkey\" FOREIGN KEY (customer_id) REFERENCES customer(id)\n",
        ),
        (
            "purchase",
            "Table \"public.purchase\"\nColumn|Type|Collation|Nullable|Default\n\
             id|integer||not null|nextval('purchase_id_seq'::regclass)\ncustomer_id|integer|||\namount|numeric(10,2)|||\n\
             Check constraints:\n    \"purchase_amount_check\" CHECK (amount > 0::numeric)\nForeign-key constraints:\n    \
             \"purchase_customer_id_fkey\" FOREIGN KEY (customer_id) REFERENCES customer(id)\n",
        ),
        (
            "spent",
            "View \"public.spent\"\nColumn|Type|Collation|Nullable|Default\ncustomer_id|integer|||\ntotal|numeric|||\n",
        ),
    ] {
        let output = psql(&tenant, &["-A", "-c", &format!("\\d {table}")]);
        assert_eq!(output.as_deref(), Some(expected), "{table}");
    }
    for command in [
        "\\d",
        "\\d+ customer",
        "\\dn",
        "\\dn+",
        "\\l",
        "\\du",
        "\\dp",
        "\\df",
        "\\dx",
        "\\dt+",
        "\\d *",
        "\\conninfo",
        "\\dC",
        "\\do",
        "\\db",
        "\\dy",
    ] {
        psql(&tenant, &["-At", "-c", command]);
    }
}

#[test]
fn psql_shows_rows_fetches_in_portions_and_copies() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant.connect().run(SCHEMA);
    let table =
        " id | name | tags \n----+------+------\n  1 | ann  | {a}\n  2 | bob  | \n(2 rows)\n\n";
    let Some(output) = psql(&tenant, &["-c", "SELECT * FROM customer ORDER BY id"]) else {
        return;
    };
    assert_eq!(output, table);
    let portions = psql(
        &tenant,
        &[
            "-At",
            "-v",
            "FETCH_COUNT=2",
            "-c",
            "SELECT n FROM generate_series(1, 5) AS n",
        ],
    );
    assert_eq!(portions.as_deref(), Some("1\n2\n3\n4\n5\n"));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "3,cid,{}\n").expect("the file can be written");
    let path = file.path().display();
    psql(
        &tenant,
        &["-c", &format!("\\copy customer FROM '{path}' CSV")],
    );
    let copied = psql(
        &tenant,
        &[
            "-At",
            "-c",
            "\\copy (SELECT id, name FROM customer ORDER BY id) TO STDOUT",
        ],
    );
    assert_eq!(copied.as_deref(), Some("1\tann\n2\tbob\n3\tcid\n"));
    let script = "SELECT 1::numeric(5,2) AS a, 'x'::varchar(3) AS b \\gdesc\n";
    std::fs::write(file.path(), script).expect("the file can be written");
    let described = psql(&tenant, &["-At", "-f", &path.to_string()]);
    assert_eq!(
        described.as_deref(),
        Some("a|numeric(5,2)\nb|character varying(3)\n")
    );
}

type Rows = &'static [&'static [&'static str]];

/// Client, query, and the rows where they are the same on every server.
const QUERIES: &[(&str, &str, Option<Rows>)] = &[
    ("any", "SELECT version()", None),
    ("any", "SHOW server_version_num", None),
    (
        "psycopg",
        "SHOW standard_conforming_strings",
        Some(&[&["on"]]),
    ),
    ("SQLAlchemy", "SELECT pg_catalog.version()", None),
    (
        "SQLAlchemy",
        "SELECT current_schema()",
        Some(&[&["public"]]),
    ),
    (
        "SQLAlchemy",
        "SHOW transaction isolation level",
        Some(&[&["read committed"]]),
    ),
    (
        "SQLAlchemy",
        "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace \
         WHERE pg_catalog.pg_class.relname = 'customer' AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) \
         AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog'",
        Some(&[&["customer"]]),
    ),
    (
        "SQLAlchemy",
        "SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS format_type, \
         (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS \"default\", \
         a.attnotnull AS not_null, pgd.description AS comment, a.attgenerated AS generated \
         FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_attribute a ON c.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_catalog.pg_description pgd ON pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum \
         WHERE c.relname = 'customer' ORDER BY a.attnum",
        Some(&[
            &["id", "integer", "NULL", "t", "NULL", ""],
            &[
                "name",
                "character varying(20)",
                "'x'::character varying",
                "t",
                "NULL",
                "",
            ],
            &["tags", "text[]", "NULL", "f", "NULL", ""],
        ]),
    ),
    (
        "pgjdbc getTables",
        "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' \
         WHEN true THEN 'SYSTEM' WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END ELSE NULL END AS TABLE_TYPE, \
         d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c \
         LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass) \
         WHERE c.relnamespace = n.oid AND n.nspname LIKE 'public' AND c.relkind IN ('r', 'v') ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME",
        Some(&[
            &["NULL", "public", "customer", "TABLE", "who buys"],
            &["NULL", "public", "purchase", "TABLE", "NULL"],
            &["NULL", "public", "spent", "VIEW", "NULL"],
        ]),
    ),
    (
        "pgjdbc getPrimaryKeys",
        "SELECT result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM (SELECT n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, \
         (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM \
         FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) \
         JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND ct.relname = 'customer' AND i.indisprimary) result \
         WHERE result.A_ATTNUM = (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq",
        Some(&[&["customer", "id", "1", "customer_pkey"]]),
    ),
    (
        "Npgsql type loading",
        "SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind, \
         elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind, CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype \
         FROM (SELECT typ.oid, typnamespace, typname, typrelid, typnotnull, relkind, typelem AS elemoid, CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype, \
         CASE WHEN proc.proname = 'array_recv' THEN typ.typelem WHEN typ.typtype = 'r' THEN rngsubtype WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid) WHEN typ.typtype = 'd' THEN typ.typbasetype END AS elemtypoid2 \
         FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)) AS typ \
         LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid2 LEFT JOIN pg_class AS elemcls ON (elemcls.oid = elemtyp.typrelid) LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive) AS t \
         JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE typname IN ('int4', '_int4', 'text') ORDER BY t.oid",
        Some(&[
            &["pg_catalog", "23", "int4", "b", "f", "NULL"],
            &["pg_catalog", "25", "text", "b", "f", "NULL"],
            &["pg_catalog", "1007", "_int4", "a", "f", "23"],
        ]),
    ),
    (
        "asyncpg introspection",
        "WITH RECURSIVE typeinfo_tree (oid, ns, name, kind, basetype, elemtype, depth) AS (SELECT ti.oid, ns.nspname, ti.typname, ti.typtype, ti.typbasetype, ti.typelem, 0 \
         FROM pg_catalog.pg_type AS ti JOIN pg_catalog.pg_namespace ns ON ns.oid = ti.typnamespace WHERE ti.oid = ANY ('{1007}'::oid[]) \
         UNION ALL SELECT ti.oid, ns.nspname, ti.typname, ti.typtype, ti.typbasetype, ti.typelem, tt.depth + 1 FROM pg_catalog.pg_type ti JOIN pg_catalog.pg_namespace ns ON ns.oid = ti.typnamespace, typeinfo_tree tt \
         WHERE tt.elemtype IS NOT NULL AND ti.oid = tt.elemtype) SELECT DISTINCT name, kind, depth FROM typeinfo_tree ORDER BY depth DESC",
        Some(&[&["int4", "b", "1"], &["_int4", "b", "0"]]),
    ),
    (
        "Metabase",
        "SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid \
         WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname !~ '^information_schema|catalog_history|pg_' AND pg_catalog.has_schema_privilege(n.nspname, 'USAGE') \
         AND (pg_catalog.has_table_privilege('\"' || n.nspname || '\".\"' || c.relname || '\"', 'SELECT') OR pg_catalog.has_any_column_privilege('\"' || n.nspname || '\".\"' || c.relname || '\"', 'SELECT')) ORDER BY 2",
        Some(&[
            &["public", "customer"],
            &["public", "purchase"],
            &["public", "spent"],
        ]),
    ),
    (
        "Grafana",
        "SELECT quote_ident(table_name) FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache') \
         AND table_schema = ANY (string_to_array(regexp_replace(current_setting('search_path'), '\"\\$user\", *', ''), ', ')) ORDER BY 1",
        Some(&[&["customer"], &["purchase"], &["spent"]]),
    ),
    (
        "Superset",
        "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname",
        Some(&[&["information_schema"], &["public"]]),
    ),
    (
        "dbt",
        "SELECT 'x' AS database, tablename AS name, schemaname AS schema, 'table' AS type FROM pg_tables WHERE schemaname ILIKE 'public' \
         UNION ALL SELECT 'x', viewname, schemaname, 'view' FROM pg_views WHERE schemaname ILIKE 'public' ORDER BY name",
        Some(&[
            &["x", "customer", "public", "table"],
            &["x", "purchase", "public", "table"],
            &["x", "spent", "public", "view"],
        ]),
    ),
    (
        "Power BI",
        "SELECT kcu.column_name, pc.conname, kcu.ordinal_position FROM information_schema.key_column_usage kcu JOIN pg_catalog.pg_constraint pc ON pc.conname = kcu.constraint_name \
         WHERE kcu.table_name = 'customer' AND pc.contype = 'p'",
        Some(&[&["id", "customer_pkey", "1"]]),
    ),
    (
        "DBeaver",
        "SELECT db.oid, db.datname FROM pg_catalog.pg_database db WHERE NOT datistemplate AND datallowconn AND db.datname = current_database()",
        None,
    ),
    (
        "DataGrip",
        "SELECT T.oid AS object_id, T.relname, T.relkind, pg_catalog.pg_get_userbyid(T.relowner) AS owner FROM pg_catalog.pg_class T \
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm', 'v', 'p', 'f') ORDER BY relname",
        None,
    ),
    (
        "pgAdmin",
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = current_user",
        None,
    ),
    ("pool", "DISCARD ALL", None),
    ("pool", "ROLLBACK", None),
];

#[test]
fn queries_of_drivers_and_tools_answer() {
    let server = Server::start();
    let tenant = server.tenant();
    let mut client = tenant.connect();
    client.run(SCHEMA);
    let mut wrong = Vec::new();
    for (who, sql, expected) in QUERIES {
        let reply = client.simple(sql);
        if let Some(error) = &reply.error {
            wrong.push(format!("{who}: {error}\n  {sql}"));
        } else if let Some(expected) = expected {
            let rows = reply.rows();
            if rows != *expected {
                wrong.push(format!("{who}: {rows:?}\n  {sql}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
