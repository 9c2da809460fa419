//! Of two transactions that do not fit together the second fails, and wholly.

use std::sync::Arc;

use super::bed::{Bed, part, role, table, tenant, values, view, wider};
use crate::error::Error;
use crate::id::{DatabaseId, Space};
use crate::model::{Change, Schema, Scope};

#[tokio::test]
async fn an_object_that_another_changed_is_a_conflict() {
    let bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let t = bed.table(acme, "t", Scope::Own).await;
    let base = bed.catalog.database(acme).await.unwrap();
    let mut first = (*t).clone();
    first.comment = Some("first".to_owned());
    let mut second = (*t).clone();
    second.comment = Some("second".to_owned());
    bed.put_from(Arc::clone(&base), vec![Change::PutRelation(first)])
        .await
        .unwrap();
    let late = bed
        .put_from(Arc::clone(&base), vec![Change::PutRelation(second)])
        .await;
    assert!(matches!(late, Err(Error::Conflict)));
    let late = bed
        .put_from(Arc::clone(&base), vec![Change::DropRelation(t.oid)])
        .await;
    assert!(matches!(late, Err(Error::Conflict)));
    // Another object of the same old state is free to change.
    let oid = bed.catalog.next_oid(&base);
    bed.put_from(base, vec![Change::PutRole(role(oid, "alice"))])
        .await
        .unwrap();
    assert_eq!(
        bed.newest(acme, t.oid).await.comment.as_deref(),
        Some("first")
    );
}

#[tokio::test]
async fn a_name_is_given_once() {
    let bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let base = bed.catalog.database(acme).await.unwrap();
    let oid = || bed.catalog.next_oid(&base);
    let schema = |oid| Schema {
        oid,
        name: "s".to_owned(),
        owner: crate::id::Oid::TENANT_ADMIN,
        acl: None,
        comment: None,
    };
    let pairs = [
        (
            "relation",
            Change::PutRelation(table(oid(), "t", Scope::Own)),
            Change::PutRelation(table(oid(), "t", Scope::Own)),
        ),
        (
            "role",
            Change::PutRole(role(oid(), "r")),
            Change::PutRole(role(oid(), "r")),
        ),
        (
            "schema",
            Change::PutSchema(schema(oid())),
            Change::PutSchema(schema(oid())),
        ),
    ];
    for (expected, first, second) in pairs {
        bed.put_from(Arc::clone(&base), vec![first]).await.unwrap();
        let late = bed.put_from(Arc::clone(&base), vec![second]).await;
        assert!(matches!(late, Err(Error::NameTaken { kind, .. }) if kind == expected));
    }
    let system = bed.catalog.system();
    let again = vec![Change::PutTenant(tenant(&bed.catalog, "acme"))];
    let late = bed.put_from(system, again).await;
    assert!(matches!(late, Err(Error::NameTaken { kind: "tenant", .. })));
}

#[tokio::test]
async fn names_can_be_exchanged_step_by_step() {
    let mut bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let (a, b) = (
        bed.table(acme, "a", Scope::Own).await,
        bed.table(acme, "b", Scope::Own).await,
    );
    let named = |relation: &crate::model::Relation, name: &str| {
        let mut renamed = relation.clone();
        renamed.name = name.to_owned();
        Change::PutRelation(renamed)
    };
    bed.put(acme, vec![named(&a, "c"), named(&b, "a"), named(&a, "b")])
        .await
        .unwrap();
    bed.reopen().await;
    assert_eq!(bed.newest(acme, a.oid).await.name, "b");
    assert_eq!(bed.newest(acme, b.oid).await.name, "a");
}

#[tokio::test]
async fn what_an_object_needs_must_still_be_there() {
    let bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let base = bed.catalog.database(acme).await.unwrap();
    let (owner, schema) = (bed.catalog.next_oid(&base), bed.catalog.next_oid(&base));
    let put_schema = Change::PutSchema(Schema {
        oid: schema,
        name: "s".to_owned(),
        owner: crate::id::Oid::TENANT_ADMIN,
        acl: None,
        comment: None,
    });
    bed.put_from(
        base,
        vec![Change::PutRole(role(owner, "alice")), put_schema],
    )
    .await
    .unwrap();
    let t = bed.table(acme, "t", Scope::Own).await;
    let base = bed.catalog.database(acme).await.unwrap();
    let drops = vec![
        Change::DropRole(owner),
        Change::DropSchema(schema),
        Change::DropRelation(t.oid),
    ];
    bed.put_from(Arc::clone(&base), drops).await.unwrap();

    let mut owned = table(bed.catalog.next_oid(&base), "owned", Scope::Own);
    owned.owner = owner;
    let mut inside = table(bed.catalog.next_oid(&base), "inside", Scope::Own);
    inside.schema = schema;
    let over = view(bed.catalog.next_oid(&base), "over", t.oid);
    for relation in [owned, inside, over] {
        let late = bed
            .put_from(Arc::clone(&base), vec![Change::PutRelation(relation)])
            .await;
        assert!(matches!(late, Err(Error::Conflict)));
    }
}

#[tokio::test]
async fn what_another_object_needs_cannot_go() {
    let bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let t = bed.table(acme, "t", Scope::Own).await;
    let base = bed.catalog.database(acme).await.unwrap();
    let over = view(bed.catalog.next_oid(&base), "over", t.oid);
    let over_oid = over.oid;
    bed.put_from(Arc::clone(&base), vec![Change::PutRelation(over)])
        .await
        .unwrap();
    let late = bed.put_from(base, vec![Change::DropRelation(t.oid)]).await;
    assert!(matches!(late, Err(Error::Conflict)));
    let both = vec![Change::DropRelation(t.oid), Change::DropRelation(over_oid)];
    bed.put(acme, both).await.unwrap();
}

#[tokio::test]
async fn a_file_is_removed_once() {
    let bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let space = Space::Tenant(acme);
    let t = bed.table(DatabaseId::Tenant(acme), "t", Scope::Own).await;
    let t_part = part(space, &t);
    bed.insert(values(space, &t, &[1, 2])).await.unwrap();
    bed.insert(values(space, &t, &[3])).await.unwrap();
    let snapshot = bed.catalog.snapshot(t_part, "t").await.unwrap();
    let rewrite = |file: usize, rows: &[i32]| {
        let mut change = values(space, &t, rows);
        change.removed = vec![Arc::clone(&snapshot.files[file])];
        change
    };
    // Two of the same group, and one of a later.
    let (first, second, other) = tokio::join!(
        bed.insert(rewrite(0, &[10])),
        bed.insert(rewrite(0, &[11])),
        bed.insert(rewrite(1, &[30])),
    );
    first.unwrap();
    other.unwrap();
    assert!(matches!(second, Err(Error::Conflict)));
    assert!(matches!(
        bed.insert(rewrite(0, &[12])).await,
        Err(Error::Conflict)
    ));
    assert_eq!(
        (bed.rows(t_part).await, bed.version(t_part).await),
        (2, Some(2))
    );
    let mut twice = rewrite(0, &[]);
    twice.removed = vec![Arc::clone(
        &bed.catalog.snapshot(t_part, "t").await.unwrap().files[0],
    )];
    twice.removed.push(Arc::clone(&twice.removed[0]));
    assert!(matches!(bed.insert(twice).await, Err(Error::Conflict)));
}

#[tokio::test]
async fn rows_for_a_table_that_changed_or_went_are_refused() {
    let bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let (id, space) = (DatabaseId::Tenant(acme), Space::Tenant(acme));
    let t = bed.table(id, "t", Scope::Own).await;
    bed.insert(values(space, &t, &[1])).await.unwrap();
    bed.put(id, vec![Change::PutRelation(wider(&t))])
        .await
        .unwrap();
    assert!(matches!(
        bed.insert(values(space, &t, &[2])).await,
        Err(Error::Conflict)
    ));
    let newest = bed.newest(id, t.oid).await;
    bed.insert(values(space, &newest, &[2])).await.unwrap();
    let snapshot = bed.catalog.snapshot(part(space, &t), "t").await.unwrap();
    assert_eq!((snapshot.rows(), snapshot.schema_version), (2, 2));
    // A comment is no reason to refuse rows.
    let mut commented = (*newest).clone();
    commented.comment = Some("c".to_owned());
    bed.put(id, vec![Change::PutRelation(commented)])
        .await
        .unwrap();
    bed.insert(values(space, &newest, &[3])).await.unwrap();
    bed.put(id, vec![Change::DropRelation(t.oid)])
        .await
        .unwrap();
    assert!(matches!(
        bed.insert(values(space, &newest, &[4])).await,
        Err(Error::Conflict)
    ));
    assert_eq!(bed.rows(part(space, &t)).await, 0);
}

#[tokio::test]
async fn nothing_reaches_a_tenant_that_is_gone() {
    let bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let id = DatabaseId::Tenant(acme);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let base = bed.catalog.database(id).await.unwrap();
    bed.put(DatabaseId::System, vec![Change::DropTenant(acme)])
        .await
        .unwrap();
    let rows = bed.insert(values(Space::Tenant(acme), &sales, &[1])).await;
    assert!(matches!(rows, Err(Error::Conflict)));
    let oid = bed.catalog.next_oid(&base);
    let objects = bed
        .put_from(base, vec![Change::PutRole(role(oid, "alice"))])
        .await;
    assert!(matches!(objects, Err(Error::Conflict)));
    assert!(bed.catalog.database(id).await.unwrap().roles.is_empty());
}
