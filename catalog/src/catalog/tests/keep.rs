//! What was committed is there after a restart, and only one server has the folder.

use super::bed::{Bed, birth, limits, open, part, role, table, tenant, values, view};
use crate::catalog::AsOf;
use crate::commit::{Commit, DatabaseChange};
use crate::error::Error;
use crate::id::{DatabaseId, Oid, Space};
use crate::model::{
    Acl, Change, DefaultAcl, DefaultAclKind, Membership, Privileges, Schema, Scope,
};

#[tokio::test]
async fn the_first_start_makes_the_system() {
    let bed = Bed::new().await;
    let system = bed.catalog.system();
    let admin = system.role_named("admin").unwrap();
    assert!(admin.superuser);
    assert_eq!(admin.password.as_deref(), Some("a verifier"));
    assert!(system.schema_named("public").is_some() && system.schema_named("internal").is_some());
    assert_eq!((system.name.as_str(), system.version), ("tessera", 1));
}

#[tokio::test]
async fn a_second_server_is_refused_until_the_first_ends() {
    let bed = Bed::new().await;
    let refused = open(bed.folder.path(), limits()).await;
    assert!(matches!(refused, Err(Error::Unusable(text)) if text.contains("another server")));
    bed.catalog.close().await;
    let again = open(bed.folder.path(), limits()).await.unwrap();
    let late = bed.catalog.commit(Commit::default()).await;
    assert!(matches!(late, Err(Error::Unusable(_))));
    again.close().await;
}

#[tokio::test]
async fn every_kind_of_object_survives_a_restart() {
    let mut bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let id = DatabaseId::Tenant(acme);
    let common = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let base = bed.catalog.database(id).await.unwrap();
    let (alice, schema) = (bed.catalog.next_oid(&base), bed.catalog.next_oid(&base));
    let (t, v) = (bed.catalog.next_oid(&base), bed.catalog.next_oid(&base));
    let acl = Acl::of_owner(alice, Privileges::of_table());
    let changes = vec![
        Change::PutRole(role(alice, "alice")),
        Change::PutMembership(Membership {
            role: Oid::TENANT_ADMIN,
            member: alice,
            grantor: Oid::TENANT_ADMIN,
            admin_option: true,
        }),
        Change::PutSchema(Schema {
            oid: schema,
            name: "it's \"quoted\"".to_owned(),
            owner: alice,
            acl: None,
            comment: None,
        }),
        Change::PutRelation(table(t, "t", Scope::Own)),
        Change::PutRelation(view(v, "v", t)),
        Change::PutDefaultAcl(DefaultAcl {
            role: alice,
            schema: None,
            kind: DefaultAclKind::Table,
            acl: acl.clone(),
        }),
        Change::PutFunctionAcl {
            function: "forecast".to_owned(),
            acl: acl.clone(),
        },
        Change::PutBorrowedAcl {
            relation: common.oid,
            column: 0,
            acl: acl.clone(),
        },
        Change::PutBorrowedAcl {
            relation: common.oid,
            column: 2,
            acl,
        },
    ];
    bed.put_from(base, changes).await.unwrap();
    let before = bed.catalog.database(id).await.unwrap();

    bed.reopen().await;

    let after = bed.catalog.database(id).await.unwrap();
    assert_eq!(after.name, "acme");
    assert_eq!(after.version, before.version);
    assert_eq!(after.next_oid, before.next_oid);
    assert_eq!(after.roles, before.roles);
    assert_eq!(after.memberships, before.memberships);
    assert_eq!(after.schemas, before.schemas);
    assert_eq!(after.relations, before.relations);
    assert_eq!(
        after.relation_named(Oid::PUBLIC_SCHEMA, "v").unwrap().oid,
        v
    );
    assert_eq!(after.default_acls, before.default_acls);
    assert_eq!(after.function_acls, before.function_acls);
    assert_eq!(after.borrowed_acls, before.borrowed_acls);
    assert_eq!(bed.catalog.tenant("acme").unwrap().id, acme);
    assert!(bed.catalog.next_oid(&after) > v);
    assert_eq!(bed.catalog.dependants_of(t).await.unwrap(), vec![(id, v)]);
}

#[tokio::test]
async fn what_is_dropped_stays_dropped() {
    let mut bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let base = bed.catalog.database(acme).await.unwrap();
    let oids: Vec<Oid> = (0..4).map(|_| bed.catalog.next_oid(&base)).collect();
    let membership = Membership {
        role: Oid::TENANT_ADMIN,
        member: oids[0],
        grantor: Oid::TENANT_ADMIN,
        admin_option: false,
    };
    let acl = Acl::of_owner(Oid::TENANT_ADMIN, Privileges::of_table());
    let kind = DefaultAclKind::Schema;
    let default_acl = DefaultAcl {
        role: Oid::TENANT_ADMIN,
        schema: Some(oids[1]),
        kind,
        acl,
    };
    let schema = Schema {
        oid: oids[1],
        name: "s".to_owned(),
        owner: Oid::TENANT_ADMIN,
        acl: None,
        comment: None,
    };
    let made = vec![
        Change::PutRole(role(oids[0], "alice")),
        Change::PutMembership(membership),
        Change::PutSchema(schema),
        Change::PutRelation(table(oids[2], "t", Scope::Own)),
        Change::PutRelation(view(oids[3], "v", oids[2])),
        Change::PutDefaultAcl(default_acl),
    ];
    bed.put(acme, made).await.unwrap();
    let dropped = vec![
        Change::DropDefaultAcl {
            role: Oid::TENANT_ADMIN,
            schema: Some(oids[1]),
            kind,
        },
        Change::DropRelation(oids[3]),
        Change::DropRelation(oids[2]),
        Change::DropSchema(oids[1]),
        Change::DropMembership {
            role: Oid::TENANT_ADMIN,
            member: oids[0],
        },
        Change::DropRole(oids[0]),
    ];
    bed.put(acme, dropped).await.unwrap();
    for _ in 0..2 {
        let now = bed.catalog.database(acme).await.unwrap();
        assert_eq!(now.relations.len(), 0);
        assert_eq!(now.roles.len(), 1);
        assert_eq!(now.schemas.len(), 1);
        assert!(now.memberships.is_empty() && now.default_acls.is_empty());
        assert!(bed.catalog.dependants_of(oids[2]).await.unwrap().is_empty());
        bed.reopen().await;
    }
}

#[tokio::test]
async fn rows_survive_a_restart_and_go_on_from_there() {
    let mut bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let space = Space::Tenant(acme);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let sales_part = part(space, &sales);
    assert_eq!(bed.version(sales_part).await, None);
    for i in 0..5 {
        bed.insert(values(space, &sales, &[i, i])).await.unwrap();
    }
    bed.reopen().await;
    // Without reading the part first.
    bed.insert(values(space, &sales, &[5])).await.unwrap();
    assert_eq!(
        (bed.rows(sales_part).await, bed.version(sales_part).await),
        (11, Some(5))
    );
    bed.reopen().await;
    assert_eq!(
        (bed.rows(sales_part).await, bed.version(sales_part).await),
        (11, Some(5))
    );
    let parts = bed.catalog.parts_of(sales_part.table).await.unwrap();
    assert_eq!(
        parts.iter().map(|p| (p.space, p.rows)).collect::<Vec<_>>(),
        vec![(space, 11)]
    );
    assert_eq!(bed.catalog.parts_in(space).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_past_can_be_read() {
    let bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let space = Space::Tenant(acme);
    let t = bed.table(DatabaseId::Tenant(acme), "t", Scope::Own).await;
    let t_part = part(space, &t);
    for i in 0..3 {
        bed.insert(values(space, &t, &[i])).await.unwrap();
    }
    for version in 0..3 {
        let then = bed
            .catalog
            .snapshot_of(t_part, AsOf::Version(version), "t")
            .await
            .unwrap();
        assert_eq!(
            (then.version, then.rows()),
            (Some(version), version as u64 + 1)
        );
    }
    for version in [-1, 3] {
        let missing = bed
            .catalog
            .snapshot_of(t_part, AsOf::Version(version), "t")
            .await;
        assert!(matches!(missing, Err(Error::NoSuchVersion { .. })));
    }
    let now = AsOf::Timestamp(chrono::Utc::now().timestamp_micros() + 1_000_000);
    assert_eq!(
        bed.catalog
            .snapshot_of(t_part, now, "t")
            .await
            .unwrap()
            .rows(),
        3
    );
    let before = bed
        .catalog
        .snapshot_of(t_part, AsOf::Timestamp(0), "t")
        .await;
    assert!(matches!(before, Err(Error::NoSuchVersion { .. })));
}

#[tokio::test]
async fn a_start_reads_no_tenant() {
    let mut bed = Bed::new().await;
    let tenants: Vec<_> = (0..2_000)
        .map(|i| tenant(&bed.catalog, &format!("t{i}")))
        .collect();
    bed.catalog
        .commit(birth(&bed.catalog, tenants))
        .await
        .unwrap();
    bed.reopen().await;
    assert_eq!(bed.catalog.system().tenants.len(), 2_000);
    assert_eq!(bed.catalog.shared.state.read().tenants.len(), 0);
    let last = bed.catalog.tenant("t1999").unwrap();
    let database = bed
        .catalog
        .database(DatabaseId::Tenant(last.id))
        .await
        .unwrap();
    assert!(database.role_named("tenant_admin").is_some());
    assert_eq!(bed.catalog.shared.state.read().tenants.len(), 1);
}

#[tokio::test]
async fn memory_is_bounded_and_nothing_is_lost_by_it() {
    let limits = crate::catalog::CatalogLimits {
        max_databases: 4,
        max_parts: 4,
        ..limits()
    };
    let bed = Bed::with(limits).await;
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let mut tenants = Vec::new();
    for i in 0..20 {
        tenants.push(bed.tenant(&format!("t{i}")).await);
    }
    for round in 0..3 {
        for tenant in &tenants {
            bed.insert(values(Space::Tenant(*tenant), &sales, &[round]))
                .await
                .unwrap();
        }
    }
    for tenant in &tenants {
        let id = DatabaseId::Tenant(*tenant);
        assert_eq!(bed.rows(part(Space::Tenant(*tenant), &sales)).await, 3);
        assert_eq!(bed.catalog.database(id).await.unwrap().version, 1);
    }
    assert!(bed.catalog.shared.state.read().tenants.len() <= 4);
}

#[tokio::test]
async fn a_renamed_tenant_keeps_its_objects() {
    let mut bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let id = DatabaseId::Tenant(acme);
    bed.table(id, "t", Scope::Own).await;
    let before = bed.catalog.database(id).await.unwrap().version;
    let mut renamed = (*bed.catalog.tenant("acme").unwrap()).clone();
    renamed.name = "emca".to_owned();
    bed.put(DatabaseId::System, vec![Change::PutTenant(renamed)])
        .await
        .unwrap();
    for _ in 0..2 {
        let now = bed.catalog.database(id).await.unwrap();
        assert_eq!((now.name.as_str(), now.relations.len()), ("emca", 1));
        assert!(now.version > before);
        assert!(bed.catalog.tenant("acme").is_none());
        bed.reopen().await;
    }
}

#[tokio::test]
async fn objects_and_rows_become_visible_together() {
    let bed = Bed::new().await;
    let (acme, globex) = (bed.tenant("acme").await, bed.tenant("globex").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let base = bed
        .catalog
        .database(DatabaseId::Tenant(acme))
        .await
        .unwrap();
    let made = table(bed.catalog.next_oid(&base), "made", Scope::Own);
    let commit = |removed| {
        let own = std::sync::Arc::new(made.clone());
        let mut last = values(Space::Tenant(globex), &sales, &[3]);
        last.removed = removed;
        Commit {
            databases: vec![DatabaseChange {
                base: std::sync::Arc::clone(&base),
                changes: vec![Change::PutRelation(made.clone())],
            }],
            parts: vec![
                values(Space::Tenant(acme), &own, &[1]),
                values(Space::Tenant(acme), &sales, &[2]),
                last,
            ],
            ..Commit::default()
        }
    };
    let nowhere = crate::storage::DataFile {
        path: "nowhere".to_owned(),
        size: 1,
        rows: 1,
        stats: std::sync::Arc::default(),
        modified_ms: 0,
    };
    let refused = bed
        .catalog
        .commit(commit(vec![std::sync::Arc::new(nowhere)]))
        .await;
    assert!(matches!(refused, Err(Error::Conflict)));
    let now = bed
        .catalog
        .database(DatabaseId::Tenant(acme))
        .await
        .unwrap();
    assert!(now.relations.is_empty());
    assert_eq!(bed.rows(part(Space::Tenant(acme), &sales)).await, 0);

    bed.catalog.commit(commit(Vec::new())).await.unwrap();
    assert_eq!(bed.rows(part(Space::Tenant(acme), &made)).await, 1);
    assert_eq!(bed.rows(part(Space::Tenant(acme), &sales)).await, 1);
    assert_eq!(bed.rows(part(Space::Tenant(globex), &sales)).await, 1);
}
