//! What clients ask, and what they are told.

use super::bed::*;
use crate::id::Oid;

#[tokio::test]
async fn lists_are_written_as_postgresql_does() {
    let sql = "SELECT relname, relacl FROM pg_class \
               WHERE relname IN ('customers', 'visits', 'orders', 'rates') ORDER BY 1";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "customers|[alice=arwdDxt/alice, tenant_admin=r*/alice]",
            // `tenant_admin` cannot pass on what the operator kept.
            "orders|[tessera=arwdDxt/tessera, tenant_admin=a*r*w*d*/tessera, \"Boris B\"=r/tenant_admin]",
            // Neither another operator's share nor another tenant's role.
            "rates|[tessera=arwdDxt/tessera, =r/tessera]",
            "visits|",
        ]
    );
    let sql = "SELECT attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL";
    assert_eq!(rows(scene(ALICE), sql).await, ["id|[\"Boris B\"=r/alice]"]);
    let sql = "SELECT nspname, nspacl FROM pg_namespace WHERE nspname IN ('public', 'sales', 'market') ORDER BY 1";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "market|[tessera=UC/tessera, =U/tessera]",
            "public|[tenant_admin=UC/tenant_admin, =U/tenant_admin]",
            "sales|[alice=UC/alice, \"Boris B\"=U/alice]",
        ]
    );
}

#[tokio::test]
async fn roles_are_told_without_passwords() {
    let sql =
        "SELECT rolname, rolsuper, rolcanlogin, rolpassword, rolconfig FROM pg_roles ORDER BY 1";
    assert_eq!(
        rows(scene(BORIS), sql).await,
        [
            "Boris B|false|true|********|",
            "alice|false|true|********|[work_mem=8MB]",
            "tenant_admin|false|false|********|",
            "tessera|true|false|********|",
        ]
    );
    let sql = "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL OR rolname = 'alice'";
    assert_eq!(rows(scene(ALICE), sql).await, Vec::<String>::new());
    assert_eq!(rows(scene(Oid::OPERATOR), sql).await, ["alice|"]);
}

#[tokio::test]
async fn describing_a_table_as_psql_does() {
    let mut alice = scene(ALICE);
    alice.search_path = vec!["sales".to_owned(), "public".to_owned()];
    let context = context(alice);
    let sql = "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c \
               LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relname ~ '^(customers)$' AND pg_table_is_visible(c.oid) ORDER BY 2, 3";
    let oid = CUSTOMERS.0;
    assert_eq!(
        lines(&batches(&context, sql).await.unwrap()),
        [format!("{oid}|sales|customers")]
    );

    let sql = format!(
        "SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, \
         c.relrowsecurity, c.relforcerowsecurity, false AS relhasoids, c.relispartition, '', \
         c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE 'x' END, c.relpersistence, \
         c.relreplident, am.amname FROM pg_catalog.pg_class c \
         LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) \
         LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = '{oid}'"
    );
    assert_eq!(
        lines(&batches(&context, &sql).await.unwrap()),
        ["1|r|true|false|true|false|false|false|false||0||p|d|heap"]
    );

    let sql = format!(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), \
         pg_get_expr(d.adbin, d.adrelid, true) AS def, \
         a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, \
         col_description(a.attrelid, a.attnum) FROM pg_catalog.pg_attribute a \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attrelid = '{oid}' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    assert_eq!(
        lines(&batches(&context, &sql).await.unwrap()),
        [
            "id|integer||true|||p|",
            "Full Name|character varying(40)||false|||x|as on the invoice",
            "tags|text[]||false|||x|",
            "since|timestamp with time zone|now()|true|||p|",
        ]
    );

    let sql = format!(
        "SELECT c2.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, \
         pg_get_indexdef(i.indexrelid, 0, true), pg_get_constraintdef(con.oid, true), contype, \
         condeferrable, condeferred, i.indisreplident, c2.reltablespace \
         FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i \
         LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid \
         AND conindid = i.indexrelid AND contype IN ('p','u','x')) \
         WHERE c.oid = '{oid}' AND c.oid = i.indrelid AND i.indexrelid = c2.oid \
         ORDER BY i.indisprimary DESC, c2.relname"
    );
    assert_eq!(
        lines(&batches(&context, &sql).await.unwrap()),
        [
            "customers_pkey|true|true|false|true|CREATE UNIQUE INDEX customers_pkey ON \
             sales.customers USING btree (id)|PRIMARY KEY (id)|p|false|false|false|0",
            "customers_name|false|true|false|true|CREATE UNIQUE INDEX customers_name ON \
             sales.customers USING btree (\"Full Name\", since)|UNIQUE (\"Full Name\", since)|u|\
             false|false|false|0",
        ]
    );

    let sql = "SELECT conname, pg_get_constraintdef(oid, true), conkey, confkey, confrelid, conindid \
               FROM pg_catalog.pg_constraint WHERE contype IN ('c', 'f') AND connamespace <> 2200 ORDER BY 1";
    assert_eq!(
        lines(&batches(&context, sql).await.unwrap()),
        [
            "customers_check|CHECK (id > 0 AND \"Full Name\"::text <> 'tags'::text)|[1, 3]||0|0"
                .to_owned(),
            format!(
                "visits_customer_fkey|FOREIGN KEY (customer) REFERENCES customers(id)|[1]|[1]|{oid}|{}",
                CUSTOMERS_KEY.0
            ),
        ]
    );
}

#[tokio::test]
async fn views_tell_what_they_read() {
    let sql = "SELECT c.relname, d.refobjsubid FROM pg_depend d JOIN pg_rewrite r ON d.objid = r.oid \
               JOIN pg_class c ON d.refobjid = c.oid \
               WHERE d.classid = 2618 AND d.deptype = 'n' AND r.ev_class = (SELECT oid FROM pg_class WHERE relname = 'recent')";
    assert_eq!(rows(scene(ALICE), sql).await, ["visits|1"]);
    let sql = "SELECT definition FROM pg_views WHERE viewname = 'recent'";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        ["SELECT customer FROM sales.visits;"]
    );
    let sql = "SELECT view_definition FROM information_schema.views WHERE table_name = 'recent'";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        ["SELECT customer FROM sales.visits;"]
    );
    let sql = "SELECT reloptions FROM pg_class WHERE relname = 'recent'";
    assert_eq!(rows(scene(ALICE), sql).await, ["[security_barrier=true]"]);
}

#[tokio::test]
async fn information_schema_shows_what_the_role_may_use() {
    let sql = "SELECT table_schema, table_name, table_type FROM information_schema.tables \
               WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "market|rates|BASE TABLE",
            "public|orders|BASE TABLE",
            "public|recent|VIEW",
            "sales|customers|BASE TABLE",
            "sales|visits|BASE TABLE",
            "tessera|column_masks|VIEW",
            "tessera|encryption|VIEW",
            "tessera|masking_policies|VIEW",
            "tessera|plans|VIEW",
            "tessera|quotas|VIEW",
            "tessera|tenant_usage|VIEW",
        ]
    );
    assert_eq!(
        rows(scene(BORIS), sql).await,
        [
            "market|rates|BASE TABLE",
            "public|orders|BASE TABLE",
            "sales|customers|BASE TABLE",
            "tessera|column_masks|VIEW",
            "tessera|encryption|VIEW",
            "tessera|masking_policies|VIEW",
            "tessera|plans|VIEW",
            "tessera|quotas|VIEW",
            "tessera|tenant_usage|VIEW",
        ]
    );
    let sql = "SELECT column_name, ordinal_position, is_nullable, data_type, character_maximum_length, \
               udt_name, column_default FROM information_schema.columns \
               WHERE table_name = 'customers' ORDER BY 2";
    assert_eq!(rows(scene(BORIS), sql).await, ["id|1|NO|integer||int4|"]);
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "id|1|NO|integer||int4|",
            "Full Name|3|YES|character varying|40|varchar|",
            "tags|4|YES|ARRAY||_text|",
            "since|5|NO|timestamp with time zone||timestamptz|now()",
        ]
    );
    let sql = "SELECT grantee, privilege_type, is_grantable FROM information_schema.table_privileges \
               WHERE table_name = 'orders' ORDER BY 1, 2";
    assert_eq!(rows(scene(BORIS), sql).await, ["Boris B|SELECT|NO"]);
    let sql = "SELECT tc.constraint_name, constraint_type, column_name FROM information_schema.table_constraints tc \
               JOIN information_schema.key_column_usage k ON k.constraint_name = tc.constraint_name \
               WHERE tc.table_schema = 'sales' ORDER BY 1, k.ordinal_position";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "customers_name|UNIQUE|Full Name",
            "customers_name|UNIQUE|since",
            "customers_pkey|PRIMARY KEY|id",
            "visits_customer_fkey|FOREIGN KEY|customer",
        ]
    );
    let sql = "SELECT schema_name FROM information_schema.schemata ORDER BY 1";
    assert_eq!(
        rows(scene(BORIS), sql).await,
        [
            "information_schema",
            "market",
            "pg_catalog",
            "public",
            "sales",
            "tessera"
        ]
    );
}

#[tokio::test]
async fn privileges_are_answered_by_name_and_number() {
    let boris = |expression: &'static str| value(scene(BORIS), expression);
    assert_eq!(
        boris("has_table_privilege('sales.customers', 'SELECT')").await,
        "false"
    );
    assert_eq!(
        boris("has_any_column_privilege('sales.customers', 'SELECT')").await,
        "true"
    );
    assert_eq!(
        boris("has_column_privilege('sales.customers', 'id', 'select, update')").await,
        "true"
    );
    assert_eq!(
        boris("has_column_privilege('sales.customers', 3, 'SELECT')").await,
        "false"
    );
    assert_eq!(
        boris("has_table_privilege('orders', 'SELECT')").await,
        "true"
    );
    assert_eq!(
        boris("has_table_privilege('orders', 'TRUNCATE')").await,
        "false"
    );
    assert_eq!(
        boris("has_table_privilege('alice', 'orders', 'INSERT WITH GRANT OPTION')").await,
        "true"
    );
    assert_eq!(boris("has_table_privilege(16401, 'SELECT')").await, "true");
    assert_eq!(boris("has_table_privilege(424242, 'SELECT')").await, "");
    assert_eq!(
        boris("has_schema_privilege('sales', 'USAGE')").await,
        "true"
    );
    assert_eq!(
        boris("has_schema_privilege('sales', 'CREATE')").await,
        "false"
    );
    assert_eq!(
        boris("has_database_privilege('acme', 'CONNECT')").await,
        "true"
    );
    assert_eq!(
        boris("has_database_privilege('acme', 'CREATE')").await,
        "false"
    );
    assert_eq!(
        boris("pg_has_role('alice', 'tenant_admin', 'MEMBER')").await,
        "true"
    );
    assert_eq!(boris("pg_has_role('tenant_admin', 'USAGE')").await, "false");
    let fails = |expression: &'static str| failure(scene(BORIS), expression);
    assert_eq!(
        fails("has_table_privilege('nothing', 'SELECT')")
            .await
            .sqlstate(),
        "42P01"
    );
    assert_eq!(
        fails("has_table_privilege('orders', 'EAT')")
            .await
            .sqlstate(),
        "22023"
    );
    assert_eq!(
        fails("has_table_privilege('gustav', 'orders', 'SELECT')")
            .await
            .sqlstate(),
        "42704"
    );
    assert_eq!(
        fails("has_database_privilege('globex', 'CONNECT')")
            .await
            .sqlstate(),
        "3D000"
    );
}

#[tokio::test]
async fn names_and_numbers_change_into_each_other() {
    let alice = |expression: &'static str| value(scene(ALICE), expression);
    assert_eq!(alice("regclassin('orders')").await, "16400");
    assert_eq!(alice("regclassin('pg_catalog.pg_class')").await, "1259");
    assert_eq!(alice("regclassin('pg_class')").await, "1259");
    assert_eq!(
        alice("regclassin('acme.Sales.\"customers\"')").await,
        CUSTOMERS.0.to_string()
    );
    assert_eq!(
        alice("regclassin('sales.customers_pkey')").await,
        CUSTOMERS_KEY.0.to_string()
    );
    assert_eq!(alice("regclassin('17')").await, "17");
    assert_eq!(alice("regclassout(16400)").await, "orders");
    assert_eq!(alice("regclassout(16402)").await, "16402");
    assert_eq!(
        alice("regclassout(regclassin('sales.visits'))").await,
        "sales.visits"
    );
    assert_eq!(alice("regclassout(0)").await, "-");
    assert_eq!(alice("to_regclass('internal.secret')").await, "");
    assert_eq!(alice("to_regtype('pg_catalog.int4')").await, "23");
    assert_eq!(alice("regtypeout(1009)").await, "text[]");
    assert_eq!(alice("regprocin('array_in')").await, "750");
    assert_eq!(alice("regroleout(10)").await, "tessera");
    assert_eq!(alice("pg_get_userbyid(16391)").await, "unknown (OID=16391)");
    assert_eq!(alice("regroleout(1073741825)").await, "\"Boris B\"");
    let fails = |expression: &'static str| failure(scene(ALICE), expression);
    assert_eq!(
        fails("regclassin('takeover')").await.to_string(),
        "relation \"takeover\" does not exist"
    );
    assert_eq!(
        fails("regclassin('internal.secret')").await.sqlstate(),
        "42P01"
    );
    assert_eq!(
        fails("regclassin('globex.public.takeover')")
            .await
            .sqlstate(),
        "0A000"
    );
    assert_eq!(fails("regclassin('a b')").await.sqlstate(), "42602");
    assert_eq!(
        fails("regnamespacein('internal')").await.sqlstate(),
        "3F000"
    );
    assert_eq!(fails("regtypein('nothing')").await.sqlstate(), "42704");
}

#[tokio::test]
async fn types_are_formatted() {
    let alice = |expression: &'static str| value(scene(ALICE), expression);
    for (expression, expected) in [
        ("format_type(1700, 786438)", "numeric(12,2)"),
        ("format_type(1700, 655370)", "numeric(10,6)"),
        ("format_type(1700, 329731)", "numeric(5,-1)"),
        ("format_type(1043, 44)", "character varying(40)"),
        ("format_type(1042, NULL)", "character"),
        ("format_type(1042, -1)", "bpchar"),
        ("format_type(1042, 7)", "character(3)"),
        ("format_type(1015, 14)", "character varying(10)[]"),
        ("format_type(1114, 3)", "timestamp(3) without time zone"),
        ("format_type(4294967, -1)", "???"),
        ("format_type(0, NULL)", "-"),
        ("format_type(NULL, NULL)", ""),
        ("pg_encoding_to_char(6)", "UTF8"),
        ("pg_char_to_encoding('utf-8')", "6"),
        ("_pg_char_max_length(1043, 44)", "40"),
        ("pg_size_pretty(10239)", "10239 bytes"),
        ("pg_size_pretty(10240)", "10 kB"),
        ("pg_size_pretty(20000)", "20 kB"),
        ("pg_size_pretty(123456789)", "118 MB"),
        ("pg_size_pretty(-123456789012)", "-115 GB"),
        ("pg_relation_size('sales.customers')", "20000"),
        ("pg_database_size('acme')", "20200"),
        (
            "obj_description(16400, 'pg_class')",
            "orders of all tenants",
        ),
        (
            "obj_description(1073741826, 'pg_namespace')",
            "what is sold",
        ),
        (
            "shobj_description(16384, 'pg_database')",
            "the customer acme",
        ),
        ("shobj_description(1073741824, 'pg_authid')", "runs sales"),
        (
            "pg_get_viewdef('recent')",
            "SELECT customer FROM sales.visits;",
        ),
        ("pg_get_indexdef(1073741829, 2, true)", "since"),
        ("acldefault('r', 1073741824)", "[alice=arwdDxt/alice]"),
    ] {
        assert_eq!(alice(expression).await, expected, "{expression}");
    }
}
