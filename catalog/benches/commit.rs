//! How many durable single-row commits a second, and how long one takes.
//!
//! `cargo bench -p tessera-catalog --bench commit`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints what it measures"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use tessera_catalog::commit::{Commit, DatabaseChange, PartChange};
use tessera_catalog::id::{DatabaseId, Oid, Part, Space, TableUuid, TenantId};
use tessera_catalog::model::{
    Change, Column, Database, Relation, RelationBody, Scope, Table, Tenant,
};
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::{Catalog, CatalogOptions};

const CALLERS: usize = 16;
const COMMITS_EACH: usize = 500;
const ALONE: usize = 500;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let options = CatalogOptions {
        data: folder.path().to_owned(),
        admin_password_verifier: Some("a verifier".to_owned()),
        ..CatalogOptions::default()
    };
    let catalog = Catalog::open(options.clone()).await.unwrap();
    let (space, relation) = prepare(&catalog).await;

    let mut times = Vec::new();
    for _ in 0..ALONE {
        let start = Instant::now();
        insert(&catalog, space, &relation).await;
        times.push(start.elapsed());
    }
    times.sort();
    println!(
        "alone: median {:?}, p99 {:?}",
        times[ALONE / 2],
        times[ALONE * 99 / 100]
    );

    let start = Instant::now();
    let callers = (0..CALLERS).map(|_| {
        let (catalog, relation) = (catalog.clone(), Arc::clone(&relation));
        tokio::spawn(async move {
            for _ in 0..COMMITS_EACH {
                insert(&catalog, space, &relation).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    let commits = CALLERS * COMMITS_EACH;
    println!(
        "{CALLERS} callers: {:.0} commits/s",
        f64::from(u32::try_from(commits).unwrap()) / seconds
    );

    let part = Part {
        space,
        table: relation.table().unwrap().uuid,
    };
    let snapshot = catalog.snapshot(part, "t").await.unwrap();
    assert_eq!(usize::try_from(snapshot.rows()).unwrap(), commits + ALONE);
    println!(
        "versions {:?}, files {}",
        snapshot.version,
        snapshot.files.len()
    );
    catalog.close().await;

    let start = Instant::now();
    let catalog = Catalog::open(options).await.unwrap();
    println!("open: {:?}", start.elapsed());
    let start = Instant::now();
    let snapshot = catalog.snapshot(part, "t").await.unwrap();
    println!(
        "first read of the part: {:?}, {} files",
        start.elapsed(),
        snapshot.files.len()
    );
    catalog.close().await;
}

async fn prepare(catalog: &Catalog) -> (Space, Arc<Relation>) {
    let system = catalog.system();
    let tenant = Tenant {
        id: TenantId::generate(),
        oid: catalog.next_oid(&system),
        name: "acme".to_owned(),
        suspended: false,
        created_at: 0,
        settings: BTreeMap::new(),
        quotas: tessera_catalog::model::Quotas::default(),
        plan: None,
        encryption: tessera_catalog::model::Encryption::default(),
        acl: None,
        comment: None,
    };
    let id = DatabaseId::Tenant(tenant.id);
    let space = Space::Tenant(tenant.id);
    let empty = Arc::new(Database::empty(id, "acme"));
    let relation = table(catalog.next_oid(&empty));
    let oid = relation.oid;
    let mut changes = Database::birth_of_tenant();
    changes.push(Change::PutRelation(relation));
    let databases = vec![
        DatabaseChange {
            base: system,
            changes: vec![Change::PutTenant(tenant)],
        },
        DatabaseChange {
            base: empty,
            changes,
        },
    ];
    catalog
        .commit(Commit {
            databases,
            ..Commit::default()
        })
        .await
        .unwrap();
    let relation = Arc::clone(&catalog.database(id).await.unwrap().relations[&oid]);
    (space, relation)
}

fn table(oid: Oid) -> Relation {
    let column = Column {
        number: 1,
        name: "a".to_owned(),
        physical: "c1".to_owned(),
        sql_type: SqlType::Int8,
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
    };
    let body = RelationBody::Table(Table {
        query: None,
        sensitive: false,
        uuid: TableUuid::generate(),
        scope: Scope::Own,
        columns: vec![column],
        checks: Vec::new(),
        keys: Vec::new(),
        schema_version: 1,
    });
    let (schema, owner) = (Oid::PUBLIC_SCHEMA, Oid::TENANT_ADMIN);
    Relation {
        oid,
        schema,
        name: "t".to_owned(),
        owner,
        acl: None,
        comment: None,
        body,
    }
}

async fn insert(catalog: &Catalog, space: Space, relation: &Arc<Relation>) {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
    let row = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(vec![1]))]).unwrap();
    let change = PartChange {
        referred_by: Vec::new(),
        part: Part {
            space,
            table: relation.table().unwrap().uuid,
        },
        database: DatabaseId::from_uuid(match space {
            Space::Tenant(tenant) => tenant.as_uuid(),
            Space::System | Space::Shared => uuid::Uuid::nil(),
        }),
        relation: Arc::clone(relation),
        added: Vec::new(),
        rows: vec![row],
        removed: Vec::new(),
        claims: Vec::new(),
        operation: "WRITE",
    };
    catalog
        .commit(Commit {
            parts: vec![change],
            ..Commit::default()
        })
        .await
        .unwrap();
}
