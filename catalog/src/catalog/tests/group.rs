//! Transactions that wait together are committed together, each with its own outcome.

use std::sync::Arc;

use futures::future::join_all;

use super::bed::{Bed, part, role, table, values, wider};
use crate::commit::{Commit, DatabaseChange};
use crate::error::Error;
use crate::id::{DatabaseId, Space};
use crate::model::{Change, Scope};

#[tokio::test]
async fn those_that_wait_share_a_version_and_a_file() {
    let mut bed = Bed::new().await;
    let acme = Space::Tenant(bed.tenant("acme").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    // All are queued before the committer gets its turn on this one thread.
    let commits = join_all((0..50).map(|i| bed.insert(values(acme, &sales, &[i])))).await;
    assert!(commits.iter().all(Result::is_ok));
    let snapshot = bed
        .catalog
        .snapshot(part(acme, &sales), "sales")
        .await
        .unwrap();
    assert_eq!(
        (snapshot.version, snapshot.rows(), snapshot.files.len()),
        (Some(0), 50, 1)
    );
    bed.reopen().await;
    assert_eq!(bed.rows(part(acme, &sales)).await, 50);
}

#[tokio::test]
async fn one_that_fails_leaves_the_others() {
    let bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let (id, space) = (DatabaseId::Tenant(acme), Space::Tenant(acme));
    let t = bed.table(id, "t", Scope::Own).await;
    let base = bed.catalog.database(id).await.unwrap();
    let outcomes = join_all((0..20).map(|i| {
        // Each fifth has rows and a role whose name another takes.
        let oid = bed.catalog.next_oid(&base);
        let changes = vec![Change::PutRole(role(oid, "same"))];
        let database = DatabaseChange {
            base: Arc::clone(&base),
            changes,
        };
        let databases = if i % 5 == 0 {
            vec![database]
        } else {
            Vec::new()
        };
        bed.catalog.commit(Commit {
            databases,
            parts: vec![values(space, &t, &[i])],
            ..Commit::default()
        })
    }))
    .await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.is_err()).collect();
    assert_eq!(failed.len(), 3);
    assert!(
        failed
            .iter()
            .all(|o| matches!(o, Err(Error::NameTaken { kind: "role", .. })))
    );
    assert_eq!(
        (
            bed.rows(part(space, &t)).await,
            bed.version(part(space, &t)).await
        ),
        (17, Some(0))
    );
    assert!(
        bed.catalog
            .database(id)
            .await
            .unwrap()
            .role_named("same")
            .is_some()
    );
}

#[tokio::test]
async fn rows_before_and_after_new_columns_share_a_version() {
    let bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let (id, space) = (DatabaseId::Tenant(acme), Space::Tenant(acme));
    let t = bed.table(id, "t", Scope::Own).await;
    let base = bed.catalog.database(id).await.unwrap();
    let altered = Arc::new(wider(&t));
    let alter = Commit {
        databases: vec![DatabaseChange {
            base,
            changes: vec![Change::PutRelation((*altered).clone())],
        }],
        parts: vec![values(space, &altered, &[2])],
        ..Commit::default()
    };
    let (before, alter, after, stale) = tokio::join!(
        bed.insert(values(space, &t, &[1])),
        bed.catalog.commit(alter),
        bed.insert(values(space, &altered, &[3])),
        bed.insert(values(space, &t, &[4])),
    );
    before.unwrap();
    alter.unwrap();
    after.unwrap();
    assert!(matches!(stale, Err(Error::Conflict)));
    let snapshot = bed.catalog.snapshot(part(space, &t), "t").await.unwrap();
    assert_eq!(
        (snapshot.version, snapshot.rows(), snapshot.files.len()),
        (Some(0), 3, 2)
    );
    assert_eq!(snapshot.schema_version, 2);
}

#[tokio::test]
async fn rows_of_a_table_that_is_dropped_in_the_same_group_go_with_it() {
    let mut bed = Bed::new().await;
    let acme = bed.tenant("acme").await;
    let (id, space) = (DatabaseId::Tenant(acme), Space::Tenant(acme));
    let t = bed.table(id, "t", Scope::Own).await;
    bed.insert(values(space, &t, &[0])).await.unwrap();
    let base = bed.catalog.database(id).await.unwrap();
    let (before, drop, after) = tokio::join!(
        bed.insert(values(space, &t, &[1])),
        bed.put_from(base, vec![Change::DropRelation(t.oid)]),
        bed.insert(values(space, &t, &[2])),
    );
    before.unwrap();
    drop.unwrap();
    assert!(matches!(after, Err(Error::Conflict)));
    bed.reopen().await;
    assert!(
        bed.catalog
            .parts_of(t.table().unwrap().uuid)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(bed.rows(part(space, &t)).await, 0);
}

#[tokio::test]
async fn nothing_to_do_is_done() {
    let bed = Bed::new().await;
    let acme = Space::Tenant(bed.tenant("acme").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    bed.catalog.commit(Commit::default()).await.unwrap();
    bed.insert(values(acme, &sales, &[])).await.unwrap();
    assert_eq!(bed.version(part(acme, &sales)).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_lose_and_double_nothing() {
    let bed = Arc::new(Bed::new().await);
    let acme = Space::Tenant(bed.tenant("acme").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let writers = (0..16).map(|writer| {
        let (bed, sales) = (Arc::clone(&bed), Arc::clone(&sales));
        tokio::spawn(async move {
            for i in 0..200 {
                bed.insert(values(acme, &sales, &[writer * 200 + i]))
                    .await
                    .unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let snapshot = bed
        .catalog
        .snapshot(part(acme, &sales), "sales")
        .await
        .unwrap();
    assert_eq!(snapshot.rows(), 3_200);
    assert!(snapshot.version.unwrap() < 3_199);
    let bed = Arc::into_inner(bed).unwrap().kill().await;
    assert_eq!(bed.rows(part(acme, &sales)).await, 3_200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rewrites_against_writers_count_exactly() {
    let bed = Arc::new(Bed::new().await);
    let acme = Space::Tenant(bed.tenant("acme").await);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    let sales_part = part(acme, &sales);
    // Each replaces all files by one with a row more; losers try again.
    let writers = (0..4).map(|_| {
        let (bed, sales) = (Arc::clone(&bed), Arc::clone(&sales));
        tokio::spawn(async move {
            let mut done = 0;
            while done < 25 {
                let snapshot = bed.catalog.snapshot(sales_part, "sales").await.unwrap();
                let rows = vec![0; usize::try_from(snapshot.rows()).unwrap() + 1];
                let mut change = values(acme, &sales, &rows);
                change.removed = snapshot.files.clone();
                match bed.insert(change).await {
                    Ok(()) => done += 1,
                    // On an empty part two cannot conflict: there is no file to remove twice.
                    Err(Error::Conflict) => {}
                    Err(error) => unreachable!("{error}"),
                }
            }
        })
    });
    bed.insert(values(acme, &sales, &[0])).await.unwrap();
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    assert_eq!(bed.rows(sales_part).await, 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_of_two_parts_see_whole_commits() {
    let bed = Arc::new(Bed::new().await);
    let acme = bed.tenant("acme").await;
    let space = Space::Tenant(acme);
    let a = bed.table(DatabaseId::Tenant(acme), "a", Scope::Own).await;
    let b = bed.table(DatabaseId::Tenant(acme), "b", Scope::Own).await;
    let writer = {
        let (bed, a, b) = (Arc::clone(&bed), Arc::clone(&a), Arc::clone(&b));
        tokio::spawn(async move {
            for i in 0..100 {
                let parts = vec![values(space, &a, &[i]), values(space, &b, &[i])];
                bed.catalog
                    .commit(Commit {
                        parts,
                        ..Commit::default()
                    })
                    .await
                    .unwrap();
            }
        })
    };
    let parts = [(part(space, &a), "a"), (part(space, &b), "b")];
    while !writer.is_finished() {
        let seen = bed.catalog.snapshots(&parts).await.unwrap();
        assert_eq!(seen[0].rows(), seen[1].rows());
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    let seen = bed.catalog.snapshots(&parts).await.unwrap();
    assert_eq!((seen[0].rows(), seen[1].rows()), (100, 100));
}

#[tokio::test]
async fn oids_are_drawn_once() {
    let mut bed = Bed::new().await;
    let acme = DatabaseId::Tenant(bed.tenant("acme").await);
    let base = bed.catalog.database(acme).await.unwrap();
    let drawn: Vec<_> = (0..10).map(|_| bed.catalog.next_oid(&base)).collect();
    assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
    // The last to be drawn is the first to be used.
    let relation = table(drawn[3], "t", Scope::Own);
    bed.put_from(base, vec![Change::PutRelation(relation)])
        .await
        .unwrap();
    bed.reopen().await;
    let base = bed.catalog.database(acme).await.unwrap();
    assert!(bed.catalog.next_oid(&base) > drawn[9]);
}
