//! Two tenants and the system, and what asks them.

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

use crate::id::{DatabaseId, Oid, TableUuid, TenantId};
use crate::model::{
    Acl, Change, Check, Column as TableColumn, Database, ForeignAction, ForeignKey, Key, KeyKind,
    Membership, Privilege, Privileges, Reference, Relation, RelationBody, Role, Schema, Scope,
    Table, Tenant, View, ViewColumn,
};
use crate::sql_type::SqlType;
use crate::system::*;

pub(super) const ORDERS: Oid = Oid(16_400);
pub(super) const RATES: Oid = Oid(16_401);
pub(super) const SECRET: Oid = Oid(16_402);
pub(super) const MARKET: Oid = Oid(16_390);
pub(super) const ANALYST: Oid = Oid(16_391);
pub(super) const ALICE: Oid = Oid(Oid::FIRST_OF_TENANT);
pub(super) const BORIS: Oid = Oid(Oid::FIRST_OF_TENANT + 1);
pub(super) const SALES: Oid = Oid(Oid::FIRST_OF_TENANT + 2);
pub(super) const CUSTOMERS: Oid = Oid(Oid::FIRST_OF_TENANT + 3);
pub(super) const CUSTOMERS_KEY: Oid = Oid(Oid::FIRST_OF_TENANT + 4);
pub(super) const VISITS: Oid = Oid(Oid::FIRST_OF_TENANT + 7);
pub(super) const VISITS_FOREIGN_KEY: Oid = Oid(Oid::FIRST_OF_TENANT + 8);
pub(super) const RECENT: Oid = Oid(Oid::FIRST_OF_TENANT + 9);

pub(super) fn column(number: i16, name: &str, sql_type: &str) -> TableColumn {
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

pub(super) fn table_of(
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

pub(super) fn table_mut(relation: &mut Relation) -> &mut Table {
    match &mut relation.body {
        RelationBody::Table(table) => table,
        RelationBody::View(_) | RelationBody::Sequence(_) => panic!("no table"),
    }
}

pub(super) fn key(oid: Oid, name: &str, kind: KeyKind, columns: &[i16]) -> Key {
    Key {
        oid,
        name: name.to_owned(),
        kind,
        columns: columns.to_vec(),
        enforced: true,
        nulls_not_distinct: false,
    }
}

pub(super) fn tenant(name: &str, oid: u32) -> Tenant {
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
pub(super) fn system() -> (Arc<Database>, Tenant, Tenant) {
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
pub(super) fn acme(tenant: &Tenant) -> Arc<Database> {
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
                calculated: false,
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
pub(super) fn globex(tenant: &Tenant) -> Arc<Database> {
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

pub(super) fn scene(role: Oid) -> Scene {
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

pub(super) fn system_scene(role: Oid) -> Scene {
    let (system, _, _) = system();
    Scene::new(Arc::clone(&system), system, role)
}

/// Plans with `pg_catalog` as the only search path, as DataFusion alone can.
pub(super) fn context(scene: Scene) -> SessionContext {
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

pub(super) async fn batches(
    context: &SessionContext,
    sql: &str,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let plan = context.state().create_logical_plan(sql).await?;
    DataFrame::new(context.state(), plan).collect().await
}

/// Rows as lines of cells.
pub(super) async fn rows(scene: Scene, sql: &str) -> Vec<String> {
    lines(&batches(&context(scene), sql).await.unwrap())
}

pub(super) fn lines(batches: &[RecordBatch]) -> Vec<String> {
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

pub(super) async fn value(scene: Scene, expression: &str) -> String {
    rows(scene, &format!("SELECT {expression}"))
        .await
        .join("\n")
}

pub(super) async fn failure(scene: Scene, expression: &str) -> LookupError {
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
pub(super) fn expected(postgres: &str) -> &str {
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
