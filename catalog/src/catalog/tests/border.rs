//! Names that the system lends are free in no tenant, and the other way round.

use super::bed::{Bed, role, table};
use crate::error::Error;
use crate::id::{DatabaseId, Oid};
use crate::model::{Change, Schema, Scope};

#[tokio::test]
async fn an_operator_cannot_take_a_name_that_tenants_use() {
    let bed = Bed::new().await;
    for name in ["acme", "globex", "initech"] {
        let id = DatabaseId::Tenant(bed.tenant(name).await);
        if name != "globex" {
            bed.table(id, "t", Scope::Own).await;
        }
    }
    assert_eq!(
        bed.catalog.tenants_using_name("public", "t").await.unwrap(),
        ["acme", "initech"]
    );
    let system = bed.catalog.system();
    for scope in [Scope::Common, Scope::Shared] {
        let relation = table(bed.catalog.next_oid(&system), "t", scope);
        let refused = bed
            .put(DatabaseId::System, vec![Change::PutRelation(relation)])
            .await;
        let Err(Error::NameUsedByTenants { name, tenants }) = refused else {
            unreachable!("{refused:?}")
        };
        assert_eq!((name.as_str(), tenants.len()), ("t", 2));
    }
    // One of the operators' own tenants do not see.
    bed.table(DatabaseId::System, "t", Scope::Own).await;
    // A rename is no way around.
    let free = bed.table(DatabaseId::System, "u", Scope::Common).await;
    let mut renamed = (*free).clone();
    renamed.name = "t".to_owned();
    renamed.schema = Oid::PUBLIC_SCHEMA;
    let refused = bed
        .put(DatabaseId::System, vec![Change::PutRelation(renamed)])
        .await;
    assert!(matches!(
        refused,
        Err(Error::NameTaken { .. } | Error::NameUsedByTenants { .. })
    ));
    // Changing what has the name already asks nobody.
    let mut commented = (*free).clone();
    commented.comment = Some("c".to_owned());
    bed.put(DatabaseId::System, vec![Change::PutRelation(commented)])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_tenant_cannot_take_a_name_that_the_system_lends() {
    let bed = Bed::new().await;
    bed.table(DatabaseId::System, "sales", Scope::Common).await;
    bed.table(DatabaseId::System, "notes", Scope::Own).await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let base = bed.catalog.database(acme).await.unwrap();
    let relation = table(bed.catalog.next_oid(&base), "sales", Scope::Own);
    let refused = bed.put(acme, vec![Change::PutRelation(relation)]).await;
    assert!(matches!(
        refused,
        Err(Error::NameTaken {
            kind: "relation",
            ..
        })
    ));
    bed.table(acme, "notes", Scope::Own).await;
}

#[tokio::test]
async fn a_schema_with_lent_tables_is_in_every_tenant() {
    let bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let system = bed.catalog.system();
    let schema = |oid, owner| Schema {
        oid,
        name: "lent".to_owned(),
        owner,
        acl: None,
        comment: None,
    };
    let lent = bed.catalog.next_oid(&system);
    let mut inside = table(bed.catalog.next_oid(&system), "fx", Scope::Shared);
    inside.schema = lent;
    let changes = vec![
        Change::PutSchema(schema(lent, Oid::OPERATOR)),
        Change::PutRelation(inside),
    ];
    bed.put_from(system, changes).await.unwrap();
    let base = bed.catalog.database(acme).await.unwrap();
    let own = Change::PutSchema(schema(bed.catalog.next_oid(&base), Oid::TENANT_ADMIN));
    let refused = bed.put(acme, vec![own]).await;
    assert!(matches!(
        refused,
        Err(Error::NameTaken { kind: "schema", .. })
    ));
    // A tenant's table may lie in the lent schema, and then holds its name there.
    let mut guest = table(bed.catalog.next_oid(&base), "mine", Scope::Own);
    guest.schema = lent;
    bed.put(acme, vec![Change::PutRelation(guest)])
        .await
        .unwrap();
    assert_eq!(
        bed.catalog
            .tenants_using_name("lent", "mine")
            .await
            .unwrap(),
        ["acme"]
    );
    assert!(
        bed.catalog
            .tenants_using_name("public", "mine")
            .await
            .unwrap()
            .is_empty()
    );
    // And the schema cannot go while it is there; its renaming asks for the names inside.
    let mut renamed = (*bed.catalog.system().schemas[&lent]).clone();
    renamed.name = "public2".to_owned();
    bed.put(DatabaseId::System, vec![Change::PutSchema(renamed)])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_role_is_an_operator_or_a_tenants_own() {
    let bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let base = bed.catalog.database(acme).await.unwrap();
    let alice = role(bed.catalog.next_oid(&base), "alice");
    let admin = role(bed.catalog.next_oid(&base), "admin");
    bed.put(acme, vec![Change::PutRole(alice)]).await.unwrap();
    let refused = bed.put(acme, vec![Change::PutRole(admin)]).await;
    assert!(matches!(
        refused,
        Err(Error::NameTaken { kind: "role", .. })
    ));
    let operator = role(bed.catalog.next_oid(&bed.catalog.system()), "alice");
    let refused = bed
        .put(DatabaseId::System, vec![Change::PutRole(operator)])
        .await;
    assert!(
        matches!(refused, Err(Error::NameUsedByTenants { tenants, .. }) if tenants == ["acme"])
    );
    assert_eq!(
        bed.catalog.tenants_with_role("alice").await.unwrap(),
        ["acme"]
    );
}

#[tokio::test]
async fn both_sides_of_the_border_at_once_have_one_winner() {
    for round in 0..4 {
        let bed = Bed::new().await;
        let acme = DatabaseId::Tenant(bed.tenant("acme").await);
        let base = bed.catalog.database(acme).await.unwrap();
        let own = table(bed.catalog.next_oid(&base), "t", Scope::Own);
        let common = table(
            bed.catalog.next_oid(&bed.catalog.system()),
            "t",
            Scope::Common,
        );
        let tenant = bed.put(acme, vec![Change::PutRelation(own)]);
        let operator = bed.put(DatabaseId::System, vec![Change::PutRelation(common)]);
        let (a, b) = if round % 2 == 0 {
            tokio::join!(tenant, operator)
        } else {
            let (b, a) = tokio::join!(operator, tenant);
            (a, b)
        };
        assert_eq!([a.is_ok(), b.is_ok()].iter().filter(|ok| **ok).count(), 1);
    }
}
