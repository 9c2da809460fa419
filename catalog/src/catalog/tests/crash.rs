//! A crash at any step leaves all of a commit or nothing of it.

use super::bed::{Bed, part, values};
use crate::catalog::group::FaultPoint;
use crate::catalog::shared::Fault;
use crate::commit::Commit;
use crate::error::Error;
use crate::id::{DatabaseId, Space};
use crate::model::Scope;

/// Commits a row to two tenants with a crash at this point; tells how many rows each has then.
async fn crash_at(point: FaultPoint) -> (u64, u64) {
    let bed = Bed::new().await;
    let (acme, globex) = (
        Space::Tenant(bed.tenant("acme").await),
        Space::Tenant(bed.tenant("globex").await),
    );
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    for space in [acme, globex] {
        bed.insert(values(space, &sales, &[1])).await.unwrap();
        // Its entry is in storage, so that the fault meets the next.
        bed.catalog
            .shared
            .write_pending(part(space, &sales))
            .await
            .unwrap();
    }
    *bed.catalog.shared.fault.lock() = Some(Fault::At(point));
    let parts = vec![values(acme, &sales, &[2]), values(globex, &sales, &[3])];
    let answer = bed
        .catalog
        .commit(Commit {
            parts,
            ..Commit::default()
        })
        .await;
    let is_told = point == FaultPoint::EntryWritten;
    assert_eq!(answer.is_ok(), is_told, "{answer:?}");
    if is_told {
        let failed = bed.catalog.shared.write_pending(part(acme, &sales)).await;
        assert!(failed.is_err() || bed.catalog.shared.is_halted());
    }

    let bed = bed.kill().await;
    let rows = (
        bed.rows(part(acme, &sales)).await,
        bed.rows(part(globex, &sales)).await,
    );
    // What is there goes on.
    bed.insert(values(acme, &sales, &[4])).await.unwrap();
    assert_eq!(bed.rows(part(acme, &sales)).await, rows.0 + 1);
    // No redo record is left, and nothing is redone twice.
    bed.catalog.close().await;
    let again = super::bed::open(bed.folder.path(), super::bed::limits())
        .await
        .unwrap();
    assert!(
        again
            .shared
            .store
            .redo_after(0, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        again
            .snapshot(part(acme, &sales), "t")
            .await
            .unwrap()
            .rows(),
        rows.0 + 1
    );
    rows
}

#[tokio::test]
async fn before_the_transaction_nothing_is_there() {
    assert_eq!(crash_at(FaultPoint::FilesWritten).await, (1, 1));
}

#[tokio::test]
async fn after_the_transaction_all_is_there() {
    assert_eq!(crash_at(FaultPoint::Durable).await, (2, 2));
}

#[tokio::test]
async fn an_entry_that_was_written_is_not_written_twice() {
    assert_eq!(crash_at(FaultPoint::EntryWritten).await, (2, 2));
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_told() {
    let mut bed = Bed::new().await;
    let acme = Space::Tenant(bed.tenant("acme").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let mut told = 0;
    for round in 0..6 {
        for i in 0..round {
            bed.insert(values(acme, &sales, &[i])).await.unwrap();
            told += 1;
        }
        bed = bed.kill().await;
        assert_eq!(bed.rows(part(acme, &sales)).await, told);
    }
}

#[tokio::test]
async fn another_programs_entry_fails_that_table_alone() {
    let bed = Bed::new().await;
    let acme = Space::Tenant(bed.tenant("acme").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let other = bed.table(DatabaseId::System, "other", Scope::Common).await;
    let sales_part = part(acme, &sales);
    bed.insert(values(acme, &sales, &[1])).await.unwrap();
    bed.catalog.shared.write_pending(sales_part).await.unwrap();
    let stranger = uuid::Uuid::new_v4();
    let entry = format!("{{\"commitInfo\":{{\"engineInfo\":\"other\",\"id\":\"{stranger}\"}}}}");
    bed.catalog
        .storage()
        .write_log_entry(sales_part, 1, &entry, stranger, "sales")
        .await
        .unwrap();
    // The commit is durable before its entry meets the other's.
    bed.insert(values(acme, &sales, &[2])).await.unwrap();
    let _ = bed.catalog.shared.write_pending(sales_part).await;
    let read = bed.catalog.snapshot(sales_part, "sales").await;
    assert!(matches!(read, Err(Error::ForeignCommit { table }) if table == "sales"));
    let write = bed.insert(values(acme, &sales, &[3])).await;
    assert!(matches!(write, Err(Error::ForeignCommit { .. })));
    bed.insert(values(acme, &other, &[1])).await.unwrap();

    let bed = bed.kill().await;
    let read = bed.catalog.snapshot(sales_part, "sales").await;
    assert!(matches!(read, Err(Error::ForeignCommit { .. })));
    assert_eq!(bed.rows(part(acme, &other)).await, 1);
}
