//! The audit as rows, oldest first, a page at a time.
//!
//! A tenant sees no number and no hash: both count what others do. Operators are one to a tenant, as
//! everywhere.

use futures::StreamExt;
use futures::stream::{self, TryStreamExt};
use tessera_catalog::Catalog;
use tessera_catalog::audit::{Kind, Record};
use tessera_catalog::system::OPERATOR_NAME;

use super::{Cell, Pages, Row, Viewer, once};
use crate::error::Error;

/// Records that are read at once.
const PAGE: i64 = 1_000;

pub(super) fn log(catalog: Catalog, viewer: Viewer) -> Pages {
    let pages = records(catalog, viewer);
    let rows = pages.map_ok(move |records| records.into_iter().map(|r| row(r, viewer)).collect());
    rows.boxed()
}

/// Wrong proofs and refused sessions.
pub(super) fn failed_logins(catalog: Catalog, viewer: Viewer) -> Pages {
    let pages = records(catalog, viewer);
    let rows = pages.map_ok(|records| {
        let failed = records
            .into_iter()
            .filter(|record| matches!(record.event.kind, Kind::LoginFailed | Kind::LoginRefused));
        failed.map(|record| failed_login(&record)).collect()
    });
    rows.boxed()
}

/// Whether the chain is whole.
pub(super) fn verify(catalog: Catalog) -> Pages {
    once(async move {
        let verdict = catalog.audit_verify().await?;
        let (broken_at, problem) = verdict.problem.clone().unzip();
        Ok(vec![vec![
            Cell::Bool(problem.is_none()),
            Cell::Int(verdict.checked),
            verdict.first.into(),
            verdict.last.into(),
            verdict.pruned.into(),
            verdict.head.into(),
            broken_at.into(),
            problem.into(),
        ]])
    })
}

fn records(
    catalog: Catalog,
    viewer: Viewer,
) -> stream::BoxStream<'static, Result<Vec<Record>, Error>> {
    let pages = stream::try_unfold(0, move |last| {
        let catalog = catalog.clone();
        async move {
            let page = catalog.audit_after(viewer.database(), last, PAGE).await?;
            let newest = page.last().map(|record| record.number);
            Ok::<_, Error>(newest.map(|newest| (page, newest)))
        }
    });
    pages.boxed()
}

fn row(record: Record, viewer: Viewer) -> Row {
    let Record {
        number,
        hash,
        event,
        ..
    } = record;
    let inside = viewer != Viewer::Operator;
    let masked = inside && event.operator;
    let name = |name: String| match masked {
        true => Cell::from(OPERATOR_NAME),
        false => Cell::from(name),
    };
    vec![
        if inside {
            Cell::Null
        } else {
            Cell::Int(number)
        },
        Cell::Moment(event.at),
        event.tenant.into(),
        event.kind.name().into(),
        event.tag.into(),
        event.object.into(),
        name(event.login),
        name(event.role),
        Cell::Bool(event.operator),
        Cell::from(Some(event.session).filter(|session| !session.is_empty())),
        Cell::from(event.client.filter(|_| !masked)),
        event.sqlstate.into(),
        event.fingerprint.into(),
        event.statement.into(),
        event.rows.into(),
        event.bytes.into(),
        Cell::Int(event.repeats),
        if inside { Cell::Null } else { hash.into() },
    ]
}

fn failed_login(record: &Record) -> Row {
    let event = &record.event;
    vec![
        Cell::Moment(event.at),
        event.tenant.clone().into(),
        event.login.clone().into(),
        event.client.clone().into(),
        event.sqlstate.clone().into(),
        Cell::Int(event.repeats),
    ]
}
