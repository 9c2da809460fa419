//! Upkeep changes no row.

use std::time::Duration;

use super::bed::{Bed, limits, part, values};
use crate::catalog::{CatalogLimits, maintenance};
use crate::id::{DatabaseId, Space};
use crate::model::{Change, Scope};

fn files(bed: &Bed, prefix: &str) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return 0;
        };
        let entries = entries.map(|entry| entry.unwrap().path());
        entries
            .map(|path| if path.is_dir() { count(&path) } else { 1 })
            .sum()
    }
    count(&bed.folder.path().join("tables").join(prefix))
}

#[tokio::test]
async fn small_files_become_few_and_old_ones_go() {
    let limits = CatalogLimits {
        compact_at_files: 8,
        checkpoint_every_versions: 5,
        retention: Duration::ZERO,
        orphan_age: Duration::ZERO,
        ..limits()
    };
    let bed = Bed::with(limits).await;
    let acme = bed.tenant("acme").await;
    let space = Space::Tenant(acme);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let sales_part = part(space, &sales);
    let snapshot = || bed.catalog.snapshot(sales_part, "sales");
    for i in 0..40 {
        bed.insert(values(space, &sales, &[i])).await.unwrap();
    }
    // The upkeep runs beside: what is waited for is its commit, the time only bounds a failure.
    let few = async {
        while snapshot().await.unwrap().files.len() > 8 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), few)
        .await
        .unwrap();
    let compacted = snapshot().await.unwrap();
    assert_eq!(compacted.rows(), 40);
    assert!(compacted.version.unwrap() >= 40);
    let before = files(&bed, "tenants");
    maintenance::round(&bed.catalog.shared).await;
    assert!(files(&bed, "tenants") < before);
    assert_eq!(snapshot().await.unwrap().rows(), 40);
    let bed = bed.kill().await;
    assert_eq!(bed.rows(sales_part).await, 40);
}

#[tokio::test]
async fn a_dropped_table_leaves_nothing() {
    let bed = Bed::new().await;
    let (acme, globex) = (bed.tenant("acme").await, bed.tenant("globex").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let kept = bed.table(DatabaseId::System, "kept", Scope::Common).await;
    for tenant in [acme, globex] {
        bed.insert(values(Space::Tenant(tenant), &sales, &[1]))
            .await
            .unwrap();
    }
    bed.insert(values(Space::Tenant(acme), &kept, &[1]))
        .await
        .unwrap();
    bed.put(DatabaseId::System, vec![Change::DropRelation(sales.oid)])
        .await
        .unwrap();
    assert!(
        bed.catalog
            .parts_of(sales.table().unwrap().uuid)
            .await
            .unwrap()
            .is_empty()
    );
    maintenance::round(&bed.catalog.shared).await;
    for tenant in [acme, globex] {
        let folder = part(Space::Tenant(tenant), &sales);
        let prefix = format!("{}/{}", folder.space.prefix(), folder.table.as_uuid());
        assert_eq!(files(&bed, &prefix), 0);
    }
    assert_eq!(bed.rows(part(Space::Tenant(acme), &kept)).await, 1);
    let bed = bed.kill().await;
    assert_eq!(bed.rows(part(Space::Tenant(acme), &kept)).await, 1);
}

#[tokio::test]
async fn a_dropped_tenant_leaves_nothing_even_after_a_restart() {
    let later = CatalogLimits {
        erase_after: Duration::from_secs(3600),
        ..limits()
    };
    let bed = Bed::with(later).await;
    let acme = bed.tenant("acme").await;
    let (id, space) = (DatabaseId::Tenant(acme), Space::Tenant(acme));
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let own = bed.table(id, "own", Scope::Own).await;
    bed.insert(values(space, &sales, &[1])).await.unwrap();
    bed.insert(values(space, &own, &[1])).await.unwrap();
    bed.put(DatabaseId::System, vec![Change::DropTenant(acme)])
        .await
        .unwrap();
    assert!(bed.catalog.tenant("acme").is_none());
    assert!(bed.catalog.parts_in(space).await.unwrap().is_empty());
    maintenance::round(&bed.catalog.shared).await;
    assert!(files(&bed, &space.prefix()) > 0);

    let bed = bed.kill().await;
    let due = chrono::Utc::now().timestamp_millis() + 2 * 3_600_000;
    maintenance::erase(&bed.catalog.shared, due).await.unwrap();
    assert_eq!(files(&bed, &space.prefix()), 0);
    assert!(
        bed.catalog
            .shared
            .store
            .erasures_due(due, 10)
            .await
            .unwrap()
            .is_empty()
    );
    // The name is free, and its new holder has nothing of the old.
    let new = bed.tenant("acme").await;
    assert_ne!(new, acme);
    assert!(
        bed.catalog
            .database(DatabaseId::Tenant(new))
            .await
            .unwrap()
            .relations
            .is_empty()
    );
    assert_eq!(bed.rows(part(Space::Tenant(new), &sales)).await, 0);
}

#[tokio::test]
async fn files_that_a_crash_left_go() {
    let age = CatalogLimits {
        orphan_age: Duration::ZERO,
        ..limits()
    };
    let bed = Bed::with(age).await;
    let acme = bed.tenant("acme").await;
    let space = Space::Tenant(acme);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let unborn = bed.table(DatabaseId::System, "unborn", Scope::Common).await;
    bed.insert(values(space, &sales, &[1, 2])).await.unwrap();
    bed.catalog
        .shared
        .write_pending(part(space, &sales))
        .await
        .unwrap();
    let named = files(&bed, "tenants");
    for relation in [&sales, &unborn] {
        let lost = values(space, relation, &[3]);
        let mut writer = bed.catalog.storage().writer(lost.part, relation).unwrap();
        writer.write(&lost.rows[0]).await.unwrap();
        assert_eq!(writer.finish().await.unwrap().len(), 1);
    }
    assert_eq!(files(&bed, "tenants"), named + 2);
    let mut sweep = maintenance::Sweep::default();
    for _ in 0..3 {
        sweep.step(&bed.catalog.shared).await.unwrap();
    }
    assert_eq!(files(&bed, "tenants"), named);
    let bed = bed.kill().await;
    assert_eq!(bed.rows(part(space, &sales)).await, 2);
}
