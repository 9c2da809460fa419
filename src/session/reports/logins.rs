//! Who logged in when, and who did not.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_catalog::Catalog;
use tessera_catalog::audit::LoginSummary;
use tessera_catalog::id::DatabaseId;

use super::{Cell, Row, Viewer};
use crate::error::Result;

/// A role is unused when it has not logged in for so many days.
const UNUSED_AFTER_DAYS: i64 = 90;

/// What is known of one role's logins.
#[derive(Default, Clone, Copy)]
struct Logins {
    last: Option<i64>,
    count: i64,
    last_failure: Option<i64>,
    failures: i64,
}

impl Logins {
    fn add(&mut self, more: &LoginSummary) {
        self.last = self.last.max(more.last_login);
        self.count += more.logins;
        self.last_failure = self.last_failure.max(more.last_failure);
        self.failures += more.failures;
    }
}

/// Every role that can log in, with its last session and its last failure, as far as the audit reaches.
pub(super) async fn last(catalog: Catalog, viewer: Viewer) -> Result<Vec<Row>> {
    let roles = roles(&catalog, viewer).await?;
    let rows = roles.into_iter().map(|(tenant, role, logins)| {
        vec![
            tenant.into(),
            role.into(),
            Cell::moment(logins.last),
            Cell::Int(logins.count),
            Cell::moment(logins.last_failure),
            Cell::Int(logins.failures),
        ]
    });
    Ok(rows.collect())
}

/// Those that have not logged in for long.
pub(super) async fn unused(catalog: Catalog, viewer: Viewer) -> Result<Vec<Row>> {
    let now = chrono::Utc::now();
    let since = (now - chrono::Duration::days(UNUSED_AFTER_DAYS)).timestamp_micros();
    let roles = roles(&catalog, viewer).await?;
    let unused = roles
        .into_iter()
        .filter(|(_, _, logins)| logins.last.is_none_or(|last| last < since));
    let rows = unused
        .map(|(tenant, role, logins)| vec![tenant.into(), role.into(), Cell::moment(logins.last)]);
    Ok(rows.collect())
}

async fn roles(catalog: &Catalog, viewer: Viewer) -> Result<Vec<(Option<String>, String, Logins)>> {
    let mut seen: HashMap<(DatabaseId, String), Logins> = HashMap::new();
    for summary in catalog.logins().await? {
        // An operator is the system's role wherever it went.
        let home = match summary.operator {
            true => DatabaseId::System,
            false => summary.database,
        };
        let key = (home, summary.login.clone());
        seen.entry(key).or_default().add(&summary);
    }
    let system = catalog.system();
    let mut rows = Vec::new();
    for (id, tenant) in viewer.databases(&system) {
        let database = match id {
            DatabaseId::System => Arc::clone(&system),
            id => catalog.database(id).await?,
        };
        for role in database.roles.values().filter(|role| role.login) {
            let logins = seen.get(&(id, role.name.clone())).copied();
            rows.push((
                tenant.clone(),
                role.name.clone(),
                logins.unwrap_or_default(),
            ));
        }
    }
    Ok(rows)
}
