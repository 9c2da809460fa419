//! The audit's chain: whole after commits, kills and pruning, and found out when somebody touches it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::bed::{Bed, limits, open, role};
use crate::audit::{Event, Kind, SUCCESS, Verdict};
use crate::catalog::CatalogLimits;
use crate::catalog::maintenance;
use crate::commit::{Commit, DatabaseChange};
use crate::error::Error;
use crate::id::{DatabaseId, Oid};
use crate::model::Change;

fn event(kind: Kind, login: &str) -> Event {
    Event {
        kind,
        login: login.to_owned(),
        operator: false,
        ..Event::of_audit("LOGIN", None, SUCCESS)
    }
}

async fn bed(events: usize) -> Bed {
    let bed = Bed::new().await;
    for number in 0..events {
        let event = event(Kind::Login, &format!("role{number}\n'\"é"));
        bed.catalog.audit(vec![event]).await.unwrap();
    }
    bed
}

/// Does to the file what somebody could who has it.
async fn tamper(bed: &Bed, sql: &'static str) {
    let file = bed.folder.path().join(crate::CATALOG_FILE);
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    connection.close().await.unwrap();
}

async fn verdict(bed: &Bed) -> Verdict {
    bed.catalog.audit_verify().await.unwrap()
}

fn begins(verdict: &Verdict) -> (i64, &str) {
    let (number, problem) = verdict.problem.as_ref().unwrap();
    (*number, problem)
}

#[tokio::test]
async fn records_follow_each_other() {
    let mut bed = bed(5).await;
    let before = verdict(&bed).await;
    assert_eq!(before.problem, None);
    assert_eq!(
        (before.checked, before.first, before.last),
        (6, Some(1), Some(6))
    );
    let records = bed.catalog.audit_after(None, 0, 100).await.unwrap();
    assert_eq!(records[0].event.kind, Kind::Audit);
    assert_eq!(records[3].event.login, "role2\n'\"é");
    assert_eq!(records[5].hash, before.head);
    bed.reopen().await;
    assert_eq!(verdict(&bed).await, before);
    let bed = bed.kill().await;
    assert_eq!(verdict(&bed).await, before);
    bed.catalog
        .audit(vec![event(Kind::Login, "b")])
        .await
        .unwrap();
    assert_eq!(verdict(&bed).await.last, Some(7));
}

#[tokio::test]
async fn a_record_is_there_with_its_change_and_not_without() {
    let bed = Bed::new().await;
    let base = bed.catalog.system();
    let commit = |oid: u32, name: &str| Commit {
        databases: vec![DatabaseChange {
            base: Arc::clone(&base),
            changes: vec![Change::PutRole(role(Oid(oid), name))],
        }],
        audit: vec![event(Kind::Role, name)],
        ..Commit::default()
    };
    bed.catalog.commit(commit(20_001, "first")).await.unwrap();
    let taken = bed.catalog.commit(commit(20_002, "first")).await;
    assert!(matches!(
        taken,
        Err(Error::NameTaken { .. } | Error::Conflict)
    ));
    let records = bed.catalog.audit_after(None, 1, 100).await.unwrap();
    let logins: Vec<_> = records.iter().map(|r| r.event.login.as_str()).collect();
    assert_eq!(logins, ["first"]);
    let tenant = bed.tenant("acme").await;
    let of = event(Kind::Ddl, "boss");
    let own = Event {
        database: DatabaseId::Tenant(tenant),
        ..of
    };
    bed.catalog.audit(vec![own.clone()]).await.unwrap();
    let of_tenant = bed.catalog.audit_after(Some(own.database), 0, 100).await;
    assert_eq!(of_tenant.unwrap().len(), 1);
    assert_eq!(verdict(&bed).await.problem, None);
}

#[tokio::test]
async fn whoever_touches_the_chain_is_found_out() {
    for (sql, number, problem) in [
        (
            "UPDATE audit SET body = replace(body, 'role1', 'role9') WHERE number = 3",
            3,
            "changed",
        ),
        (
            "UPDATE audit SET at = at + 1 WHERE number = 4",
            4,
            "columns",
        ),
        (
            "DELETE FROM audit WHERE number = 3",
            3,
            "record 3 is missing",
        ),
        (
            "DELETE FROM audit WHERE number IN (3, 4)",
            3,
            "records 3 to 4 are missing",
        ),
        (
            "DELETE FROM audit WHERE number >= 5",
            5,
            "records 5 to 6 are missing",
        ),
        (
            "DELETE FROM audit WHERE number = 1",
            1,
            "record 1 is missing",
        ),
        ("DELETE FROM audit", 1, "records 1 to 6 are missing"),
        (
            "DELETE FROM audit_anchor WHERE name = 'head'",
            7,
            "end is not known",
        ),
        (
            "UPDATE audit_anchor SET number = 5, hash = (SELECT hash FROM audit WHERE number = 5)",
            5,
            "not sealed",
        ),
        (
            "INSERT INTO audit_anchor SELECT 'pruned', 3, hash, '' FROM audit WHERE number = 3",
            3,
            "checkpoint of what was pruned is not sealed",
        ),
        (
            "INSERT INTO audit SELECT 7, database_id, at, kind, login, operator, body, hash \
             FROM audit WHERE number = 6",
            7,
            "changed",
        ),
    ] {
        let bed = bed(5).await;
        tamper(&bed, sql).await;
        let verdict = verdict(&bed).await;
        let (at, said) = begins(&verdict);
        assert_eq!(at, number, "{sql}: {said}");
        assert!(said.contains(problem), "{sql}: {said}");
    }
}

#[tokio::test]
async fn a_restart_and_more_records_do_not_hide_it() {
    for (sql, problem) in [
        (
            "DELETE FROM audit WHERE number >= 5",
            "records 5 to 6 are missing",
        ),
        ("DELETE FROM audit_anchor", "the end of the audit was gone"),
        (
            "UPDATE audit_anchor SET number = 5, hash = (SELECT hash FROM audit WHERE number = 5)",
            "the end of the audit was not sealed",
        ),
    ] {
        let mut bed = bed(5).await;
        bed.catalog.close().await;
        if sql.starts_with("UPDATE") {
            tamper(&bed, "DELETE FROM audit WHERE number = 6").await;
        }
        tamper(&bed, sql).await;
        bed.catalog = open(bed.folder.path(), limits()).await.unwrap();
        bed.catalog
            .audit(vec![event(Kind::Login, "b")])
            .await
            .unwrap();
        let verdict = verdict(&bed).await;
        assert!(begins(&verdict).1.contains(problem), "{sql}: {verdict:?}");
    }
}

#[tokio::test]
async fn what_is_pruned_leaves_a_sealed_checkpoint() {
    let mut bed = bed(5).await;
    bed.catalog.close().await;
    let short = CatalogLimits {
        audit_retention: Some(Duration::from_micros(1)),
        ..limits()
    };
    bed.catalog = open(bed.folder.path(), short).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    maintenance::round(&bed.catalog.shared).await;
    let after = verdict(&bed).await;
    assert_eq!(after.problem, None);
    // The first round at the start may have come first, and left its own record behind.
    let pruned = after.pruned.unwrap();
    assert!(pruned >= 5, "{after:?}");
    assert_eq!(after.first, Some(pruned + 1));
    let records = bed.catalog.audit_after(None, 0, 100).await.unwrap();
    assert_eq!(records.last().unwrap().event.tag, "PRUNE");
    tamper(&bed, "DELETE FROM audit_anchor WHERE name = 'pruned'").await;
    let verdict = verdict(&bed).await;
    assert!(begins(&verdict).1.contains("missing"), "{verdict:?}");
}

#[tokio::test]
async fn broken_records_are_not_pruned() {
    let mut bed = bed(5).await;
    bed.catalog.close().await;
    tamper(&bed, "UPDATE audit SET body = body || ' ' WHERE number = 2").await;
    let short = CatalogLimits {
        audit_retention: Some(Duration::from_micros(1)),
        ..limits()
    };
    bed.catalog = open(bed.folder.path(), short).await.unwrap();
    maintenance::round(&bed.catalog.shared).await;
    let verdict = verdict(&bed).await;
    assert_eq!((verdict.first, verdict.pruned), (Some(1), None));
    assert_eq!(begins(&verdict).0, 2);
}

#[tokio::test]
async fn logins_are_counted_by_name() {
    let bed = Bed::new().await;
    for (kind, login) in [
        (Kind::Login, "a"),
        (Kind::LoginFailed, "a"),
        (Kind::LoginRefused, "a"),
        (Kind::LoginFailed, "b"),
    ] {
        bed.catalog.audit(vec![event(kind, login)]).await.unwrap();
    }
    let mut logins = bed.catalog.logins().await.unwrap();
    logins.sort_by(|a, b| a.login.cmp(&b.login));
    let counts: Vec<_> = logins
        .iter()
        .map(|l| {
            (
                l.login.as_str(),
                l.logins,
                l.failures,
                l.last_login.is_some(),
            )
        })
        .collect();
    assert_eq!(counts, [("a", 1, 2, true), ("b", 0, 1, false)]);
}
