//! Two tenants and the system, seen by several roles.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider,
};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::id::{DatabaseId, Oid, TableUuid, TenantId};
use crate::model::{
    Acl, Change, Check, Column as TableColumn, Database, ForeignAction, ForeignKey, Key, KeyKind,
    Membership, Privilege, Privileges, Reference, Relation, RelationBody, Role, Schema, Scope,
    Table, Tenant, View, ViewColumn,
};
use crate::sql_type::SqlType;

const ORDERS: Oid = Oid(16_400);
const RATES: Oid = Oid(16_401);
const SECRET: Oid = Oid(16_402);
const MARKET: Oid = Oid(16_390);
const ANALYST: Oid = Oid(16_391);
const ALICE: Oid = Oid(Oid::FIRST_OF_TENANT);
const BORIS: Oid = Oid(Oid::FIRST_OF_TENANT + 1);
const SALES: Oid = Oid(Oid::FIRST_OF_TENANT + 2);
const CUSTOMERS: Oid = Oid(Oid::FIRST_OF_TENANT + 3);
const CUSTOMERS_KEY: Oid = Oid(Oid::FIRST_OF_TENANT + 4);
const VISITS: Oid = Oid(Oid::FIRST_OF_TENANT + 7);
const VISITS_FOREIGN_KEY: Oid = Oid(Oid::FIRST_OF_TENANT + 8);
const RECENT: Oid = Oid(Oid::FIRST_OF_TENANT + 9);

fn column(number: i16, name: &str, sql_type: &str) -> TableColumn {
    TableColumn {
        number,
        name: name.to_owned(),
        physical: if name == "tenant_id" {
            String::new()
        } else {
            format!("c{number}")
        },
        sql_type: SqlType::parse(sql_type).unwrap(),
        nullable: true,
        default: None,
        domain: None,
        fraction: None,
        missing_default: None,
        identity: None,
        generated: None,
        acl: None,
        comment: None,
        dropped: false,
    }
}

fn table_of(
    oid: Oid,
    schema: Oid,
    name: &str,
    owner: Oid,
    scope: Scope,
    columns: Vec<TableColumn>,
) -> Relation {
    Relation {
        oid,
        schema,
        name: name.to_owned(),
        owner,
        acl: None,
        comment: None,
        body: RelationBody::Table(Table {
            uuid: TableUuid::generate(),
            scope,
            columns,
            checks: Vec::new(),
            keys: Vec::new(),
            schema_version: 1,
            query: None,
            sensitive: false,
        }),
    }
}

fn table_mut(relation: &mut Relation) -> &mut Table {
    match &mut relation.body {
        RelationBody::Table(table) => table,
        RelationBody::View(_) | RelationBody::Sequence(_) => panic!("no table"),
    }
}

fn key(oid: Oid, name: &str, kind: KeyKind, columns: &[i16]) -> Key {
    Key {
        oid,
        name: name.to_owned(),
        kind,
        columns: columns.to_vec(),
        enforced: true,
        nulls_not_distinct: false,
    }
}

fn tenant(name: &str, oid: u32) -> Tenant {
    Tenant {
        id: TenantId::generate(),
        oid: Oid(oid),
        name: name.to_owned(),
        suspended: false,
        created_at: 0,
        settings: BTreeMap::new(),
        quotas: crate::model::Quotas::default(),
        plan: None,
        encryption: crate::model::Encryption::default(),
        acl: None,
        comment: Some(format!("the customer {name}")),
    }
}

/// The system's database with a common, a shared and an internal table, and its two tenants.
fn system() -> (Arc<Database>, Tenant, Tenant) {
    let (acme, globex) = (tenant("acme", 16_500), tenant("globex", 16_501));
    let mut system = Database::empty(DatabaseId::System, "tessera");
    let mut changes = Database::birth_of_system(None);
    changes.push(Change::PutTenant(acme.clone()));
    changes.push(Change::PutTenant(globex.clone()));
    changes.push(Change::PutRole(Role {
        login: true,
        ..Role::new(ANALYST, "analyst")
    }));
    changes.push(Change::PutSchema(Schema {
        oid: MARKET,
        name: "market".to_owned(),
        owner: ANALYST,
        acl: None,
        comment: None,
    }));
    let columns = vec![
        column(1, "tenant_id", "text"),
        column(2, "id", "integer"),
        column(3, "amount", "numeric(12,2)"),
    ];
    let mut orders = table_of(
        ORDERS,
        Oid::PUBLIC_SCHEMA,
        "orders",
        ANALYST,
        Scope::Common,
        columns,
    );
    table_mut(&mut orders).columns[1].nullable = false;
    table_mut(&mut orders)
        .keys
        .push(key(Oid(16_403), "orders_pkey", KeyKind::Primary, &[2]));
    let mut acl = Acl::of_owner(ANALYST, Privileges::of_table());
    let lent = [
        Privilege::Select,
        Privilege::Insert,
        Privilege::Update,
        Privilege::Delete,
    ];
    acl.grant(Oid::TENANT_ADMIN, ANALYST, lent.into_iter().collect(), true);
    orders.acl = Some(acl);
    orders.comment = Some("orders of all tenants".to_owned());
    changes.push(Change::PutRelation(orders));
    let columns = vec![
        column(1, "currency", "character(3)"),
        column(2, "rate", "double precision"),
    ];
    let mut rates = table_of(
        RATES,
        MARKET,
        "rates",
        Oid::OPERATOR,
        Scope::Shared,
        columns,
    );
    let mut acl = Acl::of_owner(Oid::OPERATOR, Privileges::of_table());
    acl.grant(Oid::PUBLIC, Oid::OPERATOR, Privilege::Select.into(), false);
    acl.grant(ANALYST, Oid::OPERATOR, Privilege::Update.into(), false);
    acl.grant(
        Oid(Oid::FIRST_OF_TENANT + 77),
        Oid::OPERATOR,
        Privilege::Delete.into(),
        false,
    );
    rates.acl = Some(acl);
    changes.push(Change::PutRelation(rates));
    let columns = vec![column(1, "word", "text")];
    let secret = table_of(
        SECRET,
        Oid::INTERNAL_SCHEMA,
        "secret",
        Oid::OPERATOR,
        Scope::Own,
        columns,
    );
    changes.push(Change::PutRelation(secret));
    changes.iter().for_each(|change| system.apply(change));
    (Arc::new(system), acme, globex)
}

/// acme: alice owns a schema with two tables and a view, boris may read two columns.
fn acme(tenant: &Tenant) -> Arc<Database> {
    let mut database = Database::empty(DatabaseId::Tenant(tenant.id), &tenant.name);
    let mut changes = Database::birth_of_tenant();
    changes.push(Change::PutRole(Role {
        login: true,
        password: Some("SCRAM-SHA-256$secret".to_owned()),
        settings: BTreeMap::from([("work_mem".to_owned(), "8MB".to_owned())]),
        comment: Some("runs sales".to_owned()),
        ..Role::new(ALICE, "alice")
    }));
    changes.push(Change::PutRole(Role {
        login: true,
        ..Role::new(BORIS, "Boris B")
    }));
    changes.push(Change::PutMembership(Membership {
        role: Oid::TENANT_ADMIN,
        member: ALICE,
        grantor: ANALYST,
        admin_option: false,
    }));
    let mut acl = Acl::of_owner(ALICE, Privileges::of_schema());
    acl.grant(BORIS, ALICE, Privilege::Usage.into(), false);
    changes.push(Change::PutSchema(Schema {
        oid: SALES,
        name: "sales".to_owned(),
        owner: ALICE,
        acl: Some(acl),
        comment: Some("what is sold".to_owned()),
    }));

    let columns = vec![
        column(1, "id", "integer"),
        column(2, "old", "text"),
        column(3, "Full Name", "character varying(40)"),
        column(4, "tags", "text[]"),
        column(5, "since", "timestamp with time zone"),
    ];
    let mut customers = table_of(CUSTOMERS, SALES, "customers", ALICE, Scope::Own, columns);
    let mut acl = Acl::of_owner(ALICE, Privileges::of_table());
    acl.grant(Oid::TENANT_ADMIN, ALICE, Privilege::Select.into(), true);
    customers.acl = Some(acl);
    customers.comment = Some("who buys".to_owned());
    let table = table_mut(&mut customers);
    table.columns[1].dropped = true;
    table.columns[2].comment = Some("as on the invoice".to_owned());
    table.columns[4].default = Some("now()".to_owned());
    table.columns[4].nullable = false;
    let mut acl = Acl::default();
    acl.grant(BORIS, ALICE, Privilege::Select.into(), false);
    table.columns[0].acl = Some(acl);
    table
        .keys
        .push(key(CUSTOMERS_KEY, "customers_pkey", KeyKind::Primary, &[1]));
    table.keys.push(key(
        Oid(CUSTOMERS.0 + 2),
        "customers_name",
        KeyKind::Unique,
        &[3, 5],
    ));
    table.checks.push(Check {
        oid: Oid(CUSTOMERS.0 + 3),
        name: "customers_check".to_owned(),
        expression: "id > 0 AND \"Full Name\" <> 'tags'".to_owned(),
    });
    changes.push(Change::PutRelation(customers));

    let columns = vec![column(1, "customer", "integer"), column(2, "at", "date")];
    let mut visits = table_of(VISITS, SALES, "visits", ALICE, Scope::Own, columns);
    let foreign = KeyKind::Foreign(ForeignKey {
        relation: CUSTOMERS,
        columns: vec![1],
        on_update: ForeignAction::NoAction,
        on_delete: ForeignAction::NoAction,
        match_full: false,
        deferrable: false,
        deferred: false,
    });
    table_mut(&mut visits).keys.push(key(
        VISITS_FOREIGN_KEY,
        "visits_customer_fkey",
        foreign,
        &[1],
    ));
    changes.push(Change::PutRelation(visits));

    changes.push(Change::PutRelation(Relation {
        oid: RECENT,
        schema: Oid::PUBLIC_SCHEMA,
        name: "recent".to_owned(),
        owner: ALICE,
        acl: None,
        comment: None,
        body: RelationBody::View(View {
            definition: "SELECT customer FROM sales.visits".to_owned(),
            bound: String::new(),
            references: vec![Reference {
                relation: VISITS,
                columns: vec![(1, "customer".to_owned())],
            }],
            columns: vec![ViewColumn {
                name: "customer".to_owned(),
                sql_type: SqlType::Int4,
                acl: None,
                comment: None,
            }],
            security_invoker: false,
            security_barrier: true,
        }),
    }));
    let mut borrowed = Acl::default();
    let both = [Privilege::Select, Privilege::Truncate]
        .into_iter()
        .collect();
    borrowed.grant(BORIS, Oid::TENANT_ADMIN, both, false);
    changes.push(Change::PutBorrowedAcl {
        relation: ORDERS,
        column: 0,
        acl: borrowed,
    });
    changes.iter().for_each(|change| database.apply(change));
    Arc::new(database)
}

/// globex: one table whose name nobody else may learn.
fn globex(tenant: &Tenant) -> Arc<Database> {
    let mut database = Database::empty(DatabaseId::Tenant(tenant.id), &tenant.name);
    let mut changes = Database::birth_of_tenant();
    changes.push(Change::PutRole(Role {
        login: true,
        ..Role::new(ALICE, "gustav")
    }));
    let columns = vec![column(1, "id", "integer")];
    let plan = table_of(
        Oid(ALICE.0 + 1),
        Oid::PUBLIC_SCHEMA,
        "takeover",
        ALICE,
        Scope::Own,
        columns,
    );
    changes.push(Change::PutRelation(plan));
    changes.iter().for_each(|change| database.apply(change));
    Arc::new(database)
}

fn scene(role: Oid) -> Scene {
    let (system, tenant, _) = system();
    let mut scene = Scene::new(system, acme(&tenant), role);
    scene.sizes = Arc::new(|oid| {
        if oid == CUSTOMERS {
            (7, 20_000)
        } else {
            (1, 100)
        }
    });
    scene
}

fn system_scene(role: Oid) -> Scene {
    let (system, _, _) = system();
    Scene::new(Arc::clone(&system), system, role)
}

/// Plans with `pg_catalog` as the only search path, as DataFusion alone can.
fn context(scene: Scene) -> SessionContext {
    let scene = Arc::new(scene);
    let config = SessionConfig::new().with_default_catalog_and_schema("db", "pg_catalog");
    let context = SessionContext::new_with_config(config);
    let catalog = MemoryCatalogProvider::new();
    for schema in SCHEMAS {
        let tables = MemorySchemaProvider::new();
        for name in table_names(schema) {
            let table = table(schema, name).unwrap();
            tables
                .register_table((*name).to_owned(), provider(table, Arc::clone(&scene)))
                .unwrap();
        }
        catalog.register_schema(schema, Arc::new(tables)).unwrap();
    }
    context.register_catalog("db", Arc::new(catalog));
    for function in functions(scene) {
        context.register_udf(function.as_ref().clone());
    }
    context
}

async fn batches(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
    let plan = context.state().create_logical_plan(sql).await?;
    DataFrame::new(context.state(), plan).collect().await
}

/// Rows as lines of cells.
async fn rows(scene: Scene, sql: &str) -> Vec<String> {
    lines(&batches(&context(scene), sql).await.unwrap())
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    let cells = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.join("|")
    };
    text.lines()
        .filter(|line| line.starts_with('|'))
        .skip(1)
        .map(cells)
        .collect()
}

async fn value(scene: Scene, expression: &str) -> String {
    rows(scene, &format!("SELECT {expression}"))
        .await
        .join("\n")
}

async fn failure(scene: Scene, expression: &str) -> LookupError {
    let sql = format!("SELECT {expression}");
    let error = batches(&context(scene), &sql).await.unwrap_err();
    let root = error.find_root();
    match root {
        DataFusionError::External(source) => source
            .downcast_ref::<LookupError>()
            .cloned()
            .expect("a LookupError"),
        other => panic!("{other}"),
    }
}

/// What PostgreSQL's type is here.
fn expected(postgres: &str) -> &str {
    match postgres {
        "information_schema.sql_identifier" => "name",
        "information_schema.character_data" => "character varying",
        "information_schema.cardinal_number" => "integer",
        "information_schema.yes_or_no" => "character varying(3)",
        "information_schema.time_stamp" => "timestamp with time zone",
        "xid" => "bigint",
        "aclitem[]" => "text[]",
        "anyarray" | "inet" | "pg_dependencies" | "pg_lsn" | "pg_mcv_list" | "pg_ndistinct"
        | "pg_node_tree" | "pg_statistic[]" => "text",
        same => same,
    }
}

#[test]
fn columns_are_those_of_postgresql_15() {
    let mut seen: BTreeMap<(&str, &str), Vec<(&str, &str)>> = BTreeMap::new();
    for line in include_str!("postgres15.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split('|').collect();
        let [schema, relation, _, column, sql_type] = words.as_slice() else {
            panic!("{line}")
        };
        seen.entry((schema, relation))
            .or_default()
            .push((column, expected(sql_type)));
    }
    let own = all_tables().filter(|table| table.schema == "tessera");
    assert_eq!(seen.len(), all_tables().count() - own.count());
    for ((schema, name), columns) in seen {
        let table = table(schema, name).unwrap_or_else(|| panic!("no {schema}.{name}"));
        let own: Vec<(&str, String)> = table
            .columns()
            .iter()
            .map(|c| (c.name, c.sql_type.to_string()))
            .collect();
        let own: Vec<(&str, &str)> = own.iter().map(|(name, t)| (*name, t.as_str())).collect();
        assert_eq!(own, columns, "{schema}.{name}");
    }
}

#[tokio::test]
async fn every_relation_can_be_scanned() {
    for scene in [
        scene(ALICE),
        scene(BORIS),
        scene(Oid::OPERATOR),
        system_scene(Oid::OPERATOR),
    ] {
        let context = context(scene);
        for table in all_tables() {
            let sql = format!("SELECT * FROM {}.{}", table.schema, table.name);
            let found = batches(&context, &sql)
                .await
                .unwrap_or_else(|e| panic!("{table:?}: {e}"));
            for batch in &found {
                assert_eq!(batch.num_columns(), table.columns().len(), "{table:?}");
                for (field, column) in batch.schema().fields().iter().zip(table.columns()) {
                    assert_eq!(
                        SqlType::of(field),
                        column.sql_type,
                        "{table:?}.{}",
                        column.name
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn numbers_are_unique_in_each_catalog() {
    let context = context(scene(ALICE));
    for name in [
        "pg_class",
        "pg_type",
        "pg_proc",
        "pg_constraint",
        "pg_attrdef",
        "pg_namespace",
        "pg_operator",
    ] {
        let sql = format!("SELECT oid FROM {name} GROUP BY oid HAVING count(*) > 1");
        assert_eq!(
            lines(&batches(&context, &sql).await.unwrap()),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_and_what_it_is_lent() {
    let sql = "SELECT nspname, relname, relkind, pg_get_userbyid(relowner) FROM pg_class c \
               JOIN pg_namespace n ON n.oid = relnamespace \
               WHERE nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "market|rates|r|tessera",
            "public|orders|r|tessera",
            "public|orders_pkey|i|tessera",
            "public|recent|v|alice",
            "sales|customers|r|alice",
            "sales|customers_name|i|alice",
            "sales|customers_pkey|i|alice",
            "sales|visits|r|alice",
            "tessera|audit_log|v|tessera",
            "tessera|column_masks|v|tessera",
            "tessera|encryption|v|tessera",
            "tessera|failed_logins|v|tessera",
            "tessera|last_logins|v|tessera",
            "tessera|masking_policies|v|tessera",
            "tessera|plans|v|tessera",
            "tessera|quotas|v|tessera",
            "tessera|tables_without_policies|v|tessera",
            "tessera|tenant_usage|v|tessera",
            "tessera|unused_roles|v|tessera",
            "tessera|who_can_read|v|tessera",
        ]
    );
    assert_eq!(
        rows(system_scene(Oid::OPERATOR), sql).await,
        [
            "internal|secret|r|admin",
            "market|rates|r|admin",
            "public|orders|r|analyst",
            "public|orders_pkey|i|analyst",
            "tessera|audit_log|v|admin",
            "tessera|column_masks|v|admin",
            "tessera|encryption|v|admin",
            "tessera|failed_logins|v|admin",
            "tessera|last_logins|v|admin",
            "tessera|masking_policies|v|admin",
            "tessera|plans|v|admin",
            "tessera|quotas|v|admin",
            "tessera|tables_without_policies|v|admin",
            "tessera|tenant_usage|v|admin",
            "tessera|unused_roles|v|admin",
            "tessera|who_can_read|v|admin",
        ]
    );
}

#[tokio::test]
async fn no_relation_tells_of_others() {
    let (system, _, globex_tenant) = system();
    let globex = Scene::new(system, globex(&globex_tenant), ALICE);
    for (scene, others) in [
        (
            scene(ALICE),
            vec![
                "globex", "gustav", "takeover", "secret", "analyst", "internal", "16391", "16500",
                "16501",
            ],
        ),
        (
            scene(Oid::OPERATOR),
            vec!["globex", "gustav", "takeover", "secret", "analyst", "16501"],
        ),
        (
            globex,
            vec!["acme", "alice", "customers", "secret", "analyst", "16500"],
        ),
    ] {
        let context = context(scene);
        for table in all_tables() {
            // Words that are everybody's.
            if ["pg_language", "pg_proc", "pg_cast", "pg_operator"].contains(&table.name) {
                continue;
            }
            let sql = format!("SELECT * FROM {}.{}", table.schema, table.name);
            let found = lines(&batches(&context, &sql).await.unwrap());
            for line in found {
                for other in &others {
                    assert!(
                        !line.split(is_gap).any(|word| word == *other),
                        "{table:?}: {line}"
                    );
                }
            }
        }
    }
}

/// What stands between words; names of system columns hold words that are also tenants'.
fn is_gap(c: char) -> bool {
    !c.is_alphanumeric() && c != '_'
}

#[tokio::test]
async fn databases_are_ones_own() {
    let sql = "SELECT datname, datallowconn, pg_get_userbyid(datdba) FROM pg_database ORDER BY 1";
    assert_eq!(rows(scene(ALICE), sql).await, ["acme|true|tenant_admin"]);
    let all = rows(system_scene(Oid::OPERATOR), sql).await;
    assert_eq!(
        all,
        ["acme|true|admin", "globex|true|admin", "tessera|true|admin"]
    );
}

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
            "customers_check|CHECK (id > 0 AND \"Full Name\" <> 'tags')|[1, 3]||0|0".to_owned(),
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

#[tokio::test]
async fn sessions_are_ones_own() {
    let session = |pid: i32, database: &str, user: (u32, &str), query: &str| ActivityRow {
        pid,
        database: Some((Oid(16_500), database.to_owned())),
        user: Some((Oid(user.0), user.1.to_owned())),
        client_addr: Some("10.0.0.1".to_owned()),
        query: query.to_owned(),
        state: Some("active".to_owned()),
        ..ActivityRow::default()
    };
    let activity = vec![
        session(1, "acme", (ALICE.0, "alice"), "SELECT 1"),
        session(2, "acme", (BORIS.0, "Boris B"), "SELECT 2"),
        session(3, "acme", (ANALYST.0, "analyst"), "SELECT 3"),
        session(4, "globex", (ALICE.0, "gustav"), "SELECT 4"),
    ];
    let sql =
        "SELECT pid, datid, usename, query, client_addr, state FROM pg_stat_activity ORDER BY 1";
    let mut alice = scene(ALICE);
    alice.activity = activity.clone();
    assert_eq!(
        rows(alice, sql).await,
        [
            "1|16384|alice|SELECT 1|10.0.0.1|active",
            "2|16384|Boris B|<insufficient privilege>||",
            "3|16384|tessera|||",
        ]
    );
    let mut operator = system_scene(Oid::OPERATOR);
    operator.activity = activity;
    assert_eq!(rows(operator, sql).await.len(), 4);
}

#[tokio::test]
async fn functions_of_sets_are_tables() {
    let scene = Arc::new(scene(ALICE));
    for (name, rows) in [("pg_get_keywords", 460), ("pg_timezone_abbrevs", 195)] {
        let table = table_function(name).unwrap();
        let provider = provider_with_hidden(table, Arc::clone(&scene));
        let context = SessionContext::new();
        context.register_table("t", provider).unwrap();
        let found = batches(&context, "SELECT * FROM t").await.unwrap();
        assert_eq!(found[0].num_rows(), rows);
        assert_eq!(found[0].num_columns(), table.columns().len() + HIDDEN.len());
    }
    assert!(table_function("pg_sleep").is_none());
}

#[tokio::test]
async fn time_zones_have_names_and_offsets() {
    let sql = "SELECT name, abbrev, is_dst, utc_offset = INTERVAL '5 hours 45 minutes' \
               FROM pg_timezone_names WHERE name = 'Asia/Kathmandu'";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        ["Asia/Kathmandu|+0545|false|true"]
    );
}

#[tokio::test]
async fn hidden_columns_are_there_for_those_who_ask() {
    let scene = Arc::new(scene(ALICE));
    let provider = provider_with_hidden(table("pg_catalog", "pg_namespace").unwrap(), scene);
    let context = SessionContext::new();
    context.register_table("n", provider).unwrap();
    let sql = "SELECT nspname, tableoid, xmin, ctid FROM n WHERE nspname = 'pg_catalog'";
    let found = lines(&batches(&context, sql).await.unwrap());
    assert_eq!(found, ["pg_catalog|2615|2|(0,1)"]);
}

/// A tenant of 5,000 tables of ten columns with a primary key each.
fn large() -> Scene {
    let (system, tenant, _) = system();
    let mut database = Database::empty(DatabaseId::Tenant(tenant.id), &tenant.name);
    for change in Database::birth_of_tenant() {
        database.apply(&change);
    }
    for n in 0..5_000 {
        let oid = Oid(Oid::FIRST_OF_TENANT + 2 * n);
        let columns = (1..=10)
            .map(|n| column(n, &format!("c{n}"), "integer"))
            .collect();
        let name = format!("t{n}");
        let mut table = table_of(
            oid,
            Oid::PUBLIC_SCHEMA,
            &name,
            Oid::TENANT_ADMIN,
            Scope::Own,
            columns,
        );
        let primary = key(
            Oid(oid.0 + 1),
            &format!("{name}_pkey"),
            KeyKind::Primary,
            &[1],
        );
        table_mut(&mut table).keys.push(primary);
        database.apply(&Change::PutRelation(table));
    }
    Scene::new(system, Arc::new(database), Oid::TENANT_ADMIN)
}

#[tokio::test]
async fn a_large_tenant_is_described_in_time() {
    let context = context(large());
    let started = std::time::Instant::now();
    let sql = "SELECT c.oid, n.nspname, c.relname FROM pg_class c \
               LEFT JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relname ~ '^(t4711)$' AND pg_table_is_visible(c.oid) ORDER BY 2, 3";
    let oid = Oid::FIRST_OF_TENANT + 2 * 4711;
    assert_eq!(
        lines(&batches(&context, sql).await.unwrap()),
        [format!("{oid}|public|t4711")]
    );
    println!("by name: {:?}", started.elapsed());
    let sql = format!(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum) \
         FROM pg_attribute a WHERE a.attrelid = '{oid}' AND a.attnum > 0 ORDER BY a.attnum"
    );
    assert_eq!(batches(&context, &sql).await.unwrap()[0].num_rows(), 10);
    println!("and its columns: {:?}", started.elapsed());
    let sql = "SELECT count(*), count(a.attname) FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid \
               WHERE c.relkind = 'r' AND relnamespace = 2200 AND pg_table_is_visible(c.oid)";
    assert_eq!(
        lines(&batches(&context, sql).await.unwrap()),
        ["50003|50003"]
    );
    println!("and all columns: {:?}", started.elapsed());
    let sql = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'";
    assert_eq!(lines(&batches(&context, sql).await.unwrap()), ["50003"]);
    println!("and information_schema: {:?}", started.elapsed());
    // Far above what an optimised build needs.
    assert!(started.elapsed().as_secs() < 20);
}
